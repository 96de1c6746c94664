"""What Docker's API says, on whichever engine."""
