"""The words by which a text that holds a blocking call can be recognised, taken from the tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from flake8_concurrency.knowledge import libraries, stdlib
from flake8_concurrency.knowledge.blocking import BLOCKING
from flake8_concurrency.knowledge.schema import ClassFact

_NAME = re.compile(r"[\w.]+")
#: What stands in a text where Python calls a method without its name.
_SYNTAX = {"__enter__": "with", "__exit__": "with", "__iter__": "for", "__next__": "for"}


#: Stands for every method, where no list of names says which of a class's methods block.
ANY = "*"


@cache
def blocking_words(*categories: str) -> Mapping[str, frozenset[str]]:
    """The last names of the calls of these categories, each with the words that tell what it is called on.

    `with` and `for` stand for what those statements call, `*` for the methods of classes that block in all of them.
    One of the telling words is part of every way in which a text can show what is called: where a function is
    imported from, or which class an object has.
    """
    found: dict[str, set[str]] = {}
    for key, fact in BLOCKING.items():
        if fact.category in categories:
            owner, _, name = key.rpartition(".")
            found.setdefault(_SYNTAX.get(name, name), set()).update(_evidence(owner, name, key))
    return {name: frozenset(telling) for name, telling in found.items()}


def _evidence(owner: str, name: str, key: str) -> frozenset[str] | set[str]:
    if _class(owner) is not None or name == ANY:
        return _telling(owner)
    if _class(key) is not None:
        return _telling(key)
    return {name} if owner == "builtins" else _roots(key)


def _class(name: str) -> ClassFact | None:
    return stdlib.CLASSES.get(name) or libraries.CLASSES.get(name)


def _roots(name: str) -> set[str]:
    """The packages from which a function can be imported."""
    return {name.partition(".")[0], *(other.partition(".")[0] for other in _other_spellings().get(name, ()))}


@cache
def _other_spellings() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table in (stdlib.ALIASES, libraries.ALIASES):
        for spelling, name in table.items():
            found.setdefault(name, []).append(spelling)
    return found


@cache
def _telling(class_name: str) -> frozenset[str]:
    """The names of a class, of those derived from it, and of everything that the tables say gives one of them."""
    wanted = {class_name}
    pending = [class_name]
    found: set[str] = set()
    while pending:
        name = pending.pop()
        found.update(spelling.rpartition(".")[2] for spelling in (name, *_other_spellings().get(name, ())))
        more = set(_derived().get(name, ())) | _owners().get(name, set())
        found |= _givers().get(name, set())
        pending += more - wanted
        wanted |= more
    return frozenset(found)


@cache
def _derived() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, fact in [*stdlib.CLASSES.items(), *libraries.CLASSES.items()]:
        for base in fact.bases:
            found.setdefault(base.partition("[")[0], []).append(name)
    return found


@cache
def _owners() -> dict[str, set[str]]:
    """By class: the classes that give an object of it without a telling word.

    `with` and `for` have no word for what they call, and the words of libraries are the plainest: `get`, `create`.
    """
    found: dict[str, set[str]] = {}
    for table, is_plain in ((stdlib.CLASSES, False), (libraries.CLASSES, True)):
        for owner, fact in table.items():
            for member, text in fact.members.items():
                if is_plain or member.startswith("__"):
                    for name in _classes_in(text):
                        found.setdefault(name, set()).add(owner)
    return found


@cache
def _givers() -> dict[str, set[str]]:
    """By class: the functions and variables, and the members of the standard library's classes, that give one."""
    found: dict[str, set[str]] = {}
    tables = [fact.members for fact in stdlib.CLASSES.values()]
    tables += [stdlib.FUNCTIONS, stdlib.CONSTANTS, libraries.FUNCTIONS, libraries.CONSTANTS]
    for table in tables:
        for giver, text in table.items():
            if not giver.startswith("__"):
                for name in _classes_in(text):
                    found.setdefault(name, set()).add(giver.rpartition(".")[2])
    return found


@cache
def _classes_in(text: str) -> tuple[str, ...]:
    return tuple(name for name in _NAME.findall(text) if "." in name)
