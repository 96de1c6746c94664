"""The results of `localreg tunnel`: a module for each of its commands."""
