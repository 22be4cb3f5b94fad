"""The remedies that a message names can be followed where it stands."""

from __future__ import annotations

import pytest

from tests.test_fixtures import lint

_WHOLE = "asyncio.to_thread around the whole block"
_EACH = "asyncio.to_thread for each call on the disk, because the block awaits"


@pytest.mark.parametrize(
    ("body", "remedy"),
    [
        ("return file.read()", _WHOLE),
        ("await send(file)", _EACH),
        ("async with send: file.read()", _EACH),
        ("async for part in send: file.write(part)", _EACH),
        ("async def later(): await send(file)", _WHOLE),
    ],
)
def test_a_block_that_awaits_is_not_to_go_to_a_thread_as_a_whole(body: str, remedy: str) -> None:
    source = f"async def load(path, send):\n    with open(path) as file:\n        {body}\n"
    (message,) = [found.message for found in lint(source) if found.code == "CNC404"]
    assert message.endswith(f"use {remedy}")
