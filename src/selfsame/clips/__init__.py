"""Clips of talking heads: which there are, what gives them away, and how detectors are tested on them."""
