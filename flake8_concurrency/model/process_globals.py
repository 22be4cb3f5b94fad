"""What belongs to the whole process and is changed: environment, directory, locale, standard streams, signals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.process_shapes import OF_ENVIRON, STREAMS, WORDS
from flake8_concurrency.model.spelling import last_name, text

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_ENVIRON = "os._Environ"
#: Functions that change something of the process, each with what it changes.
_CHANGING = {
    "os.chdir": "the working directory",
    "os.fchdir": "the working directory",
    "os.umask": "the umask",
    "locale.setlocale": "the locale",
    "time.tzset": "the time zone",
    "signal.signal": "a signal handler",
    "socket.setdefaulttimeout": "the default timeout of sockets",
}
#: Context managers of the standard library that change something and restore it; the last of them since 3.11.
_RESTORING = {
    "contextlib.redirect_stdout": "sys.stdout",
    "contextlib.redirect_stderr": "sys.stderr",
    "contextlib.chdir": "the working directory",
}
#: Changed for good, these are set up for the whole process on purpose; a change that is taken back is none.
_LASTING = ("os.environ",)


class Change(NamedTuple):
    """A change of something that all threads of the process see."""

    node: cst.CSTNode
    #: What is changed, as a message says it; the same for a change and for what takes it back.
    what: str
    #: The `with` that takes it back.
    around: cst.With | None = None


class ProcessGlobals:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._known: dict[FunctionInfo, tuple[Change, ...]] = {}

    def changes(self, function: FunctionInfo) -> tuple[Change, ...]:
        """What a function changes itself, in order, and what context managers of the file change for it."""
        found = self._known.get(function)
        if found is None:
            # A context manager that enters itself changes nothing more.
            self._known[function] = ()
            order = self._file.tree.order
            changes = (change for node in function.own for change in self._changed_by(node))
            found = self._known[function] = tuple(sorted(changes, key=lambda change: order(change.node)))
        return found

    def _changed_by(self, node: cst.CSTNode) -> Iterator[Change]:
        match node:
            case cst.Assign():
                for target in node.targets:
                    yield from self._stored(target.target, node)
            case cst.Del():
                yield from self._stored(node.target, node)
            case cst.Call(func=cst.Attribute(value=receiver, attr=cst.Name(value=method))) if (
                method in OF_ENVIRON and self._is_environ(receiver)
            ):
                # A `pop` or `setdefault` that is read only asks, more often than not.
                if not node.args or method in ("update", "clear", "popitem"):
                    yield Change(node, "os.environ")
                else:
                    yield from self._variable(node.args[0].value, node)
            case cst.Call() if last_name(node.func) in WORDS:
                name = self._file.qualified(node.func)
                if name in _CHANGING and not (name == "locale.setlocale" and len(node.args) < 2):
                    yield Change(node, _CHANGING[name])
            case cst.With(asynchronous=None):
                for item in node.items:
                    what = self._restored_by(item.item)
                    if what:
                        yield Change(item, what, node)

    def _is_environ(self, node: cst.BaseExpression) -> bool:
        return last_name(node) == "environ" and self._file.is_a(node, _ENVIRON)

    def _stored(self, target: cst.BaseExpression, node: cst.CSTNode) -> Iterator[Change]:
        match target:
            case cst.Subscript(value=container, slice=[cst.SubscriptElement(slice=cst.Index(value=key))]):
                if self._is_environ(container):
                    yield from self._variable(key, node)
            case cst.Attribute(value=cst.Name() as module, attr=cst.Name(value=name)) if name in STREAMS:
                if self._file.kinds.symbol_name(module) == "sys":
                    yield Change(node, f"sys.{name}")

    def _variable(self, key: cst.BaseExpression, node: cst.CSTNode) -> Iterator[Change]:
        """A variable of the environment; one that a function names itself may be its own."""
        spelled = text(key)
        bindings = self._file.names.reaching(key) if isinstance(key, cst.Name) else None
        if spelled and not any(binding.how == "assign" and not self._is_global(key) for binding in bindings or ()):
            yield Change(node, f"os.environ[{spelled}]")

    def _is_global(self, name: cst.BaseExpression) -> bool:
        home = self._file.names.home(text(name), self._file.tree.scope_of(name))
        return home is self._file.tree.module

    def _restored_by(self, node: cst.BaseExpression) -> str:
        """What entering a context manager changes until it is left."""
        if not isinstance(node, cst.Call):
            return ""
        name = self._file.qualified(node.func) or ""
        if name in _RESTORING and last_name(node.func) in WORDS:
            return _RESTORING[name]
        kind = self._file.kind(node.func)
        function = kind.ref if kind is not None else None
        if isinstance(function, FunctionInfo):
            is_manager = "contextmanager" in function.decorator_names
            return self._temporary(function) if is_manager else ""
        made = self._file.kind(node)
        info = made.ref if made is not None else None
        if isinstance(info, ClassInfo) and {"__enter__", "__exit__"} <= info.methods.keys():
            entered = {change.what for change in self.changes(info.methods["__enter__"])}
            return next((one.what for one in self.changes(info.methods["__exit__"]) if one.what in entered), "")
        return ""

    def _temporary(self, function: FunctionInfo) -> str:
        """What a generator changes before it yields and changes again afterwards."""
        order = self._file.tree.order
        yields = [order(node) for node in function.nodes(cst.Yield)]
        changes = self.changes(function)
        for change in changes:
            is_before = change.around is None and bool(yields) and order(change.node) < yields[0]
            if is_before and any(is_same(change, other) and order(other.node) > yields[0] for other in changes):
                return change.what
        return ""

    # -- where others see it -------------------------------------------------------------------------------------------

    def seen_by_tasks(self, function: FunctionInfo) -> Iterator[tuple[Change, cst.CSTNode]]:
        """The changes of an async function that other tasks run with: it takes them back, but waits before."""
        order = self._file.tree.order
        waits = [node for node in function.own if self._may_wait(node)]
        changes = self.changes(function)
        seen: set[str] = set()
        for change in changes:
            if change.what in seen:
                continue
            if change.around is not None:
                inside = (node for node in waits if change.around in self._file.ancestors(node))
                wait = next((node for node in inside if node is not change.around), None)
            else:
                back = next(
                    (one for one in changes if is_same(change, one) and order(one.node) > order(change.node)), None
                )
                later = () if back is None else (n for n in waits if order(change.node) < order(n) < order(back.node))
                wait = next(iter(later), None)
            if wait is not None and not self._file.sections.encloses(change.node, change.node):
                seen.add(change.what)
                yield change, wait

    @staticmethod
    def _may_wait(node: cst.CSTNode) -> bool:
        return isinstance(node, cst.Await) or (
            isinstance(node, cst.With | cst.For | cst.CompFor) and node.asynchronous is not None
        )

    def seen_by_threads(self, function: FunctionInfo) -> Iterator[Change]:
        """The changes of a function in a thread that the other threads run with."""
        changes = self.changes(function)
        seen: set[str] = set()
        for change in changes:
            if change.what in seen or self._file.sections.encloses(change.node, change.node):
                continue
            if change.around is None and change.what.startswith(_LASTING):
                order = self._file.tree.order
                if not any(is_same(change, one) and order(one.node) > order(change.node) for one in changes):
                    continue
                if isinstance(change.node, cst.Call) and not isinstance(self._file.parent(change.node), cst.Expr):
                    continue
            seen.add(change.what)
            yield change

    def is_of_main_thread(self, function: FunctionInfo) -> bool:
        """Whether a function asks which thread it runs in."""
        return any(last_name(call.func) == "main_thread" for call in function.calls)


def is_same(one: Change, other: Change) -> bool:
    """Whether two changes are of the same thing."""
    if one.what == other.what:
        return True
    return "os.environ" in (one.what, other.what) and one.what[:10] == other.what[:10]
