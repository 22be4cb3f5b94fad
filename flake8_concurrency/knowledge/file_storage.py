"""How the files of Django's rows are deleted: checked against Django 5.2 (`db/models/fields/files.py`)."""

from __future__ import annotations

#: Functions of `os` and `shutil` that remove a path, by their last name, and methods of a path that do.
REMOVING = frozenset({"remove", "unlink", "rmtree", "removedirs"})
UNLINKING = frozenset({"unlink"})
#: Methods of clients of an object store.
OBJECTS = frozenset({"delete_object", "delete_objects", "remove_object"})
#: What a storage is called.
STORAGES = frozenset({"storage", "default_storage", "private_storage", "file_storage"})
#: The ends of the names of fields whose values are files.
FIELDS = ("FileField", "ImageField")
#: Attributes of a file that say where it is.
PATHS = frozenset({"path", "name", "url", "key"})
#: Attributes whose `path` or `name` is no row's file.
NO_FILES = frozenset("_meta request os sys settings config user parent model sender __class__".split())
