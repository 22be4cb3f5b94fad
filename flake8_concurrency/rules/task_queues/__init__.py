"""CNC7xx: the right queue, after the commit, not on every event."""
