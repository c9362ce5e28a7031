"""Small shared parts: configuration, randomness, cameras, images, video, weights."""
