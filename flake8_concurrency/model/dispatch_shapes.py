"""What a piece of the text must look like, in the `ast` tree, before a task in it can be sent too early.

The gate asks, so this must never be narrower than `tasks` and `early_dispatches`, which see the libcst tree.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

from flake8_concurrency.knowledge import file_storage
from flake8_concurrency.knowledge import task_queues as known
from flake8_concurrency.model.pieces import below, last_name, own
from flake8_concurrency.model.vocabulary import READERS

#: Methods and functions of which one is called in every function that sends a task, but for a workflow that is called.
DISPATCHING = frozenset(known.SENDING) | frozenset(known.ENQUEUING)
_SENT = "sent"
#: Words by which the end of a transaction shows that comes later.
ENDING = (
    frozenset(
        """atomic Atomic commit_on_success commit_manually in_transaction begin transaction commit flush receiver
        connect listens_for listen hook sender instance""".split()
    )
    | known.ATOMIC_NAMES
    | known.ADMIN_METHODS
    | known.MODEL_METHODS
)
#: Words that say so wherever they stand.
_SAYING = ENDING - known.MODEL_METHODS - {"sender", "instance"}


_SENT_BY = DISPATCHING | known.CANVAS
_COMMON = known.COMMON | known.CANVAS
_LIBRARIES = (*known.SENDERS, "actor")


def speaks_of_tasks(some: Collection[str]) -> bool:
    """Whether a text, by all its words, can have to do with tasks that are sent."""
    sent = _SENT_BY.intersection(some)
    if not sent:
        return False
    if not sent <= _COMMON:
        return True
    text = " ".join(some)
    return any(part in text for part in _LIBRARIES) or any(word.endswith(known.SENDER_MODULES) for word in some)


def asks_end(root: ast.AST) -> set[str]:
    """The end of a transaction, where a function may send a task."""
    return {_SENT} if any(_may_send(node) for node in own(root)) else set()


def _may_send(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Call):
        # `chain(a.s(), b.s())()`.
        return last_name(node.func.func) in known.CANVAS
    name = last_name(node.func)
    if name == "send":
        return not any(word.arg == "sender" for word in node.keywords)
    return name in DISPATCHING


def answers_end(root: ast.AST, names: Collection[str]) -> set[str]:
    """The end of a transaction, where a piece of the text speaks of one."""
    if isinstance(root, ast.FunctionDef | ast.AsyncFunctionDef):
        if root.name in known.MODEL_METHODS | known.ADMIN_METHODS:
            return {_SENT}
        args = root.args
        given = {arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs)}
        if not given.isdisjoint({"sender", "instance"}):
            return {_SENT}
    saying = _SAYING.union(names) - known.MODEL_METHODS - {"sender", "instance"}
    return {_SENT} if any(last_name(node) in saying for node in own(root)) else set()


def asks_queue(root: ast.AST) -> set[str]:
    """A named queue, where a function may send a task."""
    return asks_end(root)


def answers_queue(root: ast.AST, names: Collection[str]) -> set[str]:
    """A named queue, where the decorator of a task names one."""
    decorators = getattr(root, "decorator_list", [])
    calls = (part for part in decorators if isinstance(part, ast.Call))
    named = any(
        last_name(call.func) == "job" or any(word.arg in known.QUEUE_OPTIONS for word in call.keywords)
        for call in calls
    )
    del names
    return {_SENT} if named else set()


#: Words of which one stands where something is known to be a row.
ROW_WORDS = READERS | frozenset({"create", "acreate", "instance", "refresh_from_db", "full_clean", "models", "Model"})


def asks_argument(root: ast.AST) -> set[str]:
    """A row, where a function may give one to a task."""
    calls = (node for node in below(root) if isinstance(node, ast.Call))
    return {_SENT} if any(_may_send(call) or _prepares(call) for call in calls) else set()


def _prepares(call: ast.Call) -> bool:
    """`partial(task.delay, order)`."""
    return last_name(call.func) == "partial" and bool(call.args) and last_name(call.args[0]) in DISPATCHING


def answers_rows(root: ast.AST, names: Collection[str]) -> set[str]:
    """A row, where a piece of the text may have one: the gate asks only what speaks of rows."""
    del root, names
    return {_SENT}


#: Words of which one is called where a file is deleted.
DELETING = file_storage.REMOVING | file_storage.OBJECTS | {"delete"}


def asks_deletion(root: ast.AST) -> set[str]:
    """The end of a transaction, where a function may delete a file."""
    return {_SENT} if any(isinstance(node, ast.Call) and _may_delete(node) for node in own(root)) else set()


def _may_delete(call: ast.Call) -> bool:
    name = last_name(call.func)
    if name != "delete":
        return name in DELETING
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    return isinstance(receiver, ast.Attribute) or "storage" in last_name(receiver or call).lower()


def asks_commit(root: ast.AST) -> set[str]:
    """A commit, where a function makes one in a loop."""
    for node in own(root):
        if isinstance(node, ast.For | ast.AsyncFor | ast.While):
            inside = (part for part in below(node) if isinstance(part, ast.Call))
            if any(last_name(call.func) == "commit" for call in inside):
                return {_SENT}
    return set()


def answers_commit(root: ast.AST, names: Collection[str]) -> set[str]:
    """The same: a function answers itself."""
    del names
    return asks_commit(root)
