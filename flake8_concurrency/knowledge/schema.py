"""The form of every fact: classes and functions with the types of what they give.

A type is written as an annotation with dotted names: `concurrent.futures.Future[T]`, `builtins.list[builtins.str]`,
`A | B`, `Self`; a type parameter by its bare name; what is not known as `?`. A member is written

* `X`            an attribute or property of type X,
* `() -> X`      a method or function that returns X,
* `async () -> X`  one that returns an awaitable of X.

Generators and context manager functions are written by what they return, as typeshed does:
`() -> collections.abc.Iterator[X]`, `() -> contextlib.AbstractContextManager[X]`.

Names are the documented, public ones (`concurrent.futures.Future`, not `concurrent.futures._base.Future`); `ALIASES`
maps the other spellings to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class ClassFact(NamedTuple):
    """A class of a library: its bases, its type parameters, and the types of its members."""

    bases: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    members: Mapping[str, str] = {}


class Blocking(NamedTuple):
    """A call that blocks the calling thread, and what to write in async code instead."""

    #: One of sleep, http, subprocess, file, stat, database, client, primitive, input, cpu.
    category: str
    #: The shortest right form in async code, ready to print: `await asyncio.sleep(...)`.
    twin: str
