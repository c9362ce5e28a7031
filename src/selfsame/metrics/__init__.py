"""Measures of quality, and the statistics that go with them."""
