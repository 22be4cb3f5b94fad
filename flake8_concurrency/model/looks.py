"""Looks: expressions that tell whether a row is there, whatever they do it with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model import clauses
from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.calls import literal
from flake8_concurrency.model.flow import Condition, atoms
from flake8_concurrency.model.handlers import caught, types
from flake8_concurrency.model.insert_words import (
    CONFLICTS,
    COUNTS,
    DOCUMENTS,
    EXISTS,
    FINDING,
    MISSING,
    RECORD_CHOOSING,
    RECORD_READS,
    is_store_name,
    noun_of,
)
from flake8_concurrency.model.locks import called_name, is_class_word, words
from flake8_concurrency.model.reads import DJANGO, Read
from flake8_concurrency.model.spelling import dotted, last_name
from flake8_concurrency.model.tree import COMPREHENSIONS
from flake8_concurrency.model.vocabulary import BY_KEY, may_be_session

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_DEEPEST = 6
_ROW, _EXISTS, _COUNT, _KEYS = "row", "exists", "count", "keys"
#: Calls that say nothing new about what they are given.
_PLAIN = frozenset("bool list set tuple frozenset sorted iter next dict".split())


class Key(NamedTuple):
    """What a look compares a column with."""

    column: str
    value: cst.BaseExpression


class Look(NamedTuple):
    """A place that tells whether rows of a model are there.

    `how` is one of row (None where there is none), exists, count, and keys (a collection of what is there).
    """

    how: str
    model: str
    node: cst.CSTNode
    keys: tuple[Key, ...]
    read: Read
    #: The call of a function of the file, or of a repository, that looks; what it is given is what is looked for.
    given: tuple[cst.BaseExpression, ...] = ()
    #: The receiver of a repository's method.
    store: str = ""


class Looks:
    """Answers for one file what its expressions tell about the rows that are there."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._known: dict[cst.CSTNode, tuple[Look, ...]] = {}
        self._in_documents = not clauses.imported(file.tree.module).roots.isdisjoint(DOCUMENTS)

    # -- what holds where --------------------------------------------------------------------------------------------

    def absent_at(self, node: cst.CSTNode) -> Iterator[Look]:
        """The looks that have found nothing whenever control gets to a node."""
        for condition in self._conditions(node):
            yield from self.absent(condition)
        yield from self._excepted(node)
        yield from self._left_out(node)

    def _left_out(self, node: cst.CSTNode) -> Iterator[Look]:
        """What is missing of what a loop around a node goes through: `wanted - existing`, `[x for … if x not in …]`."""
        for parent in self._file.tree.ancestors(node):
            if isinstance(parent, cst.For):
                yield from self._missing_of(parent.iter, parent.target, 0)
            elif isinstance(parent, COMPREHENSIONS) and isinstance(parent, cst.BaseComp):
                yield from self._missing_of(parent.for_in.iter, parent.for_in.target, 0)
            if isinstance(parent, cst.FunctionDef | cst.Lambda):
                return

    def _missing_of(self, node: cst.BaseExpression, item: cst.BaseExpression, depth: int) -> Iterator[Look]:
        given = (item,) if isinstance(item, cst.Name) else ()
        match node:
            case cst.Name() if depth < _DEEPEST:
                for binding in self._file.names.reaching(node) or ():
                    if binding.how == "assign" and not binding.path and binding.value is not None:
                        yield from self._missing_of(binding.value, item, depth + 1)
            case cst.ListComp() | cst.SetComp() | cst.GeneratorExp():
                for test in node.for_in.ifs:
                    for condition in atoms(test.test, True):
                        yield from (look._replace(given=given) for look in self.absent(condition) if look.given)
            case cst.BinaryOperation(operator=cst.Subtract(), right=right):
                yield from (look._replace(given=given) for look in self.of(right) if look.how == _KEYS)
            case cst.Call(func=cst.Attribute(attr=cst.Name(value="difference")), args=[arg]):
                yield from (look._replace(given=given) for look in self.of(arg.value) if look.how == _KEYS)
            case cst.Call(func=cst.Name(value=name), args=[arg, *_]) if name in _PLAIN:
                yield from self._missing_of(arg.value, item, depth + 1)

    def _conditions(self, node: cst.CSTNode) -> Iterator[Condition]:
        yield from self._file.flow.conditions(node)
        child = node
        for parent in self._file.tree.ancestors(node):
            if isinstance(parent, cst.IndentedBlock | cst.Module):
                for statement in parent.body:
                    if statement is child:
                        break
                    if isinstance(statement, cst.If) and statement.orelse is not None:
                        yield from _left_chain(statement)
            if isinstance(parent, cst.FunctionDef | cst.Lambda):
                return
            child = parent

    def _excepted(self, node: cst.CSTNode) -> Iterator[Look]:
        """`except M.DoesNotExist:` around a node, or before it where a row that was there ended the matter."""
        child = node
        for parent in self._file.tree.ancestors(node):
            if isinstance(parent, cst.ExceptHandler) and _catches(parent, MISSING):
                around = self._file.parent(parent)
                if isinstance(around, cst.Try):
                    yield from self._looked_in(around.body)
                    yield from self._asked_in(around.body, parent)
            if isinstance(parent, cst.IndentedBlock):
                for statement in parent.body:
                    if statement is child:
                        break
                    if isinstance(statement, cst.Try) and _goes_on_only_when_missing(statement):
                        yield from self._looked_in(statement.body)
            if isinstance(parent, cst.FunctionDef | cst.Lambda):
                return
            child = parent

    def _looked_in(self, body: cst.CSTNode) -> Iterator[Look]:
        for node in self._file.tree.within(body):
            if isinstance(node, cst.Call):
                yield from (look for look in self.of(node) if look.how == _ROW)

    def _asked_in(self, body: cst.CSTNode, handler: cst.ExceptHandler) -> Iterator[Look]:
        """`self.get_queryset().get(name=name)`, of which only `except Tag.DoesNotExist` tells the model."""
        for kind in types(handler):
            if not (isinstance(kind, cst.Attribute) and kind.attr.value == "DoesNotExist"):
                continue
            for node in self._file.tree.within(body) if clauses.names_class(kind.value) else ():
                if isinstance(node, cst.Call) and called_name(node) in ("get", "aget") and not self.of(node):
                    read = Read("row", DJANGO, node, node, kind.value, links=(node,))
                    yield Look(_ROW, self.name_of(kind.value, node), node, keys_of((node,)), read)

    def absent(self, condition: Condition) -> list[Look]:
        """What a test with this outcome says is not there."""
        test, truth = condition
        match test:
            case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator=operator, comparator=other)]):
                return self._compared(left, operator, other, truth)
            case cst.Name() | cst.Call() | cst.Await() | cst.Attribute():
                return [] if truth else [look for look in self.of(test) if look.how != _KEYS]
        return []

    def _compared(
        self, left: cst.BaseExpression, operator: cst.BaseCompOp, other: cst.BaseExpression, truth: bool
    ) -> list[Look]:
        number = literal(other)
        if isinstance(operator, cst.Is | cst.Equal) and number == (None,):
            return [look for look in self.of(left) if look.how == _ROW] if truth else []
        if isinstance(operator, cst.IsNot | cst.NotEqual) and number == (None,):
            return [] if truth else [look for look in self.of(left) if look.how == _ROW]
        if isinstance(operator, cst.In | cst.NotIn) and isinstance(operator, cst.NotIn) == truth:
            return [look._replace(given=(left,)) for look in self.of(other) if look.how == _KEYS or _lists_keys(look)]
        if isinstance(operator, cst.Is | cst.Equal) and number is not None and number[0] is False and truth:
            return [look for look in self.of(left) if look.how == _EXISTS]
        return self._counted(left, operator, number, truth)

    def _counted(
        self, left: cst.BaseExpression, operator: cst.BaseCompOp, number: tuple[object] | None, truth: bool
    ) -> list[Look]:
        says_none = {
            cst.Equal: {0: True},
            cst.NotEqual: {0: False},
            cst.GreaterThan: {0: False},
            cst.GreaterThanEqual: {1: False},
            cst.LessThan: {1: True},
            cst.LessThanEqual: {0: True},
        }.get(type(operator), {})
        if number is None or not isinstance(number[0], int) or says_none.get(number[0]) is not truth:
            return []
        return self.counting(left)

    def few_at(self, node: cst.CSTNode) -> Iterator[Look]:
        """The looks that have found fewer rows than some limit whenever control gets to a node."""
        for test, truth in self._conditions(node):
            match test:
                case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator=operator, comparator=other)]):
                    falls = cst.LessThan | cst.LessThanEqual
                    rises = cst.GreaterThan | cst.GreaterThanEqual
                    if isinstance(operator, falls if truth else rises) and not _is_none_or_one(other):
                        yield from self.counting(left)
                    elif isinstance(operator, rises if truth else falls) and not _is_none_or_one(left):
                        yield from self.counting(other)

    def deleted(self, call: cst.Call) -> Iterator[Look]:
        """The rows that a DELETE takes away: `query.delete()`, `session.execute(delete(M).where(...))`."""
        name = called_name(call)
        receiver = call.func.value if isinstance(call.func, cst.Attribute) else None
        if name in ("delete", "adelete") and receiver is not None:
            if not call.args or call.args[0].keyword is not None:
                for read in self._file.queries.of(receiver):
                    if read.shape == "query":
                        yield from (look._replace(node=call) for look in self._read(read, call, _KEYS))
        elif name in ("execute", "exec") and receiver is not None and call.args:
            statement: cst.BaseExpression = call.args[0].value
            links: list[cst.CSTNode] = []
            while isinstance(statement, cst.Call):
                links.append(statement)
                statement = statement.func.value if isinstance(statement.func, cst.Attribute) else statement.func
            start = next((link for link in links if called_name(link) == "delete"), None)  # type: ignore[arg-type]
            if isinstance(start, cst.Call) and start.args and clauses.names_class(start.args[0].value):
                model = start.args[0].value
                read = Read("rows", "SQLAlchemy", call, call, model, links=tuple(links))
                yield Look(_KEYS, self.name_of(model, call), call, keys_of(tuple(links)), read)

    def counting(self, node: cst.BaseExpression, depth: int = 0) -> list[Look]:
        """The looks whose rows an expression counts."""
        if isinstance(node, cst.Call) and called_name(node) == "len" and node.args:
            return [look for look in self.of(node.args[0].value) if look.read.shape in ("query", "rows", "pairs")]
        if isinstance(node, cst.Name) and depth < _DEEPEST:
            bindings = self._file.names.reaching(node) or ()
            values = [b.value for b in bindings if b.how == "assign" and not b.path and b.value is not None]
            return [look for value in values for look in self.counting(value, depth + 1)]
        if isinstance(node, cst.Await):
            return self.counting(node.expression, depth + 1)
        if isinstance(node, cst.BooleanOperation):
            return self.counting(node.left, depth + 1)
        return [look for look in self.of(node) if look.how == _COUNT]

    # -- what an expression tells ------------------------------------------------------------------------------------

    def of(self, node: cst.BaseExpression, depth: int = 0) -> tuple[Look, ...]:
        """The looks that an expression holds the outcome of."""
        if node in self._known:
            return self._known[node]
        if depth > _DEEPEST:
            return ()
        self._known[node] = ()
        found = self._known[node] = tuple(dict.fromkeys(self._evaluate(node, depth)))
        return found

    def _evaluate(self, node: cst.BaseExpression, depth: int) -> Iterator[Look]:
        match node:
            case cst.Await():
                yield from self.of(node.expression, depth + 1)
            case cst.NamedExpr():
                yield from self.of(node.value, depth + 1)
            case cst.Name():
                for binding in self._file.names.reaching(node) or ():
                    yield from self._bound(binding, depth)
            case cst.Call():
                yield from self._called(node, depth)
            case cst.ListComp() | cst.SetComp() | cst.DictComp() | cst.GeneratorExp():
                yield from self._collected(node, depth)
            case cst.Subscript():
                yield from self._rows(node)
            case cst.IfExp():
                yield from self.of(node.body, depth + 1)
                yield from self.of(node.orelse, depth + 1)

    def _bound(self, binding: Binding, depth: int) -> Iterator[Look]:
        if binding.how == "assign" and not binding.path and binding.value is not None:
            yield from self.of(binding.value, depth + 1)
            if _is_empty(binding.value):
                yield from self._filled(binding, depth)

    def _filled(self, binding: Binding, depth: int) -> Iterator[Look]:
        """A dict or set that a loop over rows fills: `existing[row.key] = row`."""
        statement = binding.node
        targets = statement.targets if isinstance(statement, cst.Assign) else ()
        names = {target.target.value for target in targets if isinstance(target.target, cst.Name)}
        if isinstance(statement, cst.AnnAssign) and isinstance(statement.target, cst.Name):
            names = {statement.target.value}
        function = self._file.function_of(binding.node)
        for node in function.own if function is not None and names else ():
            if _fills(node) in names:
                loop = next((one for one in self._file.ancestors(node) if isinstance(one, cst.For)), None)
                if loop is not None:
                    for look in self.of(loop.iter, depth + 1):
                        yield look._replace(how=_KEYS)

    def _rows(self, node: cst.BaseExpression) -> Iterator[Look]:
        for read in self._file.queries.of(node):
            yield from self._read(read, node, (_KEYS if read.shape == "keyed" else _ROW))

    def _read(self, read: Read, node: cst.BaseExpression, how: str) -> Iterator[Look]:
        # An attribute of a row is no look, and neither is a parameter.
        if read.assumed or read.model is None or not read.links:
            return
        if read.related or read.shape not in ("row", "rows", "query", "pair", "pairs", "keyed", "statement"):
            return
        model = self.name_of(read.model, read.sent)
        if not model:
            return
        yield Look(how, model, read.sent, keys_of(read.links), read, self._given(node, read))

    def _given(self, node: cst.BaseExpression, read: Read) -> tuple[cst.BaseExpression, ...]:
        """What a function of the file, in which the query stands, is given by this call."""
        if not isinstance(node, cst.Call) or self._file.function_of(read.sent) is self._file.function_of(node):
            return ()
        return tuple(arg.value for arg in node.args)

    def _called(self, node: cst.Call, depth: int) -> Iterator[Look]:
        name = called_name(node)
        if isinstance(node.func, cst.Name) and name in _PLAIN and node.args:
            for look in self.of(node.args[0].value, depth + 1):
                yield look if name in ("bool", "next", "iter") else look._replace(how=_KEYS)
            return
        if name in EXISTS or name in COUNTS:
            yield from self._told(node, _EXISTS if name in EXISTS else _COUNT)
        elif name in ("scalar", "scalar_one", "scalar_one_or_none"):
            yield from self._scalar(node)
        elif name == "get" and isinstance(node.func, cst.Attribute) and node.args:
            # `existing.get(key)`, of a dict of what is there.
            first = node.args[0].value
            held = [look for look in self.of(node.func.value, depth + 1) if look.how == _KEYS]
            yield from (look._replace(how=_ROW, given=(first,)) for look in held)
        found = False
        for look in self._rows(node):
            found = True
            yield look
        if not found:
            yield from self._record(node)
            yield from self._stored(node)
            yield from self._helped(node, depth)

    def _helped(self, node: cst.Call, depth: int) -> Iterator[Look]:
        """`self._is_taken(name)`: a function of the file that returns what a look tells."""
        callee = self._file.callee(node)
        if callee is None or callee.is_generator:
            return
        given = tuple(arg.value for arg in node.args)
        for statement in callee.own:
            if isinstance(statement, cst.Return) and statement.value is not None:
                for look in self.of(statement.value, depth + 1):
                    if look.how in (_EXISTS, _ROW):
                        yield look._replace(given=given)

    def _told(self, node: cst.Call, how: str) -> Iterator[Look]:
        receiver = node.func.value if isinstance(node.func, cst.Attribute) else None
        if receiver is None:
            return
        found = False
        for read in self._file.queries.of(receiver):
            if read.shape in ("query", "rows"):
                for look in self._read(read, node, how):
                    found = True
                    yield look._replace(node=node)
        if not found:
            yield from (look._replace(how=how) for look in self._record_chain(node))

    def _scalar(self, node: cst.Call) -> Iterator[Look]:
        """`session.scalar(select(func.count()).select_from(M).where(...))`, `session.query(q.exists()).scalar()`."""
        for inner in self._file.tree.within(node):
            if isinstance(inner, cst.Name) and inner is not node.func:
                for binding in self._file.names.reaching(inner) or ():
                    if binding.how == "assign" and isinstance(binding.value, cst.Call):
                        yield from self._sql(binding.value)
        yield from self._sql(node)

    def _sql(self, node: cst.Call) -> Iterator[Look]:
        calls = [inner for inner in self._file.tree.within(node) if isinstance(inner, cst.Call)]
        names = {called_name(call) for call in calls}
        how = _EXISTS if "exists" in names else _COUNT if "count" in names else ""
        if not how or names.isdisjoint({"select", "query", "exists"}):
            return
        links = tuple(call for call in calls if called_name(call) in ("where", "filter", "filter_by"))
        model = self._counted_model(calls) or _owner(links)
        name = "" if model is None else self.name_of(model, node)
        if name:
            read = Read("row", "SQLAlchemy", node, node, model, links=links)
            yield Look(how, name, node, keys_of(links), read)

    @staticmethod
    def _counted_model(calls: list[cst.Call]) -> cst.BaseExpression | None:
        for call in calls:
            if called_name(call) in ("select_from", "query", "select", "count", "exists") and call.args:
                first = call.args[0].value
                if clauses.names_class(first):
                    return first
                owner = clauses.owner(first)
                if owner is not None and clauses.names_class(owner):
                    return owner
        return None

    def _collected(self, node: cst.BaseComp, depth: int) -> Iterator[Look]:
        """`{row.key for row in query}`: the keys that are there."""
        if not isinstance(node, COMPREHENSIONS):
            return
        for read in self._file.queries.of(node.for_in.iter):
            if read.shape in ("query", "rows", "pairs", "result"):
                yield from self._read(read._replace(shape="rows"), node.for_in.iter, _KEYS)
        yield from (
            look._replace(how=_KEYS) for look in self.of(node.for_in.iter, depth + 1) if look.how in (_KEYS, _ROW)
        )

    # -- active records: peewee, Tortoise ----------------------------------------------------------------------------

    def _record(self, node: cst.Call) -> Iterator[Look]:
        if called_name(node) in RECORD_READS:
            yield from self._record_chain(node)

    def _record_chain(self, node: cst.Call) -> Iterator[Look]:
        """`M.get_or_none(email=email)`, `M.select().where(M.x == x).first()`, `M.filter(x=x).exists()`."""
        if self._in_documents:
            return
        links: list[cst.CSTNode] = []
        root: cst.BaseExpression = node
        while isinstance(root, cst.Call) and isinstance(root.func, cst.Attribute):
            links.append(root)
            root = root.func.value
        if not isinstance(root, cst.Name | cst.Attribute) or not clauses.names_class(root):
            return
        links.reverse()
        first = links[0]
        assert isinstance(first, cst.Call)
        keyed = any(arg.keyword is not None for arg in first.args)
        compared = any(
            isinstance(part, cst.Comparison) and clauses.owner(part.left) is not None
            for link in links
            if isinstance(link, cst.Call)
            for arg in link.args
            for part in self._file.tree.within(arg.value)
        )
        start = called_name(first)
        if start in RECORD_CHOOSING and not (keyed or compared):
            return
        if start == "select" and not compared:
            return
        if start not in RECORD_CHOOSING | {"select"}:
            return
        model = self.name_of(root, node)
        if model:
            read = Read("row", "", node, node, root, links=tuple(links))
            yield Look(_ROW, model, node, keys_of(tuple(links)), read)

    # -- repositories ------------------------------------------------------------------------------------------------

    def _stored(self, node: cst.Call) -> Iterator[Look]:
        """`repo.get_by_email(email)`, `crud.get_user_by_email(db, email)`: of another file, known by their names."""
        if self._file.callee(node) is not None:
            return
        name = called_name(node)
        store = self.store_of(node)
        if not store or name not in FINDING:
            return
        parts = words(name)
        given = tuple(arg.value for arg in node.args if not is_session(arg.value))
        if given:
            read = Read("row", "", node, node, links=(node,))
            how = _EXISTS if not {"exists", "taken"}.isdisjoint(parts) else _ROW
            yield Look(how, "", node, (), read, given, f"{store} {noun_of(parts)}")

    def store_of(self, node: cst.Call) -> str:
        """What keeps the rows, where a method of it is called: `self.users_repo`, `crud`; empty for anything else."""
        if not isinstance(node.func, cst.Attribute):
            return ""
        receiver = dotted(node.func.value)
        return receiver if any(map(is_store_name, receiver.split("."))) else ""

    # -- names -------------------------------------------------------------------------------------------------------

    def name_of(self, model: cst.BaseExpression, at: cst.CSTNode) -> str:
        """The name by which a model can be compared: a class's last name, or the place that holds one."""
        if isinstance(model, cst.Call):
            name = called_name(model)
            if name == "get_user_model":
                return name
            inner = model.args[0].value if model.args else None
            return self.name_of(inner, at) if name == "aliased" and inner is not None else ""
        last = last_name(model)
        if last in ("cls", "self", "__class__"):
            function = self._file.function_of(at)
            return function.owner.name if function is not None and function.owner is not None else last
        return dotted(model) if last.islower() and is_class_word(last) else last


