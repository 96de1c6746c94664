"""A private OCI image registry on your own machine, on whichever container engine it has."""

__version__ = "0.1.0"
