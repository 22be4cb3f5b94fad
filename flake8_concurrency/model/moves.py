"""States that are tested and then moved, on rows that nobody keeps from others between the test and the write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.conditions import conditions, is_constant, names_one, names_owner
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.locks import called_name, words
from flake8_concurrency.model.reads import DJANGO, Read, argument_for
from flake8_concurrency.model.spelling import is_user, last_name, text
from flake8_concurrency.model.vocabulary import (
    ASKING,
    BY_KEY,
    EFFECTS,
    EVENTS,
    HOOKS,
    NO_ROWS,
    NO_STATES,
    NOW,
    SHORTCUTS,
    STATES,
    is_claimant,
)
from flake8_concurrency.model.writes import Write, sent_values

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: What stands in a column in which nothing has happened yet.
_UNSET = frozenset({"None", "False", '""', "''", "0"})
_BOOLEANS = _UNSET | {"True"}
_ORDERED = (cst.LessThan, cst.LessThanEqual, cst.GreaterThan, cst.GreaterThanEqual)
#: The most bindings, or steps into the model's own properties, that one test is followed through.
_DEEPEST = 3


class Test(NamedTuple):
    """What a test says of an attribute where it is moved: its value is one of `names`, or (`positive=False`) none.

    `ordered` is a comparison of sizes: `account.balance < amount`.
    """

    at: cst.CSTNode
    names: frozenset[str] = frozenset()
    positive: bool = True
    ordered: bool = False
    #: Whether it compares with states that have names: strings, constants, members of an enumeration.
    named: bool = False


class Move(NamedTuple):
    """A tested attribute of an unlocked row that is moved; `node` is the write, or the call of the method it is in."""

    node: cst.CSTNode
    row: str
    attribute: str
    value: cst.BaseExpression | None
    read: Read
    tested: cst.CSTNode
    #: The method of the model in which the write stands, when `node` is a call of it.
    method: FunctionInfo | None
    #: The column is a state or a balance, going by its name or its values.
    is_state: bool
    #: Nothing else hangs on the test, and a second worker would only write the same again.
    is_idle: bool
    #: A number that the database computes, which was compared before.
    is_balance: bool = False


class _Step(NamedTuple):
    """A write that may be a move: in `inside`, where the row is called `known`."""

    node: cst.CSTNode
    row: cst.BaseExpression
    attribute: str
    value: cst.BaseExpression
    at: cst.CSTNode
    inside: FunctionInfo
    known: str


class Moves:
    """Finds the moves of one file's functions."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._known: dict[FunctionInfo, list[Move]] = {}

    def of(self, function: FunctionInfo) -> list[Move]:
        """The moves that a function makes without a lock; each row once on each path, and none that is a claim."""
        if function not in self._known:
            self._known[function] = []
            self._known[function] = self._found(function)
        return self._known[function]

    def _found(self, function: FunctionInfo) -> list[Move]:
        steps = list(self._steps(function))
        sent = list(self._balances(function))
        if not (steps or sent) or self._file.locks.is_serial() or self._file.rows.runs_alone(function):
            return []
        found: list[Move] = []
        for move in (*(m for step in steps for m in self._moved(function, step)), *sent):
            if not any(self._is_same(earlier, move) for earlier in found):
                found.append(move)
        return [] if not found else self._unclaimed(function, found)

    def _is_same(self, earlier: Move, move: Move) -> bool:
        return (earlier.row, earlier.read.sent) == (move.row, move.read.sent) and earlier.attribute == move.attribute

    def _unclaimed(self, function: FunctionInfo, found: list[Move]) -> list[Move]:
        """Without the rows of which other rules already say that they need a lock."""
        rows = {(update.row, update.read.sent) for update in self._file.rows.lost_updates(function)}
        claims = self._file.claims.of(function)
        taken = {claim.taken for claim in claims}
        nodes = {claim.node for claim in claims}
        return [
            move
            for move in found
            if (move.row, move.read.sent) not in rows
            and move.node not in taken
            and nodes.isdisjoint(move.read.links)
            and (move.method is None or taken.isdisjoint(move.method.own))
        ]

    # -- what is written ---------------------------------------------------------------------------------------------

    def _steps(self, function: FunctionInfo) -> Iterator[_Step]:
        for node, row, attribute, value in _assigned(function):
            if text(row) and text(row) != function.this and last_name(row) not in NO_ROWS:
                yield _Step(node, row, attribute, value, node, function, text(row))
        for call in function.calls:
            method = self._file.rows.method(call)
            if method is None or method.this is None or not isinstance(call.func, cst.Attribute):
                continue
            if not self._file.locks.takes(method):
                for node, row, attribute, value in _assigned(method):
                    if text(row) == method.this:
                        yield _Step(call, call.func.value, attribute, value, node, method, method.this)
        for call in function.calls:
            yield from self._handed_on(function, call)

    def _handed_on(self, function: FunctionInfo, call: cst.Call) -> Iterator[_Step]:
        """The rows that a call gives to a function of the file, which moves them without a test of its own."""
        callee = self._file.callee(call) if call.args else None
        if callee is None or callee is function or callee.name in HOOKS or self._file.locks.takes(callee):
            return
        for param in callee.params:
            known = param.name.value
            given = argument_for(callee, known, call)
            if known == callee.this or given is None or not text(given):
                continue
            for node, row, attribute, value in _assigned(callee):
                if text(row) == known and not any(True for _ in self._tests(callee, node, known, attribute)):
                    yield _Step(call, given, attribute, value, node, callee, known)

    def _moved(self, function: FunctionInfo, step: _Step) -> Iterator[Move]:
        """The move that a write makes, if it is one; by the test in Python, or by the one in the query."""
        row, attribute = step.row, step.attribute
        if is_user(row) or not self._may_be_state(step.value, attribute):
            return
        tests = list(self._tests(step.inside, step.at, step.known, attribute))
        if step.inside is not function:
            tests += self._tests(function, step.node, text(row), attribute)
        read = self._file.rows.unlocked(row, step.node, function)
        if read is None or read.partial:
            return
        tests += _asked(read, attribute)
        verdict = _verdict(tests, step.value)
        if verdict is None or not self._is_written(function, step, read):
            return
        test, once = verdict
        is_taken = _is_taken(step)
        is_state = is_taken or not _EVENT.isdisjoint(words(attribute))
        is_state = is_state or (not once and test.named and _is_named(step.value))
        idle = once and not is_taken and (_is_own(read) or not self._has_effect(step, test))
        method = None if step.inside is function else step.inside
        yield Move(step.node, text(row), attribute, step.value, read, test.at, method, is_state, idle)

    def _may_be_state(self, value: cst.BaseExpression, attribute: str) -> bool:
        if attribute in NO_STATES or attribute.startswith("_"):
            return False
        if isinstance(value, cst.IfExp):
            return self._may_be_state(value.body, attribute) and self._may_be_state(value.orelse, attribute)
        if is_constant(value) or _is_now(value):
            return not isinstance(value, cst.List | cst.Tuple | cst.Set)
        if isinstance(value, cst.Name | cst.Attribute) and is_claimant(attribute, words(attribute)):
            return True
        return isinstance(value, cst.Name) and not STATES.isdisjoint(words(attribute)) and not self._is_old(value)

    def _is_old(self, value: cst.Name) -> bool:
        """Whether a local holds what an attribute had before: `old = row.status; ...; row.status = old`."""
        return any(isinstance(binding.value, cst.Attribute) for binding in self._file.names.reaching(value) or ())

    def _is_written(self, function: FunctionInfo, step: _Step, read: Read) -> bool:
        rows, row = self._file.rows, text(step.row)
        if rows.is_settled(function, step.node, row, step.attribute, read):
            return False
        inside = step.inside is not function and read.orm == DJANGO
        if inside and rows.saving.saves_own(step.inside, step.known, step.attribute):
            return True
        return bool(row) and rows.saving.reaches(function, step.node, row, step.attribute, read)

    # -- what was tested ---------------------------------------------------------------------------------------------

    def _tests(self, function: FunctionInfo, node: cst.CSTNode, row: str, attribute: str) -> Iterator[Test]:
        """What the tests around and before a node say of an attribute, as far as it is compared with constants."""
        if not row:
            return
        for condition in self._file.flow.conditions(node):
            found = self._test(condition.test, condition.truth, row, attribute, 0)
            if found is not None:
                yield found._replace(at=condition.test)

    def _test(self, node: cst.BaseExpression, truth: bool, row: str, attribute: str, depth: int) -> Test | None:
        match node:
            case cst.UnaryOperation(operator=cst.Not(), expression=inner):
                return self._test(inner, not truth, row, attribute, depth)
            case cst.Comparison(left=left, comparisons=[single]):
                return self._compared(node, left, single, truth, row, attribute)
            case cst.BooleanOperation():
                return self._either(node, truth, row, attribute, depth)
        if self._is_attribute(node, row, attribute):
            return Test(node, _UNSET, not truth)
        return self._asked_of_model(node, truth, row, attribute, depth)

    def _compared(
        self,
        node: cst.Comparison,
        left: cst.BaseExpression,
        single: cst.ComparisonTarget,
        truth: bool,
        row: str,
        attribute: str,
    ) -> Test | None:
        right, operator = single.comparator, single.operator
        if not self._is_attribute(left, row, attribute):
            left, right = right, left
            if isinstance(operator, cst.In | cst.NotIn) or not self._is_attribute(left, row, attribute):
                return None
        if isinstance(operator, _ORDERED):
            return Test(node, ordered=True)
        if not is_constant(right):
            return None
        names = frozenset(map(_name, _values(right)))
        named = all(map(_is_named, _values(right)))
        if isinstance(operator, cst.Equal | cst.Is | cst.In):
            return Test(node, names, truth, named=named)
        if isinstance(operator, cst.NotEqual | cst.IsNot | cst.NotIn):
            return Test(node, names, not truth, named=named)
        return None

    def _either(self, node: cst.BooleanOperation, truth: bool, row: str, attribute: str, depth: int) -> Test | None:
        """`row.status == NEW or row.status == QUEUED`: one of the two."""
        if depth > _DEEPEST or isinstance(node.operator, cst.Or) is not truth:
            return None
        left = self._test(node.left, truth, row, attribute, depth + 1)
        right = self._test(node.right, truth, row, attribute, depth + 1)
        if left is None or right is None or not (left.positive and right.positive) or left.ordered or right.ordered:
            return None
        return Test(node, left.names | right.names, named=left.named and right.named)

    def _asked_of_model(
        self, node: cst.BaseExpression, truth: bool, row: str, attribute: str, depth: int
    ) -> Test | None:
        """`row.is_pending`, `row.can_start()`: what the method of the model compares."""
        called = node.func if isinstance(node, cst.Call) and not node.args else node
        if depth > _DEEPEST or not isinstance(called, cst.Attribute) or text(called.value) != row:
            return None
        info = self._file.queries.class_of(called.value)
        if info is None:
            models = [self._file.rows.model(read) for read in self._file.queries.of(called.value)]
            info = next((model for model in models if model is not None), None)
        method = None if info is None else info.methods.get(called.attr.value)
        if method is None or method.this is None or method.is_property is isinstance(node, cst.Call):
            return None
        returned = [n.value for n in method.own if isinstance(n, cst.Return)]
        if len(returned) != 1 or returned[0] is None:
            return None
        return self._test(returned[0], truth, method.this, attribute, depth + 1)

    def _is_attribute(self, node: cst.BaseExpression, row: str, attribute: str) -> bool:
        """Whether an expression is the row's attribute, or a local that holds it."""
        if isinstance(node, cst.NamedExpr):
            node = node.value
        if isinstance(node, cst.Attribute) and node.attr.value == "value":
            node = node.value
        if isinstance(node, cst.Name):
            bindings = self._file.names.reaching(node) or ()
            values = [binding.value for binding in bindings if binding.how == "assign" and not binding.path]
            return len(values) == len(bindings) > 0 and all(text(v) == f"{row}.{attribute}" for v in values if v)
        return isinstance(node, cst.Attribute) and text(node) == f"{row}.{attribute}"

    def _has_effect(self, step: _Step, test: Test) -> bool:
        """Whether something else is done once the test has come out: a mail, a payment, another row."""
        order = self._file.tree.order
        tested = test.at
        guard = next((around for around in self._file.ancestors(tested) if isinstance(around, cst.If)), None)
        first = order(tested) if self._file.function_of(tested) is step.inside else 0
        for call in step.inside.calls:
            if order(call) < first or not _is_effect(call, step.known):
                continue
            above = list(self._file.ancestors(call))
            around = list(self._file.ancestors(step.at))
            # The other branch, or the one that leaves.
            if guard is not None and guard in above and guard not in around:
                continue
            if guard is not None and guard in around and (guard.body in around) is not (guard.body in above):
                continue
            if self._file.rows.saving.may_follow(step.at, call) or order(call) < order(step.at):
                return True
        return False

    # -- balances ----------------------------------------------------------------------------------------------------

    def _balances(self, function: FunctionInfo) -> Iterator[Move]:
        """A number that was compared in Python, and is then changed by the database, which does not ask again."""
        for node, row, attribute, value in _assigned(function):
            if text(row) and _is_computed(value, attribute):
                yield from self._changed(function, node, row, attribute, value, True)
        for call in function.calls:
            if called_name(call) not in ("update", "aupdate", "values"):
                continue
            for column, value in sent_values(call):
                if _is_computed(value, column):
                    for row in self._sized(call, column):
                        yield from self._changed(function, call, row, column, value, False)

    def _sized(self, node: cst.CSTNode, column: str) -> Iterator[cst.BaseExpression]:
        """The rows whose column is compared by its size before a node."""
        seen: set[str] = set()
        for condition in self._file.flow.conditions(node):
            for part in self._file.tree.within(condition.test):
                if isinstance(part, cst.Attribute) and part.attr.value == column and text(part.value) not in seen:
                    seen.add(text(part.value))
                    yield part.value

    def _changed(
        self,
        function: FunctionInfo,
        node: cst.CSTNode,
        row: cst.BaseExpression,
        column: str,
        value: cst.BaseExpression,
        assigned: bool,
    ) -> Iterator[Move]:
        name = text(row)
        test = next((test for test in self._tests(function, node, name, column) if test.ordered), None)
        if test is None:
            return
        read = self._file.rows.unlocked(row, node, function)
        if read is None or read.partial or self._file.rows.is_settled(function, node, name, column, read):
            return
        if assigned:
            written = self._file.rows.saving.reaches(function, node, name, column, read)
        else:
            written = self._file.rows.is_sent_blindly(Write(node, row, column, "sent"), read, name)
        if written:
            yield Move(node, name, column, value, read, test.at, None, True, False, True)


