"""What a user may configure, parsed and checked before any file is linted."""

from __future__ import annotations

import functools
import keyword
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

#: The word that enables every rule.
ALL = "ALL"

#: Where nobody is hurt by a wait without a timeout: tests, migrations, examples, and code that nobody here writes.
DEFAULT_QUIET_PATHS = (
    "test/",
    "tests/",
    "testing/",
    "testsuite/",
    "testsuites/",
    "test_suite/",
    "testutils/",
    "test_utils/",
    "testing.py",
    "testutils.py",
    "pytest/",
    "test_*.py",
    "*_test.py",
    "tests.py",
    "conftest.py",
    "*pytest_plugin*.py",
    "pytest_*.py",
    "migrations/",
    "migrations.py",
    "alembic/versions/",
    "example/",
    "examples/",
    "samples/",
    "demos/",
    "doc/",
    "docs/",
    "_vendor/",
    "vendor/",
    "vendored/",
    "third_party/",
    "generated/",
    "*_generated.py",
    "*_pb2.py",
    "*_pb2_grpc.py",
)

_OUR_PREFIX = re.compile(r"CNC[0-9]{0,3}", re.ASCII)
_ANY_PREFIX = re.compile(r"[A-Z]+[0-9]*", re.ASCII)
_GLOB_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)


class OptionError(ValueError):
    """A value that an option does not accept. Its text is one line: the option, the value, what would be accepted."""

    def __init__(self, option: str, value: str, accepted: str) -> None:
        super().__init__(f"--concurrency-{option}: {value!r} is not accepted: {accepted}")


class Switched(Protocol):
    """What decides whether a rule may speak: the part of `type[Rule]` that is asked here."""

    @property
    def code(self) -> str: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def overlaps(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Options:
    """One user's configuration, as the engine and the rules see it."""

    #: Codes or prefixes of opt-in rules that may speak, or `ALL`.
    enable: frozenset[str] = frozenset()
    #: Dotted names of the user's own blocking calls, each with its async twin or "".
    blocking_calls: Mapping[str, str] = field(default_factory=dict, hash=False)
    #: Prefixes of other linters' codes; a rule of ours that overlaps one of them is silent.
    defer_to: frozenset[str] = frozenset()
    #: Globs of the files in which quiet rules are silent.
    quiet_paths: tuple[str, ...] = DEFAULT_QUIET_PATHS

    #: The directory of the user's own modules; "" to find it for each file, "off" to look into no other file.
    project_root: str = "off"

    def is_enabled(self, rule: Switched) -> bool:
        """Whether `rule` may speak in this run at all."""
        return (rule.enabled or self.is_named(rule)) and not any(
            code.startswith(tuple(self.defer_to)) for code in rule.overlaps
        )

    def is_named(self, rule: Switched) -> bool:
        """Whether the user asks for `rule`: one that reports by default may then have more to say."""
        return ALL in self.enable or rule.code.startswith(tuple(self.enable))

    def is_quiet(self, filename: str) -> bool:
        """Whether quiet rules are silent in `filename`.

        A glob is compared with whole path parts, anywhere in the path; one that ends with a slash names a directory.
        A file below the working directory is compared by its relative path, however it is spelled: a project that
        happens to live in `/home/me/tests` is not all tests.
        """
        return _pattern(self.quiet_paths).search(_relative(filename)) is not None


def parse_enable(values: Iterable[str], codes: Iterable[str]) -> frozenset[str]:
    """`CNC204,CNC5,ALL`: `codes` are the codes that exist."""
    known = tuple(codes)
    accepted = "give codes (CNC204), prefixes of codes (CNC5) or ALL, separated by commas"
    for value in values:
        if value == ALL:
            continue
        if not _OUR_PREFIX.fullmatch(value):
            raise OptionError("enable", value, accepted)
        if not any(code.startswith(value) for code in known):
            raise OptionError("enable", value, f"no rule has this code or prefix; {accepted}")
    return frozenset(values)


def parse_blocking_calls(values: Iterable[str]) -> Mapping[str, str]:
    """`my.client.fetch->my.aclient.fetch,other.call`: dotted names, each with its async twin or "".

    Spaces around the arrow are welcome, although flake8 has split the value at them.
    """
    twins = {}
    for value in re.sub(r"\s*->\s*", "->", " ".join(values)).split():
        name, arrow, twin = value.partition("->")
        if not _is_dotted(name) or (arrow and not _is_dotted(twin)):
            accepted = "give dotted names (my.client.fetch), each with its async twin if it has one (a.b->c.d)"
            raise OptionError("blocking-calls", value, accepted)
        twins[name] = twin
    return twins


def parse_defer_to(values: Iterable[str]) -> frozenset[str]:
    """`ASYNC,RUF,S1`: prefixes of other linters' codes."""
    for value in values:
        if not _ANY_PREFIX.fullmatch(value):
            accepted = "give codes or prefixes of other linters (ASYNC, RUF006, S), separated by commas"
            raise OptionError("defer-to", value, accepted)
    return frozenset(values)


def parse_project_root(value: str) -> str:
    """A directory, `auto` to find one for each file, or `off` to look into no other file."""
    if value == "auto":
        return ""
    if value == "off":
        return value
    if not value or "\0" in value or not Path(value).is_dir():
        raise OptionError("project-root", value, "give a directory, auto to find it for each file, or off")
    return str(Path(value).resolve())


def parse_quiet_paths(values: Iterable[str]) -> tuple[str, ...]:
    """`tests/,*_pb2.py`: globs of path parts."""
    globs = []
    for value in values:
        glob = value.replace("\\", "/")
        if glob.startswith("/") or ":" in glob or ".." in glob.split("/") or not _compiles(glob):
            accepted = "give globs of path parts (tests/, test_*.py, alembic/versions/), separated by commas"
            raise OptionError("quiet-paths", value, accepted)
        globs.append(glob)
    return tuple(globs)


def _is_dotted(name: str) -> bool:
    parts = name.split(".")
    return len(parts) > 1 and all(part.isidentifier() and not keyword.iskeyword(part) for part in parts)


def _compiles(glob: str) -> bool:
    try:
        re.compile(_translate(glob))
    except re.error:
        return False
    return True


def _relative(filename: str) -> str:
    path = filename.replace("\\", "/")
    here = Path.cwd().as_posix().rstrip("/") + "/"
    return posixpath.normpath(path.removeprefix(here))


@functools.lru_cache(maxsize=8)
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    """One regular expression for all globs: this is asked once a file."""
    # With no globs at all, an empty alternation would match everything.
    return re.compile("|".join(map(_translate, globs)) or r"(?!)")


def _translate(glob: str) -> str:
    directory = glob.endswith("/")
    parts = posixpath.normpath(glob)
    body = "".join(map(_translate_token, _GLOB_TOKEN.findall(parts)))
    return f"(?:^|/){body}/" if directory else f"(?:^|/){body}(?:/|$)"


def _translate_token(token: str) -> str:
    if token == "**/":
        return "(?:[^/]+/)*"
    if token == "**":
        return ".*"
    if token == "*":
        return "[^/]*"
    if token == "?":
        return "[^/]"
    if len(token) > 1:
        inside = re.sub(r"([\[\]^&~|])", r"\\\1", token[1:-1])
        return f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
    return re.escape(token)
