"""What writes the current time to a column of a row: assignments, UPDATEs and upserts, in all their spellings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge.touches import CLOCKS, CONVERTS, is_beside, is_change, is_clock, is_use
from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locks import called_name
from flake8_concurrency.model.spelling import last_name, text
from flake8_concurrency.model.vocabulary import EXECUTES, MANAGERS

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_DEEPEST = 4
_UPDATING = frozenset({"update", "aupdate"})
_MONGO = frozenset("update_one update_many find_one_and_update find_and_modify".split())
_UPSERTING = frozenset({"update_or_create", "aupdate_or_create"})
#: Methods that choose rows: what is called on their result is no dict.
_CHOOSING = frozenset("filter exclude all where filter_by query get_queryset using select_related".split()) | MANAGERS
_UPDATE = re.compile(
    r"""^\s*UPDATE\s+[\w."`\[\]]+(?:\s+AS)?(?:\s+\w+)?\s+SET\s+["`]?(?P<column>\w+)["`]?\s*=\s*(?P<value>[^,]+?)
    (?:\s+WHERE\s+(?P<where>.*?))?;?\s*$""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_SQL_NOW = re.compile(
    r"^(NOW\(\d*\)|CURRENT_TIMESTAMP(\(\d*\))?|(?:datetime|strftime|julianday|unixepoch)\(.*'now'.*\)|GETDATE\(\)|"
    r"UTC_TIMESTAMP\(\d*\)|SYSDATE|LOCALTIMESTAMP)",
    re.IGNORECASE,
)
_PARAMETER = re.compile(r"^(\?|%s|%\(\w+\)s|:\w+|\$\d+)$")


class Written(NamedTuple):
    """The current time, written to a column; `row` is None where the statement itself goes to the database."""

    node: cst.CSTNode
    column: str
    row: cst.BaseExpression | None = None


