"""The facts about third-party libraries: whole by themselves, and true of each library that is installed here."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache
from typing import TypeVar

import pytest

from flake8_concurrency.knowledge import libraries, stdlib
from flake8_concurrency.knowledge.schema import ClassFact
from flake8_concurrency.model import facts
from tests.installed_libraries import NOT_IN_THE_SOURCE, imported, parameters, resolve

T = TypeVar("T")

DOTTED = re.compile(r"\w+(?:\.\w+)+")

#: A base that says how a class behaves, where the library says it otherwise.
BEHAVES_LIKE = {"sqlalchemy.Row", "asyncpg.Record", "sqlalchemy.sql.dml.ReturningDelete"}
#: Another object than what the documented name means, used the same way.
USED_ALIKE = {
    "django.db.connection.on_commit",
    "django.db.models.manager.BaseManager",
    "sqlalchemy.ext.declarative.declarative_base",
}


def types() -> Iterator[tuple[str, str]]:
    """Every written type, with the place it stands at."""
    for name, fact in libraries.CLASSES.items():
        yield from ((name, base) for base in fact.bases)
        yield from ((f"{name}.{member}", text) for member, text in fact.members.items())
    for table in (libraries.FUNCTIONS, libraries.CONSTANTS):
        yield from table.items()
    for name, source in libraries.FROM_ARGUMENT.items():
        yield from ((name, source.pattern), (name, source.default))


def packages() -> list[str]:
    return sorted({name.partition(".")[0] for name in (*libraries.CLASSES, *libraries.FUNCTIONS, *libraries.ALIASES)})


INSTALLED = [name for name in packages() if importlib.util.find_spec(name) is not None]
ABSENT = [name for name in packages() if name not in INSTALLED]


def of_package(table: dict[str, T], package: str) -> dict[str, T]:
    return {name: value for name, value in table.items() if name.partition(".")[0] == package}


@pytest.fixture(params=INSTALLED)
def package(request: pytest.FixtureRequest) -> Iterator[str]:
    with imported(request.param):
        yield request.param


def has_member(owner: object, name: str) -> bool:
    """Whether instances have it: also what `__init__` sets, what is annotated, and what is forwarded."""
    if hasattr(owner, name) or hasattr(owner, "__getattr__"):
        return True
    assert isinstance(owner, type)
    return any(f"self.{name}" in text or f"    {name}:" in text for text in map(source_of, owner.__mro__))


@cache
def source_of(cls: type) -> str:
    """The source of the module a class is from; empty for one written in C."""
    try:
        return inspect.getsource(sys.modules[cls.__module__])
    except (OSError, TypeError):
        return ""


def test_every_type_can_be_read() -> None:
    for place, text in types():
        assert facts.written(facts.signature(text)[2]), place


def test_every_class_a_type_names_is_known() -> None:
    known = {*stdlib.CLASSES, *libraries.CLASSES}
    unknown = {(place, name) for place, text in types() for name in DOTTED.findall(text) if name not in known}
    assert set() == unknown


def test_every_type_parameter_is_one_of_its_class() -> None:
    for name, fact in libraries.CLASSES.items():
        from_argument = {"T"} if name in libraries.FROM_ARGUMENT else set()
        for member, text in fact.members.items():
            used = set(re.findall(r"(?<![\w.])[A-Z]\w?(?![\w.])", text)) | set()
            own = {*fact.params, *from_argument} | ({"T"} if f"{name}.{member}" in libraries.FROM_ARGUMENT else set())
            assert used <= own, f"{name}.{member}"


def test_every_alias_leads_to_a_documented_name() -> None:
    targets = set(libraries.ALIASES.values())
    assert set() == targets & set(libraries.ALIASES)
    assert set() == set(libraries.ALIASES) & set(libraries.CLASSES)


def test_no_name_of_the_standard_library_is_claimed() -> None:
    assert set() == set(stdlib.CLASSES) & set(libraries.CLASSES)
    assert set() == set(stdlib.FUNCTIONS) & set(libraries.FUNCTIONS)


@pytest.mark.skipif(bool(ABSENT), reason=f"not installed here, so not compared with: {', '.join(ABSENT)}")
def test_every_library_is_there_to_be_compared_with() -> None:
    assert INSTALLED == packages()


def test_classes_are_what_the_library_has(package: str) -> None:
    for name, fact in of_package(libraries.CLASSES, package).items():
        if NOT_IN_THE_SOURCE.fullmatch(re.sub(r"\s", "", name)):
            continue
        found = resolve(name)
        assert isinstance(found, type), name
        check_bases(name, found, fact)
        for member in fact.members:
            if member != "*" and not NOT_IN_THE_SOURCE.fullmatch(f"{name}.{member}"):
                assert has_member(found, member), f"{name}.{member}"


def check_bases(name: str, found: type, fact: ClassFact) -> None:
    for base in fact.bases:
        parent = resolve(base.partition("[")[0])
        if name not in BEHAVES_LIKE:
            assert issubclass(found, parent), f"{name} is no {base}"  # type: ignore[arg-type]


def test_what_must_be_awaited_is_said_to_be_async(package: str) -> None:
    for name, fact in of_package(libraries.CLASSES, package).items():
        for member, text in fact.members.items():
            is_async = facts.signature(text)[1]
            if member == "*" or is_async or NOT_IN_THE_SOURCE.fullmatch(f"{name}.{member}"):
                continue
            found = getattr(resolve(name), member, None) if not NOT_IN_THE_SOURCE.fullmatch(name) else None
            assert not inspect.iscoroutinefunction(found), f"{name}.{member}"
    for name, text in of_package(libraries.FUNCTIONS, package).items():
        assert inspect.iscoroutinefunction(resolve(name)) <= facts.signature(text)[1], name


def test_functions_and_variables_exist(package: str) -> None:
    for name in of_package(libraries.FUNCTIONS, package):
        assert callable(resolve(name)), name
    for name in of_package(libraries.CONSTANTS, package):
        assert resolve(name) is not None, name


def test_aliases_are_the_same_object(package: str) -> None:
    for alias, name in of_package(libraries.ALIASES, package).items():
        if NOT_IN_THE_SOURCE.fullmatch(alias):
            continue
        assert alias in USED_ALIKE or resolve(alias) is resolve(name), alias


def test_arguments_stand_where_the_table_says(package: str) -> None:
    for name, source in of_package(libraries.FROM_ARGUMENT, package).items():
        if source.keyword is None or NOT_IN_THE_SOURCE.fullmatch(name):
            continue
        names = parameters(resolve(name))
        assert names is not None, name
        assert source.keyword in names, name
        assert source.position in (None, names.index(source.keyword)), name


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("requests.sessions.Session", "requests.Session"),
        ("requests.api.get", "requests.get"),
        ("httpx._client.Client", "httpx.Client"),
        ("sqlalchemy.orm.session.Session", "sqlalchemy.orm.Session"),
        ("sqlalchemy.ext.asyncio.session.AsyncSession", "sqlalchemy.ext.asyncio.AsyncSession"),
        ("redis.client.StrictRedis", "redis.Redis"),
        ("valkey.client.StrictValkey", "valkey.Valkey"),
        ("mypy_boto3_s3.S3Client", "botocore.client.BaseClient"),
        ("mypy_boto3_s3.client.S3Client", "botocore.client.BaseClient"),
        ("types_boto3_dynamodb.service_resource.Table", "boto3.resources.base.ServiceResource"),
        ("mypy_boto3_s3.S3ServiceResource", "boto3.resources.base.ServiceResource"),
        ("mypy_boto3_s3.type_defs.ObjectTypeDef", "mypy_boto3_s3.type_defs.ObjectTypeDef"),
        ("project.client.Client", "project.client.Client"),
    ],
)
def test_a_spelling_leads_to_the_public_name(spelling: str, expected: str) -> None:
    assert expected == libraries.public_name(spelling)
