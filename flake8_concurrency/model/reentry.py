"""Event loops that are entered while another one runs: where that is all right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.spelling import dotted

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel


class Reentry:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._patched: bool | None = None

    def may_be_entered(self, node: cst.CSTNode) -> bool:
        """Whether a loop may be entered at a node of async code: loops are patched, or the code asks before."""
        return self._is_patched() or any(
            "is_running" in dotted(part.func)
            for condition in self._file.flow.conditions(node)
            for part in self._file.tree.within(condition.test)
            if isinstance(part, cst.Call)
        )

    def _is_patched(self) -> bool:
        """Whether the module imports what lets a loop be entered again."""
        if self._patched is None:
            module = self._file.tree.module
            self._patched = any(
                binding.how == "import"
                and binding.target.partition(".")[0] == "nest_asyncio"
                and self._file.parent(self._file.parent(binding.node)) is module
                for found in self._file.names.bindings(module).values()
                for binding in found
            )
        return self._patched
