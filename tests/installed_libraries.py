"""The libraries installed beside the tests, to compare the tables of facts with."""

from __future__ import annotations

import importlib
import inspect
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

#: Made when the library runs, by a parent's `__getattr__`, or of an older version than the one installed.
NOT_IN_THE_SOURCE = re.compile(
    r"""
    django\.db\.models\.fields\.related_descriptors\..* | django\.db\.models\.Model\.(objects|_\w+_manager)
    | django\.db\.models\.manager\.(\w*RelatedManager)
    | boto3\.resources\.base\.ServiceResource\.\w+ | boto3\.resources\.collection\.CollectionManager\.(__iter__|delete)
    | (openai|anthropic|groq|together)\.\w+\.(api_key|auth_token|organization|project|timeout|base_url|max_retries)
    | sqlalchemy\.Engine\.(execute|scalar) | sqlalchemy\.pool\.PoolProxiedConnection\.\w+
    | sqlalchemy\.orm\.DeclarativeBase(NoMeta)?\.metadata | flask_sqlalchemy\.(Model|BaseQuery|SQLAlchemy\.select)
    | httpx2?\.Response\.status_code | urllib3\.request\.RequestMethods | paramiko\.file\.BufferedFile\.channel
    """,
    re.VERBOSE,
)


@contextmanager
def imported(package: str) -> Iterator[None]:
    """Import a package, whatever it warns of, or skip the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if package in ("django", "channels"):
            _set_django_up()
        try:
            importlib.import_module(package)
        except ImportError as error:
            pytest.skip(f"{package} cannot be imported here: {error}")
        yield


def _set_django_up() -> None:
    settings = importlib.import_module("django.conf").settings
    if not settings.configured:
        apps = ("auth", "contenttypes", "sessions", "sites")
        settings.configure(INSTALLED_APPS=[f"django.contrib.{app}" for app in apps])
        importlib.import_module("django").setup()


def resolve(path: str) -> object:
    """The object a dotted name means, whether its parts are attributes or modules; AttributeError where none is."""
    names = path.split(".")
    try:
        found: object = importlib.import_module(names[0])
        for name in names[1:]:
            found = getattr(found, name)
    except AttributeError:
        return _through_modules(names)
    return found


def _through_modules(names: list[str]) -> object:
    """For parts that the package has not imported, or hides behind an attribute of the same name."""
    for end in range(len(names) - 1, 0, -1):
        try:
            found: object = importlib.import_module(".".join(names[:end]))
        except ModuleNotFoundError:
            continue
        for name in names[end:]:
            found = getattr(found, name)
        return found
    raise AttributeError(".".join(names))


def parameters(found: object) -> list[str] | None:
    """The names of a callable's parameters without `self`; None for what does not tell."""
    target = found.__init__ if isinstance(found, type) else found  # type: ignore[misc]
    try:
        names = list(inspect.signature(target).parameters)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return None
    return names[1:] if names[:1] in (["self"], ["cls"]) else names
