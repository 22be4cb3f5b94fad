"""Sessions, connections, cursors and rows that several threads or tasks use at once."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge.unshared import ONLY_SESSIONS, TASKS, THREADS, UNSHARED, Unshared
from flake8_concurrency.model import clauses, pieces
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.locks import called_name, is_lock_name, words
from flake8_concurrency.model.reads import SQLALCHEMY
from flake8_concurrency.model.spelling import last_name, text
from flake8_concurrency.model.started import Started, Work
from flake8_concurrency.model.vocabulary import is_session_name

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_DEEPEST = 3
_ROW = Unshared("row")
#: What the name of a class ends with whose objects do nothing but use the session that they were given.
_KEEPERS = frozenset("repository repo dao crud".split())


class Held(NamedTuple):
    """An object that work holds: how it is spelled where the work is started, what it is, and where it was bound."""

    text: str
    what: Unshared
    bound: tuple[cst.CSTNode, ...]

    def is_same(self, other: Held) -> bool:
        return self.text == other.text and (not self.bound or not set(self.bound).isdisjoint(other.bound))


class Shared(NamedTuple):
    """An object that is used by several at once: where the work is started that makes it so."""

    node: cst.Call
    held: Held
    in_thread: bool
    #: The other use: another start, or a statement that runs meanwhile; None for work that is started many times.
    other: cst.CSTNode | None
    #: The other use is the end of the object.
    ends: bool = False


class Sharing:
    """Answers for one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._started = Started(file)
        self._imports = clauses.imported(file.tree.module)
        self._shown: dict[tuple[cst.CSTNode, str], Unshared | None] = {}

    def shared(self, function: FunctionInfo) -> list[Shared]:
        """The objects that a function lets several use at once, each once."""
        works = [(work, list(self._held(work))) for call in function.calls for work in self._started.by(call)]
        starts = {work.start for work, _ in works}
        found: list[Shared] = []
        for index, (work, held) in enumerate(works):
            for one in held:
                if any(known.held.is_same(one) and known.in_thread == work.in_thread for known in found):
                    continue
                if self._file.locks.held(work.start):
                    continue
                shared = self._alone(work, one) or self._beside(work, one, works[:index])
                shared = shared or self._used_meanwhile(function, work, one, starts)
                if shared is not None:
                    found.append(shared)
        return found

    def _alone(self, work: Work, held: Held) -> Shared | None:
        """The same work many times."""
        if self._started.repeats(work, held.bound):
            return Shared(work.start, held, work.in_thread, None)
        return None

    def _beside(self, work: Work, held: Held, before: list[tuple[Work, list[Held]]]) -> Shared | None:
        """Other work that was started before and still runs."""
        for other, others in before:
            if not any(one.is_same(held) for one in others):
                continue
            if other.start is work.start:
                return Shared(work.start, held, work.in_thread, None)
            follows = self._file.rows.saving.may_follow(other.start, work.start)
            if follows and not self._is_over(other.start, work.start) and not self._take_turns(other, work):
                return Shared(work.start, held, work.in_thread, other.start)
        return None

    def _take_turns(self, one: Work, other: Work) -> bool:
        return self._started.takes_turns(one.start) and self._started.takes_turns(other.start)

    def _is_over(self, start: cst.Call, node: cst.CSTNode) -> bool:
        """Whether what was started may have been waited for when control gets to a node."""
        order = self._file.tree.order
        around = self._started.ends_with(start)
        if around is not None and around not in self._file.ancestors(node):
            return True
        return any(order(wait) < order(node) for wait in self._started.waits(start))

    def _used_meanwhile(self, function: FunctionInfo, work: Work, held: Held, starts: set[cst.Call]) -> Shared | None:
        """A use of the object, or its end, after the start and before anybody waits for the work."""
        order = self._file.tree.order
        if called_name(work.start) == "gather":
            return None
        for call in function.calls:
            if order(call) <= order(work.start) or not starts.isdisjoint([call, *self._file.ancestors(call)]):
                # What other work uses is that work's matter.
                continue
            if self._is_over(work.start, call) or not self._file.rows.saving.may_follow(work.start, call):
                continue
            if self._uses(call, held):
                return Shared(work.start, held, work.in_thread, call)
        if held.what is not _ROW and self._started.is_abandoned(work.start):
            return self._ended(function, work, held)
        return None

    def _ended(self, function: FunctionInfo, work: Work, held: Held) -> Shared | None:
        """An object that its owner closes while work that nobody waits for goes on."""
        for binding_node in held.bound:
            if isinstance(binding_node, cst.WithItem):
                return Shared(work.start, held, work.in_thread, binding_node, ends=True)
            if isinstance(binding_node, cst.Param) and "." not in held.text and self._is_lent(binding_node, function):
                return Shared(work.start, held, work.in_thread, binding_node, ends=True)
        return None

    def _is_lent(self, param: cst.Param, function: FunctionInfo) -> bool:
        """Whether a parameter is somebody else's: one of a function that is no constructor."""
        return param in function.params and not function.name.startswith("__")

    def _uses(self, call: cst.Call, held: Held) -> bool:
        given = [arg.value for arg in call.args]
        if isinstance(call.func, cst.Attribute):
            given.append(call.func.value)
        return any(text(node) == held.text and (held.what is _ROW or self._what(node) is not None) for node in given)

    # -- what work holds ---------------------------------------------------------------------------------------------

    def _held(self, work: Work) -> Iterator[Held]:
        """The objects that the work uses and others can reach as well."""
        found: list[Held] = []
        for held in (*self._in_body(work), *(one for node in work.given for one in self._in_argument(node))):
            if held.what.is_async or work.in_thread or held.what is _ROW:
                if held.what is _ROW and not (work.in_thread and self._writes_row(work, held)):
                    continue
                if not any(known.is_same(held) for known in found):
                    found.append(held)
        if found and not self._has_lock(work):
            yield from found

    def _in_body(self, work: Work) -> Iterator[Held]:
        body = work.body
        if work.is_coroutine:
            assert isinstance(body, cst.Call)
            for arg in body.args:
                yield from self._in_argument(arg.value)
            yield from self._in_callable(body.func)
        else:
            yield from self._in_callable(body)

    def _in_argument(self, node: cst.BaseExpression) -> Iterator[Held]:
        """A session that is given, by itself, many times (`[session] * n`) or to `repeat`."""
        match node:
            case cst.Name() | cst.Attribute():
                held = self._as_held(node)
                if held is not None:
                    yield held
                elif isinstance(node, cst.Name) and self._is_row(node):
                    yield Held(node.value, _ROW, self._bound(node))
            case cst.Call() if called_name(node) in ("repeat", "partial"):
                for arg in node.args:
                    yield from self._in_argument(arg.value)
            case cst.BinaryOperation(left=cst.List(elements=[element])):
                yield from self._in_argument(element.value)

    def _in_callable(self, func: cst.BaseExpression) -> Iterator[Held]:
        match func:
            case cst.Lambda():
                yield from self._mentioned(func.body, func)
            case cst.Call():
                yield from self._in_partial(func)
            case cst.Attribute(value=receiver):
                held = self._as_held(receiver)
                if held is not None:
                    yield held
                else:
                    yield from self._kept_by(receiver)
                yield from self._in_function(func)
            case cst.Name():
                yield from self._in_function(func)

    def _in_partial(self, func: cst.Call) -> Iterator[Held]:
        if called_name(func) in ("partial", "sync_to_async", "copy_context"):
            for arg in func.args[1:]:
                yield from self._in_argument(arg.value)
            if func.args:
                yield from self._in_callable(func.args[0].value)

    def _kept_by(self, receiver: cst.BaseExpression) -> Iterator[Held]:
        """`repo.get(...)` of `repo = UserRepository(session)`: all that it does, it does with the session."""
        made: cst.BaseExpression | None = receiver
        if isinstance(receiver, cst.Name):
            bindings = self._file.names.reaching(receiver) or ()
            made = bindings[0].value if len(bindings) == 1 and bindings[0].how == "assign" else None
        if (
            isinstance(made, cst.Call)
            and clauses.names_class(made.func)
            and not _KEEPERS.isdisjoint(words(last_name(made.func))[-1:])
        ):
            for arg in made.args:
                yield from self._in_argument(arg.value)

    def _in_function(self, func: cst.Name | cst.Attribute) -> Iterator[Held]:
        """What a function of the file uses that it neither makes nor is given."""
        function = self._own(func)
        if function is None:
            return
        this = text(func.value) if isinstance(func, cst.Attribute) else ""
        yield from self._free(function, this, set())

    def _own(self, func: cst.CSTNode) -> FunctionInfo | None:
        """The function of this file that an expression is."""
        kind = self._file.kind(func)
        if kind is None or not isinstance(kind.ref, FunctionInfo):
            return None
        return self._file.definitions.functions.get(kind.ref.node)

    def _free(self, function: FunctionInfo, this: str, seen: set[FunctionInfo]) -> Iterator[Held]:
        if function in seen or len(seen) > _DEEPEST:
            return
        seen.add(function)
        for held in self._mentioned(function.node.body, function.node):
            if function.this is not None and held.text.startswith(f"{function.this}."):
                if this:
                    yield held._replace(text=this + held.text.removeprefix(function.this), bound=())
            else:
                yield held
        for call in function.calls:
            callee = self._file.callee(call)
            own = None if callee is None else self._file.definitions.functions.get(callee.node)
            if own is not None and isinstance(call.func, cst.Attribute) and text(call.func.value) == function.this:
                yield from self._free(own, this, seen)

    def _mentioned(self, node: cst.CSTNode, inside: cst.CSTNode) -> Iterator[Held]:
        """The objects from outside that a function or lambda calls something on, or hands on."""
        found: set[str] = set()
        for part in self._file.tree.within(node):
            if not isinstance(part, cst.Call):
                continue
            given = [arg.value for arg in part.args]
            if isinstance(part.func, cst.Attribute):
                given.append(part.func.value)
            for one in given:
                if isinstance(one, cst.Name | cst.Attribute) and text(one) and text(one) not in found:
                    held = self._as_held(one)
                    if held is not None and (self._is_from_outside(held, inside) or self._is_this(one, inside)):
                        found.add(text(one))
                        yield held

    def _is_from_outside(self, held: Held, inside: cst.CSTNode) -> bool:
        return not any(inside in self._file.ancestors(bound) for bound in held.bound)

    def _is_this(self, node: cst.BaseExpression, inside: cst.CSTNode) -> bool:
        """Whether an attribute hangs on the object whose method this is."""
        info = self._file.definitions.functions.get(inside) if isinstance(inside, cst.FunctionDef) else None
        return info is not None and info.this is not None and text(node).startswith(f"{info.this}.")

    # -- what an expression is ---------------------------------------------------------------------------------------

    def _as_held(self, node: cst.BaseExpression) -> Held | None:
        if not isinstance(node, cst.Name | cst.Attribute) or not text(node):
            return None
        what = self._what(node)
        return None if what is None else Held(text(node), what, self._bound(node))

    def _bound(self, node: cst.BaseExpression) -> tuple[cst.CSTNode, ...]:
        while isinstance(node, cst.Attribute):
            node = node.value
        bindings = self._file.names.reaching(node) if isinstance(node, cst.Name) else None
        return tuple(binding.node for binding in bindings or ())

    def _what(self, node: cst.BaseExpression) -> Unshared | None:
        kind = self._file.kind(node)
        if kind is not None and not _may_be_anything(kind):
            return next((what for name, what in UNSHARED.items() if self._is_a(kind, name)), None)
        return self._by_use(node)

    def _is_a(self, kind: Kind, name: str) -> bool:
        if kind.name == "union":
            parts = [part for part in kind.args if part is not None and part.name != "none"]
            return bool(parts) and all(self._file.kinds.is_a(part, name) for part in parts)
        return self._file.kinds.is_a(kind, name)

    def _by_use(self, node: cst.BaseExpression) -> Unshared | None:
        """A session that no type shows: it is called one, and something is done with it that others do not offer."""
        if not is_session_name(last_name(node)) or not self._imports.sqlalchemy:
            return None
        around = self._home(node)
        key = (around, text(node))
        if key not in self._shown:
            self._shown[key] = self._shown_in(around, text(node))
        return self._shown[key]

    def _home(self, node: cst.BaseExpression) -> cst.CSTNode:
        """The outermost function in which an object is used; other methods of a class may not be there to be seen."""
        found: cst.CSTNode = self._file.tree.module
        for around in self._file.ancestors(node):
            if isinstance(around, cst.ClassDef):
                return found
            if isinstance(around, cst.FunctionDef):
                found = around
        return found

    def _shown_in(self, around: cst.CSTNode, spelled: str) -> Unshared | None:
        for part in self._file.tree.within(around):
            match part:
                case cst.Call(func=cst.Attribute(value=receiver, attr=cst.Name(value=method))):
                    if text(receiver) == spelled and (method in ONLY_SESSIONS or self._reads(part)):
                        return Unshared("session", isinstance(self._file.parent(part), cst.Await))
        return None

    def _reads(self, call: cst.Call) -> bool:
        """`session.execute(select(M))`"""
        return called_name(call) in clauses.EXECUTING and bool(self._file.queries.of(call))

    def _is_row(self, node: cst.Name) -> bool:
        reads = self._file.queries.of(node)
        return any(read.shape == "row" and read.orm == SQLALCHEMY and not read.assumed for read in reads)

    def _writes_row(self, work: Work, held: Held) -> bool:
        """Whether the work changes the row that it is given."""
        function = self._own(work.body)
        if function is None:
            return False
        names = [param.name.value for param in function.params]
        if function.this is not None:
            names = names[1:]
        given = [text(node) for node in work.given]
        name = names[given.index(held.text)] if held.text in given and given.index(held.text) < len(names) else ""
        return bool(name) and any(
            isinstance(target.target, cst.Attribute) and text(target.target.value) == name
            for node in function.nodes(cst.Assign)
            if isinstance(node, cst.Assign)
            for target in node.targets
        )

    def _has_lock(self, work: Work) -> bool:
        """Whether the work takes turns by a lock; a semaphore lets several in."""
        body = work.body.func if isinstance(work.body, cst.Call) and work.is_coroutine else work.body
        function = self._own(body)
        return function is not None and any(
            isinstance(node, cst.With) and any(_is_lock(item.item) for item in node.items)
            for node in self._file.tree.within(function.node.body)
        )


