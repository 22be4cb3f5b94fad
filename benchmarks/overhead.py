"""What the plugin adds to flake8's own time: `python benchmarks/overhead.py`.

Bare flake8, flake8 with this checkout and flake8 with flake8-async each live in a virtual environment of their own
(made once, in `benchmarks/environments/`) and lint the same files of the corpus, in turn, with one process. What counts
is CPU time, start-up included, so that a busy machine disturbs little; the median of the rounds decides.
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import statistics
import subprocess
import sys
import venv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from corpus import CorpusError, applications, count_lines, python_files

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / "benchmarks" / "environments"

FLAKE8 = "flake8==7.5.0"
LIBCST = "libcst==1.9.0"

#: What each environment has in it. Both plugins parse with the same libcst.
ENVIRONMENT = {
    "bare": (FLAKE8,),
    # Installed as a user installs it, with its bytecode compiled; anew each time, since the checkout may have changed.
    "ours": (FLAKE8, LIBCST, "--force-reinstall", str(ROOT)),
    "async": (FLAKE8, LIBCST, "flake8-async==26.8.1"),
}

#: Each measured configuration: the environment it runs in, and what flake8 is told besides. `project` is ours that
#: looks into the other files of the project as well; the root of all applications is this checkout's then.
CONFIGURATION: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "bare": ("bare", ()),
    "ours": ("ours", ()),
    "project": ("ours", ("--concurrency-project-root=auto",)),
    "async": ("async", ()),
}

#: An import of an ORM, or of what applications call the module with their tables or their session.
_DATABASE = re.compile(
    rb"^\s*(?:from|import)\s.*\b(?:django|rest_framework|sqlalchemy|sqlmodel|flask_sqlalchemy|peewee|tortoise|db|database"
    rb"|models|orm)\b",
    re.MULTILINE,
)

#: Seconds that one installation or one run of flake8 may take.
LIMIT = 1800


class OverheadError(Exception):
    """A measurement could not be made; the text says why."""


class Drawn(NamedTuple):
    """A file and its length."""

    path: Path
    lines: int


def draw(files: Mapping[str, Sequence[Drawn]], lines: int, seed: int) -> list[Drawn]:
    """Files of at least so many lines in all, the same for the same seed, each application giving about as many."""
    generator = random.Random(seed)
    waiting = {name: generator.sample(files[name], len(files[name])) for name in sorted(files)}
    given = dict.fromkeys(waiting, 0)
    drawn: list[Drawn] = []
    while sum(given.values()) < lines:
        left = [name for name in waiting if waiting[name]]
        if not left:
            raise OverheadError(f"there are only {sum(given.values()):,} lines to draw from")
        poorest = min(left, key=given.__getitem__)
        drawn.append(waiting[poorest].pop())
        given[poorest] += drawn[-1].lines
    return drawn


def chosen(paths: Iterable[Path], database: str) -> list[Path]:
    """The files that import something of a database (`with`), those that do not (`without`), or all (`any`)."""
    return [
        path for path in paths if database == "any" or (database == "with") == bool(_DATABASE.search(path.read_bytes()))
    ]


def python_of(name: str) -> Path:
    """The interpreter of an environment."""
    return ENVIRONMENTS / name / "bin" / "python"


def install(name: str) -> None:
    """Make the environment if it is missing, and bring it to what `ENVIRONMENT` says."""
    if not python_of(name).exists():
        venv.create(ENVIRONMENTS / name, with_pip=True)
    command = [str(python_of(name)), "-m", "pip", "install", "--quiet", *ENVIRONMENT[name]]
    if subprocess.run(command, timeout=LIMIT, check=False).returncode:
        raise OverheadError(f"pip could not make the environment {name!r} (see above)")


def cpu_seconds(name: str, paths: Sequence[Path]) -> float:
    """CPU time, user and system, of one flake8 run over the files. What it finds is thrown away."""
    environment, options = CONFIGURATION[name]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [str(python_of(environment)), "-m", "flake8", "--isolated", "-j1", "--exit-zero", *options, *map(str, paths)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise OverheadError(f"flake8 failed in the environment {name!r}:\n{done.stderr}")
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


class Taken(NamedTuple):
    """CPU seconds of one environment, round by round: for the files, and for starting up alone (part of the former)."""

    whole: list[float]
    start_up: list[float]


def measure(names: Sequence[str], paths: Sequence[Path], rounds: int) -> dict[str, Taken]:
    """Run every configuration in every round. A start-up that does not count goes first, to fill the caches."""
    taken = {name: Taken([], []) for name in names}
    nothing = ENVIRONMENTS / "nothing.py"
    nothing.touch()
    for name in names:
        cpu_seconds(name, [nothing])
    for number in range(1, rounds + 1):
        for name in names:
            taken[name].start_up.append(cpu_seconds(name, [nothing]))
            taken[name].whole.append(cpu_seconds(name, paths))
            print(f"round {number}/{rounds} {name:<6}{taken[name].whole[-1]:9.2f} s", file=sys.stderr, flush=True)
    return taken


def added(taken: Mapping[str, Taken], name: str) -> float:
    """What a plugin adds, start-up included, as a part of bare flake8's own time."""
    bare = statistics.median(taken["bare"].whole)
    return (statistics.median(taken[name].whole) - bare) / bare


def table(taken: Mapping[str, Taken], lines: int) -> str:
    """Medians and ratios."""
    rows = [f"{'':<8}{'median s':>10}{'fastest':>10}{'slowest':>10}{'start-up':>10}{'us a line':>11}{'added':>9}"]
    for name, (whole, start_up) in taken.items():
        median = statistics.median(whole)
        spread = f"{median:>10.2f}{min(whole):>10.2f}{max(whole):>10.2f}{statistics.median(start_up):>10.2f}"
        ratio = "" if name == "bare" else f"{added(taken, name):.3f}"
        rows.append(f"{name:<8}{spread}{1e6 * median / lines:>11.1f}{ratio:>9}")
    return "\n".join(rows)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--app", action="append", default=[], metavar="NAME", help="only this application; repeatable")
    parser.add_argument("--lines", type=int, default=60_000, metavar="N", help="at least so many (default: 60000)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--database",
        choices=("any", "with", "without"),
        default="any",
        help="only files that import an ORM or the application's own tables, or only the others (default: any)",
    )
    parser.add_argument("--without-async", action="store_true", help="leave flake8-async out, which takes longest")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the environments, measure, print."""
    asked = parse_arguments(arguments)
    names = [name for name in CONFIGURATION if not (asked.without_async and name == "async")]
    try:
        files = {
            str(application): [
                Drawn(path, count_lines(path)) for path in chosen(python_files(application), asked.database)
            ]
            for application in applications(asked.app)
        }
        drawn = draw(files, asked.lines, asked.seed)
        for environment in dict.fromkeys(CONFIGURATION[name][0] for name in names):
            install(environment)
        taken = measure(names, [one.path for one in drawn], asked.rounds)
    except (CorpusError, OverheadError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 1
    lines = sum(one.lines for one in drawn)
    print(
        f"{len(drawn)} files ({asked.database} database), {lines:,} lines, seed {asked.seed}, {asked.rounds} rounds, "
        "CPU time of `flake8 -j1`"
    )
    print(table(taken, lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
