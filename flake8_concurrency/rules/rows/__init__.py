"""CNC3xx: what you read, lock; what you lock, write before you let go."""
