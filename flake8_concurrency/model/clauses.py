"""The vocabulary of SQLAlchemy's and Django's queries: what each method makes of a query."""

from __future__ import annotations

from typing import NamedTuple

import libcst as cst

from flake8_concurrency.model.locks import is_class_word, words
from flake8_concurrency.model.spelling import dotted

_DJANGO_LAZY = frozenset(
    """all filter exclude order_by distinct select_related prefetch_related annotate alias defer only using reverse
    extra none union intersection difference select_for_update complex_filter get_queryset db_manager iterator
    aiterator""".split()
)
#: What gives no rows, or rows that this call made.
_DJANGO_OTHER = frozenset(
    """dates datetimes raw aggregate aaggregate count acount exists aexists contains update aupdate delete
    adelete bulk_create abulk_create bulk_update abulk_update create acreate explain add remove set clear as_manager
    query""".split()
)
#: What reads columns in place of rows.
COLUMNS = frozenset({"values", "values_list"})
_DJANGO_ROW = frozenset("get aget get_or_none first afirst last alast earliest aearliest latest alatest".split())
_DJANGO_PAIR = frozenset("get_or_create aget_or_create update_or_create aupdate_or_create".split())
_DJANGO_KEYED = frozenset({"in_bulk", "ain_bulk"})

_QUERY_ROW = frozenset(
    """first one one_or_none get scalar first_or_404 one_or_404 get_or_404 one_or_raise first_or_raise""".split()
)
_QUERY_OTHER = frozenset(
    """count update delete exists alias with_entities add_columns add_column add_entity values
    paginate union union_all statement column_descriptions label from_self""".split()
)
_STATEMENT_OTHER = frozenset(
    "alias with_only_columns add_columns exists union union_all compile column lateral".split()
)
_ROW_SHAPES = {
    **dict.fromkeys("first one one_or_none fetchone pop".split(), "single"),
    **dict.fromkeys("all fetchall fetchmany unique yield_per partitions".split(), "same"),
}
_SCALAR_ROW = frozenset({"scalar", "scalar_one", "scalar_one_or_none"})

#: Methods of a session that take a statement, with what they give.
EXECUTING = {
    "execute": "result", "stream": "result", "scalars": "rows", "stream_scalars": "rows", "exec": "rows",
    "scalar": "row",
}  # fmt: skip
SESSIONS = (
    "sqlalchemy.orm.Session", "sqlalchemy.orm.scoped_session", "sqlalchemy.ext.asyncio.AsyncSession",
    "sqlalchemy.ext.asyncio.async_scoped_session", "flask_sqlalchemy.SQLAlchemy",
)  # fmt: skip
SELECTS = frozenset({"sqlalchemy.select", "sqlmodel.select", "flask_sqlalchemy.SQLAlchemy.select"})
#: Methods that send a query without ending its chain.
SENDING = frozenset({"all", "iterator", "aiterator"})
#: Functions that give back the rows they are given.
KEEPING = {
    "list": "rows", "tuple": "rows", "set": "rows", "sorted": "rows", "reversed": "rows", "iter": "rows",
    "filter": "rows",    "next": "row", "anext": "row",
}  # fmt: skip

_OTHER_MAPPERS = frozenset(
    "mongoengine peewee playhouse tortoise ormar odmantic beanie pynamodb neomodel piccolo gino pony edgy".split()
)


class Imports(NamedTuple):
    """What the imports of a module say about its ORM."""

    django: bool
    sqlalchemy: bool
    other: bool
    #: Every package that the module imports from.
    roots: frozenset[str] = frozenset()

    @property
    def may_be_django(self) -> bool:
        return self.django or not self.other


