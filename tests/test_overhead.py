"""The overhead script, without any environment: what it draws and what it computes."""

from __future__ import annotations

from pathlib import Path

import pytest

import overhead
from overhead import Drawn, OverheadError, Taken


def files(*lengths: int, name: str = "shop") -> list[Drawn]:
    return [Drawn(Path(name) / f"{number}.py", length) for number, length in enumerate(lengths)]


def test_the_same_seed_draws_the_same_files() -> None:
    there = {"shop": files(*[10] * 100)}
    assert overhead.draw(there, 200, seed=7) == overhead.draw(there, 200, seed=7)
    assert overhead.draw(there, 200, seed=7) != overhead.draw(there, 200, seed=8)


def test_no_file_is_drawn_twice_and_there_are_enough_lines() -> None:
    drawn = overhead.draw({"shop": files(*range(1, 101))}, 2000, seed=1)
    assert len(set(drawn)) == len(drawn)
    assert sum(one.lines for one in drawn) >= 2000
    assert sum(one.lines for one in drawn[:-1]) < 2000


def test_a_large_application_gives_no_more_than_a_small_one() -> None:
    there = {"small": files(*[10] * 50, name="small"), "large": files(*[10] * 5000, name="large")}
    drawn = overhead.draw(there, 400, seed=1)
    assert 200 == sum(one.lines for one in drawn if one.path.parts[0] == "small")


def test_an_exhausted_application_leaves_the_rest_to_the_others() -> None:
    there = {"small": files(10, name="small"), "large": files(*[10] * 5000, name="large")}
    assert 390 == sum(one.lines for one in overhead.draw(there, 400, seed=1) if one.path.parts[0] == "large")


def test_too_few_lines_is_an_error() -> None:
    with pytest.raises(OverheadError, match="there are only 30 lines"):
        overhead.draw({"shop": files(10, 20)}, 31, seed=1)


def test_added_is_relative_to_the_median_of_bare_flake8() -> None:
    taken = {"bare": Taken([2.0, 4.0, 100.0], [1.0]), "ours": Taken([5.0, 4.9, 0.1], [1.0])}
    assert pytest.approx(0.225) == overhead.added(taken, "ours")


def test_the_table_shows_medians_and_ratios() -> None:
    taken = {
        "bare": Taken([4.0, 3.0, 5.0], [0.1, 0.3, 0.2]),
        "ours": Taken([5.0, 5.0, 6.0], [0.4, 0.3, 0.5]),
        "async": Taken([52.0, 50.0, 60.0], [0.5, 0.5, 0.5]),
    }
    assert [
        "          median s   fastest   slowest  start-up  us a line    added",
        "bare          4.00      3.00      5.00      0.20      200.0         ",
        "ours          5.00      5.00      6.00      0.40      250.0    0.250",
        "async        52.00     50.00     60.00      0.50     2600.0   12.000",
    ] == overhead.table(taken, 20_000).splitlines()


def test_cpu_time_of_a_failing_run_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "bin" / "python"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho 'no flake8 here' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(overhead, "python_of", lambda name: broken)
    with pytest.raises(OverheadError, match=r"(?s)failed in the environment 'ours'.*no flake8 here"):
        overhead.cpu_seconds("ours", [])


def test_files_with_a_database_are_told_by_their_imports(tmp_path: Path) -> None:
    texts = {
        "django.py": "from django.db import models\n",
        "own.py": "import os\nfrom ..core.db import session\n",
        "text.py": "# from the database\nprint('import models')\n",
        "other.py": "import mydb, modelsx\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    paths = [tmp_path / name for name in texts]
    assert overhead.chosen(paths, "any") == paths
    assert overhead.chosen(paths, "with") == paths[:2]
    assert overhead.chosen(paths, "without") == paths[2:]
