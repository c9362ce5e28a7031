"""Replay: which old photos a model that goes on learning keeps, and where they lie."""
