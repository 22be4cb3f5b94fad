"""The one object that a rule asks about its file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property

import libcst as cst

from flake8_concurrency.knowledge.schema import Blocking
from flake8_concurrency.model.blocking_calls import Leaf
from flake8_concurrency.model.claims import Claims
from flake8_concurrency.model.definitions import Definitions, FunctionInfo
from flake8_concurrency.model.exchanges import Exchanges
from flake8_concurrency.model.executors import Executors
from flake8_concurrency.model.facts import Kind
from flake8_concurrency.model.file_work import FileWork
from flake8_concurrency.model.flow import Flow
from flake8_concurrency.model.functions import Functions
from flake8_concurrency.model.futures import Futures
from flake8_concurrency.model.kinds import Kinds
from flake8_concurrency.model.locks import Locks
from flake8_concurrency.model.loops import Loops
from flake8_concurrency.model.names import Names
from flake8_concurrency.model.offloads import Offloads
from flake8_concurrency.model.positions import Positions
from flake8_concurrency.model.queries import Queries
from flake8_concurrency.model.rows import Rows
from flake8_concurrency.model.sizes import Sizes
from flake8_concurrency.model.tree import Tree
from flake8_concurrency.model.twins import Twins
from flake8_concurrency.model.waits import Waits
from flake8_concurrency.model.writes import Writes


class FileModel:
    """Read-only and lazy: a question that no rule asks costs nothing."""

    def __init__(
        self,
        tree: Tree,
        positions: Positions,
        *,
        package: str = "",
        quiet: bool = False,
        program: bool = False,
        configured: Mapping[str, Blocking] | None = None,
        codes: Collection[str] = (),
    ) -> None:
        self.tree = tree
        self.positions = positions
        #: True in tests, migrations, examples and generated files.
        self.quiet = quiet
        #: True in scripts and command-line programs: the person at the terminal is their timeout.
        self.is_program = program
        #: The codes of all rules of this run: one that speaks for others follows their tier.
        self.codes = frozenset(codes)
        self._package = package
        self._configured = configured or {}

    @cached_property
    def names(self) -> Names:
        return Names(self.tree, self._package)

    @cached_property
    def definitions(self) -> Definitions:
        return Definitions(self.tree, self.names)

    @cached_property
    def kinds(self) -> Kinds:
        return Kinds(self.tree, self.names, self.definitions)

    @cached_property
    def functions(self) -> Functions:
        return Functions(self, self._configured)

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
    def queries(self) -> Queries:
        return Queries(self)

    @cached_property
    def writes(self) -> Writes:
        return Writes(self)

    @cached_property
    def locks(self) -> Locks:
        return Locks(self)

    @cached_property
    def offloads(self) -> Offloads:
        return Offloads(self)

    @cached_property
    def twins(self) -> Twins:
        return Twins(self)

    @cached_property
    def loops(self) -> Loops:
        return Loops(self)

    def forget(self) -> None:
        """Drop everything: nothing may be asked any more."""
        kinds = self.__dict__.get("kinds")
        if kinds is not None:
            kinds.forget()
        self.__dict__.clear()

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
