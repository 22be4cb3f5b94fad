"""What async code does to files: each `with` block counts once, and where a file harms nobody nothing counts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.knowledge.blocking import WHOLE_BLOCK
from flake8_concurrency.model.blocking_calls import Leaf
from flake8_concurrency.model.definitions import FunctionInfo

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Methods of these work on what an `open` has opened.
_OPENED = (
    "io.",
    "typing.IO.",
    "zipfile.ZipFile.",
    "tarfile.TarFile.",
    "tempfile.TemporaryDirectory.",
    "fsspec.core.OpenFile.",
)
_PIECE_BY_PIECE = "asyncio.to_thread for each call on the disk, because the block awaits"
_WRAPPERS = frozenset({"trio.wrap_file", "anyio.wrap_file"})


class FileWork:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def touching(self, node: cst.FunctionDef, category: str) -> Iterator[Leaf]:
        """The calls of an async function that wait for the disk, those that are one piece of work told once."""
        function = self._file.definitions.functions[node]
        if self._file.is_program or not function.is_async or self._file.functions.runs_once(function):
            return
        found = (leaf for leaf in self._file.functions.leaves(function) if leaf.fact.category == category)
        leaves = [leaf for leaf in found if not self._is_wrapped(leaf)]
        opening = {self._place(leaf) for leaf in leaves if not _is_on_opened(leaf)}
        told: set[cst.CSTNode] = set()
        for leaf in leaves:
            place = self._place(leaf)
            if place not in told and not (_is_on_opened(leaf) and self._is_opened_by(opening, leaf)):
                told.add(place)
                yield self._with_a_remedy(leaf, place, function)

    def _with_a_remedy(self, leaf: Leaf, place: cst.CSTNode, function: FunctionInfo) -> Leaf:
        """The call, with another remedy where its block cannot go to a thread as a whole because it awaits."""
        if leaf.fact.twin != WHOLE_BLOCK or not isinstance(place, cst.With):
            return leaf
        awaits = any(
            (isinstance(node, cst.Await) or (isinstance(node, cst.With | cst.For) and node.asynchronous is not None))
            and self._file.tree.scope_of(node) is function.node
            for node in self._file.tree.within(place.body)
        )
        return leaf._replace(fact=leaf.fact._replace(twin=_PIECE_BY_PIECE)) if awaits else leaf

    def _is_wrapped(self, leaf: Leaf) -> bool:
        """Whether a file is made one whose methods are awaited: the author knows."""
        parent = self._file.parent(leaf.node)
        call = self._file.parent(parent) if isinstance(parent, cst.Arg) else None
        return isinstance(call, cst.Call) and self._file.qualified(call.func) in _WRAPPERS

    def _place(self, leaf: Leaf) -> cst.CSTNode:
        """The `with` block that a call enters, or else the call."""
        parent = self._file.parent(leaf.node)
        return self._file.parent(parent) if isinstance(parent, cst.WithItem) else leaf.node

    def _is_opened_by(self, opening: Collection[cst.CSTNode], leaf: Leaf) -> bool:
        """Whether a file that is read or written is opened by a call that is told: right there, or in a `with`."""
        node = leaf.node
        while isinstance(node, cst.Call | cst.Attribute):
            node = node.func if isinstance(node, cst.Call) else node.value
            if node in opening:
                return True
        for parent in self._file.ancestors(leaf.node):
            if isinstance(parent, cst.FunctionDef | cst.Lambda):
                return False
            if parent in opening:
                return True
        return False


def _is_on_opened(leaf: Leaf) -> bool:
    return leaf.name.startswith(_OPENED)