class TouchWrites:
    """Reads the statements of one file's functions."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def of(self, function: FunctionInfo) -> Iterator[Written]:
        """What a function writes."""
        for node in function.own:
            if isinstance(node, cst.Assign | cst.AnnAssign):
                yield from self._assigned(node)
            elif isinstance(node, cst.Call):
                yield from self._sent(node)

    def changed(self, function: FunctionInfo) -> Iterator[tuple[str, str]]:
        """What a function changes: the text of an object, and its attribute."""
        for node in function.own:
            targets: list[cst.BaseExpression] = []
            if isinstance(node, cst.Assign):
                targets = [target.target for target in node.targets]
            elif isinstance(node, cst.AnnAssign | cst.AugAssign):
                targets = [node.target]
            elif isinstance(node, cst.Call):
                yield from _changed_by(node)
            for target in targets:
                yield from _attribute(target)

    # -- attributes --------------------------------------------------------------------------------------------------

    def _assigned(self, node: cst.Assign | cst.AnnAssign) -> Iterator[Written]:
        targets = [target.target for target in node.targets] if isinstance(node, cst.Assign) else [node.target]
        found = [
            target
            for target in targets
            if isinstance(target, cst.Attribute) and _is_told(target.attr.value) and text(target.value)
        ]
        if found and node.value is not None and self.is_now(node.value):
            yield from (Written(target, target.attr.value, target.value) for target in found)

    def is_now(self, node: cst.CSTNode, depth: int = 0) -> bool:
        """Whether an expression is the current time, in whatever form."""
        match node:
            case cst.Name(value=name):
                values = [b.value for b in self._file.names.reaching(node) or () if b.how == "assign" and not b.path]
                if not values:
                    return is_clock(name)
                return depth < _DEEPEST and all(v is not None and self.is_now(v, depth + 1) for v in values)
            case cst.BinaryOperation(operator=cst.Multiply() | cst.Divide() | cst.FloorDivide(), left=left):
                return self.is_now(left, depth)
            case cst.Call(func=func):
                name = last_name(func)
                if is_clock(name) or (name in CLOCKS and self._is_of_time(func)):
                    return True
                if name == "today" or name not in CONVERTS or depth >= _DEEPEST:
                    return False
                if isinstance(func, cst.Attribute) and self.is_now(func.value, depth + 1):
                    return True
                return bool(node.args) and self.is_now(node.args[0].value, depth + 1)
        return False

    def _is_of_time(self, func: cst.BaseExpression) -> bool:
        if isinstance(func, cst.Attribute):
            return last_name(func.value) in ("time", "_time")
        return (self._file.qualified(func) or "").startswith("time.")

    # -- statements --------------------------------------------------------------------------------------------------

    def _sent(self, call: cst.Call) -> Iterator[Written]:
        name = called_name(call)
        pairs: list[tuple[str, cst.BaseExpression]] | None = None
        if (name in _UPDATING and self._is_of_rows(call)) or (name == "values" and self._root(call) == "update"):
            pairs = self._values(call)
        elif name in _MONGO:
            pairs = self._set_in(call)
        elif name in _UPSERTING:
            pairs = self._dict(argument(call, None, "defaults"))
        elif name == "on_conflict_do_update":
            pairs = self._dict(argument(call, None, "set_"))
        elif name in EXECUTES:
            pairs = self._in_sql(call)
        columns = [column for column, value in pairs or () if _is_told(column) and self.is_now(value)]
        if not (pairs and columns and all(is_beside(column) for column, _ in pairs)):
            return
        if not self._asks(call, columns[0]):
            yield Written(call, columns[0])

    def _values(self, call: cst.Call) -> list[tuple[str, cst.BaseExpression]] | None:
        if len(call.args) == 1 and call.args[0].keyword is None and not call.args[0].star:
            return self._dict(call.args[0].value)
        if any(arg.keyword is None for arg in call.args):
            named = [arg for arg in call.args if arg.keyword is not None and arg.keyword.value != "synchronize_session"]
            return self._dict(call.args[0].value) if not named and not call.args[0].star else None
        return [(arg.keyword.value, arg.value) for arg in call.args if arg.keyword is not None]

    def _dict(self, node: cst.BaseExpression | None) -> list[tuple[str, cst.BaseExpression]] | None:
        """A dict's entries; None where it is not written out."""
        if isinstance(node, cst.Name):
            bindings = self._file.names.reaching(node) or []
            node = bindings[0].value if len(bindings) == 1 and bindings[0].how == "assign" else None
        if isinstance(node, cst.Call) and last_name(node.func) == "dict":
            return (
                None
                if any(a.keyword is None for a in node.args)
                else [(a.keyword.value, a.value) for a in node.args if a.keyword]
            )
        if not isinstance(node, cst.Dict):
            return None
        found: list[tuple[str, cst.BaseExpression]] = []
        for element in node.elements:
            if not isinstance(element, cst.DictElement):
                return None
            key = element.key
            found.append((key.raw_value if isinstance(key, cst.SimpleString) else last_name(key), element.value))
        return found

    def _set_in(self, call: cst.Call) -> list[tuple[str, cst.BaseExpression]] | None:
        """What `{"$set": {...}}` sets, alone."""
        given = argument(call, 1, "update")
        entries = self._dict(given)
        if entries is None or len(entries) != 1 or entries[0][0] != "$set":
            return None
        return self._dict(entries[0][1])

    def _in_sql(self, call: cst.Call) -> list[tuple[str, cst.BaseExpression]] | None:
        """The one column that an UPDATE in a string sets to the time of the database, or to a parameter."""
        if not call.args:
            return None
        node = call.args[0].value
        if isinstance(node, cst.Call) and last_name(node.func) in ("text", "SQL") and node.args:
            node = node.args[0].value
        statement = node.evaluated_value if isinstance(node, cst.SimpleString | cst.ConcatenatedString) else None
        found = _UPDATE.match(statement) if isinstance(statement, str) else None
        if found is None or found["column"].lower() in (found["where"] or "").lower():
            return None
        if _SQL_NOW.match(found["value"]):
            return [(found["column"], cst.Name("now"))]
        if _PARAMETER.match(found["value"]):
            for arg in call.args[1:]:
                for part in self._file.tree.within(arg.value):
                    if isinstance(part, cst.Call | cst.Name) and self.is_now(part):
                        return [(found["column"], part)]
        return None

    def _is_of_rows(self, call: cst.Call) -> bool:
        """Whether `update` is called on rows of a database, and not on a dict."""
        if not isinstance(call.func, cst.Attribute):
            return False
        node: cst.BaseExpression = call.func.value
        if self._chosen(node):
            return True
        if isinstance(node, cst.Name):
            bindings = self._file.names.reaching(node) or []
            if any(b.how == "assign" and b.value is not None and self._chosen(b.value) for b in bindings):
                return True
            return node.value[:1].isupper() and self._is_narrowed(call)
        return any(read.shape == "query" for read in self._file.queries.of(node))

    def _is_narrowed(self, call: cst.Call) -> bool:
        """`Model.update(...).where(...)`, as peewee has it."""
        parent = self._file.parent(call)
        return isinstance(parent, cst.Attribute) and parent.attr.value in ("where", "filter")

    @staticmethod
    def _chosen(node: cst.BaseExpression) -> bool:
        while isinstance(node, cst.Call | cst.Attribute | cst.Await | cst.Subscript):
            if isinstance(node, cst.Attribute):
                if node.attr.value in _CHOOSING:
                    return True
                node = node.value
            elif isinstance(node, cst.Call):
                node = node.func
            elif isinstance(node, cst.Await):
                node = node.expression
            else:
                node = node.value
        return False

    @staticmethod
    def _root(node: cst.BaseExpression) -> str:
        """What a chain of calls begins with: `update` of `sa.update(M).where(...)`."""
        while (
            isinstance(node, cst.Call)
            and isinstance(node.func, cst.Attribute)
            and isinstance(node.func.value, cst.Call)
        ):
            node = node.func.value
        return called_name(node) if isinstance(node, cst.Call) else ""

    def _asks(self, call: cst.Call, column: str) -> bool:
        """Whether the statement itself chooses rows by the column."""
        top: cst.CSTNode = call
        for around in self._file.ancestors(call):
            if not isinstance(around, cst.Call | cst.Attribute | cst.Await | cst.Arg):
                break
            top = around
        pending = [top]
        seen: set[cst.CSTNode] = set()
        while pending:
            node = pending.pop()
            for part in self._file.tree.within(node):
                if (
                    isinstance(part, cst.Arg)
                    and part.keyword is not None
                    and part.keyword.value.startswith(f"{column}__")
                ):
                    return True
                if isinstance(part, cst.Comparison) and any(
                    isinstance(name, cst.Name) and name.value == column for name in self._file.tree.within(part)
                ):
                    return True
                if isinstance(part, cst.SimpleString) and part.raw_value.startswith(f"{column}__"):
                    return True
                if isinstance(part, cst.Name) and part not in seen:
                    seen.add(part)
                    bindings = self._file.names.reaching(part) or []
                    if len(bindings) <= 2 and len(seen) < 64:
                        pending += [b.value for b in bindings if b.how == "assign" and b.value is not None]
        return False


def _is_told(column: str) -> bool:
    return is_use(column) or is_change(column)


def _attribute(target: cst.BaseExpression) -> Iterator[tuple[str, str]]:
    """For `a.b.c = ` and `a.b.c[k] = `: a.b and c."""
    while isinstance(target, cst.Subscript):
        target = target.value
    if isinstance(target, cst.Attribute):
        yield text(target.value), target.attr.value


def _changed_by(call: cst.Call) -> Iterator[tuple[str, str]]:
    """What a call may change: `setattr(row, ...)`, `row.tags.add(...)`, `row.increment()`."""
    if isinstance(call.func, cst.Name) and call.func.value == "setattr" and call.args:
        yield text(call.args[0].value), "setattr"
    elif isinstance(call.func, cst.Attribute):
        name = call.func.attr.value
        if name.startswith(("set_", "increment", "add_", "mark_", "incr")) or name in ("append", "extend", "set"):
            yield text(call.func.value), name
            yield from _attribute(call.func.value)
