"""Signals that stop `wakeful run`."""

from __future__ import annotations

import signal

import pytest

from wakeful.cli.library import stopped_by_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_leaves_at_once(number):
    before = signal.getsignal(number)
    asked = []
    with stopped_by_signals(lambda: asked.append(1)) as came:
        signal.raise_signal(number)
        assert asked == [1]
        assert came == [number]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert asked == [1]
    assert signal.getsignal(number) is before
