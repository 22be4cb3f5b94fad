"""The rules, one a file: the catalogue finds them by walking this package."""
