"""The list of places that are judged by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import corpus
import recall

WAITS = """\
import os
pool = ThreadPoolExecutor(4)
future = pool.submit(load, 1)
future.result()
future.result(timeout=3)
future.result(row)
pool.submit()
thread.join()
thread.join(5)
thread.join(timeout=left)
thread.join(self.grace_seconds)
", ".join(names)
separator.join(names)
os.path.join(root, name)
table.join(other, isouter=True)
jobs.get()
jobs.get(True, 3)
jobs.get(block=False)
names.get("a")
rows.get(pk=1)
rows.get(**given)
get()
event.wait()
lock.acquire(False)
asyncio.wait(tasks)
"""

WRITES = """\
row.save(update_fields=["name"])
session.commit()
db.session.add(row)
names.add("a")
Row.objects.filter(pk=1).update(name="a")
given.update(name="a")
Row.objects.create(name="a")
client.create(name="a")
(
    Row.objects
    .filter(pk=1)
    .update(name="a")
)
commit()
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A corpus of one application."""
    monkeypatch.setattr(corpus, "CORPUS", tmp_path)
    monkeypatch.setattr(corpus, "RELEASES", (corpus.Release("shop", "1.0", 1, "0" * 64),))
    folder = tmp_path / "shop" / "1.0"
    for name, text in {
        "shop/waits.py": WAITS,
        "shop/rows.py": WRITES,
        "shop/migrations/0001.py": "row.save()\n",
        "shop/tests/test_rows.py": "row.save()\nthread.join()\n",
        "shop/rows_test.py": "row.save()\n",
        "shop/old.py": "print 'no longer Python'; row.save()\n",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert recall.main(arguments) == 0
    return capsys.readouterr().out.splitlines()


def test_waits_are_told_by_the_shape_of_the_call(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = {int(line.split(":")[1]) for line in listed(capsys, "waits", "shop") if "waits.py" in line}
    assert lines == {2, 3, 4, 5, 8, 9, 10, 11, 16, 17, 18, 23, 24, 25} | {22}


def test_waits_stand_in_tests_as_well(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "shop/shop/tests/test_rows.py:2: thread.join()" in listed(capsys, "waits")


def test_writes_leave_out_tests_and_migrations(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys, "writes") == [
        "shop/shop/rows.py:1: row.save(update_fields=['name'])",
        "shop/shop/rows.py:2: session.commit()",
        "shop/shop/rows.py:3: db.session.add(row)",
        "shop/shop/rows.py:5: Row.objects.filter(pk=1).update(name='a')",
        "shop/shop/rows.py:7: Row.objects.create(name='a')",
        "shop/shop/rows.py:12: Row.objects.filter(pk=1).update(name='a')",
    ]


def test_a_seed_draws_the_same_places(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = listed(capsys, "writes", "--sample", "3", "--seed", "7")
    assert len(drawn) == 3
    assert drawn == listed(capsys, "writes", "--sample", "3", "--seed", "7")
    assert drawn == [line for line in listed(capsys, "writes") if line in drawn]
    assert len(listed(capsys, "writes", "--sample", "99")) == 6


def test_what_is_left_out_is_counted(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recall.main(["writes", "--excluded"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "left out: 1 add of no session",
        "left out: 1 create of no query",
        "left out: 1 update of no query",
    ]


def test_any_folder_can_be_listed(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(listed(capsys, "writes", "--folder", str(shop))) == 6


def test_a_missing_application_is_an_error(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recall.main(["waits", "nothing"]) == 1
    assert "no application nothing" in capsys.readouterr().err


def test_long_calls_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(f"lock.acquire({'a' * 200})\n")
    (place,) = recall.places(path, "a.py", recall.judge_wait, Counter())
    assert len(place.text) == 100
    assert place.text.endswith("...")
