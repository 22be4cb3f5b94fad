"""Inserts: where rows are made, and those that are made because a look before found none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model import clauses
from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.model.conditions import is_constant
from flake8_concurrency.model.conflicts import Conflicts
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.insert_words import (
    BULK,
    CREATING,
    INSERTING_VERBS,
    RANDOM,
    SAFE_KEYWORDS,
    SAFE_METHODS,
    SAVING_ROW,
    SEEDING,
    SENT_DATA,
    SESSION_ADDING,
    is_creating,
    is_making,
    is_same_store,
)
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.looks import Key, Look, Looks, is_session, spread_of
from flake8_concurrency.model.reads import DJANGO, SQLALCHEMY, Read, argument_for
from flake8_concurrency.model.serializers import Serializers
from flake8_concurrency.model.spelling import dotted, last_name, text
from flake8_concurrency.model.vocabulary import HOOKS, KEYS, MANAGERS

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

_DEEPEST = 3


class Insert(NamedTuple):
    """A place where rows of a model are inserted: `node` sends them, `made` is where they are made."""

    node: cst.CSTNode
    made: cst.CSTNode
    model: str
    orm: str
    values: tuple[Key, ...]
    #: What is passed on as a whole: `**data`, positional arguments.
    spread: tuple[cst.BaseExpression, ...] = ()
    bulk: bool = False
    #: The receiver of a repository's method, and what it is about.
    store: str = ""
    #: The function of the file that inserts, where `node` is a call of it.
    inside: FunctionInfo | None = None


class Checked(NamedTuple):
    """An insert that runs where a look has found nothing, with nothing that keeps a second one out."""

    insert: Insert
    look: Look


class Inserts:
    """Finds the inserts of one file's functions."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._known: dict[FunctionInfo, list[Insert]] = {}
        self._checked: dict[FunctionInfo, list[Checked]] = {}
        self.looks = Looks(file)
        self._serializers = Serializers(file)
        self._conflicts = Conflicts(file)
        self._depth = 0

    # -- check, then insert ------------------------------------------------------------------------------------------

    def checked(self, function: FunctionInfo) -> list[Checked]:
        """The inserts of a function that only a look keeps from being made twice; one for each look."""
        if function not in self._checked:
            self._checked[function] = list(self._find_checked(function))
        return self._checked[function]

    def _find_checked(self, function: FunctionInfo) -> Iterator[Checked]:
        seen: set[cst.CSTNode] = set()
        if not (inserts := self.of(function)) or self.is_left_alone(function):
            return
        for insert in inserts:
            for look in self._absent(insert):
                if look.node in seen or not self._is_pair(look, insert):
                    continue
                if self.is_safe(function, insert, look.read) or not self._is_shared(insert, look):
                    continue
                seen.add(look.node)
                yield Checked(insert, look)
                break

    def is_left_alone(self, function: FunctionInfo) -> bool:
        """Whether one process at a time runs a function, or the database refuses the second writer."""
        return (
            self._file.is_program
            or self._fills_once(function, 0)
            or self._file.locks.is_serial()
            or self._file.rows.runs_alone(function)
            or self._file.functions.runs_once(function)
        )

    def _fills_once(self, function: FunctionInfo, depth: int) -> bool:
        """Whether a function fills a database before anybody uses it: `seed_roles`, a receiver of `post_migrate`."""
        if not SEEDING.isdisjoint(words(function.name)):
            return True
        # A view may be named after the set-up that somebody does in it, but not after a seed.
        if function.owner is not None and {"seed", "seeds", "seeder"} & set(words(function.owner.name)):
            return True
        if self._hears_of_no_row(function):
            return True
        given = (arg.value for one in function.node.decorators for arg in getattr(one.decorator, "args", ()))
        if any(last_name(value) in ("post_migrate", "pre_migrate") for value in given):
            return True
        callers = [self._file.function_of(call) for call in self._file.queries.callers(function)]
        return (
            depth < _DEEPEST
            and bool(callers)
            and all(caller is not None and self._fills_once(caller, depth + 1) for caller in callers)
        )

    def _hears_of_no_row(self, function: FunctionInfo) -> bool:
        """Whether a function, `f(sender, **kwargs)`, receives a signal that is not sent for a row or a request.

        What has the parameters of Django's `post_migrate` (docs: Signals, Management signals) is its receiver.
        """
        names = {param.name.value for param in function.params}
        if "app_config" in names and not names.isdisjoint({"verbosity", "using", "plan"}):
            return True
        rest = function.node.params.star_kwarg
        if not isinstance(rest, cst.Param) or [one.name.value for one in function.node.params.params] != ["sender"]:
            return False
        name = rest.name.value
        return not any(
            isinstance(node, cst.Name) and node.value == name for node in self._file.tree.within(function.node.body)
        )

    def _absent(self, insert: Insert) -> Iterator[Look]:
        yield from self.looks.absent_at(insert.made)
        if insert.node is not insert.made:
            yield from self.looks.absent_at(insert.node)

    def _is_pair(self, look: Look, insert: Insert) -> bool:
        """Whether a look and an insert are about the same rows."""
        if look.store or insert.store:
            return is_same_store(look.store, insert.store) and self._shares_given(look, insert)
        return look.model == insert.model and self._shares_key(look, insert)

    # -- below a limit, after a delete ------------------------------------------------------------------------------

    def limited(self, function: FunctionInfo) -> list[Checked]:
        """The inserts of a function that only a count keeps below a limit."""
        found: dict[cst.CSTNode, Checked] = {}
        for insert in self.of(function):
            for look in (*self.looks.few_at(insert.made), *self.looks.few_at(insert.node)):
                same = look.model == insert.model and bool(insert.model)
                if same and look.node not in found and not self.is_safe(function, insert, look.read):
                    found[look.node] = Checked(insert, look)
        return [] if not found or self.is_left_alone(function) else list(found.values())

    def replaced(self, function: FunctionInfo) -> list[Checked]:
        """The inserts of a function that follow a DELETE of all rows of the same owner."""
        deletes = [look for call in function.calls for look in self.looks.deleted(call)]
        found: dict[cst.CSTNode, Checked] = {}
        for insert in self.of(function) if deletes else ():
            for look in deletes:
                if (
                    look.node not in found
                    and look.model == insert.model
                    and self._file.rows.saving.may_follow(look.node, insert.node)
                    and self._shares_key(look, insert)
                    and not self.is_safe(function, insert, look.read)
                    and self._is_shared(insert, look)
                ):
                    found[look.node] = Checked(insert, look)
        return [] if not found or self.is_left_alone(function) else list(found.values())

    # -- the same key ------------------------------------------------------------------------------------------------

    def _shares_key(self, look: Look, insert: Insert) -> bool:
        """Whether the values looked up are the values inserted."""
        if look.given and self._shares_given(look, insert):
            return True
        shared = any(
            self._mentions(into, given, self._code(given)) for given in spread_of(look.read) for into in insert.spread
        )
        for key in look.keys:
            told = self._tells(key, insert)
            if told is False or (told is None and key.column in KEYS and not is_constant(key.value)):
                # Another value, or one row that was asked for by its id and is not made in its place.
                return False
            shared = shared or told is True
        return shared

    def _tells(self, key: Key, insert: Insert) -> bool | None:
        """Whether the insert gives the column the value that was looked for; None when it gives it none."""
        code = self._code(key.value)
        for given in insert.values:
            if _is_same_column(given.column, key.column):
                if self._code(given.value) == code:
                    return True
                if is_constant(key.value) or is_constant(given.value):
                    return None if not (is_constant(key.value) and is_constant(given.value)) else False
                return True if self._overlap(given.value, key.value) else None
        if is_constant(key.value):
            return None
        for value in (*(given.value for given in insert.values), *insert.spread):
            if self._mentions(value, key.value, code):
                return True
        return None

    def _mentions(self, value: cst.BaseExpression, wanted: cst.BaseExpression, code: str) -> bool:
        inside = (part for part in self._file.tree.within(value) if isinstance(part, cst.BaseExpression))
        return any(type(part) is type(wanted) and self._code(part) == code for part in inside) or (
            isinstance(value, cst.Name | cst.Attribute | cst.Call) and self._overlap(value, wanted)
        )

    def _shares_given(self, look: Look, insert: Insert) -> bool:
        """Whether what a look by another function is given also goes into the insert."""
        into = [*(given.value for given in insert.values), *insert.spread]
        return any(
            not is_constant(given) and any(self._mentions(value, given, self._code(given)) for value in into)
            for given in look.given
        )

    def _overlap(self, one: cst.BaseExpression, other: cst.BaseExpression) -> bool:
        return not self.sources(one).isdisjoint(self.sources(other))

    def sources(self, node: cst.BaseExpression, depth: int = 0) -> frozenset[str]:
        """The locals that an expression is made from, and what those are made from."""
        found: set[str] = set()
        for part in self._file.tree.within(node):
            if isinstance(part, cst.Name) and part.value not in ("self", "cls", "True", "False", "None"):
                parent = self._file.tree.parents.get(part)
                if isinstance(parent, cst.Attribute) and parent.attr is part:
                    if isinstance(parent.value, cst.Name) and parent.value.value in ("self", "cls"):
                        found.add("self." + part.value)
                    continue
                if isinstance(parent, cst.Arg) and parent.keyword is part:
                    continue
                if isinstance(parent, cst.Call) and parent.func is part:
                    continue
                found.add(part.value)
                for binding in (self._file.names.reaching(part) or ()) if depth < _DEEPEST else ():
                    if binding.how in ("assign", "for") and binding.value is not None:
                        found |= self.sources(binding.value, depth + 1)
        return frozenset(found)

    def _code(self, node: cst.BaseExpression) -> str:
        return text(node) or self._file.tree.module.code_for_node(node)

    # -- what keeps a second insert out ------------------------------------------------------------------------------

    def is_safe(self, function: FunctionInfo, insert: Insert, read: Read) -> bool:
        """Whether a lock, or the handling of a conflict, keeps a second insert from harm."""
        looked = read.sent
        if read.locked or self._file.rows.is_guarded(function, insert.node, read, "", 0):
            return True
        reading = self._file.function_of(looked)
        if reading is not None and reading is not function and self._file.locks.takes(reading):
            return True
        return self._conflicts.are_handled(function, insert, read)

    def _is_shared(self, insert: Insert, look: Look) -> bool:
        """Whether others can look for the same: not what this function has just made, or drawn at random."""
        values = [key.value for key in look.keys if not is_constant(key.value)] + list(look.given)
        return not values or not any(self._is_private(insert, value, 0) for value in values)

    def _is_private(self, insert: Insert, value: cst.BaseExpression, depth: int) -> bool:
        """Whether a value was made here or drawn at random; what the new row itself has was given to it."""
        root = value
        while isinstance(root, cst.Attribute | cst.Subscript):
            if isinstance(root, cst.Attribute) and root.attr.value in SENT_DATA:
                return False
            root = root.value
        if isinstance(root, cst.Await):
            root = root.expression
        if isinstance(root, cst.Call):
            name = called_name(root)
            if _is_drawn(name) or _is_drawn(dotted(root.func)):
                return True
            return root is not insert.made and self._makes_row(root)
        if not isinstance(root, cst.Name) or depth > _DEEPEST:
            return False
        bindings = self._file.names.reaching(root) or ()
        values = [b.value for b in bindings if b.how == "assign" and not b.path and b.value is not None]
        return bool(values) and all(self._is_private(insert, one, depth + 1) for one in values)

    def _makes_row(self, call: cst.Call) -> bool:
        """`M(...)`, `M.objects.create(...)`: a row that nobody else has seen."""
        if called_name(call) in CREATING:
            return True
        return isinstance(call.func, cst.Name) and clauses.names_class(call.func) and call.func.value[:1].isupper()

    # -- where rows are made -----------------------------------------------------------------------------------------

    def of(self, function: FunctionInfo) -> list[Insert]:
        """The inserts that stand in a function, and the calls of functions of the file that only insert."""
        if function not in self._known:
            self._known[function] = []
            found = [insert for call in function.calls for insert in self._at(function, call)]
            self._known[function] = [one for one in found if one.model or one.store]
        return self._known[function]

    def _at(self, function: FunctionInfo, call: cst.Call) -> Iterator[Insert]:
        name = called_name(call)
        receiver = call.func.value if isinstance(call.func, cst.Attribute) else None
        if receiver is not None and not self._is_harmless(call):
            if name in CREATING or name == "create_user" or self._is_of_manager(receiver, name):
                yield from self._created(call, receiver)
            elif name in SESSION_ADDING and is_session(receiver) and call.args:
                for made in self._constructs(call.args[0].value):
                    yield self._insert(function, call, made, SQLALCHEMY, name == "add_all")
            elif name in SAVING_ROW:
                for made in self._constructs(receiver):
                    yield self._insert(function, call, made, "", False)
            elif is_creating(name):
                yield from self._created_by_class(call, receiver)
            elif name in BULK and call.args:
                yield from self._bulk(function, call, receiver)
            elif name in ("execute", "scalar", "scalars"):
                yield from self._executed(call)
            if words(name)[:1] and words(name)[0] in INSERTING_VERBS:
                yield from self._stored(call)
            values, spread = _given(call)
            for row in self._serializers.inserted(call):
                yield Insert(call, call, row.model, DJANGO, values, (*spread, *row.given))
        yield from self._inside(call)

    @staticmethod
    def _is_harmless(call: cst.Call) -> bool:
        """Whether an insert may ignore rows that are there: it says so, or may be told by an unknown `**`."""
        for arg in call.args:
            if arg.keyword is not None and arg.keyword.value in SAFE_KEYWORDS and literal(arg.value) != (False,):
                return True
        return called_name(call) in BULK and any(arg.star == "**" for arg in call.args)

    def _created(self, call: cst.Call, receiver: cst.BaseExpression) -> Iterator[Insert]:
        values, spread = _given(call)
        found = False
        for read in self._file.queries.of(receiver):
            if read.shape == "query" and read.orm == DJANGO and read.model is not None:
                found = True
                yield Insert(call, call, self.looks.name_of(read.model, call), DJANGO, values, spread)
        is_record = clauses.names_class(receiver) and isinstance(receiver, cst.Name | cst.Attribute)
        if not found and is_record and (values or spread):
            yield Insert(call, call, self.looks.name_of(receiver, call), "", values, spread)

    def _is_of_manager(self, receiver: cst.BaseExpression, name: str) -> bool:
        """`Account.objects.create_account(...)`: a method of a manager that stands in another file."""
        return (
            is_making(name)
            and isinstance(receiver, cst.Attribute)
            and receiver.attr.value in MANAGERS
            and clauses.names_class(receiver.value)
            and all(info.name != name for info in self._file.definitions.functions.values())
        )

    def _created_by_class(self, call: cst.Call, receiver: cst.BaseExpression) -> Iterator[Insert]:
        """`Account.create_from_payload(data)`: a way of its own of a model to insert a row."""
        if clauses.names_class(receiver) and isinstance(receiver, cst.Name) and self._file.callee(call) is None:
            values, spread = _given(call)
            yield Insert(call, call, self.looks.name_of(receiver, call), "", values, spread)

    def _insert(self, function: FunctionInfo, call: cst.Call, made: cst.Call, orm: str, bulk: bool) -> Insert:
        values, spread = _given(made)
        values += tuple(self._assigned(function, made))
        return Insert(call, made, self.looks.name_of(made.func, made), orm, values, spread, bulk)

    def _assigned(self, function: FunctionInfo, made: cst.Call) -> Iterator[Key]:
        """What the attributes of a new object are set to."""
        statement = self._file.tree.statement(made)
        targets = statement.targets if isinstance(statement, cst.Assign) and statement.value is made else ()
        names = {target.target.value for target in targets if isinstance(target.target, cst.Name)}
        if names:
            for node in function.nodes(cst.Assign):
                assert isinstance(node, cst.Assign)
                for target in node.targets:
                    one = target.target
                    if isinstance(one, cst.Attribute) and isinstance(one.value, cst.Name) and one.value.value in names:
                        yield Key(one.attr.value, node.value)

    def _constructs(self, node: cst.BaseExpression, depth: int = 0) -> Iterator[cst.Call]:
        """The calls of classes whose new objects an expression may be, or hold."""
        match node:
            case cst.Call():
                if clauses.names_class(node.func) and isinstance(node.func, cst.Name | cst.Attribute):
                    yield node
            case cst.Name() if depth < _DEEPEST:
                for binding in self._file.names.reaching(node) or ():
                    if binding.how in ("assign", "for") and not binding.path and binding.value is not None:
                        yield from self._constructs(binding.value, depth + 1)
                        if isinstance(binding.value, cst.List) and not binding.value.elements:
                            yield from self._appended(node, depth)
            case cst.BooleanOperation():
                yield from self._constructs(node.left, depth + 1)
                yield from self._constructs(node.right, depth + 1)
            case cst.IfExp():
                yield from self._constructs(node.body, depth + 1)
                yield from self._constructs(node.orelse, depth + 1)
            case cst.NamedExpr() | cst.Await():
                inner = node.value if isinstance(node, cst.NamedExpr) else node.expression
                yield from self._constructs(inner, depth + 1)
            case cst.ListComp() | cst.GeneratorExp():
                yield from self._constructs(node.elt, depth + 1)
            case cst.List() | cst.Tuple():
                for element in node.elements:
                    yield from self._constructs(element.value, depth + 1)

    def _appended(self, name: cst.Name, depth: int) -> Iterator[cst.Call]:
        function = self._file.function_of(name)
        for call in function.calls if function is not None else ():
            match call:
                case cst.Call(
                    func=cst.Attribute(value=cst.Name(value=held), attr=cst.Name(value="append")), args=[arg]
                ):
                    if held == name.value:
                        yield from self._constructs(arg.value, depth + 1)

    def _bulk(self, function: FunctionInfo, call: cst.Call, receiver: cst.BaseExpression) -> Iterator[Insert]:
        name = called_name(call)
        if name == "insert_many":
            if clauses.names_class(receiver):
                values, spread = _given(call)
                parent = self._file.tree.parents.get(call)
                if not (isinstance(parent, cst.Attribute) and parent.attr.value.startswith(SAFE_METHODS)):
                    yield Insert(call, call, self.looks.name_of(receiver, call), "", values, spread, True)
            return
        orm = SQLALCHEMY if name in ("bulk_save_objects", "bulk_insert_mappings") else DJANGO
        if argument(call, None, "ignore_conflicts") is None and argument(call, None, "update_conflicts") is None:
            for made in self._constructs(call.args[0].value):
                yield self._insert(function, call, made, orm, True)

    def _executed(self, call: cst.Call) -> Iterator[Insert]:
        """`session.execute(insert(M).values(...))` that does not say what to do where the row is there."""
        if not call.args:
            return
        statement: cst.BaseExpression | None = call.args[0].value
        if isinstance(statement, cst.Name):
            bindings = self._file.names.reaching(statement) or ()
            statement = next((b.value for b in bindings if b.how == "assign" and b.value is not None), None)
        links: list[cst.Call] = []
        root = statement
        while isinstance(root, cst.Call):
            links.append(root)
            root = root.func.value if isinstance(root.func, cst.Attribute) else None
        if not links or any(called_name(link).startswith(SAFE_METHODS) for link in links):
            return
        start = next((link for link in reversed(links) if called_name(link) in ("insert", "pg_insert")), None)
        if start is None:
            return
        model = start.args[0].value if start.args else None
        if model is not None and clauses.names_class(model):
            given = [_given(link) for link in links if called_name(link) == "values"]
            values = tuple(key for one, _ in given for key in one)
            spread = (*(part for _, one in given for part in one), *(arg.value for arg in call.args[1:]))
            yield Insert(call, call, self.looks.name_of(model, call), SQLALCHEMY, values, spread)

    def _stored(self, call: cst.Call) -> Iterator[Insert]:
        """`repo.create(email=email)`, `crud.create_user(db, user)`: a repository of another file."""
        store = self.looks.store_of(call)
        if store and self._file.callee(call) is None:
            parts = words(called_name(call))
            if parts[-1] in ("all", "many", "or", "update", "batch", "bulk") or "or" in parts:
                return
            values, _ = _given(call)
            spread = tuple(a.value for a in call.args if a.keyword is None and not is_session(a.value))
            noun = parts[1].rstrip("s") if len(parts) > 1 else ""
            yield Insert(call, call, "", "", values, spread, store=f"{store} {noun}")

    def _inside(self, call: cst.Call) -> Iterator[Insert]:
        """A function of the file that inserts, without a look of its own."""
        callee = self._file.callee(call)
        if callee is None or callee.name in HOOKS or self._depth > _DEEPEST:
            return
        self._depth += 1
        inserts = self.of(callee)
        self._depth -= 1
        for inner in inserts:
            if inner.inside is not None or inner.store or any(True for _ in self._absent(inner)):
                continue
            values = tuple(
                Key(given.column, argument_for(callee, given.value.value, call) or given.value)
                for given in inner.values
                if isinstance(given.value, cst.Name)
            )
            spread = tuple(arg.value for arg in call.args if not is_session(arg.value))
            yield inner._replace(node=call, made=call, values=values, spread=spread, inside=callee)


