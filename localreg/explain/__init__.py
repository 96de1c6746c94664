"""Error messages of engines and clients, what causes them, and what cures them."""
