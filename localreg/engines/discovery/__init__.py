"""Finding the engines of this machine and choosing one."""
