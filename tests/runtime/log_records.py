"""Wait for what another thread logs."""

from __future__ import annotations

import logging
import threading


class Logged(logging.Handler):
    """Waits for what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()
        self._text = ""

    def emit(self, record: logging.LogRecord) -> None:
        with self._changed:
            self._text += f"{self.format(record)}\n"
            self._changed.notify_all()

    def wait_for(self, text: str) -> None:
        """Wait until a record, with its traceback, has this in it."""
        with self._changed:
            assert self._changed.wait_for(lambda: text in self._text, 20.0), self._text
