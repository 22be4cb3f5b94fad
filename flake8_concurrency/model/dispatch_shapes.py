"""What a piece of the text must look like, in the `ast` tree, before a task in it can be sent too early.

The gate asks, so this must never be narrower than `tasks` and `early_dispatches`, which see the libcst tree.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

from flake8_concurrency.knowledge import task_queues as known
from flake8_concurrency.model.pieces import last_name, own

#: Methods and functions of which one is called in every function that sends a task, but for a workflow that is called.
DISPATCHING = frozenset(known.SENDING) | frozenset(known.ENQUEUING)
_SENT = "sent"
#: Words by which the end of a transaction shows that comes later.
ENDING = (
    frozenset(
        """atomic Atomic commit_on_success commit_manually in_transaction begin transaction commit receiver connect
        listens_for sender instance super""".split()
    )
    | known.ATOMIC_NAMES
    | known.ADMIN_METHODS
)


def asks_end(root: ast.AST) -> set[str]:
    """The end of a transaction, where a function may send a task."""
    return {_SENT} if any(_may_send(node) for node in own(root)) else set()


def _may_send(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Call):
        # `chain(a.s(), b.s())()`.
        return last_name(node.func.func) in known.CANVAS
    return last_name(node.func) in DISPATCHING


def answers_end(root: ast.AST, names: Collection[str]) -> set[str]:
    """The end of a transaction: the gate asks only what speaks of one."""
    del root, names
    return {_SENT}