# -- for the gate ------------------------------------------------------------------------------------------------------

STARTING = TASKS | THREADS
#: What a text has that says what a session or connection is.
_TYPES = frozenset(
    """Session AsyncSession sessionmaker async_sessionmaker Connection AsyncConnection Engine AsyncEngine create_engine
    create_async_engine connect create_pool Pool ConnectionPool AsyncConnectionPool Cursor AsyncCursor
    MySQLConnection""".split()
)
_METHODS = ONLY_SESSIONS | clauses.EXECUTING.keys() | {"query", "get"}
SHOWING = _TYPES | _METHODS
_SESSION = "session"


def asks_session(root: ast.AST) -> set[str]:
    """A session, where a piece of the text may start work."""
    found = any(isinstance(node, ast.Call) and pieces.last_name(node.func) in STARTING for node in pieces.below(root))
    return {_SESSION} if found else set()


def answers_session(root: ast.AST, names: Collection[str]) -> set[str]:
    """A session, where a piece of the text may say what one is, or use one; `names` are all names of SHOWING in it."""
    for node in ast.walk(root):
        if (
            isinstance(node, ast.Name | ast.Attribute)
            and pieces.last_name(node) in names
            and pieces.last_name(node) not in _METHODS
        ):
            return {_SESSION}
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and not _TYPES.isdisjoint(_names_in(node.value))
        ):
            return {_SESSION}
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _METHODS
            and is_session_name(pieces.last_name(node.func.value))
        ):
            return {_SESSION}
    return set()


def _names_in(annotation: str) -> list[str]:
    """The names in an annotation that is written as a string; none in a longer text."""
    return re.findall(r"\w+", annotation) if len(annotation) < _LONGEST else []


_LONGEST = 80


def _is_lock(node: cst.BaseExpression) -> bool:
    name = last_name(node.func if isinstance(node, cst.Call) else node)
    return is_lock_name(name) and not {"semaphore", "sem"}.intersection(words(name))


def _may_be_anything(kind: Kind) -> bool:
    """Whether a kind says nothing about what a value is: an imported thing of which no table knows more."""
    return kind.name == "symbol" and not isinstance(kind.ref, ClassInfo)
