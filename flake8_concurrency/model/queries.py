"""What an expression holds of the database: a query, its rows or one row; which ORM gave it, and whether it is locked.

Types are mostly missing in real code, so an expression is known by the shape of its query: `X.objects.filter(...)`,
`session.query(M)...first()`, `session.scalars(select(M)...)`. A shape that other libraries share is not enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model import clauses
from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.calls import literal
from flake8_concurrency.model.columns import RELATION
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.given import Given
from flake8_concurrency.model.handed import Handed
from flake8_concurrency.model.locks import asks_for_lock, called_name, is_lock_name, is_locking, words
from flake8_concurrency.model.reads import DJANGO, SQLALCHEMY, Read, argument_for, as_shape, elements, unpacked
from flake8_concurrency.model.spelling import dotted, is_user, text
from flake8_concurrency.model.vocabulary import BY_KEY, HOOKS, MANAGERS, SESSION_NAMES, SHORTCUTS

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_DEEPEST = 30
_NOTHING: tuple[Read, ...] = ()

#: Fields of Django's models that hold one other row.
_TO_ONE = frozenset({"ForeignKey", "OneToOneField"})


class Queries:
    """Follows queries and rows through the expressions of one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._known: dict[tuple[cst.CSTNode, bool], tuple[Read, ...]] = {}
        self._tentative: dict[tuple[cst.CSTNode, bool], tuple[Read, ...]] = {}
        self._open: set[cst.CSTNode] = set()
        self._cuts = 0
        #: How many functions are being asked for what they return: their parameters are one call's, not every caller's.
        self._returning = 0
        self._imports = clauses.imported(file.tree.module)
        self._calls: dict[str, list[cst.Call]] | None = None
        self.handed = Handed(file, self._imports)
        self.given = Given(file, self._imports)

    # -- the question ------------------------------------------------------------------------------------------------

    def of(self, node: cst.CSTNode | None) -> tuple[Read, ...]:
        """Everything of the database that an expression may hold; empty when that is not known."""
        if node is None:
            return _NOTHING
        key = (node, self._returning > 0)
        known = self._known.get(key, self._tentative.get(key))
        if known is not None:
            return known
        if node in self._open or len(self._open) > _DEEPEST:
            self._cuts += 1
            return _NOTHING
        cuts = self._cuts
        self._open.add(node)
        try:
            found = tuple(dict.fromkeys(self._evaluate(node)))
        finally:
            self._open.discard(node)
        # What a cycle cut short may be known when it is asked from elsewhere.
        (self._known if cuts == self._cuts or not self._open else self._tentative)[key] = found
        if not self._open:
            self._tentative.clear()
        return found

    def _evaluate(self, node: cst.CSTNode) -> tuple[Read, ...]:
        match node:
            case cst.Name():
                return self._name(node)
            case cst.Attribute():
                return self._attribute(node)
            case cst.Call():
                return self._call(node)
            case cst.Await():
                return self.of(node.expression)
            case cst.NamedExpr():
                return self.of(node.value)
            case cst.IfExp():
                return self.of(node.body) + self.of(node.orelse)
            case cst.BooleanOperation():
                return self.of(node.left) + self.of(node.right)
            case cst.BinaryOperation(operator=cst.BitOr()):
                # `M.objects.filter(name=name) | M.objects.filter(email=email)`
                return tuple(read for read in self.of(node.left) + self.of(node.right) if read.shape == "query")
            case cst.Subscript():
                return self._subscript(node)
            case cst.List() | cst.Tuple() if node.elements:
                return tuple(as_shape(read, "rows") for read in self.of(node.elements[0].value) if read.shape == "row")
            case cst.ListComp() | cst.GeneratorExp() | cst.SetComp():
                return tuple(as_shape(read, "rows") for read in self.of(node.elt) if read.shape == "row")
            case cst.DictComp():
                return tuple(as_shape(read, "keyed") for read in self.of(node.value) if read.shape == "row")
        return _NOTHING

    # -- names and attributes ----------------------------------------------------------------------------------------

    def _name(self, node: cst.Name) -> tuple[Read, ...]:
        found = _NOTHING
        for binding in self._file.names.reaching(node) or ():
            found += self.bound(binding) or self._kept(binding, node.value)
        return found or self.handed.visitor(node) or self.given.named(node)

    def _kept(self, binding: Binding, name: str) -> tuple[Read, ...]:
        """What the function that binds a name keeps as a row of its session."""
        if binding.how != "assign" or self._returning:
            return _NOTHING
        return self.handed.kept(binding, name, self._file.function_of(binding.node))

    def bound(self, binding: Binding) -> tuple[Read, ...]:
        """What a binding gives its name."""
        if binding.how == "for":
            return self._iterated(binding.value, binding.path)
        if binding.how == "with":
            return self._entered(binding.value)
        if binding.how == "param":
            return self._given(binding)
        if binding.how == "assign":
            return self._at(binding.value, binding.path) or self._collected(binding)
        return _NOTHING

    def _collected(self, binding: Binding) -> tuple[Read, ...]:
        """The rows that are put into a list that starts empty."""
        statement, value = binding.node, binding.value
        if not (isinstance(statement, cst.Assign) and isinstance(value, cst.List) and not value.elements):
            return _NOTHING
        names = {target.target.value for target in statement.targets if isinstance(target.target, cst.Name)}
        found = _NOTHING
        for node in self._file.tree.own[self._file.tree.scope_of(statement)]:
            match node:
                case cst.Call(
                    func=cst.Attribute(value=cst.Name(value=name), attr=cst.Name(value="append")), args=[arg]
                ):
                    if name in names:
                        found += tuple(as_shape(read, "rows") for read in self.of(arg.value) if read.shape == "row")
        return found

    def _at(self, value: cst.BaseExpression | None, path: tuple[int, ...]) -> tuple[Read, ...]:
        if not path:
            return self.of(value)
        if isinstance(value, cst.Tuple | cst.List) and 0 <= path[0] < len(value.elements):
            return self._at(value.elements[path[0]].value, path[1:])
        return unpacked(self.of(value), path)

    def _iterated(self, value: cst.BaseExpression | None, path: tuple[int, ...]) -> tuple[Read, ...]:
        if isinstance(value, cst.Call) and path:
            name = called_name(value)
            if name == "enumerate" and value.args and path[0] == 1:
                return self._iterated(value.args[0].value, path[1:])
            if name == "groupby" and value.args and path == (1,):
                return self._iterated_rows(value.args[0].value)
            if name == "zip" and 0 <= path[0] < len(value.args):
                return self._iterated(value.args[path[0]].value, path[1:])
            if name == "items" and path == (1,) and isinstance(value.func, cst.Attribute):
                return tuple(as_shape(read, "row") for read in self.of(value.func.value) if read.shape == "keyed")
        return unpacked(elements(self.of(value), value), path)

    def _iterated_rows(self, value: cst.BaseExpression) -> tuple[Read, ...]:
        return tuple(as_shape(read, "rows") for read in elements(self.of(value), value) if read.shape == "row")

    def _entered(self, value: cst.BaseExpression | None) -> tuple[Read, ...]:
        callee = self._file.callee(value) if isinstance(value, cst.Call) else None
        if callee is None or not callee.decorator_names & {"contextmanager", "asynccontextmanager"}:
            return _NOTHING
        return self.returned(callee, "row")

    def _given(self, binding: Binding) -> tuple[Read, ...]:
        """What the file's own callers give for a parameter: known only when it is known for each of them."""
        function = self._file.tree.parents[self._file.tree.parents[binding.node]]
        info = self._file.definitions.functions.get(function)  # type: ignore[call-overload]
        assert isinstance(binding.node, cst.Param)
        if info is None or binding.node.star or self._returning:
            return _NOTHING
        found = self.handed.injected(binding, info)
        for call in () if found else self.callers(info):
            given = self.of(argument_for(info, binding.node.name.value, call))
            if not given:
                return _NOTHING
            found += given
        return found or self.handed.kept(binding, binding.node.name.value, info)

    def callers(self, info: FunctionInfo) -> list[cst.Call]:
        """The calls of the file that enter a function, unless a framework calls it too."""
        if info.name in HOOKS:
            return []
        return [call for call in self.named(info.name) if self._file.callee(call) is info]

    def named(self, name: str) -> list[cst.Call]:
        """The calls of the file of anything that has this name."""
        if self._calls is None:
            self._calls = {}
            for node in self._file.tree.nodes:
                if node.__class__ is cst.Call:
                    assert isinstance(node, cst.Call)
                    self._calls.setdefault(called_name(node), []).append(node)
        return self._calls.get(name, [])

    def _attribute(self, node: cst.Attribute) -> tuple[Read, ...]:
        name = node.attr.value
        if name in MANAGERS and self._imports.may_be_django and not self._is_of_a_client(node.value):
            return (Read("query", DJANGO, node, node, node.value),)
        if name == "query" and clauses.names_class(node.value):
            return (Read("query", SQLALCHEMY, node, node, node.value),)
        if is_user(node) and self._imports.django:
            return (Read("row", DJANGO, node, node),)
        own = self._own_attribute(node)
        if own is not None:
            return own or self.given.held(node)
        rows = (read for read in self.of(node.value) if read.shape in ("row", "pair"))
        model = self._related_model(node)
        found = tuple(read._replace(shape="row", model=model, related=True, entities=()) for read in rows)
        return found or self.given.held(node)

    def _is_of_a_client(self, node: cst.BaseExpression) -> bool:
        """Whether a file without Django takes a class out of an object: clients of web APIs spell their models so."""
        if self._imports.django or not isinstance(node, cst.Name):
            return False
        bindings = self._file.names.reaching(node) or ()
        return any(one.how == "assign" and isinstance(one.value, cst.Attribute) for one in bindings)

    def _related_model(self, node: cst.Attribute) -> cst.BaseExpression | None:
        """The class of what `order.customer` holds, where the file has the class of the order."""
        info = self.class_of(node.value)
        for binding in () if info is None else info.attributes.get(node.attr.value, ()):
            if isinstance(binding.value, cst.Call) and called_name(binding.value) in _TO_ONE and binding.value.args:
                named = binding.value.args[0].value
                return named if isinstance(named, cst.Name | cst.Attribute) else None
        return None

    def _own_attribute(self, node: cst.Attribute) -> tuple[Read, ...] | None:
        """What an attribute of one of the file's own objects holds, wherever it is assigned; None for other objects."""
        info = self.class_of(node.value)
        if info is None:
            return None
        method = info.methods.get(node.attr.value)
        if method is not None:
            return self.returned(method) if method.is_property else _NOTHING
        if self._file.rows.columns.of(info, node.attr.value) == RELATION:
            # `order.customer`: the row that hangs on this one, where this is a row.
            return None
        bindings = [*info.attributes.get(node.attr.value, ()), *info.assigned.get(node.attr.value, ())]
        found = _NOTHING
        for binding in bindings:
            given = self.bound(binding)
            if not given and not (binding.value is None or literal(binding.value) == (None,)):
                return _NOTHING
            found += given
        return found if bindings else None

    def class_of(self, node: cst.BaseExpression) -> ClassInfo | None:
        """The class of the file that an expression is an instance of, or is."""
        kind = self._file.kind(node)
        if kind is not None and kind.name == "type":
            kind = kind.args[0]
        return kind.ref if kind is not None and isinstance(kind.ref, ClassInfo) else None

    # -- calls -------------------------------------------------------------------------------------------------------

    def _call(self, node: cst.Call) -> tuple[Read, ...]:
        name = called_name(node)
        receiver = node.func.value if isinstance(node.func, cst.Attribute) else None
        callee = self._file.callee(node)
        found: tuple[Read, ...] | None = None
        base = self.of(receiver)
        if base:
            found = self._on(base, name, node)
        if found is None and callee is not None:
            found = self.returned(callee)
        if found is None:
            return self._started(name, receiver, node)
        if is_locking(node) or (callee is not None and self._file.locks.takes(callee)):
            return tuple(read._replace(locked=True) for read in found)
        return found

    def _started(self, name: str, receiver: cst.BaseExpression | None, node: cst.Call) -> tuple[Read, ...]:
        """A call on something unknown, where its shape tells enough."""
        found = self._of_session(name, receiver, node) or self._of_library(name, node)
        if found:
            return found
        if isinstance(receiver, cst.Name) and clauses.only_django(name, node) and self._is_manager(receiver):
            return self._on((Read("query", DJANGO, receiver, receiver),), name, node) or _NOTHING
        found = self.given.asked(name, receiver, node) or self.given.inherited(name, receiver, node)
        if found:
            return found
        if is_locking(node):
            given = tuple(read._replace(locked=True) for arg in node.args for read in self.of(arg.value))
            return given or tuple(Read(shape, "", node, node, locked=True) for shape in ("row", "query"))
        if receiver is not None and self._imports.django:
            return self._of_view(name, receiver, node) or self._related(name, receiver, node)
        if isinstance(receiver, cst.Attribute) and receiver.attr.value.endswith("_set") and not self._imports.other:
            return self._related(name, receiver, node)
        return self.handed.fetched(node)

    def _of_view(self, name: str, receiver: cst.BaseExpression, node: cst.Call) -> tuple[Read, ...]:
        """`self.get_object()` of a view of Django or Django REST framework, where the file doesn't say what it does."""
        if name != "get_object" or node.args or not isinstance(receiver, cst.Name):
            return _NOTHING
        info = self.class_of(receiver)
        if info is None or not info.bases:
            return _NOTHING
        queryset = info.methods.get("get_queryset")
        locked = queryset is not None and self._file.locks.takes(queryset)
        return (Read("row", DJANGO, node, node, None, locked, (node,)),)

    def returned(self, info: FunctionInfo, yielded: str = "rows") -> tuple[Read, ...]:
        """What calling a function of the file gives; a row that it yields is given in the shape `yielded`."""
        self._returning += 1
        try:
            return self._returned(info, yielded)
        finally:
            self._returning -= 1

    def _returned(self, info: FunctionInfo, yielded: str) -> tuple[Read, ...]:
        found = _NOTHING
        for node in info.own:
            if isinstance(node, cst.Return):
                found += self.of(node.value)
            elif isinstance(node, cst.Yield) and not isinstance(node.value, cst.From):
                found += tuple(as_shape(read, yielded) for read in self.of(node.value) if read.shape == "row")
        return found

    def _on(self, base: tuple[Read, ...], name: str, node: cst.Call) -> tuple[Read, ...] | None:
        """A method of something that is known; None when the method is not."""
        found: list[Read] = []
        for read in base:
            if read.shape == "keyed":
                shape = {"get": "row", "pop": "row", "values": "rows"}.get(name, "")
            else:
                shape = clauses.answer(read.shape, read.orm, name, read.related)
            if shape == "?":
                return None
            if not shape:
                continue
            is_partial = read.partial or name in clauses.COLUMNS
            if read.entities and read.shape == "query":
                shape = {"row": "pair", "rows": "pairs"}.get(shape, shape)
            changed = read._replace(shape=shape, sent=node, links=(*read.links, node), partial=is_partial)
            if read.shape in ("query", "statement"):
                is_lock = is_lock_name(name)
                query = read.query if name in clauses.SENDING or shape not in ("query", "statement") else node
                changed = changed._replace(query=query, locked=read.locked or is_lock)
            found.append(changed)
        return tuple(found)

    def _of_session(self, name: str, receiver: cst.BaseExpression | None, node: cst.Call) -> tuple[Read, ...]:
        """What a session of SQLAlchemy reads."""
        if receiver is None or not node.args:
            return _NOTHING
        first = node.args[0].value
        if name == "query":
            return self._selecting(node, "query", receiver)
        shape = clauses.EXECUTING.get(name)
        if shape is not None:
            given = (read for read in self.of(first) if read.shape == "statement" and read.orm == SQLALCHEMY)
            return tuple(read._replace(shape=shape, sent=node, session=receiver) for read in given)
        if name in BY_KEY and clauses.names_class(first) and self._is_session(receiver):
            locked = asks_for_lock(node)
            return (Read("row", SQLALCHEMY, node, node, first, locked, (node,), session=receiver),)
        return _NOTHING

    def _is_session(self, node: cst.BaseExpression) -> bool:
        if self._file.is_a(node, *clauses.SESSIONS):
            return True
        while isinstance(node, cst.Call):
            node = node.func
        return dotted(node).rpartition(".")[2] in SESSION_NAMES

    def _of_library(self, name: str, node: cst.Call) -> tuple[Read, ...]:
        first = node.args[0].value if node.args else None
        if name == "select" or self._file.qualified(node.func) in clauses.SELECTS:
            return self._selected(node)
        if name in SHORTCUTS and first is not None:
            shape = "rows" if "list" in name else "row"
            given = self.of(first)
            if not given and clauses.names_class(first):
                given = (Read("query", DJANGO, node, node, first),)
            elif not given and isinstance(first, cst.Attribute):
                # `get_object_or_404(order.lines, pk=pk)`: what is not a class can only be a manager.
                given = (Read("query", DJANGO, node, node, related=True),)
            return tuple(
                read._replace(shape=shape, sent=node, links=(*read.links, node))
                for read in given
                if read.shape == "query"
            )
        if isinstance(node.func, cst.Name) and first is not None and name in clauses.KEEPING:
            return tuple(
                as_shape(read, clauses.KEEPING[name]) for read in elements(self.of(first), first) if read.shape == "row"
            )
        return _NOTHING

    def _selected(self, node: cst.Call) -> tuple[Read, ...]:
        qualified = self._file.qualified(node.func) or ""
        if not node.args and isinstance(node.func, cst.Attribute) and self._imports.sqlalchemy:
            return (Read("statement", SQLALCHEMY, node, node, node.func.value, partial=True),)
        if not (qualified in clauses.SELECTS or self._may_be_select(node.func, qualified)):
            return _NOTHING
        return self._selecting(node, "statement", None)

    def _may_be_select(self, func: cst.BaseExpression, qualified: str) -> bool:
        """`select` of the project's own module of the database, `db.select`."""
        if isinstance(func, cst.Attribute):
            return text(func.value).rpartition(".")[2] in ("db", "sa")
        return self._imports.sqlalchemy and (not qualified or qualified.startswith("."))

    def _selecting(self, node: cst.Call, shape: str, session: cst.BaseExpression | None) -> tuple[Read, ...]:
        """`select(M)` and `session.query(M)`, or the same of columns: `select(M.id)`, `select(table.c.id)`."""
        entities = [arg.value for arg in node.args]
        if not entities or any(arg.keyword is not None or arg.star for arg in node.args):
            return _NOTHING
        if clauses.names_class(entities[0]):
            several = tuple(entities) if len(entities) > 1 else ()
            return (Read(shape, SQLALCHEMY, node, node, entities[0], session=session, entities=several),)
        owners = [clauses.owner(entity) for entity in entities]
        if owners[0] is None or any(owner is None or text(owner) != text(owners[0]) for owner in owners):
            return _NOTHING
        return (Read(shape, SQLALCHEMY, node, node, owners[0], session=session, partial=True),)

    def _related(self, name: str, receiver: cst.BaseExpression, node: cst.Call) -> tuple[Read, ...]:
        """Django's managers that have no known type: related ones (`order.items`) and those of the project."""
        if not isinstance(receiver, cst.Attribute) or not clauses.only_django(name, node):
            return _NOTHING
        is_class = clauses.names_class(receiver.value)
        start = Read("query", DJANGO, receiver, receiver, receiver.value if is_class else None, related=not is_class)
        start = start._replace(locked=any(read.locked for read in self.of(receiver.value)))
        return self._on((start,), name, node) or _NOTHING

    def _is_manager(self, node: cst.Name) -> bool:
        """Whether a name is the object of a manager or queryset that the file defines: `self`."""
        info = self.class_of(node)
        named = [] if info is None else [words(dotted(base).rpartition(".")[2]) for base in info.bases]
        return any(parts[-1:] in (["manager"], ["set"]) for parts in named)

    # -- items -------------------------------------------------------------------------------------------------------

    def _subscript(self, node: cst.Subscript) -> tuple[Read, ...]:
        base = self.of(node.value)
        if not base or len(node.slice) != 1:
            return _NOTHING
        if isinstance(node.slice[0].slice, cst.Slice):
            return tuple(
                read._replace(query=node if read.shape == "query" else read.query, links=(*read.links, node))
                for read in base
                if read.shape in ("query", "rows", "pairs")
            )
        found = tuple(as_shape(read, "row") for read in base if read.shape == "keyed")
        position = literal(node.slice[0].slice.value) if isinstance(node.slice[0].slice, cst.Index) else None
        if position is not None and isinstance(position[0], int):
            found += unpacked(base, (position[0],))
        return found + elements(base, node)
