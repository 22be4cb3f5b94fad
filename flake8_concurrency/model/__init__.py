"""What a rule may ask about a file: read-only answers, computed when asked."""
