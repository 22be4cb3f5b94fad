"""Reads the knowledge tables: types from their written form, members of library classes through their bases."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from flake8_concurrency.knowledge import libraries, stdlib
from flake8_concurrency.knowledge.schema import ClassFact


class Kind(NamedTuple):
    """What is known of a value.

    `name` is the public dotted name of the value's class. Some names are the model's own: `type` (a class, with the
    kind of its instances as argument), `symbol` (an imported thing, its dotted name in `ref`), `function` (of the file,
    `ref` its FunctionInfo, bound to its argument if there is one), `method` (of a library class, `ref` its dotted name,
    bound to its argument), `lambda` (it gives the argument), `partial` (the argument is the callee, `ref` the call),
    `awaitable` (gives its argument when awaited), `union`, `none`, and `instance` (of a class of this file, `ref` its
    ClassInfo).
    """

    name: str
    args: tuple[Kind | None, ...] = ()
    ref: object = None


NONE = Kind("none")
#: What a value is said to be while it is being found out: among alternatives, it counts for nothing.
UNDECIDED = Kind("undecided")
#: More alternatives than this count as unknown.
_MOST_ALTERNATIVES = 16
#: An empty one of these (with no arguments) says nothing about its elements.
CONTAINERS = frozenset(
    """builtins.list builtins.set builtins.dict collections.deque collections.defaultdict collections.OrderedDict
    queue.Queue queue.SimpleQueue queue.LifoQueue queue.PriorityQueue asyncio.Queue asyncio.LifoQueue
    asyncio.PriorityQueue multiprocessing.queues.Queue multiprocessing.queues.SimpleQueue""".split()
)
LIST, TUPLE, SET, DICT, STR = "builtins.list", "builtins.tuple", "builtins.set", "builtins.dict", "builtins.str"
#: Those whose second argument is the kind of their values.
KEYED = frozenset({DICT, "collections.defaultdict", "collections.OrderedDict"})
ITERATOR, ASYNC_ITERATOR = "collections.abc.Iterator", "collections.abc.AsyncIterator"
POOL_FUTURE = "concurrent.futures.Future"
#: `Kind.ref` of a future that is known to be done.
DONE = "done"
#: `Kind.ref` of a queue that was made with a size.
BOUNDED = "bounded"
#: `Kind.ref` of a lock, or a serial port, that was made to give up at once.
IMPATIENT = "impatient"
_NO_VARIABLES: Mapping[str, Kind | None] = {}

#: Spellings that mean another class for the model.
_TYPING = {
    "typing.List": "builtins.list",
    "typing.Dict": "builtins.dict",
    "typing.Set": "builtins.set",
    "typing.FrozenSet": "builtins.frozenset",
    "typing.Tuple": "builtins.tuple",
    "typing.Deque": "collections.deque",
    "typing.DefaultDict": "collections.defaultdict",
    "typing.OrderedDict": "collections.OrderedDict",
    "typing.Type": "builtins.type",
    "typing.Text": "builtins.str",
    **{
        f"typing.{name}": f"collections.abc.{name}"
        for name in """AsyncGenerator AsyncIterable AsyncIterator Awaitable Callable Collection Container Coroutine
        Generator ItemsView Iterable Iterator KeysView Mapping MutableMapping MutableSequence MutableSet Reversible
        Sequence ValuesView""".split()
    },
    "typing.AbstractSet": "collections.abc.Set",
    "typing.ContextManager": "contextlib.AbstractContextManager",
    "typing.AsyncContextManager": "contextlib.AbstractAsyncContextManager",
}


def canonical(name: str) -> str:
    """The public name of a library's class or function, whatever the spelling."""
    if name.startswith("typing_extensions."):
        name = "typing." + name.removeprefix("typing_extensions.")
    name = _TYPING.get(name, name)
    return stdlib.ALIASES.get(name) or libraries.public_name(name)


def class_fact(name: str) -> ClassFact | None:
    """What is known of a library's class, by its public name."""
    return stdlib.CLASSES.get(name) or libraries.CLASSES.get(name)


def function_fact(name: str) -> str | None:
    """The written type of a library's function, by its public name."""
    return stdlib.FUNCTIONS.get(name) or libraries.FUNCTIONS.get(name)


def constant_fact(name: str) -> str | None:
    """The written type of a library's module variable, by its public name."""
    return stdlib.CONSTANTS.get(name) or libraries.CONSTANTS.get(name)


def symbol(target: str) -> Kind:
    """What a library's dotted name stands for: a module variable of a known type, or the thing itself."""
    name = canonical(target)
    text = constant_fact(name)
    kind = None if text is None else instantiate(written(text), {}, None)
    return kind or Kind("symbol", ref=name)


class Written(NamedTuple):
    """A type as written in a table: a name with arguments, or `|` with the alternatives as arguments."""

    name: str
    args: tuple[Written, ...] = ()


_TOKEN = re.compile(r"\s*([\w.?]+|[\[\],|])")


@cache
def written(text: str) -> Written:
    """Parse a written type."""
    tokens = _TOKEN.findall(text)
    tokens.append("")
    result, rest = _union(tokens, 0)
    if tokens[rest]:
        raise ValueError(f"not a type expression: {text!r}")
    return result


