"""The servers that several directories of tests share: one for a whole run."""

from __future__ import annotations

from tests.runtime.database_fixtures import database, mariadb, mariadb_database, postgres  # noqa: F401 - fixtures
