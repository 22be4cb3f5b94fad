"""An independent list of places to judge by hand: `python benchmarks/recall.py waits open-webui pretix`.

It exists to find what the linter misses, so it must not share the linter's blind spots: it reads plain `ast`, knows no
types and nothing of the rules, and goes by the last name of what is called. What it leaves out it leaves out by the
shape of the call alone, and `--excluded` prints how many calls that were, by reason.

`waits` lists what makes workers or waits for somebody: executors, pools, `submit`, `result`, `join`, `get`, `wait` and
`acquire`. `writes` lists what saves rows or commits, without tests and migrations; `--sample 200 --seed 1` draws some.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from corpus import CorpusError, applications, name_of, python_files

#: An argument named like this may be the seconds of a `join(…)` or `result(…)`.
SECONDS = re.compile(r"time|wait|second|delay|interval|grace|deadline|remaining|limit", re.IGNORECASE)

#: Folders and files whose writes are not judged.
TESTS_AND_MIGRATIONS = re.compile(
    r"(^|/)(tests?|testing|testutils|migrations|alembic|versions|conftest\.py|test_[^/]*|[^/]*_test\.py|tests\.py)(/|$)"
)

#: Methods of a query or a manager that write at once.
QUERY_WRITES = {"update", "create", "get_or_create", "update_or_create", "bulk_create", "aupdate", "acreate"}

#: What the receiver of such a method contains when it is a query.
QUERY = re.compile(r"\.(objects|query)\b|\.(filter|exclude|select_for_update|all)\(|queryset|\bqs\b|_set\b")


class Place(NamedTuple):
    """One call worth judging."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def called(call: ast.Call) -> str:
    """The last name of what is called, or nothing."""
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def receiver(call: ast.Call) -> str:
    """The source of what a method is called on, or nothing."""
    return ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def keywords(call: ast.Call) -> set[str | None]:
    """The names of the keyword arguments; None is `**`."""
    return {keyword.arg for keyword in call.keywords}


def is_seconds(argument: ast.expr) -> bool:
    """Whether an argument may be a number of seconds, by its look."""
    match argument:
        case ast.Constant(value=value):
            return value is None or isinstance(value, int | float)
        case ast.Name() | ast.Attribute() | ast.BinOp() | ast.Call():
            return bool(SECONDS.search(ast.unparse(argument)))
    return False


def other_join(call: ast.Call) -> str:
    """Why a `.join(…)` is no wait: a thread's takes nothing, or a number of seconds."""
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Constant | ast.JoinedStr):
        return "join of a literal string"
    if keywords(call) - {"timeout", None}:
        return "join with keywords that no wait has"
    if not call.args or (len(call.args) == 1 and is_seconds(call.args[0])):
        return ""
    return "join of strings, paths or tables"


def other_get(call: ast.Call) -> str:
    """Why a `.get(…)` is no wait: a queue's begins with a truth value, and who waits for a result names the timeout."""
    if keywords(call) - {"block", "timeout", "propagate", "interval", "disable_sync_subtasks"}:
        return "get with keywords that no wait has, or with **"
    if call.args and not (isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, bool)):
        return "get of a key"
    return ""


def other_result(call: ast.Call) -> str:
    """Why a `.result(…)` is no wait."""
    return "" if all(is_seconds(argument) for argument in call.args) else "result of something given"


def other_submit(call: ast.Call) -> str:
    """Why a `submit(…)` hands over no work."""
    return "" if call.args or call.keywords else "submit of nothing"


#: What leaves a call of one of these names out.
WAITS: dict[str, Callable[[ast.Call], str]] = {
    "join": other_join,
    "get": other_get,
    "result": other_result,
    "submit": other_submit,
}


def judge_wait(call: ast.Call) -> str | None:
    """None when the call is no business of this list, otherwise why it is left out, or nothing when it is listed."""
    name = called(call)
    if name in ("wait", "acquire") or name.endswith(("Executor", "Pool")):
        return ""
    return WAITS[name](call) if name in WAITS else None


def judge_write(call: ast.Call) -> str | None:
    """The same for what writes rows."""
    name, of = called(call), receiver(call)
    if not of:
        return None
    if name in {"save", "asave", "commit", "bulk_update", "abulk_update", "bulk_save_objects", "bulk_insert_mappings"}:
        return ""
    if name in {"add", "add_all", "merge", "flush"}:
        return "" if re.search(r"session\b|\bdb\b", of, re.IGNORECASE) else f"{name} of no session"
    if name in QUERY_WRITES:
        return "" if QUERY.search(of) else f"{name} of no query"
    return None


def places(path: Path, name: str, judge: Callable[[ast.Call], str | None], excluded: Counter[str]) -> Iterator[Place]:
    """What one file holds, in the order of its lines; a file that Python cannot read holds nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    found: list[tuple[int, int, Place]] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or (why := judge(node)) is None:
            continue
        if why:
            excluded[why] += 1
            continue
        # A chain is where its last name stands, not where its first line begins.
        line = node.func.end_lineno or node.lineno
        text = " ".join(ast.unparse(node).split())
        found.append((line, node.col_offset, Place(name, line, text if len(text) <= 100 else f"{text[:97]}...")))
    yield from (place for _, _, place in sorted(found))


def listing(kind: str, folders: Iterable[Path], excluded: Counter[str]) -> list[Place]:
    """Every place of a kind in these applications."""
    judge = judge_wait if kind == "waits" else judge_write
    found: list[Place] = []
    for folder in folders:
        for path in python_files(folder):
            relative = path.relative_to(folder).as_posix()
            if kind == "waits" or not TESTS_AND_MIGRATIONS.search(relative):
                found += places(path, f"{name_of(folder)}/{relative}", judge, excluded)
    return found


def draw(found: Sequence[Place], number: int, seed: int) -> list[Place]:
    """So many of the places, the same ones for the same seed, in the order of the list."""
    chosen = random.Random(seed).sample(range(len(found)), min(number, len(found)))
    return [found[index] for index in sorted(chosen)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the list."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=["waits", "writes"])
    parser.add_argument("names", nargs="*", help="applications of the corpus; all of them without a name")
    parser.add_argument("--folder", type=Path, action="append", help="a folder that is not in the corpus")
    parser.add_argument("--sample", type=int, help="draw so many of them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--excluded", action="store_true", help="print why and how often a call was left out")
    options = parser.parse_args(arguments)
    excluded: Counter[str] = Counter()
    try:
        folders = options.folder or applications(options.names)
    except CorpusError as error:
        print(error, file=sys.stderr)
        return 1
    found = listing(options.kind, folders, excluded)
    for place in found if options.sample is None else draw(found, options.sample, options.seed):
        print(place)
    if options.excluded:
        for why, count in sorted(excluded.items()):
            print(f"left out: {count} {why}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
