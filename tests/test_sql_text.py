"""SQL in strings: what a statement reads and writes, and what happens where nothing can read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flake8_concurrency import engine
from flake8_concurrency.cli import main
from flake8_concurrency.model import sql_text
from flake8_concurrency.model.sql_text import Statement, statement

FIXTURE = Path(__file__).parent.parent / "fixtures" / "CNC303.py"


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sql_text, "find_spec", lambda name: None)
    sql_text.is_readable.cache_clear()
    statement.cache_clear()
    yield
    sql_text.is_readable.cache_clear()
    statement.cache_clear()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id, balance FROM accounts WHERE email = %s",
        "SELECT id, balance FROM accounts WHERE email = %(email)s",
        "SELECT id, balance FROM accounts WHERE email = ?",
        "SELECT id, balance FROM accounts WHERE email = $1",
        "SELECT id, balance FROM accounts WHERE email = :email",
        "  select `id`, `balance` from `accounts` where `email` = %s",
        "SELECT a.id, a.balance FROM accounts AS a WHERE a.email = 'x%sy'",
    ],
)
def test_a_select_is_read_with_the_marks_of_every_driver(text: str) -> None:
    names = (("id", "id"), ("balance", "balance"))
    assert statement(text) == Statement("select", "accounts", ("id", "balance"), names, frozenset({"email"}))


def test_what_a_select_computes_has_no_column() -> None:
    found = statement("SELECT COUNT(*), balance AS money FROM accounts FOR UPDATE")
    assert found is not None
    assert (found.columns, found.names, found.locked) == (("", "balance"), (("*", ""), ("money", "balance")), True)


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("UPDATE accounts SET name = %s, balance = %s WHERE id = %s", (("name", 0), ("balance", 1))),
        ("UPDATE accounts SET balance = $2 WHERE id = $1", (("balance", 1),)),
        ("UPDATE accounts SET balance = :new, n = n + 1 WHERE id = :id", (("balance", "new"),)),
        ("UPDATE accounts SET data = %(data)s::jsonb WHERE id = %(id)s", (("data", "data"),)),
    ],
)
def test_an_update_gets_its_columns_from_parameters(text: str, given: tuple[tuple[str, int | str], ...]) -> None:
    assert statement(text) == Statement("update", "accounts", asked=frozenset({"id"}), given=given)


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE accounts SET n = n + 1 WHERE id = %s",
        "SELECT a.n FROM accounts a JOIN owners o ON o.id = a.owner WHERE a.id = %s",
        "SELECT n FROM accounts WHERE ((((",
        "INSERT INTO accounts (n) VALUES (1)",
        "Update your settings",
        "SELECT " + "n, " * 5000 + "n FROM accounts",
    ],
)
def test_anything_else_is_unknown(text: str) -> None:
    assert statement(text) is None


@pytest.mark.usefixtures("unreadable")
def test_without_a_reader_nothing_is_known_and_nothing_is_reported() -> None:
    assert statement("SELECT n FROM accounts WHERE id = 1") is None
    assert [found for found in engine.lint(FIXTURE.read_text(encoding="utf-8")) if found.code == "CNC303"] == []


def test_explain_says_that_the_rule_is_off(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", "CNC303"])
    assert "not here" not in capsys.readouterr().out
    monkeypatch.setattr("flake8_concurrency.cli.importlib.util.find_spec", lambda name: None)
    main(["explain", "CNC303"])
    assert (
        capsys.readouterr().out.count('not here: sqlglot is not installed (pip install "flake8-concurrency[sql]")') == 1
    )
