"""What runs when nothing else does: start-up and shutdown, and commands that somebody gives at a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import libcst as cst

from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.programs import is_for_terminals
from flake8_concurrency.model.spelling import dotted, last_name

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Words in the names of functions that run when a service starts or ends, or from the command line.
_ONCE = frozenset(
    "lifespan startup shutdown main amain setup teardown cleanup bootstrap init initialize initialise cli".split()
)
_RUNNERS = frozenset("asyncio.run anyio.run trio.run uvloop.run asyncio.AbstractEventLoop.run_until_complete".split())
_RUN = frozenset(name.rpartition(".")[2] for name in _RUNNERS)
#: Those among them that run while the loop has nothing else to do yet, or any more.
_ALONE = frozenset("lifespan startup shutdown main amain".split())
_STARTING = frozenset("create_task ensure_future gather start_soon start_server run_forever TaskGroup".split())


class Startup:
    """Tells the functions of one file that run once from those that serve."""

    def __init__(self, file: FileModel) -> None:
        self._tree = file.tree
        self._names = file.names
        self._kinds = file.kinds
        self._is_program = file.is_program
        self._run: dict[FunctionInfo, list[cst.Call]] | None = None

    def runs_once(self, function: FunctionInfo) -> bool:
        """Whether a function is start-up, shutdown or command-line code, in which reading a file harms nobody."""
        if not _ONCE.isdisjoint(function.name.lower().strip("_").split("_")):
            return True
        if self.is_command(function):
            return True
        return function in self._runs()

    def is_command(self, function: FunctionInfo) -> bool:
        """Whether a function is a command that somebody gives at a terminal; the commands of a chat bot are not."""
        return any(
            is_for_terminals(dotted(decorator), self._package(decorator), is_async=function.is_async)
            for decorator in function.decorators
        )

    def _package(self, node: cst.BaseExpression, depth: int = 5) -> str:
        """The package that an object comes from: `typer` for `app`, if `app = typer.Typer()`."""
        while isinstance(node, cst.Attribute | cst.Call):
            node = node.value if isinstance(node, cst.Attribute) else node.func
        if not isinstance(node, cst.Name) or depth == 0:
            return ""
        for binding in self._names.reaching(node) or ():
            if binding.how == "import":
                return binding.target.partition(".")[0]
            if isinstance(binding.node, cst.FunctionDef) and binding.node.decorators:
                return self._package(binding.node.decorators[-1].decorator, depth - 1)
            if binding.how == "assign" and isinstance(binding.value, cst.Call):
                return self._package(binding.value, depth - 1)
        return ""

    def holds_up_nobody(self, node: cst.CSTNode, function: FunctionInfo) -> bool:
        """Whether a node runs, once, while nothing else does: as a service starts or ends, or in a lone `main`."""
        if not (self._is_alone(function) or self._is_all_of_a_program(function)):
            return False
        # What is started further down does not run yet: the node is in no loop, or the next check fails.
        order = self._tree.order
        starting = (call for call in function.calls if dotted(call.func).rpartition(".")[2] in _STARTING)
        if any(order(call) < order(node) for call in starting):
            return False
        for parent in self._tree.ancestors(node):
            if isinstance(parent, cst.For | cst.While | cst.CompFor):
                return False
            if parent is function.node:
                break
        return True

    @staticmethod
    def _is_alone(function: FunctionInfo) -> bool:
        return "on_event" in function.decorator_names or not _ALONE.isdisjoint(function.name.lower().split("_"))

    def _is_all_of_a_program(self, function: FunctionInfo) -> bool:
        """Whether a program for the terminal runs a loop for this function, which is used nowhere else in the file.

        What is started where the module ends (`if __name__ == "__main__":`) may be a trial of what others await.
        """
        if not self._is_program or function.owner is not None or function.decorators:
            return False
        runs = self._runs().get(function, ())
        if not runs or any(isinstance(self._tree.scope_of(run), cst.Module) for run in runs):
            return False
        run_by = {_name(run.args[0].value) for run in runs}
        return all(
            node in run_by or node is function.node.name
            for node in self._tree.nodes
            if isinstance(node, cst.Name) and node.value == function.name
        )

    def _runs(self) -> dict[FunctionInfo, list[cst.Call]]:
        """The functions that the file itself starts an event loop for, with the calls that do."""
        if self._run is None:
            self._run = {}
            for function, run in self._run_by_the_module():
                self._run.setdefault(function, []).append(run)
        return self._run

    def _may_run(self, func: cst.BaseExpression) -> bool:
        """Whether a callee has the name of one that runs a loop, or another name that was given to it."""
        if isinstance(func, cst.Name) and func.value not in _RUN:
            return any(
                binding.how == "assign" or binding.target.rpartition(".")[2] in _RUN
                for binding in self._names.reaching(func) or ()
            )
        return last_name(func) in _RUN

    def _run_by_the_module(self) -> Iterator[tuple[FunctionInfo, cst.Call]]:
        for nodes in self._tree.own.values():
            for node in nodes:
                if (
                    isinstance(node, cst.Call)
                    and node.args
                    and self._may_run(node.func)
                    and (self._kinds.qualified(node.func) in _RUNNERS)
                ):
                    kind = self._kinds.of(_name(node.args[0].value))
                    if kind is not None and isinstance(kind.ref, FunctionInfo):
                        yield kind.ref, node


def _name(main: cst.BaseExpression) -> cst.BaseExpression:
    """What names the coroutine function that a runner is given: `collect` in `asyncio.run(collect(url))`."""
    return main.func if isinstance(main, cst.Call) else main
