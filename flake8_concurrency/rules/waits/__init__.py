"""CNC2xx: every wait ends, and its outcome is read."""
