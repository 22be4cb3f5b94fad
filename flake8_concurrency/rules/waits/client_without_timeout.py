"""CNC210 client-without-timeout."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.knowledge.waiting import CONNECTIONS, NEEDS_HOST
from flake8_concurrency.knowledge.words import calling_words
from flake8_concurrency.model.calls import argument, literal, passes_unknown
from flake8_concurrency.model.http import KEEPS
from flake8_concurrency.rule import Gate, Rule

_WORDS = calling_words(*CONNECTIONS)


class ClientWithoutTimeout(Rule):
    """A connection to a server is opened without a timeout.

    A server that accepts it and never answers, or a firewall that drops it, keeps the caller for ever.

    Bad:

        import smtplib

        def send(message):
            with smtplib.SMTP("mail.example.com") as server:
                server.send_message(message)

    Good:

        import smtplib

        def send(message):
            with smtplib.SMTP("mail.example.com", timeout=30) as server:
                server.send_message(message)

    Known limits:
        Opt-in, because many such connections are made once, to a server next door. redis has a timeout of its own since
        version 8, which the file does not show. A file that calls `socket.setdefaulttimeout` is silent, and so are
        `**kwargs`, and what is connected by a URL or a name that is not written out, for PostgreSQL.
    """

    code = "CNC210"
    name = "client-without-timeout"
    message = "{call}() has no timeout and waits for ever if the server never answers: pass {bound}="
    gate = Gate(anchors=frozenset(_WORDS), needs=_WORDS, keeps=KEEPS)
    enabled = False
    quiet = True

    def visit_Call(self, node: cst.Call) -> None:
        names = [self.file.qualified(node.func), *self.file.functions.table_names(node.func)]
        name = next((name for name in names if name in CONNECTIONS), None)
        if (
            name is None
            or passes_unknown(node)
            or self.file.http.has_default_timeout
            or self.file.waits.blocks_the_loop(node)
        ):
            return
        bound = CONNECTIONS[name]
        given = [argument(node, None, keyword) for keyword in bound.names]
        if bound.position is not None:
            given.append(argument(node, bound.position, None))
        if any(value is not None and literal(value) != (None,) for value in given):
            return
        if name in NEEDS_HOST and argument(node, 0, "host") is None:
            return
        if "connect_timeout" in bound.names and self._may_say_so(node):
            return
        self.report(node, call=name, bound=bound.names[0])

    def _may_say_so(self, node: cst.Call) -> bool:
        """Whether the first argument may have the bound in its text: one that is not written out may."""
        text = argument(node, 0, "conninfo") or argument(node, None, "dsn")
        if text is None:
            return False
        value = text.evaluated_value if isinstance(text, cst.SimpleString) else None
        return not isinstance(value, str) or "connect_timeout" in value
