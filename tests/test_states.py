"""Rules that say more when the user names them, and what separates them by default."""

from __future__ import annotations

import pytest

from flake8_concurrency.engine import lint
from flake8_concurrency.options import Options

STARS = """
from app.models import Order

def rate(pk):
    order = Order.objects.get(pk=pk)
    if order.stars == 1:
        order.stars = 5
        order.save()
"""
TICKET = """
from app.models import Ticket

def enter(seat, visitor):
    ticket = Ticket.objects.get(seat=seat)
    if ticket.is_blocked:
        raise ValueError("blocked")
    visitor.let_in(ticket)
    ticket.delete()
"""


@pytest.mark.parametrize("gate", [True, False])
@pytest.mark.parametrize(("source", "code"), [(STARS, "CNC302"), (TICKET, "CNC318")])
@pytest.mark.parametrize(("enable", "count"), [((), 0), (("CNC5",), 0), (("CNC3",), 1), (("ALL",), 1)])
def test_what_is_no_state_and_no_code_is_reported_when_the_rule_is_named(
    source: str, code: str, enable: tuple[str, ...], count: int, gate: bool
) -> None:
    found = lint(source, filename="app/views.py", options=Options(enable=frozenset(enable)), gate=gate)
    assert [finding.code for finding in found].count(code) == count


def test_a_code_is_reported_when_the_rule_is_not_named() -> None:
    source = TICKET.replace("seat=seat", "token=seat")
    assert [finding.code for finding in lint(source, filename="app/views.py")] == ["CNC318"]