_EVENT = STATES | EVENTS


def _assigned(
    function: FunctionInfo,
) -> Iterator[tuple[cst.Assign, cst.BaseExpression, str, cst.BaseExpression]]:
    for node in function.nodes(cst.Assign):
        assert isinstance(node, cst.Assign)
        for assigned in node.targets:
            if isinstance(assigned.target, cst.Attribute):
                yield node, assigned.target.value, assigned.target.attr.value, node.value


def _is_taken(step: _Step) -> bool:
    """Whether a write says who has the row: the second one takes it from the first."""
    return not (is_constant(step.value) or _is_now(step.value)) and is_claimant(step.attribute, words(step.attribute))


def _asked(read: Read, attribute: str) -> Iterator[Test]:
    """What the query that fetched one row asked of the attribute."""
    tests = conditions(read.links, ASKING)
    if not (names_one(tests) or names_owner(tests)) or not _is_single(read):
        return
    for test in tests:
        if test.column != attribute or not test.constant or not test.state:
            continue
        if test.value is None:
            yield Test(test.link, _UNSET, False)
        elif test.is_equal or called_name(test.link) == "exclude":
            yield Test(
                test.link,
                frozenset(map(_name, _values(test.value))),
                test.is_equal,
                named=all(map(_is_named, _values(test.value))),
            )
        elif isinstance(test.value, cst.List | cst.Tuple | cst.Set):
            yield Test(
                test.link,
                frozenset(map(_name, _values(test.value))),
                named=all(map(_is_named, _values(test.value))),
            )
        elif text(test.value) == "True":
            # `used_at__isnull=True`
            yield Test(test.link, _UNSET)


