"""Synthetic people with ground truth."""