def _union(tokens: list[str], at: int) -> tuple[Written, int]:
    first, at = _single(tokens, at)
    parts = [first]
    while tokens[at] == "|":
        part, at = _single(tokens, at + 1)
        parts.append(part)
    return (first if len(parts) == 1 else Written("|", tuple(parts))), at


def _single(tokens: list[str], at: int) -> tuple[Written, int]:
    name = tokens[at]
    if not name or name in "[],|":
        raise ValueError(f"a name was expected in {tokens!r}")
    at += 1
    args: list[Written] = []
    if tokens[at] == "[":
        while tokens[at] != "]":
            arg, at = _union(tokens, at + 1)
            args.append(arg)
        at += 1
    return Written(name, tuple(args)), at


@cache
def signature(text: str) -> tuple[bool, bool, str]:
    """Split a member's text: is it callable, is it async, and the type it is or gives."""
    is_async = text.startswith("async ")
    if is_async:
        text = text.removeprefix("async ")
    if text.startswith("() -> "):
        return True, is_async, text.removeprefix("() -> ")
    return False, False, text


def instantiate(type_: Written, variables: Mapping[str, Kind | None], this: Kind | None) -> Kind | None:
    """The kind that a written type means, with its class's type parameters filled in; None when unknown."""
    name = type_.name
    if name == "?":
        return None
    if name == "None":
        return NONE
    if name == "Self":
        return this
    if "." not in name and name != "|":
        return variables.get(name)
    args = tuple(instantiate(arg, variables, this) for arg in type_.args if arg.name != "...")
    if name == "|":
        return union(args)
    if name == "builtins.type":
        return Kind("type", args or (None,))
    if name in ("collections.abc.Awaitable", "collections.abc.Coroutine") and args:
        return Kind("awaitable", args[-1:])
    return Kind(canonical(name), args)


def union(kinds: tuple[Kind | None, ...]) -> Kind | None:
    """One kind for several alternatives: None left out, unknown if any other is unknown."""
    found: list[Kind] = []
    undecided = False
    for kind in kinds:
        if kind is None or len(found) > _MOST_ALTERNATIVES:
            return None
        if kind is UNDECIDED:
            undecided = True
            continue
        parts = kind.args if kind.name == "union" else (kind,)
        found += [part for part in parts if part is not None and part != NONE and part not in found]
    if not found:
        return UNDECIDED if undecided else NONE if kinds else None
    if len(found) > 1:
        filled = {part.name for part in found if part.args}
        found = [part for part in found if part.args or part.name not in CONTAINERS or part.name not in filled]
    return found[0] if len(found) == 1 else Kind("union", tuple(found))


#: Types are followed into their arguments this far.
_DEEPEST = 6


def settled(kind: Kind | None, depth: int = 0) -> Kind | None:
    """A kind without its undecided parts, and without what is nested beyond reason."""
    if kind is None or kind is UNDECIDED:
        return None
    if not kind.args:
        return kind
    args = tuple(settled(arg, depth + 1) for arg in kind.args) if depth < _DEEPEST else (None,) * len(kind.args)
    return kind if args == kind.args else Kind(kind.name, args, kind.ref)


def ancestry(kind: Kind) -> list[Kind]:
    """A library class's kind followed by those of its bases, type arguments carried along; depth first."""
    found: list[Kind] = []
    pending = [kind]
    while pending:
        current = pending.pop(0)
        if any(current.name == known.name for known in found):
            continue
        found.append(current)
        fact = class_fact(current.name)
        if fact is not None:
            variables = _variables(fact, current)
            bases = (instantiate(written(base), variables, None) for base in fact.bases)
            pending = [base for base in bases if base is not None] + pending
    return found


def _variables(fact: ClassFact, kind: Kind) -> dict[str, Kind | None]:
    args = kind.args
    if kind.name == "builtins.tuple" and len(args) > 1:
        args = (args[0] if all(arg == args[0] for arg in args) else None,)
    return {name: args[i] if i < len(args) else None for i, name in enumerate(fact.params)}


class Member(NamedTuple):
    """A member of a library class: the class that defines it, and what it is or gives."""

    owner: str
    callable: bool
    asynchronous: bool
    kind: Kind | None


def member(
    kind: Kind, name: str, this: Kind | None, variables: Mapping[str, Kind | None] = _NO_VARIABLES
) -> Member | None:
    """Look a member of a library class up, its bases included.

    `this` is what `Self` means; `variables` adds to the class's own type arguments. A member `*` stands for all public
    names that the class and its bases do not list.
    """
    found = _listed(kind, name, this, variables)
    return found or (None if name.startswith("_") else _listed(kind, "*", this, variables))


def _listed(kind: Kind, name: str, this: Kind | None, variables: Mapping[str, Kind | None]) -> Member | None:
    for current in ancestry(kind):
        fact = class_fact(current.name)
        if fact is not None and name in fact.members:
            is_callable, is_async, text = signature(fact.members[name])
            gives = instantiate(written(text), {**_variables(fact, current), **variables}, this)
            return Member(current.name, is_callable, is_async, gives)
    return None


def function_result(name: str, variables: Mapping[str, Kind | None] = _NO_VARIABLES) -> Kind | None:
    """What calling a library's function gives; an awaitable for an async one."""
    text = function_fact(name)
    if text is None:
        return None
    _, is_async, result = signature(text)
    gives = instantiate(written(result), variables, None)
    return Kind("awaitable", (gives,)) if is_async else gives
