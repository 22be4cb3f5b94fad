"""Threads: where one is made and started, and how many of them there may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.model.spelling import dotted, last_name
from flake8_concurrency.model.tree import COMPREHENSIONS

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_THREAD = "threading.Thread"
#: What gives one item of an endless source.
_TAKES = frozenset("accept get recv receive poll next get_message consume pop popleft recvfrom".split())
#: Functions that somebody calls for every item, by their whole name.
_PER_ITEM = frozenset("submit enqueue put handle_request process_request on_message".split())
#: Words for what bounds the number of threads.
_BOUNDS = ("emaphore", "active_count", "max_threads", "max_workers", "limit", "pool", "chunk", "batch")


class Threads:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def is_made(self, call: cst.Call) -> bool:
        """Whether a call makes a plain thread."""
        return self._file.qualified(call.func) == _THREAD

    def is_started(self, call: cst.Call) -> bool:
        """Whether the thread that a call makes is started: at once, or through the variable or list it is put into."""
        parent = self._file.parent(call)
        match parent:
            case cst.Attribute(attr=cst.Name(value="start")):
                return True
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))]):
                return self._is_called(call, name, "start")
            case cst.Arg():
                owner = self._file.parent(parent)
                is_growth = isinstance(owner, cst.Call) and last_name(owner.func) in ("append", "add")
                return is_growth and isinstance(owner, cst.Call) and self._is_any_started(call)
        return any(isinstance(around, COMPREHENSIONS) for around in self._file.ancestors(call)) and (
            self._is_any_started(call)
        )

    def _is_any_started(self, node: cst.CSTNode) -> bool:
        function = self._file.function_of(node)
        calls = function.calls if function is not None else ()
        return any(last_name(one.func) == "start" and not one.args for one in calls)

    def _is_called(self, node: cst.CSTNode, name: str, method: str) -> bool:
        function = self._file.function_of(node)
        calls = function.calls if function is not None else ()
        return any(dotted(one.func) == f"{name}.{method}" for one in calls)

    def unbounded_source(self, call: cst.Call) -> str:
        """What a thread is made for each of, as a message says it; empty where the number is fixed or bounded."""
        function = self._file.function_of(call)
        if function is None or self._is_bounded(function.node) or self._serves(call):
            return ""
        comprehension = next((p for p in self._file.ancestors(call) if isinstance(p, COMPREHENSIONS)), None)
        if comprehension is not None:
            return self._item_of(comprehension.for_in.iter)
        loop = self._file.loops.around(call)
        if isinstance(loop, cst.For):
            return "" if self._joins(loop.body) else self._item_of(loop.iter)
        if isinstance(loop, cst.While):
            return self._taken(loop, call)
        if function.owner is not None and function.name in _PER_ITEM:
            return f"every call of {function.qualified_name}"
        return ""

    def _serves(self, call: cst.Call) -> bool:
        """Whether the thread runs a server till it is stopped: one for each address, and no pool can take turns."""
        target = argument(call, 1, "target")
        return target is not None and last_name(target) == "serve_forever"

    def _item_of(self, iterable: cst.BaseExpression) -> str:
        """The data that a loop goes through, if it is a parameter or what a call gives."""
        inner = iterable
        while isinstance(inner, cst.Call):
            method = last_name(inner.func)
            if inner.args and method in ("enumerate", "list", "sorted", "zip"):
                inner = inner.args[0].value
            elif isinstance(inner.func, cst.Attribute) and method in ("items", "values", "keys", "copy"):
                inner = inner.func.value
            else:
                break
        if self._file.loops.is_fixed(inner) or not isinstance(inner, cst.Name):
            return ""
        bindings = self._file.names.reaching(inner) or ()
        if not bindings or any(binding.how != "param" for binding in bindings):
            return ""
        return f"every item of {inner.value}"

    def _taken(self, loop: cst.While, call: cst.Call) -> str:
        """The endless source that a loop takes one item of in each round."""
        if literal(loop.test) not in ((True,), (1,)) or self._joins(loop.body):
            return ""
        for node in self._file.tree.within(loop.body):
            if node is call:
                return ""
            if isinstance(node, cst.Call) and last_name(node.func) in _TAKES and isinstance(node.func, cst.Attribute):
                return f"everything that {dotted(node.func) or last_name(node.func)}() gives"
        return ""

    def _joins(self, body: cst.CSTNode) -> bool:
        return any(isinstance(node, cst.Call) and last_name(node.func) == "join" and len(node.args) < 2
                   and not isinstance(getattr(node.func, "value", None), cst.BaseString)
                   for node in self._file.tree.within(body))  # fmt: skip

    def _is_bounded(self, function: cst.FunctionDef) -> bool:
        """Whether a function mentions something that bounds its threads: a semaphore, their number."""
        for node in self._file.tree.within(function.body):
            if isinstance(node, cst.Call) and last_name(node.func) == "acquire":
                return True
            if isinstance(node, cst.Name | cst.Attribute):
                name = last_name(node)
                if name == "len" or any(word in name for word in _BOUNDS):
                    return True
        return False
