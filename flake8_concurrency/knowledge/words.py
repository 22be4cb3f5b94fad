"""The words by which a text that holds a blocking call can be recognised, taken from the tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from flake8_concurrency.knowledge import libraries, stdlib
from flake8_concurrency.knowledge.blocking import BLOCKING
from flake8_concurrency.knowledge.offloading import OFFLOADING
from flake8_concurrency.knowledge.schema import ClassFact

_NAME = re.compile(r"[\w.]+")
#: Stands for every method, where no list of names says which of a class's methods block.
ANY = "*"
#: Modules that a name which nothing in a file binds surely means, where another file's names are imported with a star.
MODULES = frozenset(
    "asyncio concurrent httpx httpx2 os pathlib requests shutil socket subprocess threading time urllib urllib3".split()
)
#: What stands in a text where Python calls a method without its name.
_SYNTAX = {
    **dict.fromkeys(("__enter__", "__exit__"), "with"),
    **dict.fromkeys(("__iter__", "__next__"), "for"),
    **dict.fromkeys(("__bool__", "__len__"), "if"),
    "__call__": ANY,
}


@cache
def blocking_words(*categories: str) -> Mapping[str, frozenset[str]]:
    """The last names of the calls of these categories, each with the words that tell what it is called on.

    `with`, `for` and `if` stand for what those statements call, `*` for the methods of classes that block in all of
    them. One of the telling words is part of every way in which a text can show what is called: where a function is
    imported from, or which class an object has.
    """
    return calling_words(*(key for key, fact in BLOCKING.items() if fact.category in categories))


@cache
def calling_words(*keys: str) -> Mapping[str, frozenset[str]]:
    """The same for the functions, methods and classes of these keys."""
    found: dict[str, set[str]] = {}
    for key in keys:
        owner, _, name = key.rpartition(".")
        found.setdefault(_SYNTAX.get(name, name), set()).update(_evidence(owner, name, key))
    return {name: frozenset(telling) for name, telling in found.items()}


def class_words(*names: str) -> frozenset[str]:
    """The words by which a text that has objects of these classes can be recognised."""
    return frozenset().union(*map(_telling, names))


@cache
def kind_words(*categories: str) -> frozenset[str]:
    """The words by which a text shows an object with methods of these categories: of classes, packages and makers.

    Names that much else has as well (`query`, `file`) are left out: an object is told by where it comes from, too.
    """
    owners = {key.rpartition(".")[0] for key, fact in BLOCKING.items() if fact.category in categories}
    makers = {name.rpartition(".")[2] for name in (*stdlib.FUNCTIONS, *libraries.FUNCTIONS)}
    found = class_words(*(owner for owner in owners if _class(owner) is not None))
    return frozenset(word for word in found if " " in word or word[:1].isupper() or word in makers)


def offloading_words() -> Mapping[str, frozenset[str]]:
    """The same for what runs a callable elsewhere."""
    return calling_words(*OFFLOADING)


def _evidence(owner: str, name: str, key: str) -> frozenset[str]:
    if _class(owner) is not None or name == ANY:
        return _telling(owner)
    return _telling(key) if _class(key) is not None else frozenset(_named(key))


def _class(name: str) -> ClassFact | None:
    return stdlib.CLASSES.get(name) or libraries.CLASSES.get(name)


#: Packages of which a file may import anything: there only the name itself tells.
_EVERYWHERE = frozenset(
    "asyncio builtins collections contextlib logging sqlalchemy sys types typing typing_extensions".split()
)
#: Packages that are imported for much else: what they give is told by the name of what gives it.
_POPULAR = frozenset(
    """argparse cmd fastapi ftplib http imaplib nntplib os poplib shlex starlette subprocess urllib warnings
    xmlrpc""".split()
)
#: Members that others have as well: the class that has them tells more.
_COMMON = frozenset("session connection connect begin engine bind".split())


def _named(name: str) -> set[str]:
    """What stands in a text that names a class, function or variable of a library."""
    found: set[str] = set()
    for spelling in (name, *_other_spellings().get(name, ())):
        package = spelling.partition(".")[0]
        found.add(spelling.rpartition(".")[2] if package in _EVERYWHERE else f"import {package}")
    return found


@cache
def _other_spellings() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table in (stdlib.ALIASES, libraries.ALIASES):
        for spelling, name in table.items():
            found.setdefault(name, []).append(spelling)
    return found


@cache
def _telling(class_name: str) -> frozenset[str]:
    """What stands in a text that shows that an object is of a class or of one derived from it."""
    wanted = {class_name}
    pending = [class_name]
    found: set[str] = set()
    while pending:
        name = pending.pop()
        found |= _named(name)
        for giver in _givers().get(name, ()):
            popular = giver.partition(".")[0] in _POPULAR
            found |= {giver.rpartition(".")[2]} if popular else _named(giver)
        more = set(_derived().get(name, ()))
        for owner, member in _owners().get(name, ()):
            # What a method gives is known through the object that has it; only where everybody has one, by its name.
            if owner.partition(".")[0] not in _EVERYWHERE | _POPULAR or member.startswith("__") or member in _COMMON:
                more.add(owner)
            elif owner not in wanted:
                found.add(member)
        pending += more - wanted
        wanted |= more
    return frozenset(found)


@cache
def _derived() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table in (stdlib.CLASSES, libraries.CLASSES):
        for name, fact in table.items():
            for base in fact.bases:
                found.setdefault(base.partition("[")[0], []).append(name)
    return found


@cache
def _owners() -> dict[str, list[tuple[str, str]]]:
    """By class: the members of a type that names it, each with the class that has it."""
    found: dict[str, list[tuple[str, str]]] = {}
    for table in (stdlib.CLASSES, libraries.CLASSES):
        for owner, fact in table.items():
            for member, text in fact.members.items():
                for name in _classes_in(text):
                    found.setdefault(name, []).append((owner, member))
    return found


@cache
def _givers() -> dict[str, list[str]]:
    """By class: the functions and variables of a type that names it."""
    found: dict[str, list[str]] = {}
    for table in (stdlib.FUNCTIONS, stdlib.CONSTANTS, libraries.FUNCTIONS, libraries.CONSTANTS):
        for giver, text in table.items():
            for name in _classes_in(text):
                found.setdefault(name, []).append(giver)
    return found


@cache
def _classes_in(text: str) -> tuple[str, ...]:
    return tuple(name for name in _NAME.findall(text) if "." in name)