def imported(module: cst.Module) -> Imports:
    """Only the module's own imports count: those of functions are not always there to be seen."""
    roots: set[str] = set()
    for line in module.body:
        for node in line.body if isinstance(line, cst.SimpleStatementLine) else ():
            if isinstance(node, cst.Import):
                roots.update(dotted(alias.name).partition(".")[0] for alias in node.names)
            elif isinstance(node, cst.ImportFrom) and not node.relative:
                roots.add(dotted(node.module).partition(".")[0])
    return Imports(
        django=not roots.isdisjoint({"django", "rest_framework"}),
        sqlalchemy=not roots.isdisjoint({"sqlalchemy", "sqlmodel", "flask_sqlalchemy"}),
        other=not roots.isdisjoint(_OTHER_MAPPERS),
        roots=frozenset(roots),
    )


def names_class(node: cst.BaseExpression) -> bool:
    """Whether an expression is a mapped class, going by its spelling: `User`, `models.User`, `cls`, `self.model`."""
    if isinstance(node, cst.Call):
        return isinstance(node.func, cst.Name) and node.func.value in ("type", "get_user_model", "aliased")
    name = node.attr.value if isinstance(node, cst.Attribute) else node.value if isinstance(node, cst.Name) else ""
    if name == "__class__":
        return True
    bare = name.lstrip("_")
    if bare[:1].isupper() and any(letter.islower() for letter in bare):
        return not (isinstance(node, cst.Attribute) and _is_capital(node.value))
    return is_class_word(name)


def _is_capital(node: cst.BaseExpression) -> bool:
    """`Status.Pending` is a constant, `models.User` is a class."""
    name = node.value if isinstance(node, cst.Name) else ""
    return name[:1].isupper()


def answer(shape: str, orm: str, method: str, related: bool) -> str:
    """The shape of what a method gives; empty for no rows, `?` for a method that the ORM doesn't have."""
    if shape == "query":
        return _django(method) if orm == "Django" else _query(method)
    if shape == "statement":
        return "" if method in _STATEMENT_OTHER else "statement"
    if shape in ("result", "rows", "pairs"):
        return _read(shape, method)
    if shape == "row" and related and orm == "Django" and (method in _DJANGO_LAZY or method in _DJANGO_ROW):
        return _django(method)
    return "?"


def _django(method: str) -> str:
    if method in _DJANGO_ROW:
        return "row"
    if method in _DJANGO_PAIR:
        return "pair"
    if method in _DJANGO_KEYED:
        return "keyed"
    if method in _DJANGO_OTHER:
        return ""
    # A method of the project's own queryset: it gives another queryset, unless it gets something.
    return "query" if method in _DJANGO_LAZY or "get" not in words(method) else ""


def _query(method: str) -> str:
    if method in _QUERY_ROW:
        return "row"
    if method == "all":
        return "rows"
    return "" if method in _QUERY_OTHER else "query"


def _read(shape: str, method: str) -> str:
    if shape == "result" and method == "scalars":
        return "rows"
    if shape == "result" and method in _SCALAR_ROW:
        return "row"
    many = "rows" if shape == "rows" else "pairs"
    single = "row" if shape == "rows" else "pair"
    return {"single": single, "same": shape if method in ("unique", "yield_per") else many}.get(
        _ROW_SHAPES.get(method, ""), ""
    )


def only_django(method: str, call: cst.Call) -> bool:
    """Whether a method call on an unknown object can only be one of a manager or queryset of Django."""
    keywords = [arg.keyword.value for arg in call.args if arg.keyword is not None]
    positional = [arg for arg in call.args if arg.keyword is None]
    if method in ("select_related", "prefetch_related", "select_for_update"):
        return True
    if method in ("filter", "exclude", "annotate"):
        return bool(keywords) and not any(arg.star for arg in positional)
    if method in _DJANGO_ROW or method in _DJANGO_PAIR:
        return bool(keywords) and not positional and not method.endswith(("first", "last"))
    if method == "order_by":
        return bool(positional) and all(isinstance(arg.value, cst.SimpleString) for arg in positional)
    return False


def owner(column: cst.BaseExpression) -> cst.BaseExpression | None:
    """The class or table that a column is of: `M` of `M.id`, `table` of `table.c.id`."""
    if not isinstance(column, cst.Attribute):
        return None
    of = column.value
    return of.value if isinstance(of, cst.Attribute) and of.attr.value in ("c", "columns") else of
