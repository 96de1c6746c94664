"""Docker, through its SDK."""