def keys_of(links: tuple[cst.CSTNode, ...]) -> tuple[Key, ...]:
    """What the links of a chain compare columns with, for equality."""
    return tuple(
        key
        for link in links
        if isinstance(link, cst.Call) and called_name(link) not in ("exclude", "order_by", "values_list", "values")
        for key in _keys_of_call(link)
    )


def spread_of(read: Read) -> Iterator[cst.BaseExpression]:
    """The dicts by which rows are chosen: `.get(**values)`."""
    for link in read.links:
        yield from (arg.value for arg in link.args if arg.star == "**") if isinstance(link, cst.Call) else ()


def _keys_of_call(call: cst.Call) -> Iterator[Key]:
    name = called_name(call)
    for index, arg in enumerate(call.args):
        if arg.keyword is not None:
            column, _, lookup = arg.keyword.value.partition("__")
            if lookup in ("", "exact", "iexact", "id", "pk", "in") and column not in ("with_for_update", "options"):
                yield Key(column, arg.value)
        elif not arg.star:
            if name in BY_KEY and index == 1:
                yield from _primary(arg.value)
            yield from _keys_in(arg.value, 0)


def _primary(value: cst.BaseExpression) -> Iterator[Key]:
    """`session.get(M, pk)`, also of several columns."""
    if isinstance(value, cst.Tuple):
        yield from (Key("", element.value) for element in value.elements)
    elif isinstance(value, cst.Dict):
        for element in value.elements:
            if isinstance(element, cst.DictElement) and isinstance(element.key, cst.SimpleString):
                yield Key(element.key.raw_value, element.value)
    else:
        yield Key("pk", value)


