"""Answers that depend on themselves."""

from __future__ import annotations

from flake8_concurrency.model.facts import UNDECIDED, Kind, union
from flake8_concurrency.model.memo import Memo

INT = Kind("builtins.int")


def test_an_answer_is_found_once() -> None:
    memo = Memo()
    asked: list[str] = []

    def evaluate() -> Kind | None:
        asked.append("x")
        return INT

    assert not memo.has("x")
    assert memo.find("x", evaluate) == memo.find("x", evaluate) == INT
    assert asked == ["x"]
    assert memo.has("x")


def test_what_depends_on_itself_is_undecided_only_there() -> None:
    memo = Memo()
    seen: list[Kind | None] = []

    def evaluate() -> Kind | None:
        seen.append(memo.find("x", evaluate))
        return union((seen[-1], INT))

    assert memo.find("x", evaluate) == INT
    assert seen == [UNDECIDED]


def test_what_follows_from_an_undecided_answer_is_not_kept() -> None:
    memo = Memo()
    inner: list[Kind | None] = []

    def outer() -> Kind | None:
        inner.append(memo.find("y", lambda: memo.find("x", outer)))
        return INT

    assert memo.find("x", outer) == INT
    assert inner == [UNDECIDED]
    assert not memo.has("y")
    assert memo.find("y", lambda: memo.find("x", outer)) == INT


def test_watch_tells_whether_an_answer_is_final() -> None:
    memo = Memo()
    told: list[bool] = []

    def evaluate() -> Kind | None:
        told.append(memo.watch(lambda: memo.find("x", evaluate))[1])
        told.append(memo.watch(lambda: INT)[1])
        return INT

    memo.find("x", evaluate)
    assert told == [False, True]


def test_a_question_that_leads_too_deep_is_not_answered() -> None:
    memo = Memo()

    def evaluate(step: int) -> Kind | None:
        return INT if step == 100 else memo.find(step, lambda: evaluate(step + 1))

    assert memo.find("x", lambda: evaluate(0)) is None
