"""What the functions of a file reach through other files of the project."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from flake8_concurrency.model.blocking_calls import Leaf
from flake8_concurrency.model.calls import argument, literal
from flake8_concurrency.model.definitions import FunctionInfo
from flake8_concurrency.model.project import Module
from flake8_concurrency.model.remembering import is_done_once
from flake8_concurrency.model.taken import NOTHING_GIVEN, Given, given, is_taken

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: A chain has no more functions than this: hidden calls are one or two deep, and what lies deeper seldom runs.
_LONGEST = 4
#: The same for a leaf that is over in a moment.
_LONGEST_TO_FILES = 3
#: No search looks into more functions than this.
_MOST = 300


class Place(NamedTuple):
    """A function, and the other file that it stands in; None for the file itself."""

    module: Module | None
    function: FunctionInfo

    @property
    def where(self) -> str:
        """The other file, from the project's root; empty for the file itself."""
        return "" if self.module is None else self.module.name


class FarChain(NamedTuple):
    """How a call reaches a leaf in another file: through these functions, in order."""

    node: cst.CSTNode
    places: tuple[Place, ...]
    leaf: Leaf


class Beyond:
    """Chains of calls that leave one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
        self._reached: dict[tuple[Place, Given], tuple[tuple[tuple[Place, ...], Leaf], ...]] = {}

    def chains(self, function: FunctionInfo, categories: Collection[str]) -> Iterator[FarChain]:
        """For each call in a function the shortest chain to a leaf of these categories in another file.

        Only what is surely reached counts: no function on the way gets to the next one, or to the leaf, in one branch
        only, or where something went wrong, or remembers its result, so that it waits only once.
        """
        for node, first in self._steps(Place(None, function)):
            told = given(node, first.function, NOTHING_GIVEN)
            if first.module is None and not self._leaves_file(first, told):
                continue
            for places, leaf in self._from(first, told):
                if leaf.fact.category in categories:
                    yield FarChain(node, places, leaf)
                    break

    def _leaves_file(self, first: Place, told: Given) -> bool:
        """Whether a function of the file calls, at any depth, one of another file."""
        return any(place.module is not None for places, _ in self._from(first, told) for place in places)

    def _model(self, place: Place) -> FileModel:
        model = self._file if place.module is None else place.module.file
        assert model is not None
        return model

    def _is_done_once(self, place: Place) -> bool:
        return is_done_once(place.function, self._model(place).tree)

    def _steps(self, place: Place) -> Iterator[tuple[cst.CSTNode, Place]]:
        functions = self._model(place).functions
        for step in functions.steps(place.function):
            yield step.node, Place(place.module, step.function)
        for far in functions.far_steps(place.function):
            if far.function.known is not None:
                yield far.node, Place(far.function.module, far.function.known)

    def _from(self, first: Place, told: Given) -> tuple[tuple[tuple[Place, ...], Leaf], ...]:
        """The shortest ways from a function to leaves in other files, one for each category, files last."""
        found = self._reached.get((first, told))
        if found is None:
            found = self._reached[first, told] = tuple(self._search(first, told))
        return found

    def _search(self, first: Place, told: Given) -> list[tuple[tuple[Place, ...], Leaf]]:
        found: dict[str, tuple[tuple[Place, ...], Leaf]] = {}
        seen = {(first, told)}
        pending: deque[tuple[tuple[Place, ...], Given]] = deque([((first,), told)])
        while pending and len(seen) < _MOST:
            places, told = pending.popleft()
            last = places[-1]
            model = self._model(last)
            if self._is_done_once(last):
                continue
            if last.module is not None:
                for leaf in filter(_counts, model.functions.leaves(last.function)):
                    if leaf.fact.category in _LIGHT and len(places) > _LONGEST_TO_FILES:
                        continue
                    if leaf.fact.category not in found and is_taken(leaf.node, last.function, told, model):
                        found[leaf.fact.category] = (places, leaf)
            if len(places) < _LONGEST:
                for node, place in self._steps(last):
                    next_one = (place, given(node, place.function, told))
                    if next_one not in seen and is_taken(node, last.function, told, model):
                        seen.add(next_one)
                        pending.append(((*places, place), next_one[1]))
        return sorted(found.values(), key=lambda way: (_LIGHT.get(way[1].fact.category, 0), len(way[0])))

    def told(self, chain: FarChain) -> str:
        """`load_user → _fetch (app/http.py:14) → requests.get (app/http.py:15)`."""
        parts: list[str] = []
        for place in chain.places:
            name = place.function.qualified_name
            if place.module is not None:
                name += f" ({place.module.name}:{self._model(place).line(place.function.node)})"
            elif parts:
                name += f" (line {self._file.line(place.function.node)})"
            parts.append(name)
        last = chain.places[-1]
        assert last.module is not None
        return " → ".join([*parts, f"{chain.leaf} ({last.module.name}:{self._model(last).line(chain.leaf.node)})"])


#: What counts for less than anything else that a function does.
_LIGHT = {"file": 1, "stat": 2}
#: What is over sooner than a thread has begun: as a rule the directory is there, and the lines are remembered.
_SOON_OVER = frozenset({"mkdir", "makedirs", "getline", "getlines"})
#: Seconds that nobody notices.
_SHORTEST = 0.01


def _counts(leaf: Leaf) -> bool:
    """Whether what blocks lasts long enough to be told from afar."""
    if leaf.fact.category == "sleep" and isinstance(leaf.node, cst.Call):
        asked = argument(leaf.node, 0, "secs")
        told = None if asked is None else literal(asked)
        return told is None or not isinstance(told[0], int | float) or told[0] >= _SHORTEST
    return leaf.fact.category not in _LIGHT or leaf.name.rpartition(".")[2] not in _SOON_OVER
