"""flake8's side: options in, `(line, column, "CNC201 text", type)` out."""

from __future__ import annotations

import argparse
import ast
import gc
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from flake8.exceptions import ExecutionError

from flake8_concurrency import __version__
from flake8_concurrency.options import (
    DEFAULT_QUIET_PATHS,
    OptionError,
    Options,
    parse_blocking_calls,
    parse_defer_to,
    parse_enable,
    parse_project_root,
    parse_quiet_paths,
)

if TYPE_CHECKING:
    from flake8.options.manager import OptionManager


class Plugin:
    """One file's run. flake8 makes an instance for each file and hands it what its parameters name."""

    name: ClassVar[str] = "flake8-concurrency"
    version: ClassVar[str] = __version__
    #: Set once for the run, before flake8 makes its processes; a spawned process parses its options again.
    options: ClassVar[Options] = Options()

    def __init__(self, tree: ast.Module, lines: Sequence[str], filename: str) -> None:
        self._tree = tree
        self._lines = lines
        self._filename = filename

    def run(self) -> Iterator[tuple[int, int, str, type[Plugin]]]:
        """Findings as flake8 wants them: lines from 1, columns from 0."""
        # Not at the top: `flake8 --version` and `--help` need no libcst.
        from flake8_concurrency import engine  # noqa: PLC0415

        source = "".join(self._lines)
        found = engine.lint(source, tree=self._tree, filename=self._filename, options=self.options)
        for line, column, code, message, _ in found:
            yield line, column, f"{code} {message}", type(self)

    @classmethod
    def add_options(cls, manager: OptionManager) -> None:
        """Declare our options, for the command line and for flake8's configuration files."""
        for name, default, metavar, help_text in (
            ("enable", (), "CODES", "opt-in rules to turn on: codes, prefixes of codes, or ALL"),
            ("blocking-calls", (), "NAMES", "calls of your own that block, each with its async twin if any: a.b->c.d"),
            ("defer-to", (), "CODES", "be silent where these codes of other linters report the same: ASYNC,RUF,S"),
            ("quiet-paths", DEFAULT_QUIET_PATHS, "GLOBS", "files in which quiet rules are silent"),
        ):
            manager.add_option(
                f"--concurrency-{name}",
                default=list(default),
                metavar=metavar,
                help=f"{help_text} (default: {','.join(default) or 'none'})",
                parse_from_config=True,
                comma_separated_list=True,
            )
        manager.add_option(
            "--concurrency-project-root",
            default="off",
            metavar="DIR",
            help="look into the other files of the project as well: the directory of your own modules, or auto for the"
            " nearest one around each file with a pyproject.toml, setup.cfg, setup.py or .git (default: off)",
            parse_from_config=True,
        )

    @classmethod
    def parse_options(cls, parsed: argparse.Namespace) -> None:
        """Check our options, before any file is linted, and keep them for the run."""
        # Here and not in run(): processes that flake8 forks after this need not import the rules again.
        from flake8_concurrency import catalogue, engine  # noqa: F401, PLC0415

        codes = [rule.code for rule in catalogue.rules()]
        # Modules and tables are never garbage: without this, every full collection of the run would look through them.
        gc.freeze()
        try:
            cls.options = Options(
                enable=parse_enable(parsed.concurrency_enable, codes),
                blocking_calls=parse_blocking_calls(parsed.concurrency_blocking_calls),
                defer_to=parse_defer_to(parsed.concurrency_defer_to),
                quiet_paths=parse_quiet_paths(parsed.concurrency_quiet_paths),
                project_root=parse_project_root(parsed.concurrency_project_root),
            )
        except OptionError as error:
            raise ExecutionError(str(error)) from error
