"""Where a database row came from, whether it was locked, and what is written to it from its own old value."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.calls import literal
from flake8_concurrency.model.columns import COLLECTION, COLUMN, NONE, PLAIN_JSON, RELATION, UNKNOWN, Columns
from flake8_concurrency.model.conditions import Condition, conditions
from flake8_concurrency.model.definitions import ClassInfo, FunctionInfo
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.programs import is_djangos
from flake8_concurrency.model.reads import DJANGO, SQLALCHEMY, Read, argument_for
from flake8_concurrency.model.saving import Saving
from flake8_concurrency.model.spelling import text
from flake8_concurrency.model.vocabulary import ASKING, BY_KEY, FILTERS, HOOKS, KEYS
from flake8_concurrency.model.writes import Write

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Beyond this many steps callers and methods are not followed.
_DEEPEST = 3
_COMMANDS = frozenset({"BaseCommand", "NoArgsCommand", "LabelCommand"})
_TESTS = frozenset({"TestCase", "TransactionTestCase"})
#: A `with` named so is given a key to tell of it, or to choose a database: nobody is kept out.
_NO_KEEPERS = frozenset(
    """atomic begin using scope log logger logging span trace tracer session connection context tenant schema timer
    open""".split()
)
#: Ends of columns that say which request a row was written in.
_OF_REQUEST = (["request", "id"], ["correlation", "id"], ["trace", "id"])


class LostUpdate(NamedTuple):
    """An unlocked row's attribute written from its own old value: the place, the write, where the row was read."""

    node: cst.CSTNode
    row: str
    write: Write
    read: Read
    #: The method of the model in which the write stands, when `node` is a call of it.
    method: FunctionInfo | None = None
    #: The old value decides whether it is written, so the database can't compute the new one alone.
    tested: bool = False


