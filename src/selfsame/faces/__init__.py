"""Photos in, album out: detection, alignment, pose, quality."""
