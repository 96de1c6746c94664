"""The result of `doctor explain`."""
