"""Threads and processes that are made or started in a way in which nothing, or the wrong thread, does the work."""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.knowledge.offloading import OFFLOADING
from flake8_concurrency.model.callees import is_super
from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.model.offloads import Handed
from flake8_concurrency.model.pieces import below
from flake8_concurrency.model.spelling import dotted

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_THREAD = "threading.Thread"
_PROCESS, _BASE = "multiprocessing.Process", "multiprocessing.process.BaseProcess"
_PLAIN = (_THREAD, _PROCESS, _BASE)
_MADE = "thread"


class ThreadUses:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def group(self, call: cst.Call) -> cst.BaseExpression | None:
        """The function that a call gives in the place of the group: `Thread(work)`."""
        if self._file.qualified(call.func) not in _PLAIN:
            return None
        given = argument(call, 0, "group")
        if given is None or literal(given) == (None,) or self._may_be_none(given):
            return None
        by_position = argument(call, 0, None) is given
        return given if by_position or self._file.functions.handed(given) is not None else None

    def _may_be_none(self, given: cst.BaseExpression) -> bool:
        """Whether it is a parameter that is None when it is not given: `def start(group=None)`."""
        bindings = (self._file.names.reaching(given) or ()) if isinstance(given, cst.Name) else ()
        return any(
            isinstance(one.node, cst.Param) and one.node.default is not None and literal(one.node.default) == (None,)
            for one in bindings
        )

    def handed_early(self, call: cst.Call) -> cst.Call | None:
        """The call whose result, which cannot be called, is the target: `Thread(target=work())`."""
        offloads = self._file.offloads
        given = argument(call, 1, "target") if self._file.qualified(call.func) == _PROCESS else None
        handed = offloads.of(call) if given is None else Handed(_PROCESS, OFFLOADING[_BASE], given)
        if handed is None or not handed.name.startswith(("threading.", "multiprocessing.")):
            return None
        early = offloads.called_too_early(handed)
        return handed.value if early and isinstance(handed.value, cst.Call) else None

    def runs_here(self, call: cst.Call) -> bool:
        """Whether a call runs in this thread what a plain thread was made for: `Thread(target=work).run()`."""
        if not isinstance(call.func, cst.Attribute) or call.func.attr.value != "run" or call.args:
            return False
        kind = None if is_super(call.func.value) else self._file.kind(call.func.value)
        return kind is not None and kind.name in _PLAIN

    def started_before(self, call: cst.Call) -> cst.CSTNode | None:
        """Where the thread that a call starts was started before: a statement above in its block, or its loop."""
        name = self._started(call)
        statement = self._file.parent(call)
        if name is None or not isinstance(statement, cst.Expr) or not self._is_thread(call):
            return None
        line = self._file.parent(statement)
        block = self._file.parent(line)
        if isinstance(block, cst.IndentedBlock | cst.Module):
            for earlier in reversed(block.body[: list(block.body).index(line)]):  # type: ignore[arg-type]
                if isinstance(earlier, cst.SimpleStatementLine):
                    for small in earlier.body:
                        if isinstance(small, cst.Expr) and self._started(small.value) == name:
                            return small
                if self._may_bind(earlier, name):
                    return None
        return self._loop_around(call, name)

    def _loop_around(self, call: cst.Call, name: str) -> cst.CSTNode | None:
        """The loop that starts one thread again and again: it is made outside, and every round comes here."""
        loop = self._file.loops.around(call)
        if loop is None or self._may_bind(loop, name) or not name.isidentifier():
            return None
        line = self._file.parent(self._file.parent(call))
        is_in_every_round = self._file.parent(line) is loop.body
        leaves = any(isinstance(node, cst.Break | cst.Return | cst.Raise) for node in self._file.tree.within(loop.body))
        return loop if is_in_every_round and not leaves else None

    def _started(self, node: cst.CSTNode) -> str | None:
        """The name of the thread that an expression starts."""
        if not isinstance(node, cst.Call) or node.args or not isinstance(node.func, cst.Attribute):
            return None
        return (dotted(node.func.value) or None) if node.func.attr.value == "start" else None

    def _is_thread(self, call: cst.Call) -> bool:
        assert isinstance(call.func, cst.Attribute)
        return self._file.is_a(call.func.value, _THREAD, _BASE)

    def _may_bind(self, statement: cst.CSTNode, name: str) -> bool:
        """Whether a statement may give a variable another value: it assigns one of its parts, or calls its object."""
        root = name.partition(".")[0]
        for node in self._file.tree.within(statement):
            match node:
                case cst.AssignTarget(target=target) | cst.AnnAssign(target=target) | cst.For(target=target):
                    if any(dotted(part) in (root, name) for part in self._file.tree.within(target)):
                        return True
                case cst.NamedExpr(target=cst.Name(value=value)) if value == root:
                    return True
                case cst.AsName(name=cst.Name(value=value)) if value == root:
                    return True
                case cst.Call(func=cst.Attribute(value=cst.Name(value=value))) if value == root and "." in name:
                    return True
                case cst.Return() | cst.Raise() | cst.Break() | cst.Continue():
                    return True
        return False


# -- what the gate asks ------------------------------------------------------------------------------------------------


def asks(root: ast.AST) -> Collection[str]:
    """Something here, where a call may make a thread wrongly, and a thread for what runs or starts one wrongly."""
    nodes = below(root)
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    found = {_here(root)} if any(map(_is_misused, calls)) else set()
    if any(_last(call.func) == "run" and not call.args and not call.keywords for call in calls) or (
        _starts_again(nodes, calls)
    ):
        found.add(_MADE)
    return found


def answers(root: ast.AST, anchors: Collection[str]) -> Collection[str]:
    """A thread for a piece of the text that makes one, and something here where it does so wrongly."""
    found: set[str] = set()
    for node in below(root):
        if isinstance(node, ast.Call) and _last(node.func) in anchors:
            found.add(_MADE)
            if _is_misused(node):
                found.add(_here(root))
    return found


def _here(root: ast.AST) -> str:
    """Stands for this piece of the text, and no other."""
    return f"<line {getattr(root, 'lineno', 0)}>"


def _is_misused(call: ast.Call) -> bool:
    """Whether a call gives a group, or what another call gives as the target, if it makes a thread."""
    if call.args and not (isinstance(call.args[0], ast.Constant) and call.args[0].value is None):
        return True
    given = [*call.args[1:2], *(word.value for word in call.keywords if word.arg in ("target", "function"))]
    return any(isinstance(one, ast.Call) for one in given) or any(word.arg == "group" for word in call.keywords)


def _starts_again(nodes: Collection[ast.AST], calls: list[ast.Call]) -> bool:
    started = [ast.unparse(call.func) for call in calls if _last(call.func) == "start" and not call.args]
    return len(started) > len(set(started)) or any(
        isinstance(node, ast.For | ast.While) and _starts_others(node) for node in nodes if started
    )


def _starts_others(loop: ast.For | ast.While) -> bool:
    """Whether a loop starts something that it does not bind."""
    within = below(loop)
    bound = {node.id for node in within if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    starts = (node.func for node in within if isinstance(node, ast.Call) and _last(node.func) == "start")
    return any(
        isinstance(f, ast.Attribute) and isinstance(f.value, ast.Name) and f.value.id not in bound for f in starts
    )


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
