"""Whether control runs out of the end of a block."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

_LEAVING = frozenset({cst.Return, cst.Raise, cst.Continue, cst.Break})
_WITH_ONE_BODY = frozenset({cst.Else, cst.With, cst.Finally, cst.MatchCase, cst.ExceptHandler, cst.ExceptStarHandler})
_BLOCK_TYPES = frozenset({cst.IndentedBlock, cst.SimpleStatementSuite, cst.SimpleStatementLine})


def leaves(node: cst.CSTNode | None) -> bool:
    """Whether control never runs out of the end of a block: it returns, raises, continues or breaks."""
    while type(node) is cst.If:
        # A loop, because an `elif` is a branch of a branch of a branch.
        if not leaves(node.body):
            return False
        node = node.orelse
    kind = type(node)
    if kind in _BLOCK_TYPES:
        body: Sequence[cst.CSTNode] = node.body  # type: ignore[union-attr]
        return bool(body) and leaves(body[-1])
    if kind in _WITH_ONE_BODY:
        return leaves(node.body)  # type: ignore[union-attr]
    if isinstance(node, cst.Try | cst.TryStar):
        if leaves(node.finalbody):
            return True
        return (leaves(node.body) or leaves(node.orelse)) and all(leaves(handler) for handler in node.handlers)
    return kind in _LEAVING
