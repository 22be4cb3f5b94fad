"""A flake8 plugin that finds concurrency bugs, and a runtime that implements the correct patterns."""

__version__ = "0.1.0"
