"""The real flake8, as a user runs it: one process, one directory, what it prints and its exit code."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

SLEEP = textwrap.dedent(
    """\
    import time


    async def poll():
        time.sleep(1)
    """
)
SLEEP_FOUND = "5:5: CNC401 time.sleep blocks the event loop"

#: An opt-in rule that no release has: it knows the function `nap`.
NAP_RULE = '''
from flake8_concurrency.rule import Gate, Rule


class LongNap(Rule):
    """A nap is long.

    Nobody wakes it.

    Bad:
        nap()

    Good:
        wake()

    Known limits:
        It knows one function.
    """

    code = "CNC999"
    name = "long-nap"
    message = "a long nap"
    gate = Gate(frozenset({"nap"}))
    enabled = False
    quiet = True
    overlaps = ("ZZZ101",)

    def visit_Call(self, node):
        if getattr(node.func, "value", None) == "nap":
            self.report(node)
'''
#: flake8 imports its plugins before it asks ours for their options, so the rule is there in time.
NAP_PLUGIN = """
import pathlib

import flake8_concurrency.rules

flake8_concurrency.rules.__path__.append(str(pathlib.Path(__file__).parent / "extra_rules"))


def plugin(tree):
    return ()
"""
NAP_CONFIG = "[flake8:local-plugins]\nextension = XNP = nap_plugin:plugin\npaths = .plugins\n[flake8]\n"
NAP = "from bed import nap\n\n\ndef rest():\n    nap()\n"
NAP_FOUND = "5:5: CNC999 a long nap"


def flake8(
    directory: Path, *arguments: str, stdin: str | None = None, select: str | None = "CNC"
) -> tuple[int, list[str]]:
    """Exit code and lines printed. A traceback, or a word on standard error, is a failure of its own."""
    command = [sys.executable, "-m", "flake8", *arguments, *([f"--select={select}"] if select else [])]
    done = subprocess.run(
        command, cwd=directory, input=stdin, capture_output=True, encoding="utf-8", timeout=120, check=False
    )
    assert not done.stderr, done.stderr + done.stdout
    return done.returncode, done.stdout.splitlines()


def begins(lines: Sequence[str], *beginnings: str) -> bool:
    """Whether there are exactly these lines, each known by its beginning."""
    return len(lines) == len(beginnings) and all(map(str.startswith, lines, beginnings))


@pytest.fixture
def sleeping(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(SLEEP)
    return tmp_path


@pytest.fixture
def napping(tmp_path: Path) -> Path:
    """A project with a rule that is off by default, which none of ours might be."""
    for name, text in (
        ("extra_rules/naps/__init__.py", ""),
        ("extra_rules/naps/long_nap.py", NAP_RULE),
        ("nap_plugin.py", NAP_PLUGIN),
    ):
        path = tmp_path / ".plugins" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / ".flake8").write_text(NAP_CONFIG)
    (tmp_path / "tests").mkdir()
    (tmp_path / "app.py").write_text(NAP)
    return tmp_path


def test_version_names_us() -> None:
    code, lines = flake8(Path.cwd(), "--version", select=None)
    assert code == 0
    assert "flake8-concurrency: " in " ".join(lines)


def test_rules_report_without_any_configuration(sleeping: Path) -> None:
    code, lines = flake8(sleeping, select=None)
    assert code == 1
    assert begins(lines, f"./app.py:{SLEEP_FOUND}")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("--select=CNC401", True),
        ("--select=CNC4", True),
        ("--select=CNC2,E9", False),
        ("--select=E9 --extend-select=CNC", True),
        ("--extend-select=CNC401", True),
        ("--extend-ignore=CNC401", False),
        ("--ignore=CNC", False),
        ("--ignore=CNC2", True),
        ("--ignore=CNC --select=CNC401", True),
        ("--per-file-ignores=app.py:CNC401", False),
        ("--per-file-ignores=other.py:CNC401", True),
    ],
)
def test_flake8s_own_switches_work(sleeping: Path, arguments: str, found: bool) -> None:
    code, lines = flake8(sleeping, *arguments.split(), select=None)
    assert (code, begins(lines, f"./app.py:{SLEEP_FOUND}")) == ((1, True) if found else (0, False))


@pytest.mark.parametrize("name", ["setup.cfg", "tox.ini", ".flake8"])
def test_a_configuration_file_works(sleeping: Path, name: str) -> None:
    (sleeping / name).write_text(
        "[flake8]\nselect = CNC\nper-file-ignores =\n    app.py: CNC401\nconcurrency-defer-to =\n    RUF\n    S\n"
    )
    (sleeping / "other.py").write_text(SLEEP)
    code, lines = flake8(sleeping, select=None)
    assert code == 1
    assert begins(lines, f"./other.py:{SLEEP_FOUND}")


def test_noqa_works_on_the_line_that_flake8_prints(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        textwrap.dedent(
            """\
            import time


            async def poll():
                time.sleep(1)  # noqa: CNC401
                time.sleep(1)  # noqa
                time.sleep(1)  # noqa: E501, CNC4
                time.sleep(1)  # noqa: CNC201
                time.sleep(  # noqa: CNC401
                    1,
                )
                print(
                    "before",
                    time.sleep(  # noqa: CNC401
                        1,
                    ),
                )
                time.sleep('''
                    1
                ''')  # noqa: CNC401
                time.sleep(
                    1,
                )  # noqa: CNC401 is on another line than the finding
            """
        )
    )
    code, lines = flake8(tmp_path)
    assert code == 1
    assert begins(lines, "./app.py:8:5: CNC401", "./app.py:21:5: CNC401")
    code, lines = flake8(tmp_path, "--disable-noqa")
    assert [line.split(":")[1] for line in lines] == ["5", "6", "7", "8", "9", "14", "18", "21"]


def test_noqa_for_the_file_works(sleeping: Path) -> None:
    (sleeping / "app.py").write_text("# flake8: noqa\n" + SLEEP)
    assert flake8(sleeping) == (0, [])


def test_several_processes_find_the_same(sleeping: Path) -> None:
    for number in range(6):
        (sleeping / f"app{number}.py").write_text("\n" * number + SLEEP)
    one = flake8(sleeping, "--jobs=1")
    assert len(one[1]) == 7
    assert flake8(sleeping, "--jobs=2") == one


def test_several_processes_have_the_options(napping: Path) -> None:
    (napping / "other.py").write_text(NAP)
    code, lines = flake8(napping, "--jobs=2", "--concurrency-enable=CNC999", ".")
    assert code == 1
    assert begins(lines, f"./app.py:{NAP_FOUND}", f"./other.py:{NAP_FOUND}")


def test_stdin_works(napping: Path) -> None:
    code, lines = flake8(napping, "-", stdin="\ufeff" + SLEEP)
    assert code == 1
    assert begins(lines, f"stdin:{SLEEP_FOUND}")
    enable = "--concurrency-enable=CNC9"
    assert flake8(napping, "-", enable, stdin=NAP) == (1, [f"stdin:{NAP_FOUND}"])
    assert flake8(napping, "-", enable, "--stdin-display-name=src/a.py", stdin=NAP) == (1, [f"src/a.py:{NAP_FOUND}"])
    assert flake8(napping, "-", enable, "--stdin-display-name=tests/a.py", stdin=NAP) == (0, [])


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("--select=CNC", False),
        ("--select=CNC999", False),
        ("--ignore=E501", False),
        ("--extend-select=CNC999", False),
        ("--concurrency-enable=CNC401", False),
        ("--concurrency-enable=CNC999", True),
        ("--concurrency-enable=CNC9 --select=CNC", True),
        ("--concurrency-enable=ALL --ignore=E501", True),
        ("--concurrency-enable=ALL --extend-ignore=CNC999", False),
        ("--concurrency-enable=ALL --concurrency-defer-to=ZZZ", False),
        ("--concurrency-enable=ALL --concurrency-quiet-paths=app.py", False),
        ("--concurrency-enable=ALL --concurrency-quiet-paths=", True),
    ],
)
def test_only_our_own_switch_turns_an_opt_in_rule_on(napping: Path, arguments: str, found: bool) -> None:
    expected = (1, [f"app.py:{NAP_FOUND}"]) if found else (0, [])
    assert flake8(napping, *arguments.split(), "app.py", select=None) == expected


def test_quiet_rules_are_silent_in_tests_however_the_path_is_spelled(napping: Path) -> None:
    (napping / "tests" / "orders.py").write_text(NAP)
    enable = "--concurrency-enable=CNC999"
    for path in ("tests/orders.py", "./tests/orders.py", "tests", str(napping / "tests" / "orders.py")):
        assert flake8(napping, enable, path) == (0, [])
        assert flake8(napping, enable, path, "--concurrency-quiet-paths=docs/")[0] == 1


def test_deferring_silences_what_the_other_linter_reports(sleeping: Path) -> None:
    assert flake8(sleeping, "--concurrency-defer-to=RUF,ASYNC") == (0, [])
    assert flake8(sleeping, "--concurrency-defer-to=RUF")[0] == 1


def test_a_blocking_call_of_the_users_own_is_accepted(sleeping: Path) -> None:
    code, lines = flake8(sleeping, "--concurrency-blocking-calls=shop.client.fetch -> shop.aclient.fetch, a.b")
    assert code == 1
    assert begins(lines, f"./app.py:{SLEEP_FOUND}")


def test_other_files_of_the_project_are_known_on_standard_input_and_in_processes(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "naps.py").write_text("import time\n\n\ndef nap():\n    time.sleep(1)\n")
    user = "from app.naps import nap\n\n\nasync def f():\n    nap()\n"
    for name in ("a.py", "b.py"):
        (tmp_path / "app" / name).write_text(user)
    for jobs in ("--jobs=1", "--jobs=2"):
        code, lines = flake8(tmp_path, jobs, "--concurrency-project-root=auto", "app")
        assert code == 1
        assert [line.split(" nap")[0] for line in lines] == ["app/a.py:5:5: CNC410", "app/b.py:5:5: CNC410"]
    assert flake8(tmp_path) == flake8(tmp_path, "--concurrency-project-root=off") == (0, [])
    named = "--stdin-display-name=app/c.py"
    rooted = "--concurrency-project-root=auto"
    assert begins(flake8(tmp_path, rooted, named, "-", stdin=user)[1], "app/c.py:5:5: CNC410 nap (app/naps.py:4)")
    assert flake8(tmp_path, rooted, "-", stdin=user) == (0, [])


@pytest.mark.parametrize(
    ("option", "value", "accepted"),
    [
        ("enable", "CNC000", "no rule has this code or prefix; give codes (CNC204), prefixes of codes (CNC5) or ALL, "),
        ("blocking-calls", "fetch", "give dotted names (my.client.fetch), each with its async twin if it has one "),
        ("defer-to", "async", "give codes or prefixes of other linters (ASYNC, RUF006, S), "),
        ("project-root", "nowhere", "give a directory, auto to find it for each file, or off"),
        ("quiet-paths", "../a", "give globs of path parts (tests/, test_*.py, alembic/versions/), "),
    ],
)
def test_a_wrong_value_is_one_line_before_any_file_is_checked(
    sleeping: Path, option: str, value: str, accepted: str
) -> None:
    (sleeping / "broken.py").write_text("x = (\n")
    expected = (
        "There was a critical error during execution of Flake8:",
        f"--concurrency-{option}: '{value}' is not accepted: {accepted}",
    )
    code, lines = flake8(sleeping, f"--concurrency-{option}={value}", "--jobs=1", select=None)
    assert code == 1
    assert begins(lines, *expected)
    (sleeping / ".flake8").write_text(f"[flake8]\nconcurrency-{option} = {value}\n")
    code, lines = flake8(sleeping, "--jobs=2", select=None)
    assert code == 1
    assert begins(lines, *expected)


#: Each text with what is expected of it. `SLEEP` is in each that Python can read, and found where it stands.
HOSTILE: dict[str, tuple[bytes, str | None]] = {
    "empty": (b"", None),
    "newlines": (b"\n\n\n", None),
    "blank": (b"  \t ", None),
    "comments": (b"# time.sleep in async def\n# nothing else", None),
    "bom": (b"\xef\xbb\xbf" + SLEEP.encode(), "5:5: CNC401"),
    "bom_only": (b"\xef\xbb\xbf", None),
    "crlf": (SLEEP.replace("\n", "\r\n").encode(), "5:5: CNC401"),
    "cr": (SLEEP.replace("\n", "\r").encode(), "5:5: CNC401"),
    "no_last_newline": (SLEEP.rstrip().encode(), "5:5: CNC401"),
    "form_feeds": (SLEEP.replace("\n\n\n", "\n\x0c\n\x0c\n").encode() + b"\x0c\n\x0c", "5:5: CNC401"),
    "form_feed_in_a_line": (b"x = '\x0c'\n" + SLEEP.encode(), "6:5: CNC401"),
    "other_line_separators": ("x = '\x1c\x85\u2028'\n".encode() + SLEEP.encode(), "6:5: CNC401"),
    "latin_1": (b"# coding: latin-1\nx = '\xe9'\n" + SLEEP.encode(), "7:5: CNC401"),
    "not_utf_8": (b"x = '\xe9'\n" + SLEEP.encode(), "6:5: CNC401"),
    "unknown_coding": (b"# coding: no-such\n" + SLEEP.encode(), "6:5: CNC401"),
    "wide_characters": (SLEEP.replace("    time", "    'éß漢🐍'; time").encode(), "5:13: CNC401"),
    "tabs": (SLEEP.replace("    ", "\t").encode(), "5:2: CNC401"),
    "tabs_and_spaces": (SLEEP.replace("    ", " \t").encode(), "5:3: CNC401"),
    "continued_lines": (SLEEP.replace("(1)", " \\\n \\\n (1)").encode(), "5:5: CNC401"),
    # From 3.12 on flake8 itself ends with a traceback of its own at a null byte.
    **({"null_byte": (SLEEP.encode() + b"\0", "1:1: E999")} if sys.version_info < (3, 12) else {}),
    "syntax_error": (SLEEP.encode() + b"x = (\n", "6:"),
    "parentheses_150": (SLEEP.replace("1", "(" * 150 + "1" + ")" * 150).encode(), "5:5: CNC401"),
    "parentheses_500": (SLEEP.replace("1", "(" * 500 + "1" + ")" * 500).encode(), "5:"),
    "terms_of_and": (SLEEP.replace("1", " and ".join(["1"] * 3000)).encode(), "5:5: CNC401"),
    "terms_of_a_sum": (SLEEP.replace("1", " + ".join(["1"] * 200)).encode(), "5:5: CNC401"),
    "terms_of_a_list": (SLEEP.replace("1", f"[{', '.join(['1'] * 3000)}]").encode(), "5:5: CNC401"),
    "string_of_a_megabyte": (SLEEP.replace("1", f"'{'x' * 1_000_000}'").encode(), "5:5: CNC401"),
    "surrogate": (SLEEP.encode() + b"    '\\ud800'\n", "5:5: CNC401"),
}
#: The same for syntax that not every Python has.
NEW_SYNTAX: dict[str, tuple[tuple[int, int], bytes, str]] = {
    "pep_695": (
        (3, 12),
        b"type Pair[T] = tuple[T, T]\n" + SLEEP.replace("poll", "poll[T: int, *Ts]").encode(),
        "6:5: CNC401",
    ),
    "pep_701": ((3, 12), SLEEP.replace("1", "f'{f'{'1'}'}{\n1  # one\n}'").encode(), "5:5: CNC401"),
    "pep_750": ((3, 14), SLEEP.replace("1", "t'{1}'").encode(), "5:5: CNC401"),
}


def test_hostile_files_bring_no_traceback(tmp_path: Path) -> None:
    texts = HOSTILE | {
        name: (text, where) for name, (python, text, where) in NEW_SYNTAX.items() if sys.version_info >= python
    }
    for name, (text, _) in texts.items():
        (tmp_path / f"{name}.py").write_bytes(text)
    code, lines = flake8(tmp_path, "--jobs=2", select="CNC,E9")
    assert code == 1
    first = {line.split(":")[0]: line for line in reversed(lines)}
    expected = {f"./{name}.py": where for name, (_, where) in texts.items() if where is not None}
    found = {name: line.removeprefix(f"{name}:")[: len(expected.get(name, line))] for name, line in first.items()}
    assert found == expected


def test_what_flake8_itself_does_not_survive_is_not_made_ours(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SLEEP.replace("1", " + ".join(["1"] * 3000)))
    done = subprocess.run(
        [sys.executable, "-m", "flake8"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    # Python's parser or pyflakes gives up; our package is in no traceback and no plugin of ours is blamed.
    assert "flake8_concurrency" not in done.stderr
    assert "flake8-concurrency[" not in done.stdout
