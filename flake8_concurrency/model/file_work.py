"""What async code does to files: each `with` block counts once, and where a file harms nobody nothing counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.blocking_calls import Leaf

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


class FileWork:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def touching(self, node: cst.FunctionDef, category: str) -> Iterator[Leaf]:
        """The calls of an async function that wait for the disk, those that are one piece of work told once."""
        function = self._file.definitions.functions[node]
        if self._file.is_program or not function.is_async or self._file.functions.runs_once(function):
            return
        told: set[cst.CSTNode] = set()
        for leaf in self._file.functions.leaves(function):
            if leaf.fact.category == category:
                place = self._block(leaf.node) or leaf.node
                if place not in told and not (_is_on_opened(leaf) and self._is_told(leaf, told)):
                    yield leaf
                told.add(place)

    def _is_told(self, leaf: Leaf, told: set[cst.CSTNode]) -> bool:
        """Whether a file that is read or written is opened by a call that is told: around it, or in a `with`."""
        node = leaf.node
        while isinstance(node, cst.Call | cst.Attribute):
            node = node.func if isinstance(node, cst.Call) else node.value
            if node in told:
                return True
        for parent in self._file.ancestors(leaf.node):
            if isinstance(parent, cst.FunctionDef | cst.Lambda):
                return False
            if parent in told:
                return True
        return False

    def _block(self, node: cst.CSTNode) -> cst.With | None:
        """The `with` block that a call enters."""
        parent = self._file.parent(node)
        if not isinstance(parent, cst.WithItem):
            return None
        block = self._file.parent(parent)
        assert isinstance(block, cst.With)
        return block


def _is_on_opened(leaf: Leaf) -> bool:
    return leaf.name.startswith(_OPENED)
