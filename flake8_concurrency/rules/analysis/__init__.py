"""CNC9xx: the linter itself."""
