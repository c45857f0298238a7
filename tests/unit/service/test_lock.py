"""One service a library; whoever asks who it is stands in nobody's way."""

from __future__ import annotations

import os
import threading

import pytest

from wakeful.model.errors import LibraryBusy
from wakeful.service.lock import hold_library, who_holds


def test_the_holder_is_known_as_long_as_it_holds(tmp_path):
    assert who_holds(tmp_path) is None
    with hold_library(tmp_path):
        assert who_holds(tmp_path) == os.getpid()
        with (
            pytest.raises(LibraryBusy, match=f"process {os.getpid()}"),
            hold_library(tmp_path),
        ):
            raise AssertionError
    assert who_holds(tmp_path) is None


def test_asking_keeps_no_service_from_starting(tmp_path):
    with hold_library(tmp_path):
        pass
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            who_holds(tmp_path)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(50):
            with hold_library(tmp_path):
                assert who_holds(tmp_path) == os.getpid()
    finally:
        ended.set()
        for thread in threads:
            thread.join()
