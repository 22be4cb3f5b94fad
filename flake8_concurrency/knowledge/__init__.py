"""Facts about libraries, as data: teaching the linter a library is an edit of one table and one fixture."""
