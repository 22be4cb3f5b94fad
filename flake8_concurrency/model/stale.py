"""Shared state that is read, then left alone while others run, and then written from what was read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.awaited_shapes import OPENING
from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.calls import literal
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.facts import DICT, LIST, SET
from flake8_concurrency.model.flow import Condition
from flake8_concurrency.model.leaving import leaves
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.shared_state import FILLING, Write
from flake8_concurrency.model.spelling import last_name, text
from flake8_concurrency.model.tree import COMPREHENSIONS

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: What says that something is not there.
_MISSING = frozenset({"KeyError", "LookupError"})
#: Calls that give a copy of what they are given, or of what they are called on.
_COPYING = frozenset("list dict set tuple frozenset sorted copy deepcopy".split())
#: Attributes and methods that tell in which state an object is: `self._ws.closed`.
_TELLING = ("is_", "has_", "closed", "connected", "expired", "done", "empty", "full", "locked", "running", "started")
#: Operators whose augmented form changes sets in place.
_OF_SETS = (cst.BitOrAssign, cst.BitAndAssign, cst.BitXorAssign)
_IN_PLACE = (LIST, SET, DICT, "builtins.bytearray", "collections.deque", "collections.Counter")

_State = cst.Name | cst.Attribute | cst.Subscript

#: Locals are followed so many steps back.
_DEEPEST = 3
#: What runs or waits for what it is given.
_HANDED_ON = frozenset("wait_for shield to_thread run_in_executor run_sync create_task ensure_future".split())


class Stale(NamedTuple):
    """A write of shared state, the read that it rests on, and where others may have run in between."""

    write: Write
    read: cst.BaseExpression
    suspension: cst.CSTNode


class StaleReads:
    """Answers for one file. A read and a write under one lock are never stale, nor is the state of a lone task."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._tree = file.tree
        self._state = file.shared_state
        self._updates: dict[FunctionInfo, list[Stale]] = {}
        self._write_backs: dict[FunctionInfo, list[Stale]] = {}
        self._left: dict[FunctionInfo, list[Write]] = {}

    def _writes(self, function: FunctionInfo) -> Iterator[Write]:
        """The writes of a function that several tasks may be in at once."""
        if not function.is_async or not self._file.suspensions.of(function):
            return
        writes = self._state.writes(function)
        if not writes or self._file.entrances.is_alone(function) or self._file.entrances.is_meant(function):
            return
        of_one_task = self._file.entrances.is_of_one_task(function)
        for write in writes:
            if write.owner == "object":
                if not of_one_task:
                    yield write
            elif write.owner != "function" or self._is_raced(function):
                yield write

    def _is_raced(self, function: FunctionInfo) -> bool:
        """Whether a nested function runs beside others that see the same variables."""
        return not function.is_generator and self._file.entrances.is_started_often(function)

    # -- T += await …, T = … T … await … -------------------------------------------------------------------------------

    def updates(self, function: FunctionInfo) -> list[Stale]:
        """Statements that read state, wait, and write the state from what they have read."""
        if function not in self._updates:
            found = (self._updated(write) for write in self._writes(function))
            self._updates[function] = [stale for stale in found if stale is not None]
        return self._updates[function]

    def _updated(self, write: Write) -> Stale | None:
        if write.value is None or (write.how == "augmented" and self._changes_in_place(write)):
            return None
        for read in [write.target] if write.how == "augmented" else self._reads_in(write):
            suspension = self._file.suspensions.between(read, write.node)
            if suspension is not None:
                is_safe = self._is_own_task(read, write) or not self._is_combined(read, write)
                return None if is_safe else Stale(write, read, suspension)
        return None

    def _reads_in(self, write: Write) -> list[cst.BaseExpression]:
        """The reads of what a statement sets, in the value that it sets."""
        if write.how != "set" or write.value is None:
            return []
        return [
            node
            for node in self._tree.within(write.value)
            if isinstance(node, _State) and text(node) == write.place and self._state.place(node)
        ]

    def _changes_in_place(self, write: Write) -> bool:
        """Whether an augmented assignment changes the object itself, as those of lists and sets do."""
        assert isinstance(write.node, cst.AugAssign)
        if isinstance(write.node.operator, _OF_SETS):
            return True
        kind = self._file.kind(write.target)
        if kind is None:
            if not isinstance(write.node.operator, cst.AddAssign):
                return False
            value = self._file.kind(write.value)
            if value is None and isinstance(write.target, cst.Subscript):
                return True
            kind = value
        return kind is not None and any(self._file.kinds.is_a(kind, name) for name in _IN_PLACE)

    def _is_combined(self, read: cst.BaseExpression, write: Write) -> bool:
        """Whether what is read becomes a part of what is written; an awaited call may only look something up by it."""
        child: cst.CSTNode = read
        for parent in self._tree.ancestors(read):
            if parent is write.node:
                return True
            if isinstance(parent, cst.BinaryOperation):
                return True
            if isinstance(parent, cst.Attribute | cst.Subscript | cst.Await | cst.Lambda):
                return False
            if isinstance(parent, cst.IfExp) and child is parent.test:
                return False
            child = parent
        return True

    def _is_own_task(self, read: cst.CSTNode, write: Write) -> bool:
        """Whether others are kept out from the read to the write."""
        return self._file.sections.encloses(read, write.node) or self.is_in_own_loop(write.node)

    def is_in_own_loop(self, node: cst.CSTNode) -> bool:
        """Whether a statement stands in a loop without an end: the function is a task of its own."""
        for parent in self._tree.ancestors(node):
            if isinstance(parent, cst.FunctionDef):
                return False
            if isinstance(parent, cst.While) and literal(parent.test) in ((True,), (1,)):
                return not any(isinstance(one, cst.Return) for one in self._tree.within(parent.body))
        return False

    # -- if T: await …; T = … ------------------------------------------------------------------------------------------

    def checks(self, function: FunctionInfo) -> list[Stale]:
        """Writes of state that was tested before others could run, and not again after that; one for each test."""
        told = {stale.write.node for stale in (*self.updates(function), *self.write_backs(function))}
        found: list[Stale] = []
        for write in (*self._writes(function), *self._called_writes(function)):
            stale = None if write.node in told else self._check_of(write)
            if stale is not None and not any(self._is_same(stale, other) for other in found):
                found.append(stale)
        return found

    def is_filled(self, stale: Stale) -> bool:
        """Whether what was missing is opened and put in its place: `self.x = await connect()`.

        Two of those that open are one too many. What is only asked for is the same twice, and nothing is lost.
        """
        write = stale.write
        if write.how != "set" or write.value is None or write.value is stale.write.node:
            return False
        if self._tree.statement(write.value) is not write.node or not self._tests_absence(stale):
            return False
        return any(map(self._is_opened, self._tree.within(write.value)))

    def _tests_absence(self, stale: Stale) -> bool:
        """Whether the test asks whether something is there, and reads the very place that is written."""
        if not text(stale.read).startswith(stale.write.place if not stale.write.key else stale.write.place[:1]):
            return False
        statement = self._tree.statement(stale.read)
        test = statement.test if isinstance(statement, cst.If) else None
        if test is None:
            return True
        return any(
            (isinstance(part, cst.UnaryOperation) and isinstance(part.operator, cst.Not))
            or (
                isinstance(part, cst.Comparison)
                and isinstance(part.comparisons[0].operator, cst.Is | cst.IsNot | cst.In | cst.NotIn)
            )
            for part in [test, *self._tree.within(test)]
        ) or isinstance(test, cst.Name | cst.Attribute | cst.Subscript)

    def _is_opened(self, node: cst.CSTNode, depth: int = 0) -> bool:
        """Whether an expression waits for something to be opened, or is a local made of what was waited for."""
        if isinstance(node, cst.Await):
            return self._opens(node.expression)
        if not isinstance(node, cst.Name) or depth > _DEEPEST:
            return False
        values = (binding.value for binding in self._file.names.reaching(node) or () if binding.value is not None)
        return any(self._is_opened(part, depth + 1) for value in values for part in self._tree.within(value))

    def _opens(self, node: cst.BaseExpression) -> bool:
        """Whether a call opens something, going by its name, or by that of what it is given to run."""
        name = last_name(node.func if isinstance(node, cst.Call) else node)
        if isinstance(node, cst.Call) and name in _HANDED_ON:
            return any(self._opens(arg.value) for arg in node.args)
        return not OPENING.isdisjoint(words(name))

    def _is_same(self, one: Stale, other: Stale) -> bool:
        """Whether one repair mends both: they begin with the same test, or wait at the same place."""
        if one.suspension is other.suspension:
            return True
        return self._tree.statement(one.read) is self._tree.statement(other.read)

    def _called_writes(self, function: FunctionInfo) -> Iterator[Write]:
        """What the methods that a function awaits set, after others could run and with no test of their own."""
        if not function.is_async or self._file.entrances.is_alone(function):
            return
        if self._file.entrances.is_of_one_task(function):
            return
        for node in function.own:
            call = node.expression if isinstance(node, cst.Await) else None
            if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute):
                callee = self._file.callee(call)
                if callee is not None and callee is not function and callee.is_async and callee.owner is not None:
                    this = text(call.func.value)
                    for write in self._left_by(callee) if this else ():
                        place = this + write.place[len(callee.this or "") :]
                        yield write._replace(node=self._tree.statement(call), place=place, value=call)

    def _left_by(self, function: FunctionInfo) -> list[Write]:
        """The attributes that a function sets after others could run, with no test of its own before."""
        found = self._left.get(function)
        if found is None:
            found = self._left[function] = []
            for write in self._state.writes(function):
                is_plain = write.how == "set" and write.owner == "object" and isinstance(write.target, cst.Attribute)
                if (
                    is_plain
                    and not self._is_reset(write)
                    and self._is_waited_for(function, write)
                    and not any(self._names_place(condition, write) for condition in self._conditions(write))
                ):
                    found.append(write)
        return found

    def _is_waited_for(self, function: FunctionInfo, write: Write) -> bool:
        first = function.node.body
        return self._file.suspensions.between(first, write.node, inside=False) is not None

    def _names_place(self, condition: Condition, write: Write) -> bool:
        return any(isinstance(node, _State) and text(node) == write.place for node in self._tree.within(condition.test))

    def _conditions(self, write: Write) -> list[Condition]:
        """The decisions that a write rests on, those in `with` blocks before it as well."""
        found = [one for one in self._file.flow.conditions(write.node) if self._decides(one)]
        for earlier in self._file.flow.earlier(write.node):
            if isinstance(earlier, cst.With) and isinstance(earlier.body, cst.IndentedBlock):
                found += [
                    Condition(statement.test, False)
                    for statement in earlier.body.body
                    if isinstance(statement, cst.If) and statement.orelse is None and leaves(statement.body)
                ]
        return found

    def _check_of(self, write: Write) -> Stale | None:
        conditions = self._conditions(write)
        read = self._missed(write)
        if read is not None and not self._is_own_task(read, write) and not self._is_claimed(conditions, write):
            suspension = self._file.suspensions.between(read, write.node)
            again = any(self._tested(condition, write) is not None for condition in conditions)
            if suspension is not None and not again:
                return Stale(write, read, suspension)
        for condition in conditions:
            read = self._tested(condition, write)
            if read is None:
                continue
            suspension = self._file.suspensions.between(read, write.node)
            is_safe = (
                suspension is None
                or isinstance(self._tree.statement(condition.test), cst.While)
                or self._is_own_task(read, write)
                or self._is_reset(write)
                or self._is_there(condition, read, write)
                or self._is_written_since(suspension, write)
                or self._is_added(condition, write)
                or self._is_dirty_check(condition, write)
                or self._is_read_again(write)
                or self._is_claimed(conditions, write)
            )
            return None if is_safe or suspension is None else Stale(write, read, suspension)
        return None

    def _missed(self, write: Write) -> cst.BaseExpression | None:
        """`try: return T[k]`, `except KeyError: await …; T[k] = v`: the read that failed."""
        if write.how != "set" or not write.key:
            return None
        around = [(parent, True) for parent in self._tree.ancestors(write.node) if isinstance(parent, cst.Try)]
        around += [(one, False) for one in self._file.flow.earlier(write.node) if isinstance(one, cst.Try)]
        for statement, is_inside in around:
            handlers = [one for one in statement.handlers if last_name(one.type or statement) in _MISSING]
            if is_inside:
                handlers = [one for one in handlers if one in self._tree.ancestors(write.node)]
            if handlers and leaves(statement.body):
                for node in self._tree.within(statement.body):
                    if isinstance(node, cst.Subscript) and text(node) == write.place:
                        return node
        return None

    def _decides(self, condition: Condition) -> bool:
        """Whether a condition is a decision: an `assert` says what is known anyway."""
        return not isinstance(self._tree.statement(condition.test), cst.Assert)

    def _tested(self, condition: Condition, write: Write) -> cst.BaseExpression | None:
        """The read in a test of the state that is later written, also through a local that holds what was read."""
        for node in self._tree.within(condition.test):
            if isinstance(node, _State):
                if self._is_about(node, write):
                    return node
                read = self._held(node) if isinstance(node, cst.Name) else None
                if read is not None and self._is_about(read, write):
                    return read
                if isinstance(node, cst.Attribute) and self._is_told_by(node, write):
                    return node
        return None

    def _is_told_by(self, node: cst.Attribute, write: Write) -> bool:
        """Whether a property or a method without parameters tells of what is written: `if not self.connected`."""
        if write.owner != "object" or text(node.value) != write.place.rpartition(".")[0]:
            return False
        function = self._file.function_of(write.node)
        method = None if function is None or function.owner is None else function.owner.methods.get(node.attr.value)
        if method is None or method.is_async or len(method.params) > 1:
            return False
        if not method.is_property and not isinstance(self._tree.parents[node], cst.Call):
            return False
        place = f"{method.this}.{write.place.rpartition('.')[2]}"
        returned = [
            one.value for one in method.nodes(cst.Return) if isinstance(one, cst.Return) and one.value is not None
        ]
        return len(returned) == 1 and any(
            isinstance(part, cst.Attribute) and text(part) == place for part in self._tree.within(returned[0])
        )

    def _held(self, name: cst.Name) -> cst.BaseExpression | None:
        """The state that a local holds: `T`, `T.get(k)`, `T[k]`."""
        bindings = self._file.names.reaching(name) or ()
        if len(bindings) != 1 or bindings[0].how != "assign" or bindings[0].path:
            return None
        value = bindings[0].value
        if isinstance(value, cst.Call) and called_name(value) == "get" and isinstance(value.func, cst.Attribute):
            return value.func.value
        return value if isinstance(value, _State) else None

    def _is_about(self, node: cst.BaseExpression, write: Write) -> bool:
        """Whether an expression in a test asks for what a statement writes, or for what it is put into."""
        spelled = text(node)
        if not spelled or spelled not in (write.place, write.container) or not self._state.place(node):
            return False
        for parent in self._tree.ancestors(node):
            if isinstance(parent, cst.Await | cst.Lambda):
                return False
            if not isinstance(parent, cst.BaseExpression | cst.Arg | cst.ComparisonTarget):
                break
        return self._asks(node, spelled == write.container, write.key)

    def _asks(self, node: cst.BaseExpression, is_container: bool, key: str) -> bool:
        parent = self._tree.parents[node]
        match parent:
            case cst.Attribute(attr=cst.Name(value=name)):
                call = self._tree.parents[parent]
                if name == "get" and isinstance(call, cst.Call):
                    return bool(call.args) and (not key or text(call.args[0].value) == key)
                return name.startswith(_TELLING)
            case cst.Subscript() if parent.value is node:
                # One item says nothing of another.
                return not is_container
            case cst.ComparisonTarget(operator=cst.In() | cst.NotIn()):
                comparison = self._tree.parents[parent]
                assert isinstance(comparison, cst.Comparison)
                return not key or text(comparison.left) == key
        return True

    # -- traps ---------------------------------------------------------------------------------------------------------

    @staticmethod
    def _is_reset(write: Write) -> bool:
        """Whether a statement only says that there is nothing any more."""
        return write.how == "set" and write.value is not None and _is_nothing(write.value)

    @staticmethod
    def _is_there(condition: Condition, read: cst.BaseExpression, write: Write) -> bool:
        """`if T: await …; T = …`: what is there is replaced by something newer, or taken away once it has ended."""
        test, is_there = condition
        match test:
            case cst.Comparison(
                left=left, comparisons=[cst.ComparisonTarget(operator=operator, comparator=cst.Name(value="None"))]
            ) if isinstance(operator, cst.Is | cst.IsNot):
                test, is_there = left, is_there is isinstance(operator, cst.IsNot)
        if not is_there or not (text(test) or isinstance(test, cst.Name | cst.Call)):
            return False
        is_fixed = write.key[:1] in ("'", '"') or write.key.isupper()
        is_asked = text(test) == text(read) or isinstance(test, cst.Name)
        return (write.how == "set" and is_asked) or (write.how in ("take", "delete") and is_fixed)

    def _is_written_since(self, suspension: cst.CSTNode, write: Write) -> bool:
        """Whether the state was written here after others could run: what was tested before is of no account."""
        function = self._file.function_of(write.node)
        assert function is not None
        path = {write.node, *self._tree.ancestors(write.node)}
        return any(
            other.place == write.place
            and self._tree.order(suspension) < self._tree.order(other.node) < self._tree.order(write.node)
            and self._file.suspensions.leads_to(other.node, path)
            and self._file.suspensions.between(other.target, write.node) is None
            for other in self._state.writes(function)
        )

    def _is_added(self, condition: Condition, write: Write) -> bool:
        """Whether something is put into a container that has something in it: that holds, whatever others put there."""
        return write.how == "fill" and not write.key and condition.truth and text(condition.test) == write.container

    def _is_dirty_check(self, condition: Condition, write: Write) -> bool:
        """`if T != v: await …; T = v`: others that see the same change write the same."""
        if write.how != "set" or write.value is None:
            return False
        match condition.test:
            case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(comparator=right)]):
                wanted = {write.place, self._code(write.value)}
                return literal(write.value) is None and {self._code(left), self._code(right)} == wanted
        return False

    def _code(self, node: cst.CSTNode) -> str:
        return self._tree.module.code_for_node(node)

    def _is_read_again(self, write: Write) -> bool:
        """Whether what is written takes account of what is there by now: `T = T or v`, `T = [x for x in T if …]`."""
        if write.how == "augmented":
            return self._changes_in_place(write) or not self._is_counter(write)
        return any(self._file.suspensions.between(read, write.node) is None for read in self._reads_in(write))

    @staticmethod
    def _is_counter(write: Write) -> bool:
        """`if n < limit: await …; n += 1`: the limit is broken all the same."""
        return isinstance(write.node, cst.AugAssign) and isinstance(write.node.operator, cst.AddAssign)

    def _is_claimed(self, conditions: list[Condition], write: Write) -> bool:
        """Whether a flag, tested and set with nothing in between, keeps all others out."""
        function = self._file.function_of(write.node)
        assert function is not None
        path = {write.node, *self._tree.ancestors(write.node)}
        suspensions = self._file.suspensions
        for other in self._state.writes(function):
            if other.how in ("take", "delete") or self._tree.order(other.node) >= self._tree.order(write.node):
                continue
            if suspensions.leads_to(other.node, path) and any(
                self._is_set_at_once(read, other)
                for condition in conditions
                if (read := self._tested(condition, other)) is not None
            ):
                return True
        return False

    def _is_set_at_once(self, read: cst.BaseExpression, write: Write) -> bool:
        is_later = self._tree.order(read) < self._tree.order(write.node)
        return is_later and self._file.suspensions.between(read, write.node) is None

    # -- x = T; await …; T = x + 1 -------------------------------------------------------------------------------------

    def write_backs(self, function: FunctionInfo) -> list[Stale]:
        """Writes of state from a local that was read from it before others could run."""
        if function not in self._write_backs:
            told = {stale.write.node for stale in self.updates(function)}
            writes = (write for write in self._writes(function) if write.node not in told)
            found: list[Stale] = []
            for stale in map(self._written_back, writes):
                if stale is not None and not any(self._is_same(stale, other) for other in found):
                    found.append(stale)
            self._write_backs[function] = found
        return self._write_backs[function]

    def _written_back(self, write: Write) -> Stale | None:
        if write.how != "set" or write.value is None or self._reads_in(write):
            return None
        for name in self._tree.within(write.value):
            if isinstance(name, cst.Name) and self._is_used(name, write):
                read = self._copied(name, write)
                suspension = None if read is None else self._file.suspensions.between(read, write.node)
                if read is None or suspension is None:
                    continue
                if self._is_own_task(read, write) or self._is_compared(write, suspension):
                    return None
                return Stale(write, read, suspension)
        return None

    def _is_used(self, name: cst.Name, write: Write) -> bool:
        """Whether a name is a part of the value that a statement writes, and not just handed to an awaited call."""
        child: cst.CSTNode = name
        for parent in self._tree.ancestors(name):
            if parent is write.node:
                return True
            if isinstance(parent, cst.Await | cst.Lambda) or (
                isinstance(parent, cst.Attribute) and child is parent.attr
            ):
                return False
            if isinstance(parent, cst.Arg) and child is parent.keyword:
                return False
            child = parent
        return False

    def _copied(self, name: cst.Name, write: Write) -> cst.BaseExpression | None:
        """The read that a local rests on, where what is written is not simply what was read."""
        if not isinstance(self._tree.scope_of(name), cst.FunctionDef):
            return None
        computes = name is not write.value
        bindings = list(self._file.names.reaching(name) or ())
        if any(binding.how == "augmented" for binding in bindings):
            computes = True
            bindings += self._file.names.all_bindings(name.value, self._tree.scope_of(name))
        for binding in bindings:
            found = self._read_by(binding, write)
            if found is not None:
                read, is_copy, is_computed = found
                if computes or is_computed or (is_copy and self._is_changed(name)):
                    return read
        return None

    def _read_by(self, binding: Binding, write: Write) -> tuple[cst.BaseExpression, bool, bool] | None:
        """The read of a place that a local gets, whether it is a copy of it, and whether it is computed from it."""
        value = binding.value
        if binding.how != "assign" or binding.path or value is None:
            return None
        for node in self._tree.within(value):
            if not isinstance(node, _State) or text(node) != write.place or not self._state.place(node):
                continue
            if node is value:
                return node, False, False
            around = [parent for parent in self._tree.ancestors(node) if isinstance(parent, cst.BaseExpression)]
            if any(isinstance(parent, cst.Await | cst.Lambda) for parent in around):
                return None
            outer = self._tree.parents[node]
            if isinstance(outer, cst.Attribute):
                is_copy = outer.attr.value == "copy"
                return (node, True, False) if is_copy else None
            if isinstance(value, cst.Call):
                is_copy = called_name(value) in _COPYING
                return (node, True, False) if is_copy else None
            if isinstance(value, cst.Subscript):
                is_slice = isinstance(value.slice[0].slice, cst.Slice)
                return (node, True, False) if is_slice and value.value is node else None
            if isinstance(value, cst.BinaryOperation):
                return node, False, True
            if isinstance(value, (cst.List, cst.Dict, cst.Set, cst.Tuple, *COMPREHENSIONS)):
                return node, True, False
            return None
        return None

    def _is_changed(self, name: cst.Name) -> bool:
        """Whether a local container is changed before it is used: `items.append(x)`, `items[k] = v`."""
        function = self._file.function_of(name)
        assert function is not None
        for node in function.own:
            if self._tree.order(node) > self._tree.order(name):
                break
            match node:
                case cst.Call(func=cst.Attribute(value=cst.Name(value=filled), attr=cst.Name(value=method))):
                    if filled == name.value and (
                        method in FILLING or method in ("pop", "remove", "discard", "setdefault")
                    ):
                        return True
                case cst.Assign(targets=[cst.AssignTarget(target=cst.Subscript(value=cst.Name(value=filled)))]):
                    if filled == name.value:
                        return True
                case cst.Del(target=cst.Subscript(value=cst.Name(value=filled))):
                    if filled == name.value:
                        return True
        return False

    def _is_compared(self, write: Write, suspension: cst.CSTNode) -> bool:
        """Whether the state is tested again after others could run: `if T == x: T = x + 1`."""
        for condition in self._file.flow.conditions(write.node):
            read = self._tested(condition, write)
            if read is not None and self._tree.order(read) > self._tree.order(suspension):
                return True
        return False


def _is_nothing(value: cst.BaseExpression) -> bool:
    match value:
        case cst.Name(value="None" | "False"):
            return True
        case cst.List(elements=[]) | cst.Dict(elements=[]) | cst.Tuple(elements=[]):
            return True
        case cst.Call(func=cst.Name(value="set" | "dict" | "list"), args=[]):
            return True
        case cst.SimpleString():
            return value.raw_value == ""
    return literal(value) == (0,)
