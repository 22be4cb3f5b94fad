"""CNC1xx: every pool has a limit, an end, and nobody drops its errors."""
