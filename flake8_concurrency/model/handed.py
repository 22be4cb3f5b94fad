"""Rows that a framework, a repository or the user's session hands over: known by their use, for no query shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model import clauses
from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locks import asks_for_lock, called_name, is_lock_name, words
from flake8_concurrency.model.reads import SQLALCHEMY, Read
from flake8_concurrency.model.spelling import last_name, text
from flake8_concurrency.model.vocabulary import (
    COMMITS,
    FETCHING,
    INJECTING,
    KEEPING_ROW,
    VISITOR,
    is_session_name,
)

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_NOTHING: tuple[Read, ...] = ()
_VISITORS = frozenset({f"{library}.current_user" for library in ("flask_login", "flask_security", "flask_login.utils")})
#: Words in the name of what makes a new object, or says that its parameter is one.
_MAKING = frozenset(
    """create creates new build make made copy clone from parse to init generate add insert register construct validate
    deepcopy import seed upsert convert with""".split()
)
#: What a name ends with that is no row.
_NO_ROWS = frozenset(
    """service repository repo manager client limiter settings config configuration state request response context
    cache store storage queue session db database engine connection stats metrics tracker params schema form
    factory handler provider backend logger pool registry builder uow dto data dict payload info body query result
    results""".split()
)


class Handed:
    """Answers for one file which values are rows, going by what is done with them.

    Each must stand in a function that itself commits or flushes a session that is called one: `shapes` asks for that.
    """

    def __init__(self, file: FileModel, imports: clauses.Imports) -> None:
        self._file = file
        self._imports = imports
        self._kept: dict[FunctionInfo, dict[str, list[tuple[str, cst.Name]]]] = {}
        self._commits: dict[FunctionInfo, bool] = {}

    # -- a session that is committed ---------------------------------------------------------------------------------

    def commits(self, function: FunctionInfo | None) -> bool:
        """Whether a function itself commits or flushes what can only be a session."""
        if function is None:
            return False
        if function not in self._commits:
            self._commits[function] = any(map(self.is_commit, function.calls))
        return self._commits[function]

    def is_commit(self, call: cst.Call) -> bool:
        """`session.commit()`, on what can only be a session."""
        return (
            called_name(call) in COMMITS and isinstance(call.func, cst.Attribute) and self._is_session(call.func.value)
        )

    def _is_session(self, node: cst.BaseExpression) -> bool:
        while isinstance(node, cst.Call):
            node = node.func
        name = last_name(node)
        if not is_session_name(name) or (self._imports.other and not self._imports.sqlalchemy):
            return False
        # `db` may be a connection of anything.
        return self._imports.sqlalchemy or (name.lower().endswith("session") and not self._imports.django)

    # -- where rows come from ----------------------------------------------------------------------------------------

    def visitor(self, node: cst.Name) -> tuple[Read, ...]:
        """`current_user` of flask_login is a row that the extension has read."""
        if node.value != VISITOR or self._file.qualified(node) not in _VISITORS:
            return _NOTHING
        return self._row(node) if self.commits(self._file.function_of(node)) else _NOTHING

    def fetched(self, call: cst.Call) -> tuple[Read, ...]:
        """`crud.get_user(session, pk)`: what a function of another file reads with the session it is given."""
        name = called_name(call)
        if not _is_fetching(name) or not self.commits(self._file.function_of(call)):
            return _NOTHING
        given = (arg.value for arg in call.args if not arg.star)
        return self._row(call) if any(self._is_session(value) for value in given) else _NOTHING

    def injected(self, binding: Binding, info: FunctionInfo) -> tuple[Read, ...]:
        """`user: User = Depends(current_user)`: a row that FastAPI hands to a route."""
        param = binding.node
        if not isinstance(param, cst.Param) or param.annotation is None or not self.commits(info):
            return _NOTHING
        written, asked = param.annotation.annotation, param.default
        if isinstance(written, cst.Subscript) and last_name(written.value) == "Annotated":
            parts = [part.slice.value for part in written.slice if isinstance(part.slice, cst.Index)]
            asked = next((part for part in parts if _is_injecting(part)), None)
            written = parts[0] if parts else written
        if not isinstance(asked, cst.Call) or not _is_injecting(asked) or not _may_be_row(written):
            return _NOTHING
        source = asked.args[0].value if asked.args else None
        if source is None or self._locks(source):
            return _NOTHING
        return self._row(param)

    def _locks(self, source: cst.BaseExpression) -> bool:
        kind = self._file.kind(source)
        info = kind.ref if kind is not None else None
        named = source.func if isinstance(source, cst.Call) else source
        return is_lock_name(last_name(named)) or (isinstance(info, FunctionInfo) and self._file.locks.takes(info))

    def kept(self, binding: Binding, name: str, info: FunctionInfo | None) -> tuple[Read, ...]:
        """What is later given to `session.refresh`, `add` or `merge`, and was not made here."""
        if info is None or not self.commits(info):
            return _NOTHING
        how = [call for call, given in self._keeping(info).get(name, ()) if self._is_bound(given, binding)]
        if not how:
            return _NOTHING
        if binding.how == "param":
            return self._row(binding.node) if self._is_kept_param(binding, info) else _NOTHING
        value = binding.value.expression if isinstance(binding.value, cst.Await) else binding.value
        if not isinstance(value, cst.Call) or not self._is_got(value, how, binding.path):
            return _NOTHING
        return self._row(value)

    def _is_bound(self, given: cst.Name, binding: Binding) -> bool:
        return any(one.node is binding.node for one in self._file.names.reaching(given) or ())

    def _is_got(self, value: cst.Call, how: list[str], path: tuple[int, ...]) -> bool:
        """Whether a call gives a row that was there before."""
        name = called_name(value)
        if path or self._file.callee(value) is not None or asks_for_lock(value) or is_lock_name(name):
            return path == (0,) and name.startswith("get_or_create") and self._file.callee(value) is None
        if _is_fetching(name):
            return True
        is_made = clauses.names_class(value.func) or not _MAKING.isdisjoint(words(name))
        return "refresh" in how and not is_made and isinstance(value.func, cst.Attribute)

    def _is_kept_param(self, binding: Binding, info: FunctionInfo) -> bool:
        written = binding.annotation
        return (
            not _MAKING.intersection(words(info.name)) - {"to", "with", "from"}
            and info.name != "save"
            # Who only flushes leaves the transaction, and its locks, to a caller.
            and any(called_name(call) == "commit" and self.is_commit(call) for call in info.calls)
            and not self._file.queries.callers(info)
            and (written is None or _may_be_row(written))
        )

    def _keeping(self, info: FunctionInfo) -> dict[str, list[tuple[str, cst.Name]]]:
        if info not in self._kept:
            found: dict[str, list[tuple[str, cst.Name]]] = {}
            for call in info.calls:
                if (
                    called_name(call) in KEEPING_ROW
                    and isinstance(call.func, cst.Attribute)
                    and self._is_session(call.func.value)
                    and call.args
                    and isinstance(call.args[0].value, cst.Name)
                    and not asks_for_lock(call)
                ):
                    given = call.args[0].value
                    found.setdefault(given.value, []).append((called_name(call), given))
            self._kept[info] = found
        return self._kept[info]

    @staticmethod
    def _row(at: cst.CSTNode) -> tuple[Read, ...]:
        return (Read("row", SQLALCHEMY, at, at, assumed=True),)


def _is_fetching(name: str) -> bool:
    parts = words(name)
    return bool(parts) and parts[0] in FETCHING and parts[-1] not in _NO_ROWS and not is_lock_name(name)


def _is_injecting(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Call) and called_name(node) in INJECTING


def _may_be_row(annotation: cst.BaseExpression) -> bool:
    """Whether an annotation names what may be a mapped class: `User`, `models.User | None`."""
    match annotation:
        case cst.BinaryOperation(left=left, operator=cst.BitOr()):
            return _may_be_row(left)
        case cst.Subscript(
            value=cst.Name(value="Optional"), slice=[cst.SubscriptElement(slice=cst.Index(value=inner))]
        ):
            return _may_be_row(inner)
        case cst.SimpleString():
            inner_name = annotation.raw_value.rpartition(".")[2]
            return inner_name[:1].isupper() and words(inner_name)[-1:] != [] and words(inner_name)[-1] not in _NO_ROWS
    parts = words(last_name(annotation))
    return (
        clauses.names_class(annotation)
        and bool(parts)
        and parts[-1] not in _NO_ROWS
        and "schemas" not in text(annotation)
    )
