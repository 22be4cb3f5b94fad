"""Row locks that reach further than the rows that are wanted: queries that skip locked rows, over a join."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.clauses import names_class
from flake8_concurrency.model.columns import COLLECTION, COLUMN, PLAIN_JSON
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locked_queries import DJANGO_LOCK, LockedQuery, is_set, option
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.spelling import text

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_JOINS = {"join": 0, "outerjoin": 0, "join_from": 1, "outerjoin_from": 1}
_FILTERS = frozenset({"filter", "get", "aget"})
_JUNCTIONS = frozenset({"Q"})
#: What may stand at the end of a lookup of Django: it asks something of a column, and joins nothing.
_LOOKUPS = frozenset(
    """exact iexact contains icontains in gt gte lt lte startswith istartswith endswith iendswith range date year
    iso_year month day week week_day iso_week_day quarter time hour minute second isnull regex iregex search unaccent
    trigram_similar overlap contained_by has_key has_keys has_any_keys len lower upper not_in ne""".split()
)
#: These are in the row itself: `queue__id` is its column `queue_id`.
_OWN = frozenset({"id", "pk"})
#: Words of columns that hold a document, in which a lookup goes on without a join.
_DOCUMENTS = frozenset(
    """data json meta metadata extra extras payload config configuration settings options params parameters attributes
    attrs props properties info details context kwargs args value values result results state headers body document
    tags labels features json_data blob""".split()
)


class JoinedLock(NamedTuple):
    """A lock that skips locked rows and names none of the tables, and the link of its query that joins another."""

    query: LockedQuery
    join: cst.CSTNode
    #: What is joined, as written.
    joined: str
    model: str


class JoinedLocks:
    """Finds them in one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def of(self, function: FunctionInfo) -> Iterator[JoinedLock]:
        """The locks of a function that take in joined rows; one for each lock."""
        for query in self._file.locked_queries.of(function):
            call = query.call
            if is_set(call, "skip_locked") and option(call, "of") is None and not any(arg.star for arg in call.args):
                found = next(self._joins(query), None)
                if found is not None:
                    yield JoinedLock(query, *found, self._model(query))

    def _joins(self, query: LockedQuery) -> Iterator[tuple[cst.CSTNode, str]]:
        links = self._links(query)
        if query.name == DJANGO_LOCK:
            yield from ((link, path) for link, path in _spanned(links) if not self._is_column(query, path))
            return
        for link in links:
            if not isinstance(link, cst.Call):
                continue
            name = called_name(link)
            if name in _JOINS:
                position = _JOINS[name]
                given = [arg.value for arg in link.args if arg.keyword is None]
                if len(given) > position and self._is_table(given[position]):
                    yield link, text(given[position]) or "a join"
            elif name == "options" and not any(
                isinstance(one, cst.Call) and called_name(one) == "limit" for one in links
            ):
                for node in (node for arg in link.args for node in self._file.tree.within(arg.value)):
                    if isinstance(node, cst.Call) and called_name(node) == "joinedload" and node.args:
                        yield link, text(node.args[0].value) or "joinedload"

    def _is_column(self, query: LockedQuery, path: str) -> bool:
        """Whether a path begins at what the file shows to be a column, a document perhaps."""
        infos = (self._file.rows.model(read) for read in self._file.queries.of(query.call))
        columns = self._file.rows.columns
        return any(columns.of(info, path.partition("__")[0]) in (COLUMN, COLLECTION, PLAIN_JSON) for info in infos)

    def _links(self, query: LockedQuery) -> list[cst.CSTNode]:
        """All that the query is made of, also where it is built in steps."""
        found = list(query.links)
        for read in self._file.queries.of(query.call):
            found += [link for link in read.links if link not in found]
        return found

    def _is_table(self, node: cst.BaseExpression) -> bool:
        """Whether what is joined is a mapped class, a relationship or a table, and no subquery or list of values."""
        if names_class(node):
            return True
        if isinstance(node, cst.Attribute):
            return names_class(node.value)
        if not isinstance(node, cst.Name):
            return False
        bindings = self._file.names.reaching(node) or ()
        made = [binding.value for binding in bindings if isinstance(binding.value, cst.Call)]
        return bool(made) and len(made) == len(bindings) and all(called_name(v) in ("aliased", "Table") for v in made)

    def _model(self, query: LockedQuery) -> str:
        models = (text(read.model) for read in self._file.queries.of(query.call) if read.model is not None)
        return next((model for model in models if model), "Model")


def _spanned(links: list[cst.CSTNode]) -> Iterator[tuple[cst.CSTNode, str]]:
    """What a query of Django joins: what it selects with the rows, filters by or is ordered by."""
    calls = [link for link in links if isinstance(link, cst.Call)]
    for call in calls:
        name = called_name(call)
        if name == "select_related":
            given = [arg.value for arg in call.args]
            if not any(isinstance(value, cst.Name) and value.value == "None" for value in given):
                yield call, f"select_related({', '.join(map(text, given))})"
        elif name in _FILTERS:
            yield from ((call, path) for path in _paths(call))
        elif name == "order_by":
            for arg in call.args:
                path = arg.value.evaluated_value if isinstance(arg.value, cst.SimpleString) else None
                if isinstance(path, str) and _is_spanning(path.lstrip("-")):
                    yield call, path.lstrip("-")


def _paths(call: cst.Call) -> Iterator[str]:
    """The lookups of a call that span a relation, those in its `Q` objects included."""
    for arg in call.args:
        if arg.keyword is not None:
            if _is_spanning(arg.keyword.value):
                yield arg.keyword.value
            continue
        stack: list[cst.BaseExpression] = [arg.value]
        while stack:
            node = stack.pop()
            if isinstance(node, cst.BinaryOperation):
                stack += [node.right, node.left]
            elif isinstance(node, cst.Call) and called_name(node) in _JUNCTIONS:
                yield from _paths(node)


def _is_spanning(lookup: str) -> bool:
    parts = lookup.split("__")
    while len(parts) > 1 and parts[-1] in _LOOKUPS:
        parts.pop()
    if len(parts) < 2 or (len(parts) == 2 and parts[1] in _OWN):
        return False
    return _DOCUMENTS.isdisjoint(words(parts[0]))
