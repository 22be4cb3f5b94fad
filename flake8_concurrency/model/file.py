"""The one object that a rule asks about its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

import libcst as cst

from flake8_concurrency.knowledge.schema import Blocking
from flake8_concurrency.model.beat import Beat
from flake8_concurrency.model.before_commit import BeforeCommit
from flake8_concurrency.model.beside_threads import BesideThreads
from flake8_concurrency.model.beyond import Beyond
from flake8_concurrency.model.blocking_calls import Leaf
from flake8_concurrency.model.caches import Caches
from flake8_concurrency.model.claims import Claims
from flake8_concurrency.model.clauses import imported
from flake8_concurrency.model.commits_per_event import CommitsPerEvent
from flake8_concurrency.model.condition_waits import ConditionWaits
from flake8_concurrency.model.consumption import Consumption
from flake8_concurrency.model.critical_sections import CriticalSections
from flake8_concurrency.model.declared_queues import DeclaredQueues
from flake8_concurrency.model.definitions import Definitions, FunctionInfo
from flake8_concurrency.model.dict_checks import DictChecks
from flake8_concurrency.model.dispatches import Dispatches
from flake8_concurrency.model.dropping import Dropping
from flake8_concurrency.model.early_dispatches import EarlyDispatches
from flake8_concurrency.model.early_threads import EarlyThreads
from flake8_concurrency.model.entrances import Entrances
from flake8_concurrency.model.event_loops import EventLoops
from flake8_concurrency.model.exchanges import Exchanges
from flake8_concurrency.model.executors import Executors
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.file_deletions import FileDeletions
from flake8_concurrency.model.file_work import FileWork
from flake8_concurrency.model.flow import Flow
from flake8_concurrency.model.functions import Functions
from flake8_concurrency.model.futures import Futures
from flake8_concurrency.model.guard_notes import GuardNotes
from flake8_concurrency.model.guards import Guards
from flake8_concurrency.model.http import Http
from flake8_concurrency.model.idle_locks import IdleLocks
from flake8_concurrency.model.inserts import Inserts
from flake8_concurrency.model.iterations import Iterations
from flake8_concurrency.model.joined_locks import JoinedLocks
from flake8_concurrency.model.key_locks import KeyLocks
from flake8_concurrency.model.kinds import Kinds
from flake8_concurrency.model.lazy_inits import LazyInits
from flake8_concurrency.model.lock_nesting import LockNesting
from flake8_concurrency.model.lock_order import LockOrder
from flake8_concurrency.model.lock_regions import LockRegions
from flake8_concurrency.model.locked_blocking import LockedBlocking
from flake8_concurrency.model.locked_claims import LockedClaims
from flake8_concurrency.model.locked_io import LockedIo
from flake8_concurrency.model.locked_queries import LockedQueries
from flake8_concurrency.model.locks import Locks
from flake8_concurrency.model.loops import Loops
from flake8_concurrency.model.lost_locks import LostLocks
from flake8_concurrency.model.memo import Memo
from flake8_concurrency.model.moves import Moves
from flake8_concurrency.model.names import Names
from flake8_concurrency.model.numbering import Numbering
from flake8_concurrency.model.offloads import Offloads
from flake8_concurrency.model.origins import Origins
from flake8_concurrency.model.positions import Positions
from flake8_concurrency.model.process_globals import ProcessGlobals
from flake8_concurrency.model.project import Elsewhere
from flake8_concurrency.model.queries import Queries
from flake8_concurrency.model.raw_updates import RawUpdates
from flake8_concurrency.model.reentry import Reentry
from flake8_concurrency.model.refreshes import Refreshes
from flake8_concurrency.model.row_arguments import RowArguments
from flake8_concurrency.model.rows import Rows
from flake8_concurrency.model.sentinels import Sentinels
from flake8_concurrency.model.shared_queues import SharedQueues
from flake8_concurrency.model.shared_state import SharedState
from flake8_concurrency.model.shared_writes import SharedWrites
from flake8_concurrency.model.sharing import Sharing
from flake8_concurrency.model.sizes import Sizes
from flake8_concurrency.model.stale import StaleReads
from flake8_concurrency.model.suspensions import Suspensions
from flake8_concurrency.model.task_options import TaskOptions
from flake8_concurrency.model.task_waits import TaskWaits
from flake8_concurrency.model.tasks import Tasks
from flake8_concurrency.model.thread_locals import ThreadLocals
from flake8_concurrency.model.thread_promises import ThreadPromises
from flake8_concurrency.model.thread_uses import ThreadUses
from flake8_concurrency.model.threaded import Threaded
from flake8_concurrency.model.threads import Threads
from flake8_concurrency.model.throwaway_locks import ThrowawayLocks
from flake8_concurrency.model.touches import Touches
from flake8_concurrency.model.transactions import Transactions
from flake8_concurrency.model.tree import Tree
from flake8_concurrency.model.twins import Twins
from flake8_concurrency.model.unrouted import UnroutedTasks
from flake8_concurrency.model.unsafe_releases import UnsafeReleases
from flake8_concurrency.model.waits import Waits
from flake8_concurrency.model.whole_saves import WholeSaves
from flake8_concurrency.model.works import Works
from flake8_concurrency.model.writes import Writes


class Run(NamedTuple):
    """How a file is linted."""

    #: True in tests, migrations, examples and generated files.
    quiet: bool = False
    #: True in scripts and command-line programs: the person at the terminal is their timeout.
    program: bool = False
    #: The blocking calls that the user names.
    configured: Mapping[str, Blocking] = MappingProxyType({})
    #: The codes of the rules that the user asks for by name.
    named: frozenset[str] = frozenset()
    #: The codes of all rules of this run: one that speaks for others follows their tier.
    codes: frozenset[str] = frozenset()


class FileModel:
    """Read-only and lazy: a question that no rule asks costs nothing."""

    def __init__(
        self,
        tree: Tree,
        positions: Positions,
        *,
        package: str = "",
        run: Run = Run(),
        elsewhere: Elsewhere | None = None,
        memo: Memo | None = None,
    ) -> None:
        self.tree = tree
        self.positions = positions
        self.run = run
        self._package = package
        self._elsewhere = elsewhere
        self._memo = memo

    @property
    def quiet(self) -> bool:
        """True in tests, migrations, examples and generated files."""
        return self.run.quiet

    @property
    def is_program(self) -> bool:
        """True in scripts and command-line programs."""
        return self.run.program

    @cached_property
    def packages(self) -> frozenset[str]:
        """Every package that the module imports from at its top."""
        return imported(self.tree.module).roots

    @property
    def codes(self) -> frozenset[str]:
        """The codes of all rules of this run."""
        return self.run.codes

    @cached_property
    def names(self) -> Names:
        return Names(self.tree, self._package)

    @cached_property
    def definitions(self) -> Definitions:
        return Definitions(self.tree, self.names)

    @cached_property
    def kinds(self) -> Kinds:
        return Kinds(self.tree, self.names, self.definitions, self._elsewhere, self._memo)

    @cached_property
    def functions(self) -> Functions:
        return Functions(self, self.run.configured)

    @cached_property
    def beyond(self) -> Beyond:
        return Beyond(self)

    @cached_property
    def exchanges(self) -> Exchanges:
        return Exchanges(self)

    @cached_property
    def file_work(self) -> FileWork:
        return FileWork(self)

    @cached_property
    def flow(self) -> Flow:
        return Flow(self.tree)

    @cached_property
    def futures(self) -> Futures:
        return Futures(self)

    @cached_property
    def waits(self) -> Waits:
        return Waits(self)

    @cached_property
    def origins(self) -> Origins:
        return Origins(self)

    @cached_property
    def sentinels(self) -> Sentinels:
        return Sentinels(self)

    @cached_property
    def http(self) -> Http:
        return Http(self)

    @cached_property
    def sizes(self) -> Sizes:
        return Sizes(self)

    @cached_property
    def executors(self) -> Executors:
        return Executors(self)

    @cached_property
    def rows(self) -> Rows:
        return Rows(self)

    @cached_property
    def claims(self) -> Claims:
        return Claims(self)

    @cached_property
    def moves(self) -> Moves:
        return Moves(self)

    @cached_property
    def consumption(self) -> Consumption:
        return Consumption(self)

    @cached_property
    def whole_saves(self) -> WholeSaves:
        return WholeSaves(self)

    @cached_property
    def raw_updates(self) -> RawUpdates:
        return RawUpdates(self)

    @cached_property
    def inserts(self) -> Inserts:
        return Inserts(self)

    @cached_property
    def numbering(self) -> Numbering:
        return Numbering(self)

    @cached_property
    def queries(self) -> Queries:
        return Queries(self)

    @cached_property
    def writes(self) -> Writes:
        return Writes(self)

    @cached_property
    def works(self) -> Works:
        return Works(self)

    @cached_property
    def reentry(self) -> Reentry:
        return Reentry(self)

    @cached_property
    def event_loops(self) -> EventLoops:
        return EventLoops(self)

    @cached_property
    def loops(self) -> Loops:
        return Loops(self)

    @cached_property
    def threads(self) -> Threads:
        return Threads(self)

    @cached_property
    def tasks(self) -> Tasks:
        return Tasks(self)

    @cached_property
    def before_commit(self) -> BeforeCommit:
        return BeforeCommit(self)

    @cached_property
    def file_deletions(self) -> FileDeletions:
        return FileDeletions(self)

    @cached_property
    def commits_per_event(self) -> CommitsPerEvent:
        return CommitsPerEvent(self)

    @cached_property
    def task_options(self) -> TaskOptions:
        return TaskOptions(self)

    @cached_property
    def task_waits(self) -> TaskWaits:
        return TaskWaits(self)

    @cached_property
    def unrouted_tasks(self) -> UnroutedTasks:
        return UnroutedTasks(self)

    @cached_property
    def beat(self) -> Beat:
        return Beat(self)

    @cached_property
    def declared_queues(self) -> DeclaredQueues:
        return DeclaredQueues(self)

    @cached_property
    def dispatches(self) -> Dispatches:
        return Dispatches(self)

    @cached_property
    def shared_queues(self) -> SharedQueues:
        return SharedQueues(self)

    @cached_property
    def row_arguments(self) -> RowArguments:
        return RowArguments(self)

    @cached_property
    def early_dispatches(self) -> EarlyDispatches:
        return EarlyDispatches(self)

    @cached_property
    def threaded(self) -> Threaded:
        return Threaded(self)

    @cached_property
    def dict_checks(self) -> DictChecks:
        return DictChecks(self)

    @cached_property
    def thread_promises(self) -> ThreadPromises:
        return ThreadPromises(self)

    @cached_property
    def guard_notes(self) -> GuardNotes:
        return GuardNotes(self)

    @cached_property
    def guards(self) -> Guards:
        return Guards(self)

    @cached_property
    def lazy_inits(self) -> LazyInits:
        return LazyInits(self)

    @cached_property
    def beside_threads(self) -> BesideThreads:
        """Loops over containers that another thread of the same object changes."""
        return BesideThreads(self)

    @cached_property
    def shared_writes(self) -> SharedWrites:
        return SharedWrites(self)

    @cached_property
    def process_globals(self) -> ProcessGlobals:
        return ProcessGlobals(self)

    @cached_property
    def caches(self) -> Caches:
        return Caches(self)

    @cached_property
    def thread_uses(self) -> ThreadUses:
        return ThreadUses(self)

    @cached_property
    def early_threads(self) -> EarlyThreads:
        return EarlyThreads(self)

    @cached_property
    def thread_locals(self) -> ThreadLocals:
        return ThreadLocals(self)

    @cached_property
    def unsafe_releases(self) -> UnsafeReleases:
        return UnsafeReleases(self)

    @cached_property
    def locked_blocking(self) -> LockedBlocking:
        return LockedBlocking(self)

    @cached_property
    def throwaway_locks(self) -> ThrowawayLocks:
        return ThrowawayLocks(self)

    @cached_property
    def condition_waits(self) -> ConditionWaits:
        return ConditionWaits(self)

    @cached_property
    def locks(self) -> Locks:
        return Locks(self)

    @cached_property
    def touches(self) -> Touches:
        return Touches(self)

    @cached_property
    def lock_regions(self) -> LockRegions:
        return LockRegions(self)

    @cached_property
    def lock_nesting(self) -> LockNesting:
        return LockNesting(self)

    @cached_property
    def transactions(self) -> Transactions:
        return Transactions(self)

    @cached_property
    def locked_queries(self) -> LockedQueries:
        return LockedQueries(self)

    @cached_property
    def idle_locks(self) -> IdleLocks:
        return IdleLocks(self)

    @cached_property
    def joined_locks(self) -> JoinedLocks:
        return JoinedLocks(self)

    @cached_property
    def locked_claims(self) -> LockedClaims:
        return LockedClaims(self)

    @cached_property
    def key_locks(self) -> KeyLocks:
        return KeyLocks(self)

    @cached_property
    def lost_locks(self) -> LostLocks:
        return LostLocks(self)

    @cached_property
    def lock_order(self) -> LockOrder:
        return LockOrder(self)

    @cached_property
    def sharing(self) -> Sharing:
        return Sharing(self)

    @cached_property
    def locked_io(self) -> LockedIo:
        return LockedIo(self)

    @cached_property
    def dropping(self) -> Dropping:
        return Dropping(self)

    @cached_property
    def shared_state(self) -> SharedState:
        return SharedState(self)

    @cached_property
    def suspensions(self) -> Suspensions:
        return Suspensions(self)

    @cached_property
    def sections(self) -> CriticalSections:
        return CriticalSections(self)

    @cached_property
    def entrances(self) -> Entrances:
        return Entrances(self)

    @cached_property
    def stale(self) -> StaleReads:
        return StaleReads(self)

    @cached_property
    def refreshes(self) -> Refreshes:
        return Refreshes(self)

    @cached_property
    def iterations(self) -> Iterations:
        return Iterations(self)

    @cached_property
    def offloads(self) -> Offloads:
        return Offloads(self)

    @cached_property
    def twins(self) -> Twins:
        return Twins(self)

    def forget(self) -> None:
        """Drop everything: nothing may be asked any more."""
        kinds = self.__dict__.get("kinds")
        if kinds is not None:
            kinds.forget()
        self.__dict__.clear()

    def is_named(self, code: str) -> bool:
        """Whether the user asks for a rule by its code, so that it also says what it does not say by default."""
        return code in self.run.named

    # -- what most rules ask -----------------------------------------------------------------------------------------

    def kind(self, node: cst.CSTNode | None) -> Kind | None:
        """What an expression's value is; None when it is not known."""
        return self.kinds.of(node)

    def qualified(self, node: cst.CSTNode) -> str | None:
        """The dotted name that an expression means, whatever its spelling."""
        return self.kinds.qualified(node)

    def is_a(self, node: cst.CSTNode, *names: str) -> bool:
        """Whether an expression's value is surely an instance of one of these classes, or of one derived from it."""
        kind = self.kinds.of(node)
        return any(self.kinds.is_a(kind, name) for name in names)

    def parent(self, node: cst.CSTNode) -> cst.CSTNode:
        return self.tree.parents[node]

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        return self.tree.ancestors(node)

    def function_of(self, node: cst.CSTNode) -> FunctionInfo | None:
        """The function whose call runs this node; None at module level and in a lambda."""
        return self.functions.around(node)

    def blocking_in(self, node: cst.FunctionDef) -> tuple[Leaf, ...]:
        """What blocks by itself directly in an `async def`; nothing in any other function."""
        function = self.definitions.functions[node]
        return self.functions.leaves(function) if function.is_async else ()

    def callee(self, call: cst.Call) -> FunctionInfo | None:
        """The function of the file that a call enters; None when it is not surely one."""
        return self.functions.callee(call)

    def line(self, node: cst.CSTNode) -> int:
        """The line on which a node begins, from 1."""
        return self.positions.of(node)[0]