def _keys_in(node: cst.BaseExpression, depth: int) -> Iterator[Key]:
    if depth > _DEEPEST:
        return
    match node:
        case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator=cst.Equal(), comparator=value)]):
            column = left
            while isinstance(column, cst.Call) and column.args:
                # `func.lower(M.email) == email`
                column = column.args[0].value
            if isinstance(column, cst.Attribute):
                yield Key(column.attr.value, value)
        case cst.BinaryOperation(left=left, operator=cst.BitAnd(), right=right):
            yield from _keys_in(left, depth + 1)
            yield from _keys_in(right, depth + 1)
        case cst.Call() if called_name(node) in ("and_", "or_", "Q"):
            yield from _keys_of_call(node)
        case cst.Call(func=cst.Attribute(value=cst.Attribute() as column, attr=cst.Name(value="in_" | "is_"))):
            if node.args:
                yield Key(column.attr.value, node.args[0].value)


def _owner(links: tuple[cst.Call, ...]) -> cst.BaseExpression | None:
    """The class whose columns a condition compares."""
    for link in links:
        for arg in link.args:
            if isinstance(arg.value, cst.Comparison):
                owner = clauses.owner(arg.value.left)
                if owner is not None and clauses.names_class(owner):
                    return owner
    return None


def _left_chain(statement: cst.If) -> Iterator[Condition]:
    """What holds after `if a: raise … elif b: raise`: neither, as far as each of them leaves."""
    step: cst.If | cst.Else | None = statement
    while isinstance(step, cst.If):
        if not _leaves(step.body):
            return
        yield from atoms(step.test, False)
        step = step.orelse


