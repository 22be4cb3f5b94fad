"""Reading the knowledge tables."""

from __future__ import annotations

import pytest

from flake8_concurrency.model.facts import (
    NONE,
    UNDECIDED,
    Kind,
    Member,
    Written,
    ancestry,
    canonical,
    class_fact,
    constant_fact,
    function_fact,
    function_result,
    instantiate,
    member,
    settled,
    signature,
    union,
    written,
)

A, B = Kind("app.A"), Kind("app.B")
STR, INT = Kind("builtins.str"), Kind("builtins.int")


@pytest.mark.parametrize(
    ("name", "public"),
    [
        ("concurrent.futures._base.Future", "concurrent.futures.Future"),
        ("typing.List", "builtins.list"),
        ("typing_extensions.Deque", "collections.deque"),
        ("typing_extensions.Annotated", "typing.Annotated"),
        ("typing.Awaitable", "collections.abc.Awaitable"),
        ("requests.sessions.Session", "requests.Session"),
        ("app.Session", "app.Session"),
    ],
)
def test_public_names(name: str, public: str) -> None:
    assert canonical(name) == public


def test_facts_come_from_the_standard_library_and_from_others() -> None:
    assert class_fact("threading.Lock") is not None
    assert class_fact("requests.Session") is not None
    assert class_fact("app.Session") is None
    assert function_fact("requests.get") == "() -> requests.Response"
    assert function_fact("app.get") is None
    assert constant_fact("datetime.UTC") == "datetime.timezone"
    assert constant_fact("django.core.cache.cache") == "django.core.cache.backends.base.BaseCache"
    assert constant_fact("app.PIPE") is None


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("a.B", Written("a.B")),
        ("?", Written("?")),
        ("a.B[T]", Written("a.B", (Written("T"),))),
        ("a.B[T, c.D[?]]", Written("a.B", (Written("T"), Written("c.D", (Written("?"),))))),
        ("a.B[T, ...]", Written("a.B", (Written("T"), Written("...")))),
        ("a.B | None", Written("|", (Written("a.B"), Written("None")))),
        ("a.B[T | None]", Written("a.B", (Written("|", (Written("T"), Written("None"))),))),
    ],
)
def test_written_types(text: str, meaning: Written) -> None:
    assert written(text) == meaning


@pytest.mark.parametrize("text", ["", "a.B]", "a.B[", "a.B |", "| a.B", "a.B[]", "a.B c"])
def test_what_is_not_a_type(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a type|a name was expected"):
        written(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a.B", (False, False, "a.B")),
        ("() -> a.B", (True, False, "a.B")),
        ("async () -> a.B", (True, True, "a.B")),
    ],
)
def test_signatures(text: str, parts: tuple[bool, bool, str]) -> None:
    assert signature(text) == parts


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("?", None),
        ("None", NONE),
        ("Self", A),
        ("T", STR),
        ("Unbound", None),
        ("app.B", B),
        ("typing.List[T]", Kind("builtins.list", (STR,))),
        ("builtins.tuple[T, ...]", Kind("builtins.tuple", (STR,))),
        ("app.B | None", B),
        ("app.B | T", Kind("union", (B, STR))),
        ("app.B | ?", None),
        ("builtins.type[T]", Kind("type", (STR,))),
        ("builtins.type", Kind("type", (None,))),
        ("collections.abc.Awaitable[T]", Kind("awaitable", (STR,))),
        ("collections.abc.Coroutine[?, ?, T]", Kind("awaitable", (STR,))),
        ("collections.abc.Awaitable", Kind("collections.abc.Awaitable")),
    ],
)
def test_what_a_written_type_means(text: str, kind: Kind | None) -> None:
    assert instantiate(written(text), {"T": STR}, A) == kind


