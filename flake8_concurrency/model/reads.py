"""Something that was read of the database, or is about to be: the one value that `queries` computes with."""

from __future__ import annotations

from typing import NamedTuple

import libcst as cst

from flake8_concurrency.model.calls import argument
from flake8_concurrency.model.definitions import FunctionInfo

DJANGO, SQLALCHEMY = "Django", "SQLAlchemy"
#: Mappers that save their rows as Django does.
PEEWEE, TORTOISE = "peewee", "tortoise"


class Read(NamedTuple):
    """Something of the database.

    `shape` is one of query (a manager or query, not sent yet), statement (a `select()`), result (what `execute` gives),
    rows, row, pair and pairs (a tuple whose first item is a row, and many of them), keyed (a dict of rows). `query` is
    the expression that chose the rows, `sent` the one that read them, `links` the calls and slices of the chain.
    """

    shape: str
    orm: str
    query: cst.CSTNode
    sent: cst.CSTNode
    model: cst.BaseExpression | None = None
    locked: bool = False
    links: tuple[cst.CSTNode, ...] = ()
    #: Reached from another row: `order.customer`, `order.items.all()`.
    related: bool = False
    #: What sends the query, where it is written: `session`.
    session: cst.BaseExpression | None = None
    #: Only columns are read: `select(M.id)`, `.values_list("pk")`.
    partial: bool = False
    #: No query shows: only its use tells that it is a row, so its session must be seen to commit.
    assumed: bool = False
    #: What is read where that are several things: `select(Order, Customer)`.
    entities: tuple[cst.BaseExpression, ...] = ()
    #: The mapper, where it is another one that saves its rows as Django does.
    mapper: str = ""

    @property
    def locking(self) -> str:
        """The method of a query that locks its rows, as it is written."""
        if self.mapper == PEEWEE:
            return "for_update"
        return "select_for_update" if self.orm == DJANGO else "with_for_update"


def argument_for(info: FunctionInfo, name: str, call: cst.Call) -> cst.BaseExpression | None:
    """The expression that a call gives for a parameter of a function."""
    names = [param.name.value for param in (*info.node.params.posonly_params, *info.node.params.params)]
    position = names.index(name) if name in names else None
    if position is not None and info.this is not None and not info.is_static:
        position = position - 1 if isinstance(call.func, cst.Attribute) else position
    return argument(call, position, name)


def elements(reads: tuple[Read, ...], at: cst.CSTNode | None) -> tuple[Read, ...]:
    """What iterating gives, or indexing."""
    single = {"query": "row", "rows": "row", "pairs": "pair", "result": "pair"}
    return tuple(
        read._replace(
            shape=_each(read, single[read.shape]), sent=at if read.shape == "query" and at is not None else read.sent
        )
        if read.shape in single
        else read
        for read in reads
        # A collection of SQLAlchemy is a relationship to iterate over: `for item in order.items`.
        if read.shape in single or (read.shape == "row" and read.related and read.orm == SQLALCHEMY)
    )


def unpacked(reads: tuple[Read, ...], path: tuple[int, ...]) -> tuple[Read, ...]:
    """What stands at a path in tuples of what was read."""
    if not path:
        return reads
    if len(path) > 1:
        return ()
    return tuple(
        item_of(read, path[0]) for read in reads if read.shape == "pair" and path[0] in range(len(read.entities) or 1)
    )


def item_of(read: Read, position: int) -> Read:
    """One of the things that a row of several holds."""
    if not read.entities:
        return as_shape(read, "row")
    entity = read.entities[position]
    # A column among them is no row.
    is_column = isinstance(entity, cst.Attribute) and not entity.attr.value[:1].isupper()
    return read._replace(shape="row", model=entity, entities=(), partial=read.partial or is_column)


def _each(read: Read, shape: str) -> str:
    return "pair" if shape == "row" and read.entities and read.shape == "query" else shape


def as_shape(read: Read, shape: str) -> Read:
    """The same reading in another shape."""
    return read._replace(shape=shape)