def _is_single(read: Read) -> bool:
    """Whether a query was asked for one row, and not for many that a loop goes through."""
    one = (*BY_KEY, *SHORTCUTS, "aget", "first", "afirst", "last", "one", "one_or_none", "scalar", "get_or_none")
    calls = [called_name(link) for link in (read.sent, *read.links) if isinstance(link, cst.Call)]
    return any(name in one or name.startswith("scalar_one") for name in calls)


def _is_own(read: Read) -> bool:
    """Whether a row was found by the user who sends the request: others don't move it."""
    return any(test.value is not None and is_user(test.value) for test in conditions(read.links, ASKING))


def _verdict(tests: list[Test], value: cst.BaseExpression) -> tuple[Test, bool] | None:
    """The test that a move depends on, and whether it only sets what was not set yet; None where there is none.

    `if row.x != v: row.x = v` saves a write, and guards nothing.
    """
    once: Test | None = None
    for test in tests:
        if test.ordered:
            continue
        name = _name(value) if is_constant(value) else ""
        if test.positive and name in test.names:
            continue
        if test.names <= _BOOLEANS or (not test.positive and test.names <= {name}):
            once = once or test
        else:
            return test, False
    return None if once is None else (once, True)


def _values(node: cst.BaseExpression) -> list[cst.BaseExpression]:
    if isinstance(node, cst.List | cst.Tuple | cst.Set):
        return [element.value for element in node.elements]
    return [node]