@pytest.mark.parametrize(
    ("kinds", "one"),
    [
        ((), None),
        ((A,), A),
        ((A, A), A),
        ((A, NONE), A),
        ((NONE, NONE), NONE),
        ((A, None), None),
        ((None,), None),
        ((A, B), Kind("union", (A, B))),
        ((Kind("union", (A, B)), B, STR), Kind("union", (A, B, STR))),
        ((UNDECIDED,), UNDECIDED),
        ((UNDECIDED, NONE), UNDECIDED),
        ((UNDECIDED, A), A),
        ((UNDECIDED, None), None),
        ((Kind("builtins.list"), Kind("builtins.list", (A,))), Kind("builtins.list", (A,))),
        ((Kind("builtins.list", (A,)), Kind("builtins.list")), Kind("builtins.list", (A,))),
        (
            (Kind("builtins.list"), Kind("builtins.set", (A,))),
            Kind("union", (Kind("builtins.list"), Kind("builtins.set", (A,)))),
        ),
        ((Kind("app.G"), Kind("app.G", (A,))), Kind("union", (Kind("app.G"), Kind("app.G", (A,))))),
        (tuple(Kind(f"app.C{i}") for i in range(40)), None),
    ],
)
def test_alternatives(kinds: tuple[Kind | None, ...], one: Kind | None) -> None:
    assert union(kinds) == one


def test_what_is_settled() -> None:
    assert settled(None) is None
    assert settled(UNDECIDED) is None
    assert settled(A) is A
    assert settled(Kind("builtins.list", (A,))) == Kind("builtins.list", (A,))
    assert settled(Kind("builtins.list", (UNDECIDED,), "ref")) == Kind("builtins.list", (None,), "ref")
    nested = A
    for _ in range(9):
        nested = Kind("builtins.list", (nested,))
    shallow = settled(nested)
    depth = 0
    while shallow is not None and shallow.args:
        depth, shallow = depth + 1, shallow.args[0]
    assert (depth, shallow) == (7, None)


def test_the_bases_of_a_class_come_with_their_arguments() -> None:
    names = [kind.name for kind in ancestry(Kind("collections.defaultdict", (STR, INT)))]
    assert names[:2] == ["collections.defaultdict", "builtins.dict"]
    assert Kind("builtins.dict", (STR, INT)) in ancestry(Kind("collections.defaultdict", (STR, INT)))
    assert ancestry(A) == [A]


def test_no_base_comes_twice() -> None:
    names = [kind.name for kind in ancestry(Kind("io.TextIOWrapper"))]
    assert len(names) == len(set(names)) > 2


def test_members() -> None:
    future = Kind("concurrent.futures.Future", (STR,))
    assert member(future, "result", future) == Member("concurrent.futures.Future", True, False, STR)
    assert member(future, "nothing", future) is None
    assert member(A, "result", A) is None
    queue = Kind("queue.PriorityQueue", (STR,))
    found = member(queue, "get", queue)
    assert found is not None
    assert (found.owner, found.kind) == ("queue.Queue", STR)
    event = Kind("asyncio.Event")
    waiting = member(event, "wait", event)
    assert waiting is not None
    assert waiting.asynchronous
    path = Kind("pathlib.Path")
    parent = member(path, "parent", path)
    assert parent is not None
    assert (parent.callable, parent.kind) == (False, path)


def test_members_with_types_from_an_argument() -> None:
    session = Kind("sqlalchemy.orm.Session")
    found = member(session, "query", session, {"T": A})
    assert found is not None
    assert found.kind == Kind("sqlalchemy.orm.Query", (A,))


def test_elements_of_tuples() -> None:
    same, mixed = Kind("builtins.tuple", (A, A)), Kind("builtins.tuple", (A, B))
    first, second = member(same, "__iter__", same), member(mixed, "__iter__", mixed)
    assert first is not None
    assert second is not None
    assert (first.kind, second.kind) == (
        Kind("collections.abc.Iterator", (A,)),
        Kind("collections.abc.Iterator", (None,)),
    )


def test_what_functions_give() -> None:
    assert function_result("requests.get") == Kind("requests.Response")
    assert function_result("app.get") is None
    assert function_result("asyncio.open_connection") == Kind(
        "awaitable", (Kind("builtins.tuple", (Kind("asyncio.StreamReader"), Kind("asyncio.StreamWriter"))),)
    )
