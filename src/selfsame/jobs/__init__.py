"""Whole jobs from start to report."""
