"""kill -9 at any moment while a source grows: at the end every byte is right, and never a wrong one
could be seen."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import xxhash

from wakeful.io.mirror import GRANULE, HEAD_BYTES, piece_bounds, read_manifest, scrub, take_in

_WRITER = """
import os, random, sys, time
from pathlib import Path

folder, n_bytes, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
random.seed(4)
head = "######## Neuralynx\\r\\n-TimeClosed {}\\r\\n"
files = [(folder / f"CSC{i}.ncs").open("wb", buffering=0) for i in range(3)]
for file in files:
    file.write(head.format("").encode().ljust(16384, b"\\0"))
chunk = 1 << 20
steps = n_bytes // chunk
for step in range(steps):
    for file in files:
        file.write(random.randbytes(chunk - random.randrange(1000)))
    time.sleep(seconds / steps)
for file in files:
    file.write(b"the end")
    file.seek(0)
    file.write(head.format("2026/03/09 07:00:00").encode())
    file.close()
for file in files:
    os.utime(file.name, (0, 0))  # as if nothing had touched it for long
"""

_TRANSFER = """
import sys, time
from pathlib import Path
from wakeful.io.mirror import Ending, take_in

print("ready", flush=True)
source, folder = Path(sys.argv[1]), Path(sys.argv[2])
while not take_in(
    source, folder, in_place=False, following=True, ending=Ending(settle_s=3600.0)
).complete:
    time.sleep(0.02)
"""


class Watcher(threading.Thread):
    """A reader that takes the manifest at its word, and holds the bytes against it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.n_checked = 0
        self.wrong: list[str] = []
        self.stopped = threading.Event()

    def run(self) -> None:
        choice = random.Random(7)
        while not self.stopped.wait(0.01):
            manifest = read_manifest(self.folder)
            if manifest is None or not manifest.files:
                continue
            entry = choice.choice(manifest.files)
            number = choice.choice([0, len(entry.granules) - 1, choice.randrange(1 << 30)])
            number %= len(entry.granules)
            if not self.holds(manifest, entry, number):
                # The manifest may have been replaced in between: then the new one counts.
                manifest = read_manifest(self.folder)
                entry = next(e for e in manifest.files if e.file == entry.file)
                if not self.holds(manifest, entry, number):
                    self.wrong.append(f"{entry.file} piece {number}")
            self.n_checked += 1

    def holds(self, manifest, entry, number) -> bool:
        start, stop = piece_bounds(number, entry.bytes)
        with (manifest.base / entry.file).open("rb") as file:
            file.seek(start)
            data = file.read(stop - start)
        return len(data) == stop - start and entry.accepts(number, xxhash.xxh3_128_hexdigest(data))


def check_journal(folder: Path) -> None:
    """No line vouches for pieces after a hole; the last word on each file is that it is whole."""
    n_pieces: dict[str, int] = {}
    whole: dict[str, bool] = {}
    torn = 0
    for line in (folder / "journal.jsonl").read_text().splitlines():
        try:
            tree = json.loads(line) if line else {}
        except ValueError:
            torn += 1
            continue
        if "pieces" in tree:
            assert tree["first"] <= n_pieces.get(tree["file"], 0)
            n_pieces[tree["file"]] = tree["first"] + len(tree["pieces"])
        if "file" in tree:
            whole[tree["file"]] = "whole" in tree
    assert all(whole.values())


def kill_and_go_on(tmp_path: Path, *, kills: int, n_bytes: int, seconds: float) -> None:
    source, folder = tmp_path / "rec", tmp_path / "in"
    source.mkdir()
    chance = random.Random(kills)
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(source), str(n_bytes), str(seconds)]
    )
    while len(list(source.iterdir())) < 3:
        time.sleep(0.01)
    watcher = Watcher(folder)
    watcher.start()
    done = 0
    try:
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            transfer = subprocess.Popen(
                [sys.executable, "-c", _TRANSFER, str(source), str(folder)],
                stdout=subprocess.PIPE,
            )
            transfer.stdout.readline()
            try:
                if done < kills:
                    transfer.wait(chance.uniform(0, 1.2) ** 2)
                else:
                    transfer.wait(300)
            except subprocess.TimeoutExpired:
                transfer.send_signal(signal.SIGKILL)
            transfer.stdout.close()
            if transfer.wait() == 0:
                break
            assert transfer.returncode == -signal.SIGKILL
            done += 1
    finally:
        watcher.stopped.set()
        watcher.join()
        writer.kill() if writer.poll() is None and sys.exc_info()[0] else writer.wait()
    manifest = read_manifest(folder)
    assert watcher.wrong == []
    assert watcher.n_checked > 0
    assert done >= kills * 0.7, "the transfer was too quick to be killed"
    assert manifest.complete
    assert scrub(manifest, with_blake3=True) == ()
    for path in source.iterdir():
        assert (manifest.base / path.name).read_bytes() == path.read_bytes()
        assert path.stat().st_size > HEAD_BYTES + GRANULE
    assert manifest.replaced == ()
    assert set(manifest.new_heads) <= {path.name for path in source.iterdir()}
    check_journal(folder)
    assert take_in(source, folder, in_place=False) == manifest


def test_eight_kills_while_three_files_grow(tmp_path):
    kill_and_go_on(tmp_path, kills=8, n_bytes=24 << 20, seconds=10.0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hundred_kills_while_three_files_grow(tmp_path):
    kill_and_go_on(tmp_path, kills=100, n_bytes=150 << 20, seconds=180.0)
