"""Results: whole or not there."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest

from wakeful.io.store import RECEIPT_NAME, Store
from wakeful.model.errors import BrokenArtefact, UnknownResult

KEY = "ab" * 32


def make(store: Store, key: str = KEY, value: float = 1.0):
    draft = store.begin("sleep", key)
    tree = {"outputs": {"x": draft.write("x", np.full(5, value))}, "kind": "result"}
    return draft.commit(tree)


def test_a_result_appears_whole(tmp_path):
    store = Store(tmp_path)
    draft = store.begin("sleep", KEY)
    draft.write("x", np.arange(5))
    assert not store.has("sleep", KEY)
    draft.commit({"outputs": {"x": {"npy": "x.npy"}}})
    assert store.has("sleep", KEY)
    assert store.read("sleep", KEY, "x", np.ndarray).tolist() == [0, 1, 2, 3, 4]
    assert store.receipt("sleep", KEY).files["x.npy"]["bytes"] > 0


def test_the_second_of_two_writers_is_dropped(tmp_path):
    store = Store(tmp_path)
    first, second = store.begin("sleep", KEY), store.begin("sleep", KEY)
    for draft, value in ((first, 1.0), (second, 2.0)):
        tree = {"outputs": {"x": draft.write("x", np.full(5, value))}}
        draft.commit(tree)
    assert store.read("sleep", KEY, "x", np.ndarray).tolist() == [1.0] * 5
    assert not list((tmp_path / ".writing").iterdir())


def test_many_writers_at_once_leave_one_whole_result(tmp_path):
    store = Store(tmp_path)
    threads = [threading.Thread(target=make, args=(store,)) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert store.damaged_files(store.receipt("sleep", KEY)) == ()


def test_what_was_not_committed_can_not_be_seen_and_is_swept(tmp_path):
    store = Store(tmp_path)
    draft = store.begin("sleep", KEY)
    draft.write("x", np.arange(5))
    assert store.sweep(older_than_s=0) == 0  # its writer, this process, is alive
    stray = tmp_path / ".writing" / "999999999-1-abc"
    stray.mkdir()
    assert list(store.receipts()) == []
    assert store.sweep(older_than_s=0) == 1
    assert not stray.exists()


def test_damage_is_named(tmp_path):
    store = Store(tmp_path)
    receipt = make(store)
    path = receipt.folder / "x.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert store.damaged_files(receipt) == ("x.npy",)
    path.unlink()
    assert store.damaged_files(receipt) == ("x.npy",)


def test_results_are_found_by_the_start_of_their_key(tmp_path):
    store = Store(tmp_path)
    make(store)
    make(store, "abab" + "cd" * 30)
    assert store.find(KEY[:10]).key == KEY
    with pytest.raises(UnknownResult, match="0 results"):
        store.find("ffffff")
    with pytest.raises(UnknownResult, match="too short"):
        store.find("ab")
    assert {r.key for r in store.receipts()} == {KEY, "abab" + "cd" * 30}


def test_a_broken_receipt_says_so(tmp_path):
    store = Store(tmp_path)
    receipt = make(store)
    (receipt.folder / RECEIPT_NAME).write_text("{")
    with pytest.raises(BrokenArtefact, match="receipt"):
        store.receipt("sleep", KEY)


def test_a_folder_without_receipt_does_not_exist(tmp_path):
    store = Store(tmp_path)
    folder = store.folder_of("sleep", KEY)
    folder.mkdir(parents=True)
    (folder / "x.npy").write_bytes(b"half")
    assert not store.has("sleep", KEY)
    with pytest.raises(UnknownResult):
        store.receipt("sleep", KEY)


def test_a_fresh_stray_folder_is_left_for_a_while(tmp_path):
    store = Store(tmp_path)
    stray = tmp_path / ".writing" / "999999999-1-abc"
    stray.mkdir(parents=True)
    assert store.sweep(older_than_s=60) == 0
    old = time.time() - 120
    os.utime(stray, (old, old))
    assert store.sweep(older_than_s=60) == 1
