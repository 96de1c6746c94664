"""What other programs of this machine have to be told about the registry."""
