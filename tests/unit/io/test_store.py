"""Results: whole or not there."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from wakeful.io import store as store_module
from wakeful.io.holding import is_held
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


def make_old(folder: Path, age_s: float) -> None:
    then = time.time() - age_s
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (then, then))


_WRITER = """
import sys, time
from pathlib import Path
import numpy as np
from wakeful.io.store import Store
draft = Store(Path(sys.argv[1])).begin("sleep", "ab" * 32)
draft.write("x", np.arange(5))
print("writing", flush=True)
time.sleep(60)
"""


def test_a_living_writer_keeps_its_folder_whatever_the_clock_says(tmp_path, monkeypatch):
    store = Store(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        (folder,) = (tmp_path / ".writing").iterdir()
        make_old(folder, 3 * 86400)
        # As after the clock was set: no start time fits any more.
        monkeypatch.setattr(psutil.Process, "create_time", lambda _: 1.0)
        assert store.sweep(older_than_s=0) == 0
        assert (folder / "x.npy").is_file()
        writer.kill()
    assert store.sweep(older_than_s=4 * 86400) == 0
    assert store.sweep() == 1
    assert not folder.exists()


def test_folders_of_other_machines_stay_for_two_days(tmp_path, monkeypatch):
    store = Store(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(store_module.socket, "gethostname", lambda: "rig-2")
        draft = store.begin("sleep", KEY)
    assert draft.folder.name.startswith("rig-2-")
    make_old(draft.folder, 86400)
    stopped = tmp_path / ".writing" / "rig-2-999999999-1-0123abcd"
    stopped.mkdir()
    (stopped / "x.npy").write_bytes(b"half")
    make_old(stopped, 86400)
    assert store.sweep(older_than_s=0) == 0
    make_old(stopped, 2.1 * 86400)
    make_old(draft.folder, 2.1 * 86400)
    assert store.sweep(older_than_s=0) == 1
    assert not stopped.exists()
    assert draft.folder.exists()  # its lock is seen, so it is still being written
    draft.discard()


def test_a_file_that_is_written_to_makes_its_folder_young(tmp_path):
    store = Store(tmp_path)
    stray = tmp_path / ".writing" / "999999999-1-abc"
    stray.mkdir(parents=True)
    (stray / "lfp.npy").write_bytes(b"0")
    make_old(stray, 120)
    with (stray / "lfp.npy").open("ab") as file:
        file.write(b"1")
    assert store.sweep(older_than_s=60) == 0
    make_old(stray, 120)
    assert store.sweep(older_than_s=60) == 1


def test_the_lock_of_a_draft_is_no_part_of_its_result(tmp_path):
    store = Store(tmp_path)
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    receipt = make(store)
    assert {p.name for p in receipt.folder.iterdir()} == {"x.npy", RECEIPT_NAME}
    assert set(receipt.files) == {"x.npy"}
    draft = store.begin("sleep", "cd" * 32)
    assert is_held(draft.folder / ".lock") is True
    draft.discard()
    make(store)
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before


def test_a_half_removed_result_is_made_again(tmp_path):
    store = Store(tmp_path)
    receipt = make(store)
    (receipt.folder / RECEIPT_NAME).unlink()
    make(store, value=2.0)
    assert store.read("sleep", KEY, "x", np.ndarray).tolist() == [2.0] * 5
    assert store.damaged_files(store.receipt("sleep", KEY)) == ()
    assert not list((tmp_path / ".writing").iterdir())


def test_many_writers_at_once_replace_a_half_removed_result(tmp_path):
    store = Store(tmp_path)
    errors: list[BaseException] = []

    def try_to_make() -> None:
        try:
            make(store)
        except BaseException as error:  # noqa: BLE001 -- raised again by the assertion below
            errors.append(error)

    for _ in range(5):
        (make(store).folder / RECEIPT_NAME).unlink()
        threads = [threading.Thread(target=try_to_make) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert store.damaged_files(store.receipt("sleep", KEY)) == ()
    assert not list((tmp_path / ".writing").iterdir())


def test_a_whole_result_is_never_set_aside(tmp_path):
    store = Store(tmp_path)
    receipt = make(store)
    # Another worker put it there between the look and the move.
    store.set_aside(receipt.folder)
    assert store.damaged_files(store.receipt("sleep", KEY)) == ()
    store.set_aside(store.folder_of("sleep", "cd" * 32))  # another worker was first


def test_too_many_open_files_are_no_damage(tmp_path, monkeypatch):
    store = Store(tmp_path)
    make(store)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(store_module.Path, "read_text", refuse)
    with pytest.raises(OSError, match="Too many"):
        store.receipt("sleep", KEY)
