"""Detectors of machine-made talking heads: one contract, one file a family, a literal table of what there is."""
