"""Questions that async code puts to others, a database or a service, and waits for on the event loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.blocking_calls import Leaf

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel


class Exchanges:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def holding_up(self, node: cst.FunctionDef, category: str) -> Iterator[Leaf]:
        """The calls of an async function that wait for an answer while others may want to run."""
        leaves = [leaf for leaf in self._file.blocking_in(node) if leaf.fact.category == category]
        for leaf in leaves:
            if self._file.functions.holds_up_nobody(leaf.node):
                continue
            # Leaving a block is told only where nothing inside it is.
            if leaf.name.endswith(".__exit__") and any(self._is_inside(leaf, other) for other in leaves):
                continue
            yield leaf

    def _is_inside(self, block: Leaf, other: Leaf) -> bool:
        item = self._file.parent(block.node)
        body = self._file.parent(item) if isinstance(item, cst.WithItem) else None
        return isinstance(body, cst.With) and any(parent is body.body for parent in self._file.ancestors(other.node))
