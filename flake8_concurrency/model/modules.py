"""Where a project's modules are: from an import as it is written to a file below the project's root."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import lru_cache

from flake8_concurrency.knowledge import libraries

#: What marks the directory in which a project begins.
_MARKERS = ("pyproject.toml", "setup.cfg", "setup.py", ".git")
#: A file with more bytes than this is written by a machine.
_LARGEST = 1_000_000
#: An import leads through this many directories at most.
_DEEPEST = 12


def root_of(filename: str) -> str | None:
    """The nearest directory around a file in which a project begins; None where there is none, or no such directory."""
    return _root(os.path.dirname(os.path.abspath(filename)))


@lru_cache(maxsize=4096)
def _root(directory: str) -> str | None:
    if not os.path.isdir(directory):
        return None
    while True:
        if any(os.path.exists(os.path.join(directory, marker)) for marker in _MARKERS):
            return os.path.realpath(directory)
        above = os.path.dirname(directory)
        if above == directory:
            return None
        directory = above


class Place:
    """A file of a project, as the imports in it see the others."""

    def __init__(self, root: str, path: str) -> None:
        self.root = root
        self.path = path
        self._directory = os.path.dirname(path)

    def find(self, target: str) -> tuple[str, list[str]] | None:
        """The file that an import leads to, and the names that are left to be looked up in it."""
        name = target.lstrip(".")
        level = len(target) - len(name)
        parts = name.split(".") if name else []
        if level:
            return _walk(self.root, _above(self._directory, level - 1), tuple(parts))
        if not parts or parts[0] in sys.stdlib_module_names or parts[0] in _libraries():
            return None
        for base in _bases(self.root, self._directory):
            found = _walk(self.root, base, tuple(parts))
            if found is not None:
                return found
        return None


@lru_cache(maxsize=1)
def _libraries() -> frozenset[str]:
    """The packages that the tables know: a directory of the project with such a name is not asked."""
    return frozenset(name.partition(".")[0] for name in (*libraries.CLASSES, *libraries.FUNCTIONS))


def _above(directory: str, level: int) -> str:
    for _ in range(level):
        directory = os.path.dirname(directory)
    return directory


@lru_cache(maxsize=4096)
def _bases(root: str, directory: str) -> tuple[str, ...]:
    """The directories from which absolute imports may start: those around the file that are no packages, and `src`."""
    found = list(_outwards(root, directory))
    source = os.path.join(root, "src")
    if source not in found and os.path.isdir(source):
        found.append(source)
    return tuple(found)


def _outwards(root: str, directory: str) -> Iterator[str]:
    while directory.startswith(root):
        if not os.path.isfile(os.path.join(directory, "__init__.py")):
            yield directory
        if directory == root:
            return
        directory = os.path.dirname(directory)


@lru_cache(maxsize=16384)
def _walk(root: str, base: str, parts: tuple[str, ...]) -> tuple[str, list[str]] | None:
    """The module that the longest beginning of a dotted name means, looked for from one directory."""
    if not _is_within(base, root):
        return None
    directory = base
    package = os.path.join(base, "__init__.py") if os.path.isfile(os.path.join(base, "__init__.py")) else None
    best = (package, list(parts)) if package is not None else None
    for position, part in enumerate(parts[:_DEEPEST]):
        rest = list(parts[position + 1 :])
        inner = os.path.join(directory, part)
        initial = os.path.join(inner, "__init__.py")
        if os.path.isfile(initial):
            best = (initial, rest)
        elif os.path.isfile(inner + ".py"):
            best = (inner + ".py", rest)
            break
        elif not os.path.isdir(inner):
            break
        else:
            best = None
        directory = inner
    if best is None or (best[0] == package and base == root):
        return None
    path = os.path.realpath(best[0])
    return (path, best[1]) if _is_within(path, root) else None


def _is_within(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def read(path: str) -> str | None:
    """The text of a file; None when it is missing, too large, or no text."""
    try:
        if os.path.getsize(path) > _LARGEST:
            return None
        with open(path, "rb") as file:
            return file.read().decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except (OSError, ValueError):
        return None