class Rows:
    """Follows the rows of one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._own: dict[tuple[FunctionInfo, str], list[Write]] = {}

    @cached_property
    def saving(self) -> Saving:
        return Saving(self._file)

    @cached_property
    def _methods(self) -> frozenset[str]:
        """The names of all methods of the file."""
        return frozenset(name for info in self._file.definitions.classes.values() for name in info.methods)

    @cached_property
    def columns(self) -> Columns:
        return Columns(self._file)

    # -- lost updates ------------------------------------------------------------------------------------------------

    def lost_updates(self, function: FunctionInfo) -> list[LostUpdate]:
        """The lost updates that stand in a function, each row's attribute once on each path."""
        candidates = list(self._candidates(function))
        if not candidates or self._file.locks.is_serial() or self.runs_alone(function):
            return []
        found: list[LostUpdate] = []
        claimed = {claim.node for claim in self._file.claims.of(function)}
        for node, write, method in candidates:
            read = self.unlocked(write.row, node, function) or self._proven(function, node, write)
            if read is None or not claimed.isdisjoint(read.links):
                continue
            if not self._is_lost(function, node, write, read, method):
                continue
            tested = self._is_tested(method or function, write, text(write.row) if method is None else method.this)
            update = LostUpdate(node, text(write.row) or "the row", write, read, method, tested)
            if not any(self._is_same(earlier, update) for earlier in found):
                found.append(update)
        return found

    def _candidates(self, function: FunctionInfo) -> Iterator[tuple[cst.CSTNode, Write, FunctionInfo | None]]:
        for write in self._file.writes.own(function):
            if text(write.row) and (text(write.row) != function.this or self._is_own_column(function, write)):
                yield write.node, write, None
        for call in function.calls:
            method = self.method(call)
            if method is not None and method.this is not None and isinstance(call.func, cst.Attribute):
                for write in self.own_writes(method, method.this):
                    yield call, write._replace(row=call.func.value), method

    def _is_same(self, earlier: LostUpdate, update: LostUpdate) -> bool:
        same = (earlier.row, earlier.write.attribute, earlier.read) == (update.row, update.write.attribute, update.read)
        return same and self.saving.may_follow(earlier.node, update.node)

    def _is_lost(
        self, function: FunctionInfo, node: cst.CSTNode, write: Write, read: Read, method: FunctionInfo | None
    ) -> bool:
        row = text(write.row)
        info = self.model(read)
        if not self._is_column(function, write, read, info) or self.columns.has_version(info):
            return False
        if self._is_new(function, node, row, read) or self._is_replaced(function, write, row):
            return False
        if method is not None and read.orm == DJANGO and self._method_saves(method, write.attribute):
            return True
        if write.how == "sent":
            return self.is_sent_blindly(write, read, row)
        # A row without a name (`Coupon.objects.get(pk=pk).use()`) can't be saved later.
        return bool(row) and self.saving.reaches(function, node, row, write.attribute, read)

    def is_sent_blindly(self, write: Write, read: Read, row: str) -> bool:
        """Whether an UPDATE asks for the row that its value was computed from, and for nothing else.

        Anything else may be what has changed if another was faster: `balance=account.balance`, `version == seen`.
        """
        end = self._chain(write.node)
        links = self._file.claims.statement(end) if isinstance(end, cst.Call) else None
        calls = [link for link in links or () if isinstance(link, cst.Call) and called_name(link) in FILTERS]
        asked = [arg for call in calls for arg in call.args]
        tests = conditions(links or ())
        chosen = {f"{row}.{name}" for name in KEYS}
        chosen.update(text(arg.value) for link in read.links if isinstance(link, cst.Call) for arg in link.args)
        chosen.update(text(test.value) for test in conditions(read.links) if test.value is not None)
        return len(tests) == len(asked) > 0 and all(
            test.value is not None
            and not test.constant
            and test.column != write.attribute
            and text(test.value) in chosen - {""}
            for test in tests
        )

    def _is_tested(self, function: FunctionInfo, write: Write, row: str | None) -> bool:
        """Whether the old value is compared or looped on before it is written back."""
        old = f"{row}.{write.attribute}"
        order = self._file.tree.order
        for node in self._file.tree.within(function.node.body):
            match node:
                case cst.If(test=test) | cst.While(test=test) | cst.Assert(test=test) | cst.IfExp(test=test):
                    inside = self._file.tree.within(test)
                case cst.Comparison():
                    inside = self._file.tree.within(node)
                case _:
                    continue
            if order(node) < order(write.node) and any(self._is_old(part, old) for part in inside):
                return True
        return False

    def _is_old(self, node: cst.CSTNode, old: str) -> bool:
        """Whether an expression is an attribute's old value, or a local made from it."""
        if not isinstance(node, cst.Name):
            return isinstance(node, cst.Attribute) and text(node) == old
        return any(
            binding.how == "assign" and any(text(part) == old for part in self._file.tree.within(binding.value))
            for binding in self._file.names.reaching(node) or ()
            if binding.value is not None
        )

    def _method_saves(self, method: FunctionInfo, attribute: str) -> bool:
        return method.this is not None and self.saving.saves_own(method, method.this, attribute)

    def is_settled(self, function: FunctionInfo, node: cst.CSTNode, row: str, attribute: str, read: Read) -> bool:
        """Whether no other writer can be overwritten: the row is made here, has a version, or this is no column."""
        info = self.model(read)
        if self.columns.of(info, attribute) in (NONE, RELATION) or self.columns.has_version(info):
            return True
        return self._is_new(function, node, row, read)

    # -- where the row came from -------------------------------------------------------------------------------------

    def unlocked(self, row: cst.BaseExpression, node: cst.CSTNode, function: FunctionInfo) -> Read | None:
        """The read that gave a row, if one is known and nothing locks the row until `node`."""
        reads = [read for read in self._file.queries.of(row) if read.shape == "row" and not read.partial]
        if not reads or any(read.locked for read in reads):
            return None
        if self.is_guarded(function, node, reads[0], text(row), 0):
            return None
        return reads[0]

    def _proven(self, function: FunctionInfo, node: cst.CSTNode, write: Write) -> Read | None:
        """A row that no query shows, where `save(update_fields=["n"])` after the write of `n` tells that it is one."""
        row = text(write.row)
        if not row or node is not write.node or self._file.queries.of(write.row):
            return None
        if function.name.endswith("create"):
            return None
        is_reached = row != function.this and self._is_reached(write.row, function)
        if not self.saving.saves_column(function, node, row, write.attribute) and not (
            is_reached and write.how == "augmented" and write.step and self.saving.saves_whole(function, node, row)
        ):
            return None
        if row != function.this and not is_reached:
            return None
        read = Read("row", DJANGO, node, node)
        return None if self.is_guarded(function, node, read, row, 0) else read

    def _is_reached(self, row: cst.BaseExpression, function: FunctionInfo) -> bool:
        """Whether a row hangs on another object: that one may be locked where it comes from, this one hardly is."""
        if isinstance(row, cst.Name):
            bindings = self._file.names.reaching(row) or ()
            return bool(bindings) and all(
                binding.how == "assign" and not binding.path and self._is_part(binding.value, function)
                for binding in bindings
            )
        while isinstance(row, cst.Attribute | cst.Subscript):
            row = row.value
        return isinstance(row, cst.Name) and row.value != function.this and not self._file.queries.of(row)

    def _is_part(self, value: cst.BaseExpression | None, function: FunctionInfo) -> bool:
        """Whether a value is an attribute or an item of another object, also by `getattr(request, "voucher", None)`."""
        if isinstance(value, cst.Call) and called_name(value) == "getattr" and value.args:
            owner = value.args[0].value
            return isinstance(owner, cst.Attribute | cst.Name) and text(owner) != function.this
        return isinstance(value, cst.Attribute | cst.Subscript) and self._is_reached(value, function)

    def _is_own_column(self, function: FunctionInfo, write: Write) -> bool:
        """Whether a method counts in a column of its own row and saves just that, for callers that are in other files.

        Methods that rewrite a collection are longer, and their callers lock more often.
        """
        return (
            function.owner is not None
            and function.this is not None
            and not function.name.startswith("_")
            and function.name not in HOOKS
            and self.columns.of(function.owner, write.attribute) == COLUMN
            and self.saving.saves_column(function, write.node, function.this, write.attribute)
            and not self._file.queries.named(function.name)
        )

    def model(self, read: Read) -> ClassInfo | None:
        """The row's class, where the file defines it."""
        return None if read.model is None else self._file.queries.class_of(read.model)

    def method(self, call: cst.Call) -> FunctionInfo | None:
        """The method of a row's own class that a call on it enters."""
        if not isinstance(call.func, cst.Attribute) or call.func.attr.value not in self._methods:
            return None
        if call.func.attr.value in HOOKS:
            return None
        found = self._file.callee(call)
        if found is not None:
            return found
        for read in self._file.queries.of(call.func.value):
            info = self.model(read)
            if read.shape == "row" and info is not None:
                for base in self._file.kinds.mro(Kind("instance", ref=info)):
                    if isinstance(base.ref, ClassInfo) and call.func.attr.value in base.ref.methods:
                        return base.ref.methods[call.func.attr.value]
        return None

    def own_writes(self, function: FunctionInfo, name: str, depth: int = 0) -> list[Write]:
        """What a function writes to the object it calls `name` from its own old values, also through other methods."""
        key = (function, name)
        if key in self._own:
            return self._own[key]
        self._own[key] = []
        if self._file.locks.takes(function) or depth > _DEEPEST:
            return []
        found = [write for write in self._file.writes.own(function) if text(write.row) == name]
        for call in function.calls:
            if isinstance(call.func, cst.Attribute) and text(call.func.value) == name:
                callee = self._file.callee(call)
                if callee is not None and callee.this is not None:
                    found += self.own_writes(callee, callee.this, depth + 1)
        self._own[key] = found
        return found

    # -- what keeps others out ---------------------------------------------------------------------------------------

    def is_guarded(self, function: FunctionInfo, node: cst.CSTNode, read: Read, row: str, depth: int) -> bool:
        """Whether a lock is held where `node` runs: around it, taken before it, or by all who call the function."""
        if self._file.locks.held(node) or self._file.locks.held(read.sent) or self._is_kept_apart(node, read):
            return True
        order = self._file.tree.order
        for call in self._file.locks.locking_calls(function):
            if order(call) < order(node) and not self._locks_another(call, read, row):
                return True
        if any(order(call) < order(node) and self._file.claims.locks_by_update(call, row) for call in function.calls):
            return True
        if depth >= _DEEPEST:
            return False
        callers = [c for c in self._file.queries.callers(function) if not self._passes_on(c, function, read)]
        return bool(callers) and all(self._holds(call, read, depth) for call in callers)

    def _passes_on(self, call: cst.Call, function: FunctionInfo, read: Read) -> bool:
        """Whether a caller only passes on the row by whose key is read, `order` of `.get(pk=order.id)`.

        Whether that one is locked is known in another file.
        """
        caller = self._file.function_of(call)
        if caller is None or self._file.queries.callers(caller):
            return False
        owners = {owner for owner, _, key in (name.rpartition(".") for name in _own_keys(read)) if key in KEYS}
        params = {param.name.value for param in caller.params} - {caller.this}
        given = [argument_for(function, owner, call) for owner in owners]
        return any(isinstance(value, cst.Name) and value.value in params for value in given)

    def _is_kept_apart(self, node: cst.CSTNode, read: Read) -> bool:
        """Whether nobody else may have this row: it is kept by its key, or was written in this very request.

        A `with` round both that is given the key by which the row is read, `async with operation(order_id):`, may well
        be a lock of that key; what it does is in another file.
        """
        if any(_is_of_this_request(test) for test in conditions(read.links, ASKING)):
            return True
        around = {outer for outer in self._file.ancestors(read.sent) if isinstance(outer, cst.With)}
        keys = {key for outer in self._file.ancestors(node) if outer in around for key in _given_keys(outer)}
        return bool(keys) and not keys.isdisjoint(_own_keys(read))

    def _hands_over_kept(self, call: cst.Call) -> bool:
        """Whether a call is given a row whose key a `with` round it is given."""
        if not any(True for outer in self._file.ancestors(call) for _ in _given_keys(outer)):
            return False
        return any(self._is_kept_apart(call, read) for arg in call.args for read in self._file.queries.of(arg.value))

    def _holds(self, call: cst.Call, read: Read, depth: int) -> bool:
        if self._hands_over_kept(call):
            return True
        function = self._file.function_of(call)
        if function is None:
            return self._file.locks.held(call)
        return self.is_guarded(function, call, read, "", depth + 1)

    def _locks_another(self, call: cst.Call, read: Read, row: str) -> bool:
        """Whether a locking call surely locks another row: one of the same class, chosen by other means."""
        if called_name(call) in ("refresh", "refresh_from_db", "arefresh_from_db"):
            target = (
                call.func.value if called_name(call) != "refresh" and isinstance(call.func, cst.Attribute) else None
            )
            names = [text(arg.value) for arg in call.args] if target is None else [text(target)]
            return row not in names
        chain = self._chain(call)
        reads = self._file.queries.of(chain)
        if not reads or read.model is None or row in {text(node) for node in self._file.tree.within(chain)}:
            return False
        return all(r.shape == "row" and r.model is not None and text(r.model) == text(read.model) for r in reads)

    def _chain(self, node: cst.CSTNode) -> cst.CSTNode:
        """The whole chain of calls that a call stands in."""
        parent = self._file.tree.parents.get(node)
        while isinstance(parent, cst.Attribute | cst.Await) or (isinstance(parent, cst.Call) and parent.func is node):
            node, parent = parent, self._file.tree.parents.get(parent)
        return node

    # -- what is no lost update --------------------------------------------------------------------------------------

    def _is_column(self, function: FunctionInfo, write: Write, read: Read, info: ClassInfo | None) -> bool:
        column = self.columns.of(info, write.attribute)
        if column in (NONE, RELATION):
            return False
        if write.how == "sent":
            return True
        if write.how in ("augmented", "assigned"):
            return column in (COLUMN, COLLECTION, PLAIN_JSON) or not self._may_be_relation(write, read)
        if write.how == "set":
            return read.orm == DJANGO or column != UNKNOWN
        if read.assumed:
            return self._is_flagged(function, write)
        if column == COLLECTION or self._is_flagged(function, write):
            return True
        if write.how == "ambiguous" or column == COLUMN:
            return False
        return read.orm == DJANGO or (write.how == "collection" and column == UNKNOWN)

    @staticmethod
    def _may_be_relation(write: Write, read: Read) -> bool:
        """`parent.children += [child]` adds rows to a relationship."""
        value = write.node.value if isinstance(write.node, cst.AugAssign | cst.Assign) else None
        return read.orm == SQLALCHEMY and isinstance(value, cst.List | cst.ListComp | cst.SetComp | cst.Set)

    def _is_flagged(self, function: FunctionInfo, write: Write) -> bool:
        for call in function.calls:
            if (
                called_name(call) == "flag_modified"
                and len(call.args) > 1
                and text(call.args[0].value) == text(write.row)
            ):
                return text(call.args[1].value).strip("\"'") in (write.attribute, "")
        return False

    def _is_new(self, function: FunctionInfo, node: cst.CSTNode, row: str, read: Read) -> bool:
        """Whether the row is only made here: copied by dropping its key, or under `if created:`."""
        order = self._file.tree.order
        for assign in function.own:
            if (
                isinstance(assign, cst.Assign)
                and any(_drops_key(target.target, assign.value, row) for target in assign.targets)
                and (order(assign) < order(node) or not self._is_saved_between(function, node, assign, row))
            ):
                return True
        return any(
            isinstance(around, cst.If) and self._tests_created(around, node, read)
            for around in self._file.ancestors(node)
        )

    def _is_saved_between(self, function: FunctionInfo, node: cst.CSTNode, assign: cst.Assign, row: str) -> bool:
        """Whether what `node` writes goes to the row that was read, before `assign` makes a copy of it."""
        order = self._file.tree.order
        return any(
            order(node) <= order(call) < order(assign)
            and called_name(call) in ("save", "asave")
            and isinstance(call.func, cst.Attribute)
            and text(call.func.value) == row
            for call in function.calls
        )

    def _is_replaced(self, function: FunctionInfo, write: Write, row: str) -> bool:
        """Whether the attribute surely got a value that has nothing to do with its old one before."""
        target = f"{row}.{write.attribute}"
        above = [write.node, *self._file.ancestors(write.node)]
        own = {other.node for other in self._file.writes.own(function)}
        for node in function.nodes(cst.Assign):
            assert isinstance(node, cst.Assign)
            if node in own or target in {text(inner) for inner in self._file.tree.within(node.value)}:
                continue
            if any(text(assigned.target) == target for assigned in node.targets):
                block = self._file.parent(self._file.parent(node))
                if block in above and self._file.tree.order(node) < self._file.tree.order(write.node):
                    return True
        return False

    def _tests_created(self, around: cst.If, node: cst.CSTNode, read: Read) -> bool:
        if not isinstance(around.test, cst.Name) or around.body not in self._file.ancestors(node):
            return False
        bindings = self._file.names.reaching(around.test) or ()
        return any(
            binding.path == (1,) and read.sent in (binding.value, getattr(binding.value, "expression", None))
            for binding in bindings
        )

    def runs_alone(self, function: FunctionInfo) -> bool:
        """Whether only one process runs a function at a time: commands, migrations, tests."""
        names = {param.name.value for param in function.params}
        if names >= {"apps", "schema_editor"} or function.name.startswith("test_"):
            return True
        if self._file.functions.is_command(function):
            return True
        return function.owner is not None and any(self._is_of_one_process(base) for base in function.owner.bases)

    def _is_of_one_process(self, base: cst.BaseExpression) -> bool:
        name = text(base).rpartition(".")[2]
        module = (self._file.qualified(base) or "").rpartition(".")[0]
        return name in _TESTS or (name in _COMMANDS and is_djangos(module))


