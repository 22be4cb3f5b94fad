"""CNC5xx: tasks beside each other: what changes behind an await, what nobody keeps, what waits for itself."""
