"""Every third-party library the linter knows, in one set of tables: see the modules named below for each."""

from __future__ import annotations

from flake8_concurrency.knowledge import (
    django,
    http_clients,
    sqlalchemy,
)
from flake8_concurrency.knowledge.notation import FromArgument
from flake8_concurrency.knowledge.schema import ClassFact

CLASSES: dict[str, ClassFact] = {**http_clients.CLASSES, **sqlalchemy.CLASSES, **django.CLASSES}
FUNCTIONS: dict[str, str] = {**http_clients.FUNCTIONS, **sqlalchemy.FUNCTIONS, **django.FUNCTIONS}
CONSTANTS: dict[str, str] = {**django.CONSTANTS}
ALIASES: dict[str, str] = {**http_clients.ALIASES, **sqlalchemy.ALIASES, **django.ALIASES}
FROM_ARGUMENT: dict[str, FromArgument] = {**sqlalchemy.FROM_ARGUMENT, **django.FROM_ARGUMENT}
