"""CNC4xx: nothing blocks the event loop, directly or through a helper."""
