"""Synthetic people with ground truth: `shoot` makes photo files, `looks` and `photograph` pictures in memory."""

from selfsame.world.album import NOBODY, Shoot, front, looks, photograph, shoot

__all__ = ["NOBODY", "Shoot", "front", "looks", "photograph", "shoot"]
