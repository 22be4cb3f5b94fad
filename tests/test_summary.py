"""What a file contributes to others."""

from __future__ import annotations

from flake8_concurrency.summary import Summary


def test_a_name_that_nothing_in_the_file_speaks_of_has_no_part() -> None:
    summary = Summary([], ([], []), {}, frozenset(), lambda outline: ())
    assert summary.part("Extension", "") is None
