"""The contract between a rule, the engine and the fixer: Rule, Gate, Finding, Fix."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import libcst as cst

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel

#: Nodes of the linted tree, each with what replaces it.
Replacements = Mapping[cst.CSTNode, cst.CSTNode | cst.RemovalSentinel]


class Fix(NamedTuple):
    """How a finding may be repaired. `build` is called only by `fix`, never while linting.

    A fix is `safe` when it provably keeps the meaning and removes the defect; one that has to invent a number or an
    import of ours is not.
    """

    safe: bool
    build: Callable[[], Replacements]


class Finding(NamedTuple):
    """One defect, at one node of the linted tree."""

    code: str
    message: str
    node: cst.CSTNode
    fix: Fix | None = None


Asking = Callable[[ast.AST], Collection[str]]
Finds = Callable[[Sequence[ast.AST], Collection[str]], Collection[ast.AST]]
Answering = Callable[[ast.AST, Collection[str]], Collection[str]]


class Gate(NamedTuple):
    """What must stand in a text for a rule to be able to speak about it: sound, and cheap to ask.

    `anchors` are last names of callees (`sleep` for `time.sleep(...)`); one of them, or another name the file gives to
    one (`import … as`, `nap = time.sleep`, a class derived from it), is called in the function where the finding would
    stand. With `called=False` a mention is enough.

    `context` are groups of words; of each group at least one word, or a name imported with it, occurs in that function
    or in what it leads to by name. A kind is only ever known through a word: no `requests` means no `requests.Session`.

    `needs` gives anchors words of the same sense: of those named for an anchor one occurs where it is called, or in
    what that leads to. `with`, `for` and `if` are anchors for what those statements call, `*` is one for every call.

    A rule whose findings contain no fixed word `asks`: for a function's `ast` tree it gives words, none where no
    finding can stand. Something that the function, or whatever calls it, leads to must answer one of them: what
    `answers` gives for a piece of the text that mentions an anchor, and the names of the anchors. Callers are kept as
    well, for they may be why the rule speaks or is silent. `inner` asks on behalf of a method that matters only where
    it is called on another object; functions named in `hooks` have callers that nobody sees; with `nearest` the
    callers of a function that is not private are kept, and not theirs. Where `where` has words, nobody is asked who
    has none of them, or another name for one; among them `STORED` stands for an attribute or item that is stored, and
    `create*` for all words that begin so.

    What has a text that `keeps` matches is kept wherever it stands, once a finding could stand anywhere.

    `awaited` also takes calls that are awaited, and `async with` as an anchor for what it calls.

    Where a rule `wants` only the kinds of what is in the anchor's `call`, or in its `callee`, nothing else is kept for
    it: all besides it sees in the function itself.

    `may` is asked about each call of an anchor that is not awaited: it gives words of the sense of `needs`, and None
    for a call that can't be meant.

    Where a whole text has to be seen at once, `finds` tells of all its functions, classes and other statements, and of
    all names of anchors, in which a finding could stand, and which it needs.

    `looks` is asked about a function in which an anchor is called, with all names of anchors: whether a finding could
    stand there by its shape.

    `speaks` is asked once about all words of the text, and tells whether it speaks at all of what the rule is about;
    `text` must match somewhere in it.

    With `elsewhere` the anchors are the functions of the project's other files that block.

    `only_async` wants the anchor called inside an `async def` and not awaited. `reaches` also takes a call of a
    function of this file that reaches an anchor through sync code.
    """

    anchors: frozenset[str]
    context: tuple[frozenset[str], ...] = ()
    only_async: bool = False
    reaches: bool = False
    elsewhere: bool = False
    called: bool = True
    awaited: bool = False
    needs: Mapping[str, frozenset[str]] = MappingProxyType({})
    asks: Asking | None = None
    inner: Asking | None = None
    answers: Answering | None = None
    hooks: frozenset[str] = frozenset()
    where: frozenset[str] = frozenset()
    keeps: re.Pattern[str] | None = None
    nearest: bool = False
    speaks: Callable[[Collection[str]], bool] | None = None
    text: re.Pattern[str] | None = None
    wants: Literal["all", "call", "callee"] = "all"
    finds: Finds | None = None
    looks: Callable[[ast.AST, Collection[str]], bool] | None = None
    may: Callable[[ast.Call], frozenset[str] | None] | None = None


class Rule(cst.CSTVisitor):
    """A libcst visitor that looks for one defect in one file. An instance lives for one file.

    The docstring of a rule is its page, under fixed headings (see `catalogue`).
    """

    #: `CNC` and three digits; never changes its meaning once released.
    code: ClassVar[str]
    #: The defect, in words joined by hyphens.
    name: ClassVar[str]
    #: A `str.format` template: what is wrong and what follows, then the remedy.
    message: ClassVar[str]
    gate: ClassVar[Gate]
    #: The gate in a run in which the user names the rule, where it then says more (see `FileModel.is_named`).
    named_gate: ClassVar[Gate | None] = None
    #: False for a rule that reports only when named in `--concurrency-enable`.
    enabled: ClassVar[bool] = True
    #: True for a rule that is silent in tests, migrations, examples and generated files.
    quiet: ClassVar[bool] = False
    #: A package without which the rule is off, and the extra of ours that brings it.
    requires: ClassVar[tuple[str, str] | None] = None
    #: Codes of other linters that report the same defect, for `--concurrency-defer-to`.
    overlaps: ClassVar[tuple[str, ...]] = ()

    def __init__(self, file: FileModel) -> None:
        super().__init__()
        self.file = file
        self.findings: list[Finding] = []

    @classmethod
    def gate_for(cls, configured: Collection[str], codes: Collection[str] = ()) -> Gate:
        """The gate in a run with these rules, for which the user names these blocking calls: as a rule, its own."""
        del configured, codes
        return cls.gate

    def report(self, node: cst.CSTNode, *, fix: Fix | None = None, **facts: object) -> None:
        """Record a finding at `node`, the message's fields filled from `facts`."""
        self.findings.append(Finding(self.code, self.message.format(**facts), node, fix))
