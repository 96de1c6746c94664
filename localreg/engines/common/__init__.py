"""Docker's API, which both engines speak."""
