"""The project around a linted file: found by its root, kept for the run, asked only where it can matter."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

import libcst as cst

from flake8_concurrency.gate import blocking
from flake8_concurrency.knowledge.schema import Blocking
from flake8_concurrency.knowledge.words import ANY, kind_words
from flake8_concurrency.model.file import FileModel, Run
from flake8_concurrency.model.modules import Place, root_of
from flake8_concurrency.model.positions import Positions
from flake8_concurrency.model.project import Elsewhere, Project
from flake8_concurrency.model.tree import Tree
from flake8_concurrency.options import Options
from flake8_concurrency.outline import Abroad, Outline, Unit
from flake8_concurrency.rules.event_loop.blocking_helper import BlockingHelper
from flake8_concurrency.summaries import Asking, Summaries

#: What flake8 calls a file that it was not told the name of.
_NAMELESS = frozenset({"stdin", "-", ""})
#: So many parts of other files are kept parsed; when there are more, all are let go before the next file.
_MOST_MODULES = 400

#: What every rule that looks into other files asks about.
_COROUTINE = re.compile(r"\basync\s+def\b")
_OFF: Mapping[str, Abroad] = MappingProxyType({})


class Around(NamedTuple):
    """What a file has from its project: by the names it imports, and for whoever asks further."""

    abroad: Mapping[str, Abroad] = _OFF
    elsewhere: Elsewhere | None = None


class _Opened:
    """One project in one run."""

    def __init__(self, root: str, configured: Mapping[str, Blocking], codes: Collection[str]) -> None:
        self._root = root
        self._run = Run(configured=configured, codes=frozenset(codes))
        self._configured = {name.rpartition(".")[2] for name in configured}
        words = self._configured | kind_words(*_CATEGORIES)
        self._gate = BlockingHelper.gate_for(configured, codes)
        self._vocabulary = frozenset(words)
        asking = Asking(self._blocking, self._may_block, self._telling)
        self._summaries = Summaries(root, self._vocabulary, asking)
        self._project = self._opened()

    def _opened(self) -> Project:
        return Project(self._root, self._make, self._summaries)

    def _may_block(self, called: set[str], some: set[str]) -> bool:
        """Whether something that is called may block, by all the words around it."""
        anchors = (called & self._gate.anchors) | {ANY}
        needs = self._gate.needs
        return any(anchor not in needs or not some.isdisjoint(needs[anchor]) for anchor in anchors)

    def _telling(self, called: set[str]) -> frozenset[str]:
        """The words of the vocabulary by which what is called may turn out to block."""
        needs = self._gate.needs
        needed = (needs[anchor] for anchor in {*called, ANY} & needs.keys())
        return self._vocabulary.intersection(frozenset().union(*needed)) | self._configured

    def _blocking(self, outline: Outline) -> set[Unit]:
        return blocking(self._gate, outline)

    def _make(self, path: str, about: tuple[str, str], elsewhere: Elsewhere) -> FileModel | None:
        """The model of a part of another file; None where it cannot be read or parsed."""
        part = self._summaries.part(path, *about)
        if part is None:
            return None
        try:
            module = cst.parse_module(part.text)
        except (cst.ParserSyntaxError, RecursionError):
            return None
        module_tree = Tree(module)
        positions = Positions(module_tree, part.starts, part.lines)
        memo = elsewhere.project.memo
        return FileModel(module_tree, positions, run=self._run, elsewhere=elsewhere, memo=memo)

    def around(self, path: str, source: str, tree: ast.Module) -> Around:
        """What the file at a path has from the project."""
        abroad, names = self._summaries.imports(tree, path, source)
        if not abroad:
            return Around()
        if len(self._project) > _MOST_MODULES:
            self._project = self._opened()
        return Around(abroad, Elsewhere(self._project, Place(self._root, path), names))


_CATEGORIES = ("sleep", "http", "subprocess", "database", "client", "primitive", "configured", "file", "stat")


def around(filename: str, source: str, tree: ast.Module, options: Options, codes: frozenset[str]) -> Around:
    """What a file has from its project; nothing where no project is found, or nothing can come of it."""
    if (
        options.project_root == "off"
        or filename in _NAMELESS
        or filename.startswith("<")
        or not _COROUTINE.search(source)
    ):
        return Around()
    root = options.project_root or root_of(filename)
    path = os.path.realpath(filename)
    if root is None or not path.startswith(root.rstrip(os.sep) + os.sep):
        return Around()
    return _open(root, options, codes).around(path, source, tree)


@lru_cache(maxsize=4)
def _open(root: str, options: Options, codes: frozenset[str]) -> _Opened:
    return _Opened(root, configured(options), codes)


def close() -> None:
    """Let go of all projects: whatever was found out about them."""
    _open.cache_clear()


def configured(options: Options) -> dict[str, Blocking]:
    """The blocking calls that the user names."""
    return {
        name: Blocking("configured", f"await {twin}(...)" if twin else "an async twin, or await asyncio.to_thread(...)")
        for name, twin in options.blocking_calls.items()
    }
