"""The model as a whole: freed at once when it is told to forget."""

from __future__ import annotations

import gc
import weakref

from tests.model_probe import model, probes


def test_a_model_that_forgets_is_freed_without_a_search_for_cycles() -> None:
    file = model("import threading\ndef f(x: threading.Lock):\n with x: probe(x)\n")
    (node,) = probes(file)
    assert file.kind(node) is not None
    assert file.function_of(node) is not None
    gone = [weakref.ref(part) for part in (file.kinds, file.functions, file.names, file.tree)]
    gc.disable()
    try:
        file.forget()
        del file
        assert [ref() for ref in gone] == [None] * 4
    finally:
        gc.enable()


def test_a_model_that_was_asked_nothing_has_nothing_to_forget() -> None:
    file = model("x = 1\n")
    file.forget()
    assert vars(file) == {}
