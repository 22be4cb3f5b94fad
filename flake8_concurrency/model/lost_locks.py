"""Rows that are locked, let go, and written afterwards as if they still were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.bindings import Binding
from flake8_concurrency.model.calls import literal
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.leaving import leaves
from flake8_concurrency.model.locks import called_name, is_locking, words
from flake8_concurrency.model.reads import Read
from flake8_concurrency.model.spelling import text

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Calls for which the lock may have been taken: what they write was written under it.
_WRITING = frozenset(
    """save asave create acreate update aupdate bulk_update abulk_update bulk_create abulk_create delete adelete add
    add_all merge get_or_create update_or_create aget_or_create aupdate_or_create execute executemany flush insert
    remove set values""".split()
)
#: Calls that only look at the rows they are given.
_LOOKING = frozenset(
    """list len tuple set sorted iter next enumerate isinstance str repr print bool append debug info warning error
    exception hasattr getattr""".split()
)
_KEYS = frozenset({"id", "pk", "uuid"})


class LostLock(NamedTuple):
    """A write of a row: where it was locked, and what let it go in between."""

    node: cst.CSTNode
    row: str
    read: Read
    end: cst.CSTNode
    #: The rows are written one by one, and the first commit lets go of all.
    loop: bool = False


class LostLocks:
    """Finds them in one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file

    def of(self, function: FunctionInfo) -> list[LostLock]:
        """The writes of a function to rows that it no longer holds; the first of each row."""
        if self._file.locks.is_serial() or self._file.rows.runs_alone(function):
            return []
        found: dict[tuple[str, cst.CSTNode], LostLock] = {}
        for lost in (*self._in_loops(function), *self._later(function), *self._carried_out(function)):
            found.setdefault((lost.row, lost.read.query), lost)
        return list(found.values())

    # -- written after the end of the transaction --------------------------------------------------------------------

    def _later(self, function: FunctionInfo) -> Iterator[LostLock]:
        for node, row, attribute in self._writes(function):
            reads = [read for read in self._file.queries.of(row) if read.shape == "row"]
            if not reads or not all(read.locked and not read.assumed for read in reads):
                continue
            end = self._let_go(function, reads[0], node, row)
            if (
                end is not None
                and not self._is_on_failure(node)
                and not self._is_kept_out(function, reads[0], end, node)
                and not self._file.rows.columns.has_version(self._file.rows.model(reads[0]))
                and self._file.rows.saving.reaches(function, node, text(row), attribute, reads[0])
            ):
                yield LostLock(node, text(row), reads[0], end)

    def _writes(self, function: FunctionInfo) -> Iterator[tuple[cst.CSTNode, cst.Name, str]]:
        """The assignments to attributes of locals."""
        for node in function.own:
            targets: list[cst.BaseExpression] = []
            if isinstance(node, cst.Assign):
                targets = [target.target for target in node.targets]
            elif isinstance(node, cst.AugAssign | cst.AnnAssign):
                targets = [node.target]
            for target in targets:
                row = target.value if isinstance(target, cst.Attribute) else None
                if isinstance(target, cst.Attribute) and isinstance(row, cst.Name) and row.value != function.this:
                    yield node, row, target.attr.value

    def _let_go(self, function: FunctionInfo, read: Read, write: cst.CSTNode, row: cst.Name) -> cst.CSTNode | None:
        """What ends the transaction between a locked read and a write, where nothing was written under the lock."""
        transactions = self._file.transactions
        reading = self._file.function_of(read.sent)
        if reading is function:
            end = transactions.ended_between(read.sent, write)
            return None if end is None or self._serves(function, read, end, row) else end
        return None if reading is None else self._let_go_by(reading, function, read, write, row)

    def _let_go_by(
        self, reading: FunctionInfo, function: FunctionInfo, read: Read, write: cst.CSTNode, row: cst.Name
    ) -> cst.CSTNode | None:
        """The same where another function of the file gives the row, and its transaction ends as it returns."""
        transactions = self._file.transactions
        region = transactions.around(read.sent)
        if region is None or reading.is_generator or transactions.may_be_held(write):
            return None
        # Where it is called inside of a transaction, its own is a savepoint.
        calls = [binding.value for binding in self._file.names.reaching(row) or () if binding.how == "assign"]
        if any(call is None or transactions.may_be_held(call) for call in calls) or not calls:
            return None
        inside = [node for node in reading.own if self._file.tree.order(node) > self._file.tree.order(read.sent)]
        return None if any(map(self._may_write, inside)) else region.node

    def _serves(self, function: FunctionInfo, read: Read, end: cst.CSTNode, row: cst.Name) -> bool:
        """Whether anything was, or may have been, written while the row was locked: then the lock did its work."""
        names = self._names(read, row)
        if isinstance(read.sent, cst.Call) and "create" in words(called_name(read.sent)):
            # A row that wasn't there was made under the lock.
            return True
        return any(
            self._may_write(node) or self._hands(node, names) for node in self._between(function, read.sent, end)
        )

    def _between(self, function: FunctionInfo, first: cst.CSTNode, end: cst.CSTNode) -> Iterator[cst.CSTNode]:
        order = self._file.tree.order
        last = [*self._file.tree.within(end.body)][-1] if isinstance(end, cst.With) else end
        for node in function.own:
            if order(first) < order(node) <= order(last) and node is not end:
                yield node

    def _names(self, read: Read, row: cst.Name) -> set[str]:
        """The locals by which the function knows the row, and the rows it is one of."""
        names = {row.value}
        for binding in self._file.names.reaching(row) or ():
            if binding.how == "for" and isinstance(binding.value, cst.Name):
                names.add(binding.value.value)
        return names

    @staticmethod
    def _may_write(node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Call):
            return called_name(node) in _WRITING
        targets: list[cst.BaseExpression] = []
        if isinstance(node, cst.Assign):
            targets = [target.target for target in node.targets]
        elif isinstance(node, cst.AugAssign | cst.AnnAssign):
            targets = [node.target]
        return isinstance(node, cst.Del) or any(isinstance(target, cst.Attribute) for target in targets)

    def _hands(self, node: cst.CSTNode, names: set[str]) -> bool:
        """Whether a call is given the row or something of it, or is made on it: it may write it."""
        name = called_name(node) if isinstance(node, cst.Call) else ""
        if not isinstance(node, cst.Call) or name in _LOOKING or name.endswith(("Error", "Exception")):
            return False
        if isinstance(node.func, cst.Attribute) and text(node.func.value) in names:
            return True
        given = (part for arg in node.args for part in self._file.tree.within(arg.value))
        return any(isinstance(part, cst.Name) and part.value in names for part in given)

    def _is_on_failure(self, node: cst.CSTNode) -> bool:
        """Whether a write stands where something has failed: what was locked was given up there."""
        return any(
            isinstance(around, cst.ExceptHandler | cst.ExceptStarHandler) for around in self._file.ancestors(node)
        )

    def _is_kept_out(self, function: FunctionInfo, read: Read, end: cst.CSTNode, write: cst.CSTNode) -> bool:
        """Whether another lock is held where the row is written, or was taken after the first one was let go."""
        if self._file.locks.held(write):
            return True
        order = self._file.tree.order
        if self._file.function_of(read.sent) is not function:
            # What gives the row locks it too.
            return sum(order(call) < order(write) for call in self._file.locks.locking_calls(function)) > 1
        within = set(self._file.tree.within(end))
        return any(
            order(end) < order(call) < order(write) and call not in within
            for call in self._file.locks.locking_calls(function)
        )

    # -- computed under the lock, written when it is gone -------------------------------------------------------------

    def _carried_out(self, function: FunctionInfo) -> Iterator[LostLock]:
        """`with atomic(): last = …first(); self.n = last.n + 1`, and the save of `self` after the block."""
        if self._file.transactions.is_entered_inside(function):
            return
        for block in function.nodes(cst.With):
            assert isinstance(block, cst.With)
            region = self._file.transactions.around(_first(block))
            if region is None or region.node is not block:
                continue
            inside = [node for node in function.own if self._is_inside(node, block)]
            if any(isinstance(node, cst.Call) and called_name(node) in _WRITING for node in inside):
                continue
            for target, name, read in self._computed(inside):
                save = self._saved_after(function, block, target)
                if save is not None and not self._is_kept_out(function, read, block, save):
                    yield LostLock(save, name, read, block)

    def _computed(self, inside: list[cst.CSTNode]) -> Iterator[tuple[str, str, Read]]:
        """The objects that get a value made from a locked row, each with the row's name and where it was read."""
        made: dict[str, tuple[str, Read]] = {}
        for node in inside:
            if not isinstance(node, cst.Assign):
                continue
            source = next(self._sources(node.value, made), None)
            for target in (target.target for target in node.targets):
                if source is not None and isinstance(target, cst.Name):
                    made[target.value] = source
                elif source is not None and isinstance(target, cst.Attribute) and text(target.value):
                    yield text(target.value), *source

    def _sources(self, value: cst.BaseExpression, made: dict[str, tuple[str, Read]]) -> Iterator[tuple[str, Read]]:
        """The locked rows of whose columns a value is made; a key is no such column."""
        for node in self._file.tree.within(value):
            if isinstance(node, cst.Name) and node.value in made:
                yield made[node.value]
            if isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name) and node.attr.value not in _KEYS:
                for read in self._file.queries.of(node.value):
                    if read.locked and read.links and read.shape == "row":
                        yield node.value.value, read

    def _saved_after(self, function: FunctionInfo, block: cst.With, target: str) -> cst.Call | None:
        """The call after a block that saves an object."""
        for call in function.calls:
            if called_name(call) not in ("save", "asave") or not isinstance(call.func, cst.Attribute):
                continue
            saved = call.func.value
            is_super = isinstance(saved, cst.Call) and called_name(saved) == "super"
            is_same = (function.this if is_super else text(saved)) == target
            if is_same and not self._is_inside(call, block) and self._file.rows.saving.may_follow(block, call):
                return call
        return None

    # -- written one by one, with a commit for each -------------------------------------------------------------------

    def _in_loops(self, function: FunctionInfo) -> Iterator[LostLock]:
        """`for row in locked_rows: row.state = …; session.commit()`: from the second row on nothing is locked."""
        for loop in function.nodes(cst.For):
            assert isinstance(loop, cst.For)
            if not isinstance(loop.target, cst.Name):
                continue
            reads = self._file.queries.bound(Binding("for", loop, loop.iter))
            reads = tuple(read for read in reads if read.shape == "row")
            if not reads or not all(read.locked and not read.assumed for read in reads):
                continue
            if any(_takes_one(link) for link in reads[0].links):
                continue
            end = self._commit_of(loop)
            if end is None or self._relocks(loop) or not self._is_fresh(function, reads[0], loop):
                continue
            for node, row, _ in self._writes(function):
                if row.value == loop.target.value and self._is_inside(node, loop):
                    yield LostLock(node, row.value, reads[0], end, loop=True)
                    break

    def _commit_of(self, loop: cst.For) -> cst.Call | None:
        """A commit that each round of a loop makes, and after which the next one follows."""
        calls = (node for node in self._file.tree.within(loop.body) if isinstance(node, cst.Call))
        commits = (call for call in calls if self._file.transactions.ends(call) == "commit")
        return next((call for call in commits if not self._is_last(call, loop)), None)

    def _is_last(self, node: cst.CSTNode, loop: cst.For) -> bool:
        """Whether a commit isn't one of each round: a loop, a condition, a function or a failure is around it."""
        for around in self._file.ancestors(node):
            if around is loop:
                return False
            if isinstance(around, cst.If | cst.ExceptHandler | cst.FunctionDef | cst.Lambda | cst.For | cst.While):
                return True
            if isinstance(around, cst.IndentedBlock) and leaves(around) and _breaks(around):
                return True
        return True

    def _relocks(self, loop: cst.For) -> bool:
        inside = self._file.tree.within(loop.body)
        return any(isinstance(node, cst.Call) and is_locking(node) for node in inside)

    def _is_fresh(self, function: FunctionInfo, read: Read, loop: cst.For) -> bool:
        """Whether the rows come to the loop as they were locked: nothing has marked them before."""
        order = self._file.tree.order
        if self._file.function_of(read.sent) is not function:
            return False
        before = (n for n in function.own if order(read.sent) < order(n) < order(loop))
        return not any(self._may_write(node) for node in before if node is not read.sent)

    def _is_inside(self, node: cst.CSTNode, block: cst.CSTNode) -> bool:
        return any(around is block for around in self._file.ancestors(node))


def _first(block: cst.With) -> cst.CSTNode:
    """The first statement in a block, which runs in whatever the block opens."""
    return block.body.body[0]


def _breaks(block: cst.IndentedBlock) -> bool:
    last = block.body[-1]
    return isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[-1], cst.Break | cst.Return | cst.Raise)


def _takes_one(link: cst.CSTNode) -> bool:
    if not isinstance(link, cst.Call) or called_name(link) != "limit" or not link.args:
        return False
    return literal(link.args[0].value) == (1,)
