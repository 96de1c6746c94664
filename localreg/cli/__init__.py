"""The command line: one file for each command; each declares its options, calls a use case and shows its result."""
