"""Where a database row came from, whether it was locked, and when it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flake8_concurrency.model.file import FileModel


class Rows:
    """Follows the rows of one file."""

    def __init__(self, file: FileModel) -> None:
        self._file = file
