"""CNC711 commit-per-event."""

from __future__ import annotations

import libcst as cst

from flake8_concurrency.model.dispatch_shapes import answers_commit, asks_commit
from flake8_concurrency.rule import Gate, Rule


class CommitPerEvent(Rule):
    """A loop over events or rows commits once for each of them.

    Every commit waits for the disk, and for the network to the database and back: a thousand small events take a
    thousand times that, the stream backs up behind it, and the database writes its log for little else.

    Bad:

        from app.models import Visit

        def consume(session, events):
            for event in events:
                session.add(Visit(url=event.url, at=event.at))
                session.commit()

    Good:

        from itertools import batched

        from app.models import Visit

        def consume(session, events):
            for batch in batched(events, 500):
                session.add_all(Visit(url=event.url, at=event.at) for event in batch)
                session.commit()

    Known limits:
        Opt-in: what an event costs, and how many there are, is not in the text. Loops that take a lock, roll back, wait
        or call what may take long are silence, for there each event has its transaction for a reason; so are loops over
        batches or with loops in them, and commits that a test in the loop decides about. Django's `save()` outside of
        `atomic` commits too and is not reported.
    """

    code = "CNC711"
    name = "commit-per-event"
    message = (
        "{call}() waits for the disk once for each {event} of the loop on line {line}: commit many at once, in batches "
        "or what has come in within a window"
    )
    gate = Gate(anchors=frozenset({"commit"}), asks=asks_commit, answers=answers_commit, where=frozenset({"commit"}))
    enabled = False
    quiet = True

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        for commit in self.file.commits_per_event.of(self.file.definitions.functions[node]):
            self.report(
                commit.call,
                call=commit.name,
                event=commit.event,
                line=self.file.line(commit.loop),
            )
