"""Short ways to write the tables of this package, and the kinds of fact that `schema` has no word for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from flake8_concurrency.knowledge.schema import Blocking, ClassFact


class FromArgument(NamedTuple):
    """Where the `T` in a function's result comes from: the type of one of its arguments.

    `pattern` is matched with the argument's type, and what stands at its `T` is the `T` of the result:
    `builtins.type[T]` takes a class (`select(User)`), `sqlalchemy.sql.selectable.TypedReturnsRows[T]` a statement.
    Positions count from 0 and leave out `self`.
    """

    position: int | None
    keyword: str | None
    pattern: str = "builtins.type[T]"
    #: What `T` is when the argument is not given; an argument that is given and not known leaves `T` unknown.
    default: str = "?"
    #: True where a second positional argument changes the meaning: `select(User, Team)` gives no users.
    alone: bool = False


def members(names: str, kind: str) -> dict[str, str]:
    """Several members of one type: `members("get post", "() -> requests.Response")`."""
    return dict.fromkeys(names.split(), kind)


def calls(owner: str, names: str, category: str, twin: str) -> dict[str, Blocking]:
    """What blocks alike: functions of a module or methods of a class. `{name}` in `twin` is the name of each."""
    if "{name}" in twin:
        return {f"{owner}.{name}": Blocking(category, twin.replace("{name}", name)) for name in names.split()}
    return dict.fromkeys([f"{owner}.{name}" for name in names.split()], Blocking(category, twin))


def moved(old: str, new: str, names: str) -> dict[str, str]:
    """Aliases for names that live in the module `old` and are documented in `new`."""
    return {f"{old}.{name}": f"{new}.{name}" for name in names.split()}


class Client(NamedTuple):
    """A class whose methods are requests: their names, what async code writes instead, and what its members give."""

    requests: str
    twin: str
    members: Mapping[str, str] = MappingProxyType({})
    bases: tuple[str, ...] = ()


def classes(clients: Mapping[str, Client]) -> dict[str, ClassFact]:
    """What is known of the objects of these classes."""
    return {name: ClassFact(client.bases, members=client.members) for name, client in clients.items()}


def blocking(clients: Mapping[str, Client], category: str) -> dict[str, Blocking]:
    """What their methods block on."""
    return {
        key: fact
        for name, client in clients.items()
        for key, fact in calls(name, client.requests, category, client.twin).items()
    }
