"""What functions do: what blocks in them by itself, and which blocking calls they reach through others of the file."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.knowledge.schema import Blocking
from flake8_concurrency.model.blocking_calls import READERS, BlockingCalls, Leaf
from flake8_concurrency.model.callees import Callees
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.project import FunctionElsewhere
from flake8_concurrency.model.remembering import is_done_once
from flake8_concurrency.model.spelling import last_name
from flake8_concurrency.model.startup import Startup
from flake8_concurrency.model.steps import Step, Steps
from flake8_concurrency.model.taken import is_ruled_out
from flake8_concurrency.model.tree import COMPREHENSIONS, Scope

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel


#: Methods that read what they are given to its end.
_READING_METHODS = frozenset("join extend extendleft update union fromkeys writelines executemany".split())


class Chain(NamedTuple):
    """How a node reaches a leaf: through these functions of the file, in order."""

    steps: tuple[Step, ...]
    leaf: Leaf


class FarStep(NamedTuple):
    """A function of another file whose body runs at a call."""

    node: cst.Call
    function: FunctionElsewhere


class Functions:
    """Summaries of the functions of one file, each computed once."""

    def __init__(self, file: FileModel, configured: Mapping[str, Blocking]) -> None:
        self._file = file
        self._tree = file.tree
        self._definitions = file.definitions
        self._kinds = file.kinds
        self._callees = Callees(file)
        self._blocking = BlockingCalls(file, self._callees, configured)
        self._entered = Steps(file, self._callees)
        self._startup = Startup(file)
        self._leaves: dict[FunctionInfo, tuple[Leaf, ...]] = {}
        self._far_steps: dict[FunctionInfo, tuple[FarStep, ...]] = {}
        self._steps: dict[FunctionInfo, tuple[Step, ...]] = {}
        self._reaches: dict[FunctionInfo, tuple[Chain, ...]] = {}

    # -- where a node runs -------------------------------------------------------------------------------------------

    def around(self, node: cst.CSTNode) -> FunctionInfo | None:
        """The function whose call runs this node; None in a lambda and at module level."""
        return self._definitions.around(node)

    def runs_once(self, function: FunctionInfo) -> bool:
        """Whether a function is start-up, shutdown or command-line code, in which reading a file harms nobody."""
        return self._startup.runs_once(function)

    def is_command(self, function: FunctionInfo) -> bool:
        """Whether a function is a command that somebody gives at a terminal; the commands of a chat bot are not."""
        return self._startup.is_command(function)

    def holds_up_nobody(self, node: cst.CSTNode) -> bool:
        """Whether a node runs, once, while nothing else does: at the start or end of a service, or in a lone `main`."""
        function = self.around(node)
        return function is not None and self._startup.holds_up_nobody(node, function)

    # -- calls -------------------------------------------------------------------------------------------------------

    def handed(self, node: cst.BaseExpression | None) -> FunctionInfo | None:
        """The function of the file that runs when what an expression stands for is called: `f`, `partial(f, 1)`."""
        kind = self._kinds.of(node)
        while kind is not None and kind.name == "partial":
            kind = kind.args[0]
        return kind.ref if kind is not None and isinstance(kind.ref, FunctionInfo) else None

    def callee(self, call: cst.Call) -> FunctionInfo | None:
        """The function of the file that a call enters, a constructor included; None when it is not surely one."""
        return self._callees.of(call)

    def blocking(self, call: cst.Call) -> Leaf | None:
        """The call itself, when it is one that blocks the thread it runs in."""
        return self._blocking.leaf(call)

    def table_names(self, func: cst.BaseExpression) -> list[str]:
        """The names under which a table may list a callee: `requests.get`, `requests.Session.get`, its bases' ones."""
        return self._blocking.table_names(func)

    # -- what a function does ----------------------------------------------------------------------------------------

    def leaves(self, function: FunctionInfo) -> tuple[Leaf, ...]:
        """What blocks by itself in the function's own code."""
        if function not in self._leaves:
            blocking = (leaf for node in self._running(function) for leaf in self._blocking.leaves_at(node))
            # `if True:  # async … else:` stands in code for both worlds.
            found = (leaf for leaf in blocking if not is_ruled_out(leaf.node, self._file))
            # What is called and then entered or read waits once.
            self._leaves[function] = tuple({(leaf.node, leaf.fact.category): leaf for leaf in found}.values())
        return self._leaves[function]

    def entered_leaves(self, function: FunctionInfo) -> Iterator[Leaf]:
        """What blocks in a function's own code, whoever calls it.

        Not what it does to a file only where a parameter is of one type (`if isinstance(image, Path):`): as a rule the
        callers in async code give it something else.
        """
        for leaf in self.leaves(function):
            if leaf.fact.category not in _LIGHT or not self._is_for_one_type(leaf.node, function):
                yield leaf

    def _is_for_one_type(self, node: cst.CSTNode, function: FunctionInfo) -> bool:
        conditions = self._file.flow.conditions(node)
        return any(condition.truth and _tests_type(condition.test, function) for condition in conditions)

    def _running(self, function: FunctionInfo) -> Iterator[cst.CSTNode]:
        """The function's own nodes, without those of generators that somebody else may read."""
        for node in function.own:
            scope = self._tree.scope_of(node)
            if scope is function.node or not self._runs_later(scope):
                yield node

    def _runs_later(self, scope: Scope) -> bool:
        """Whether a comprehension stands in a generator that nobody reads there: it is kept, or handed on."""
        while isinstance(scope, COMPREHENSIONS):
            if isinstance(scope, cst.GeneratorExp) and not self._is_read(scope):
                return True
            scope = self._tree.scope_of(scope)
        return False

    def _is_read(self, generator: cst.GeneratorExp) -> bool:
        parent = self._tree.parents[generator]
        if not isinstance(parent, cst.Arg):
            return isinstance(parent, cst.For | cst.CompFor | cst.StarredElement | cst.ComparisonTarget | cst.From)
        call = self._tree.parents[parent]
        if not isinstance(call, cst.Call):
            return False
        name = last_name(call.func)
        if isinstance(call.func, cst.Attribute) and name in _READING_METHODS:
            return True
        return bool(parent.star) or self._kinds.qualified(call.func) in READERS

    def steps(self, function: FunctionInfo) -> tuple[Step, ...]:
        """The sync functions of the file that the function's own code enters."""
        if function not in self._steps:
            found = [step for node in self._running(function) for step in self._entered.at(node)]
            found += self._entered.to_properties(function)
            found.sort(key=lambda step: self._tree.order(step.node))
            self._steps[function] = tuple(found)
        return self._steps[function]

    def far_steps(self, function: FunctionInfo) -> tuple[FarStep, ...]:
        """The sync functions of the project's other files that the function's own code enters."""
        if function not in self._far_steps:
            calls = [node for node in self._running(function) if isinstance(node, cst.Call)]
            found = [FarStep(call, entered) for call in calls if (entered := self._entered_elsewhere(call)) is not None]
            self._far_steps[function] = tuple(found)
        return self._far_steps[function]

    def _entered_elsewhere(self, call: cst.Call) -> FunctionElsewhere | None:
        if isinstance(self._tree.parents[call], cst.Await):
            return None
        found = self._callees.elsewhere(call)
        info = None if found is None else found.info
        if found is None or info is None or found.module.file is None:
            return None
        runs = found.module.file.functions.keeps_its_body(info) and self._entered.is_entered(info, call)
        return FunctionElsewhere(found.module, found.name, info) if runs else None

    def keeps_its_body(self, function: FunctionInfo) -> bool:
        """Whether a function is sync, and calling it, decorated, runs its body in the calling thread."""
        return self._entered.keeps_its_body(function)

    def is_replaced(self, method: FunctionInfo) -> bool:
        """Whether a class of the file that is derived from a method's replaces the method."""
        return self._callees.may_be_another(method, None, method.node.name)

    # -- chains ------------------------------------------------------------------------------------------------------

    def chains(self, function: FunctionInfo, categories: Collection[str], lasting: Collection[str] = ()) -> list[Chain]:
        """For each step of a function the shortest chain to a leaf of these categories; one for each node.

        A function that remembers its result waits only once; chains through one count only for `lasting` categories.
        """
        found: dict[cst.CSTNode, Chain] = {}
        for step in self.steps(function):
            for chain in self._reached(step.function):
                steps = (step, *chain.steps)
                category = chain.leaf.fact.category
                remembered = category not in lasting and any(is_done_once(one.function, self._tree) for one in steps)
                if category in categories and not remembered and step.node not in found:
                    found[step.node] = Chain(steps, chain.leaf)
        return list(found.values())

    def blocks(self, function: FunctionInfo) -> bool:
        """Whether a function reaches anything that blocks."""
        return bool(self._reached(function))

    def _reached(self, function: FunctionInfo) -> tuple[Chain, ...]:
        """The shortest chain from a function's body to a leaf of each category, files last."""
        if function not in self._reaches:
            found: dict[str, Chain] = {}
            seen = {function}
            pending: deque[tuple[FunctionInfo, tuple[Step, ...]]] = deque([(function, ())])
            while pending:
                current, steps = pending.popleft()
                for leaf in self.entered_leaves(current):
                    found.setdefault(leaf.fact.category, Chain(steps, leaf))
                for step in self.steps(current):
                    if step.function not in seen:
                        seen.add(step.function)
                        pending.append((step.function, (*steps, step)))
            self._reaches[function] = tuple(sorted(found.values(), key=_weight))
        return self._reaches[function]


#: What counts for less than anything else that a function does.
_LIGHT = {"file": 1, "stat": 2}


def _tests_type(test: cst.BaseExpression, function: FunctionInfo) -> bool:
    """`isinstance(image, Path)`, where `image` is a parameter."""
    if not isinstance(test, cst.Call) or last_name(test.func) != "isinstance" or not test.args:
        return False
    tested = test.args[0].value
    return isinstance(tested, cst.Name) and any(param.name.value == tested.value for param in function.params)


def _weight(chain: Chain) -> tuple[int, int]:
    return _LIGHT.get(chain.leaf.fact.category, 0), len(chain.steps)
