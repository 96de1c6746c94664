"""The registry that localreg runs, from `up` to `down`: a module for each command."""