def _leaves(body: cst.BaseSuite) -> bool:
    last = body.body[-1] if body.body else None
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1]
    return isinstance(last, cst.Return | cst.Raise | cst.Continue | cst.Break)


def _is_empty(node: cst.BaseExpression) -> bool:
    """`{}`, `set()`, `[]`, `dict()`."""
    if isinstance(node, cst.Call):
        return not node.args and called_name(node) in ("dict", "set", "list")
    return isinstance(node, cst.Dict | cst.List) and not node.elements


def _fills(node: cst.CSTNode) -> str:
    """The name of the container into which a statement puts something."""
    match node:
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Subscript(value=cst.Name(value=name)))]):
            return name
        case cst.Call(func=cst.Attribute(value=cst.Name(value=name), attr=cst.Name(value="add" | "append"))):
            return name
    return ""


def _lists_keys(look: Look) -> bool:
    """`query.values_list("name", flat=True)`, `session.scalars(select(M.name)).all()`: values, not rows."""
    return look.read.partial and look.read.shape in ("query", "rows", "pairs")


def _is_none_or_one(node: cst.BaseExpression) -> bool:
    return literal(node) in ((0,), (1,))


def _goes_on_only_when_missing(statement: cst.Try) -> bool:
    """Whether a `try` is left at its end only where a row was not there."""
    ended = _leaves(statement.body) or (statement.orelse is not None and _leaves(statement.orelse.body))
    return ended and any(_catches(handler, MISSING) and not _leaves(handler.body) for handler in statement.handlers)


def _catches(handler: cst.ExceptHandler, names: frozenset[str]) -> bool:
    return not names.isdisjoint(caught(handler))


def catches_conflict(handler: cst.ExceptHandler | cst.ExceptStarHandler) -> bool:
    """Whether a handler catches what a row raises that is already there, going by the end of the name."""
    return any(name.endswith(tuple(CONFLICTS)) for name in caught(handler))


def is_session(node: cst.BaseExpression) -> bool:
    """Whether an expression may be a session, going by its name: `db`, `self.session`, `get_session()`."""
    while isinstance(node, cst.Call):
        node = node.func
    return may_be_session(last_name(node))
