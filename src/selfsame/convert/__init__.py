"""The only reader of foreign checkpoints: their files are data here, and nothing in them is ever run."""