def _name(node: cst.BaseExpression) -> str:
    """How a constant is told from others: `DONE` of `models.Status.DONE.value`."""
    if isinstance(node, cst.Call):
        return {"true": "True", "false": "False", "null": "None"}.get(called_name(node), "")
    if isinstance(node, cst.Attribute):
        return _name(node.value) if node.attr.value == "value" else node.attr.value
    return text(node)


def _is_named(node: cst.BaseExpression) -> bool:
    """Whether a constant is one of several states: a word, and neither a number nor a truth value."""
    if isinstance(node, cst.IfExp):
        return _is_named(node.body) and _is_named(node.orelse)
    if isinstance(node, cst.SimpleString):
        return bool(node.raw_value)
    return isinstance(node, cst.Name | cst.Attribute) and text(node) not in _BOOLEANS


def _is_now(value: cst.BaseExpression) -> bool:
    if isinstance(value, cst.Call):
        return not NOW.isdisjoint([called_name(value), *words(called_name(value))])
    return isinstance(value, cst.Name | cst.Attribute) and not {"now", "timestamp"}.isdisjoint(words(text(value)))


def _is_effect(call: cst.Call, row: str) -> bool:
    name = called_name(call)
    if isinstance(call.func, cst.Attribute) and last_name(call.func.value) in ("logger", "log", "logging", "messages"):
        return False
    return not EFFECTS.isdisjoint(words(name)) and row != ""


def _is_computed(value: cst.BaseExpression, column: str) -> bool:
    """Whether the database computes a number from the old one: `F("uses") + 1`, `Coupon.uses + 1`."""
    if not isinstance(value, cst.BinaryOperation) or not isinstance(value.operator, cst.Add | cst.Subtract):
        return False
    left = value.left
    if isinstance(left, cst.Call) and called_name(left) == "F" and len(left.args) == 1:
        first = left.args[0].value
        return isinstance(first, cst.SimpleString) and first.raw_value == column
    if isinstance(left, cst.Attribute) and left.attr.value == column:
        owner = last_name(left.value)
        return owner[:1].isupper() or owner == "c"
    return False
