"""The table of blocking calls: every entry names something that exists, and has a category and a twin."""
