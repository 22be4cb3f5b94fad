"""Whether a changed row reaches the database: what counts as saving it, flushing it or committing its session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model import clauses
from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.reads import DJANGO, Read, argument_for
from flake8_concurrency.model.spelling import text

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_SAVING = ("save", "asave")
_COMMITTING = frozenset({"commit", "flush", "save"})
_ABANDONING = frozenset({"expunge", "make_transient", "make_transient_to_detached"})
_MAKERS = ("session", "sessionmaker", "sessionlocal", "session_maker")
_DEEPEST = 4


class Saving:
    """Follows changed rows of one file to where they are written."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._commits: dict[FunctionInfo, bool] = {}

    def reaches(self, function: FunctionInfo, node: cst.CSTNode, row: str, attribute: str, read: Read) -> bool:
        """Whether the change that `node` makes to a row, spelled `row`, is written."""
        if read.orm == DJANGO:
            return self._saved(function, node, row, attribute, 0)
        return self._committed(function, node, row, read, 0)

    # -- Django: the row is saved ------------------------------------------------------------------------------------

    def _saved(self, function: FunctionInfo, node: cst.CSTNode, row: str, attribute: str, depth: int) -> bool:
        if any(self._saves(call, row, attribute, depth) for call in self._after(function, node)):
            return True
        return depth < _DEEPEST and any(
            self._saved(outer, call, name, attribute, depth + 1) for outer, call, name in self._outside(function, row)
        )

    def _saves(self, call: cst.Call, row: str, attribute: str, depth: int) -> bool:
        name = called_name(call)
        if isinstance(call.func, cst.Attribute) and text(call.func.value) == row:
            if name.startswith(_SAVING):
                return _includes(argument(call, None, "update_fields"), attribute)
            callee = self._file.rows.method(call)
            return (
                callee is not None and callee.this is not None and self.saves_own(callee, callee.this, attribute, depth)
            )
        if name in ("bulk_update", "abulk_update"):
            return _includes(argument(call, 1, "fields"), attribute)
        if not any(text(arg.value) == row for arg in call.args):
            return False
        callee = self._file.callee(call)
        if callee is None:
            return "save" in words(name)
        given = (p.name.value for p in callee.params if text(argument_for(callee, p.name.value, call) or call) == row)
        return any(self.saves_own(callee, param, attribute, depth) for param in given)

    def saves_column(self, function: FunctionInfo, node: cst.CSTNode, row: str, attribute: str) -> bool:
        """Whether a row is saved after `node` with a list of columns that names this one: only Django does that."""
        return any(
            called_name(call) in _SAVING
            and isinstance(call.func, cst.Attribute)
            and text(call.func.value) == row
            and _names(argument(call, None, "update_fields"), attribute)
            for call in self._after(function, node)
        )

    def saves_whole(self, function: FunctionInfo, node: cst.CSTNode, row: str) -> bool:
        """Whether a row is saved after `node` with all its columns, by a call without arguments, as Django does it."""
        return clauses.imported(self._file.tree.module).django and any(
            called_name(call) in _SAVING
            and not call.args
            and isinstance(call.func, cst.Attribute)
            and text(call.func.value) == row
            for call in self._after(function, node)
        )

    def saves_own(self, function: FunctionInfo, name: str, attribute: str, depth: int = 0) -> bool:
        """Whether a function saves the row that it knows as `name`."""
        return depth < _DEEPEST and any(self._saves(call, name, attribute, depth + 1) for call in function.calls)

    def _outside(self, function: FunctionInfo, row: str) -> Iterator[tuple[FunctionInfo, cst.Call, str]]:
        """The row as the file's callers of a function know it: what they pass, or what they are given back."""
        params = {param.name.value for param in function.params}
        returned = any(isinstance(n, cst.Return) and n.value is not None and text(n.value) == row for n in function.own)
        if row not in params and not returned:
            return
        for call in self._file.queries.callers(function):
            outer = self._file.function_of(call)
            if outer is None:
                continue
            if row in params:
                given = argument_for(function, row, call)
                if given is not None and text(given):
                    yield outer, call, text(given)
            if returned:
                yield from ((outer, call, name) for name in self._names_of(call))

    def _names_of(self, call: cst.Call) -> Iterator[str]:
        statement = self._file.tree.statement(call)
        if isinstance(statement, cst.Assign) and statement.value in (call, self._file.parent(call)):
            yield from (text(target.target) for target in statement.targets if text(target.target))

    # -- SQLAlchemy: the session is flushed or committed -------------------------------------------------------------

    def _committed(self, function: FunctionInfo, node: cst.CSTNode, row: str, read: Read, depth: int) -> bool:
        if any(called_name(call) in _ABANDONING and row in _arguments(call) for call in function.calls):
            return False
        if any(self._commits_in(call) for call in self._after(function, node)) or self._ends_with_commit(node):
            return True
        if any(called_name(call) == "rollback" for call in function.calls):
            return False
        return self._commits_where_read(function, read) if read.assumed else self._belongs_elsewhere(read)

    def _commits_where_read(self, function: FunctionInfo, read: Read) -> bool:
        """Whether the change was made in another function than the one that got the row, which commits."""
        reading = self._file.function_of(read.sent)
        return reading is not function and self._file.queries.handed.commits(reading)

    def _commits_in(self, call: cst.Call) -> bool:
        if called_name(call) in _COMMITTING:
            return True
        callee = self._file.callee(call)
        return callee is not None and self.commits(callee)

    def commits(self, function: FunctionInfo) -> bool:
        """Whether a function of the file flushes or commits, itself or in a function it calls."""
        if function not in self._commits:
            self._commits[function] = False
            self._commits[function] = any(self._commits_in(call) for call in function.calls)
        return self._commits[function]

    def _ends_with_commit(self, node: cst.CSTNode) -> bool:
        """Whether a `with` around the change commits when it is left: `session.begin()`, the project's own."""
        for around in self._file.ancestors(node):
            if isinstance(around, cst.FunctionDef):
                return False
            if isinstance(around, cst.With) and any(self._begins(item.item) for item in around.items):
                return True
        return False

    def _begins(self, node: cst.BaseExpression) -> bool:
        if not isinstance(node, cst.Call):
            return False
        callee = self._file.callee(node)
        return called_name(node) in ("begin", "begin_nested") or (callee is not None and self.commits(callee))

    def _belongs_elsewhere(self, read: Read) -> bool:
        """Whether the session came from outside: whoever owns it commits what is changed in it.

        Nothing is written by a session that the function itself made and never commits.
        """
        session = read.session
        while isinstance(session, cst.Attribute | cst.Call):
            if isinstance(session, cst.Call) and called_name(session).lower().endswith(_MAKERS):
                return False
            session = session.value if isinstance(session, cst.Attribute) else session.func
        if not isinstance(session, cst.Name):
            return True
        return not any(self._is_made(binding) for binding in self._file.names.reaching(session) or ())

    def _is_made(self, binding: Binding) -> bool:
        value = binding.value.expression if isinstance(binding.value, cst.Await) else binding.value
        if binding.how not in ("assign", "with") or not isinstance(value, cst.Call):
            return False
        callee = self._file.callee(value)
        if callee is not None and callee.is_generator:
            return not self.commits(callee)
        name = called_name(value).lower()
        return name.endswith(_MAKERS) and name[:1] != "_" and "get" not in words(name)

    # -- order -------------------------------------------------------------------------------------------------------

    def _after(self, function: FunctionInfo, node: cst.CSTNode) -> Iterator[cst.Call]:
        """The calls of a function that may run once `node` has run."""
        return (call for call in function.calls if self.may_follow(node, call))

    def may_follow(self, first: cst.CSTNode, second: cst.CSTNode) -> bool:
        """Whether `second` may run after `first`, both in one function."""
        tree = self._file.tree
        above = [first, *tree.ancestors(first)]
        child = second
        for around in tree.ancestors(second):
            if around in above:
                return self._parts(above, above.index(around), child, first, second)
            child = around
        return True

    def _parts(
        self, above: list[cst.CSTNode], at: int, child: cst.CSTNode, first: cst.CSTNode, second: cst.CSTNode
    ) -> bool:
        """`first` and `second` part at `above[at]`, one below `above[at - 1]` and the other below `child`."""
        around = above[at]
        order = self._file.tree.order
        if order(second) < order(first):
            return _is_in_loop(above[at:])
        if isinstance(around, cst.If) and at and above[at - 1] is not around.test and child is not around.test:
            return above[at - 1] is child
        return not any(_returns(block) for block in above[:at])


def _is_in_loop(above: list[cst.CSTNode]) -> bool:
    for around in above:
        if isinstance(around, cst.For | cst.While):
            return True
        if isinstance(around, cst.FunctionDef):
            return False
    return False


def _returns(block: cst.CSTNode) -> bool:
    if not isinstance(block, cst.IndentedBlock) or not block.body:
        return False
    last = block.body[-1]
    return isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[-1], cst.Return | cst.Raise)


def _includes(fields: cst.BaseExpression | None, attribute: str) -> bool:
    """Whether a list of fields, where it can be read, has the attribute."""
    if not isinstance(fields, cst.List | cst.Tuple | cst.Set):
        return True
    names = [e.value.evaluated_value if isinstance(e.value, cst.SimpleString) else None for e in fields.elements]
    return None in names or attribute in names


def _names(fields: cst.BaseExpression | None, attribute: str) -> bool:
    """Whether a list of fields is written there and has the attribute."""
    return isinstance(fields, cst.List | cst.Tuple | cst.Set) and any(
        isinstance(element.value, cst.SimpleString) and element.value.raw_value == attribute
        for element in fields.elements
    )


def _arguments(call: cst.Call) -> list[str]:
    return [text(arg.value) for arg in call.args]