def _given(call: cst.Call) -> tuple[tuple[Key, ...], tuple[cst.BaseExpression, ...]]:
    """The columns that a call names, with their values, and what else it passes on."""
    values: list[Key] = []
    spread: list[cst.BaseExpression] = []
    for arg in call.args:
        if arg.keyword is not None:
            values.append(Key(arg.keyword.value, arg.value))
        elif isinstance(arg.value, cst.Dict):
            values += _of_dict(arg.value)
        else:
            spread.append(arg.value)
    return tuple(values), tuple(spread)


def _of_dict(node: cst.Dict) -> Iterator[Key]:
    for element in node.elements:
        if isinstance(element, cst.DictElement):
            key = element.key
            yield Key(key.raw_value if isinstance(key, cst.SimpleString) else last_name(key), element.value)


def _is_same_column(one: str, other: str) -> bool:
    """`user` and `user_id` are one column, `pk` and `id` are."""
    if one == other or one.removesuffix("_id") == other.removesuffix("_id"):
        return True
    return one in KEYS and other in KEYS


def _is_drawn(name: str) -> bool:
    """Whether a function of this name makes a value of its own: not `find_by_token`, which looks one up."""
    parts = words(name)
    return not RANDOM.isdisjoint(parts[: parts.index("by")] if "by" in parts else parts)
