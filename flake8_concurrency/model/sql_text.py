"""What an SQL statement in a string reads and writes. sqlglot reads it, and is loaded when it is first needed."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

#: The distribution that reads SQL; without it nothing is known of any statement.
READER = "sqlglot"
#: A longer statement is generated, or holds data.
_LONGEST = 4000
#: Strings and quoted names are left alone, the marks of all drivers become `:name`.
_MARK = re.compile(
    r"""'(?:[^']|'')*' | "[^"]*" | ::\w+ | %\((?P<named>\w+)\)s | (?P<positional>%s|\?) | \$(?P<numbered>\d+)
    | (?P<percent>%%)""",
    re.VERBOSE,
)
_POSITIONAL = "p_"


class Statement(NamedTuple):
    """A SELECT or an UPDATE of one table."""

    kind: str
    table: str
    #: What a SELECT gives, in order: the columns' names, empty for anything computed; `*` for all.
    columns: tuple[str, ...] = ()
    #: By the name under which a SELECT gives it: a column of the table.
    names: tuple[tuple[str, str], ...] = ()
    #: The columns that its WHERE asks for.
    asked: frozenset[str] = frozenset()
    locked: bool = False
    #: What an UPDATE sets from a parameter: the column, and the parameter's position from 0 or its name.
    given: tuple[tuple[str, int | str], ...] = ()


@lru_cache(maxsize=1)
def is_readable() -> bool:
    """Whether SQL can be read here at all."""
    return find_spec(READER) is not None


def _reader() -> Any:
    return import_module(READER)


@lru_cache(maxsize=256)
def statement(text: str) -> Statement | None:
    """What a text says, if it is a SELECT or UPDATE of one table that can be read."""
    start = text.lstrip()[:6].upper()
    if start not in ("SELECT", "UPDATE") or len(text) > _LONGEST or not is_readable():
        return None
    reader = _reader()
    try:
        tree = reader.parse_one(_marked(text), read="postgres")
    except (reader.errors.SqlglotError, RecursionError):
        return None
    return _selected(tree, reader.exp) if start == "SELECT" else _updated(tree, reader.exp)


def _marked(text: str) -> str:
    counted = 0

    def mark(match: re.Match[str]) -> str:
        nonlocal counted
        if match["named"]:
            return f":{match['named']}"
        if match["positional"]:
            counted += 1
            return f":{_POSITIONAL}{counted - 1}"
        if match["numbered"]:
            return f":{_POSITIONAL}{int(match['numbered']) - 1}"
        return "%" if match["percent"] else match[0]

    return _MARK.sub(mark, text.replace("`", '"'))


def _selected(tree: Any, exp: Any) -> Statement | None:
    if not isinstance(tree, exp.Select) or tree.args.get("joins") or tree.args.get("group"):
        return None
    source = tree.args.get("from_") or tree.args.get("from")
    table = _table(source.this if source is not None else None, exp)
    if not table:
        return None
    columns: list[str] = []
    names: list[tuple[str, str]] = []
    for part in tree.expressions:
        inner = part.this if isinstance(part, exp.Alias) else part
        if isinstance(inner, exp.Star):
            columns.append("*")
            continue
        column = inner.name.lower() if isinstance(inner, exp.Column) else ""
        columns.append(column)
        names.append((part.alias_or_name.lower(), column))
    return Statement("select", table, tuple(columns), tuple(names), _asked(tree, exp), bool(tree.args.get("locks")))


def _updated(tree: Any, exp: Any) -> Statement | None:
    if not isinstance(tree, exp.Update):
        return None
    table = _table(tree.this, exp)
    given: list[tuple[str, int | str]] = []
    for part in tree.expressions:
        if isinstance(part, exp.EQ) and isinstance(part.this, exp.Column):
            value = part.expression
            while isinstance(value, exp.Cast | exp.Paren):
                value = value.this
            if isinstance(value, exp.Placeholder):
                given.append((part.this.name.lower(), _place(value.name)))
    return Statement("update", table, asked=_asked(tree, exp), given=tuple(given)) if table and given else None


def _place(name: str) -> int | str:
    position = name.removeprefix(_POSITIONAL)
    return int(position) if position != name and position.isdigit() else name


def _table(node: Any, exp: Any) -> str:
    return node.name.lower() if isinstance(node, exp.Table) else ""


def _asked(tree: Any, exp: Any) -> frozenset[str]:
    where = tree.args.get("where")
    return frozenset() if where is None else frozenset(column.name.lower() for column in where.find_all(exp.Column))