def _drops_key(target: cst.BaseExpression, value: cst.BaseExpression, row: str) -> bool:
    if not isinstance(target, cst.Attribute):
        return False
    if target.attr.value in KEYS and text(target.value) == row:
        return literal(value) == (None,) or target.attr.value == "uuid"
    return target.attr.value == "adding" and text(target.value) == f"{row}._state"


def _given_keys(around: cst.CSTNode) -> Iterator[str]:
    """What the calls of a `with` are given, by which somebody may be kept out."""
    for item in around.items if isinstance(around, cst.With) else ():
        if isinstance(item.item, cst.Call) and _NO_KEEPERS.isdisjoint(words(called_name(item.item))):
            yield from (text(arg.value) for arg in item.item.args if text(arg.value))


def _own_keys(read: Read) -> Iterator[str]:
    """The keys of the very row: `.get(pk=order_id)`, `session.get(Order, order_id)`."""
    for test in conditions(read.links, ASKING):
        if test.is_equal and test.column in KEYS and test.value is not None:
            yield text(test.value)
    sent = read.sent
    if read.orm == SQLALCHEMY and isinstance(sent, cst.Call) and called_name(sent) in BY_KEY:
        yield from (text(arg.value) for arg in sent.args[1:2] if text(arg.value))


def _is_of_this_request(test: Condition) -> bool:
    """Whether a query asks for what this request wrote: `.filter(request_id=context.request_id)`."""
    if not test.is_equal or words(test.column)[-2:] not in _OF_REQUEST or not isinstance(test.value, cst.Attribute):
        return False
    return "context" in words(text(test.value.value))
