"""CNC6xx and CNC8xx: threads and locks, and what a class promises to threads."""
