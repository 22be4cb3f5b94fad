"""Answers that are found once and may depend on themselves: names bound from each other, functions that recur."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flake8_concurrency.model.facts import UNDECIDED, Kind, settled

#: Beyond this many steps an expression counts as unknown: no real one needs them.
_DEEPEST = 50
#: The rank of what waits for nothing that is still being found out.
_NOTHING_OPEN = 1_000_000

_Found = TypeVar("_Found")


class Memo:
    """The kinds that were found out, by what they are kinds of."""

    def __init__(self) -> None:
        self.known: dict[object, Kind | None] = {}
        #: What is being found out now, each with its rank, the first one 0.
        self._open: dict[object, int] = {}
        #: What was found out while something it depends on was open, with the lowest rank among those.
        self._tentative: dict[object, tuple[Kind | None, int]] = {}
        self._lowest = _NOTHING_OPEN

    def has(self, key: object) -> bool:
        """Whether something was found out, or is being found out now."""
        return key in self.known or key in self._open or key in self._tentative

    def find(self, key: object, evaluate: Callable[[], Kind | None]) -> Kind | None:
        """Evaluate once. What depends on itself is undecided there, and nothing that follows from that is kept."""
        if key in self.known:
            return self.known[key]
        if key in self._open:
            self._lowest = min(self._lowest, self._open[key])
            return UNDECIDED
        if key in self._tentative:
            kind, lowest = self._tentative[key]
            self._lowest = min(self._lowest, lowest)
            return kind
        rank = len(self._open)
        if rank > _DEEPEST:
            self._lowest = -1
            return None
        outer, self._lowest = self._lowest, _NOTHING_OPEN
        self._open[key] = rank
        try:
            kind = evaluate()
        finally:
            del self._open[key]
        kind = self._keep(key, kind, rank)
        self._lowest = min(outer, self._lowest)
        return kind

    def _keep(self, key: object, kind: Kind | None, rank: int) -> Kind | None:
        """Keep what was found for good, or until that is found out which it depends on."""
        if rank > 0 and self._lowest < rank:
            self._tentative[key] = (kind, self._lowest)
            return kind
        for inner in [inner for inner, (_, lowest) in self._tentative.items() if lowest >= rank or rank == 0]:
            del self._tentative[inner]
        self._lowest = _NOTHING_OPEN
        kind = self.known[key] = settled(kind)
        return kind

    def watch(self, find: Callable[[], _Found]) -> tuple[_Found, bool]:
        """What is found, and whether it is final: depends on nothing that is still open."""
        outer, self._lowest = self._lowest, _NOTHING_OPEN
        found = find()
        is_final = self._lowest == _NOTHING_OPEN
        self._lowest = min(outer, self._lowest)
        return found, is_final
