"""Rules about task queues: the right queue, after the commit, not on every event."""
