"""A folder of figures on its way to Google Drive, through faults of all kinds and two kills."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.google_stand_in import Fault, google_stand_in
from tests.google_stand_in.server import SERVICE_EMAIL, endpoint_of
from tests.published_folders import md5s, publish
from wakeful.config import Config, write_library

MB = 1_000_000

DELIVER = """
import json, re, sys
from pathlib import Path
from wakeful.config import open_library
from wakeful.delivery import deliver_session
from wakeful.delivery.drive import DriveTarget
from wakeful.delivery.drive_calls import Drive
from wakeful.google.account import read_account

library = open_library(Path(sys.argv[1]))
account = read_account(library)
target = DriveTarget(
    lambda: Drive(account, patience_s=60, first_pause_s=0.02, timeout_s=20), sys.argv[3]
)
done = deliver_session(library, Path(sys.argv[2]), "M1", "night", lambda *_: None, target)
# Not getrusage: that begins with what the process had that started this one.
peak_mb = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
print(json.dumps({"n_sent": done.n_sent, "n_unchanged": done.n_unchanged, "peak_mb": peak_mb}))
"""


def is_piece(asked) -> bool:
    return asked.method == "PUT" and int(asked.headers.get("content-length", 0)) > 0


def is_last_piece(asked) -> bool:
    stop, _, size = asked.headers.get("content-range", "").rpartition("-")[2].partition("/")
    return is_piece(asked) and stop.isdecimal() and int(stop) + 1 == int(size)


def is_start(asked) -> bool:
    return asked.query.get("uploadType") == ["resumable"] and asked.method in ("POST", "PATCH")


def is_folder(asked) -> bool:
    return asked.method == "POST" and asked.path == "/drive/v3/files"


def is_list(asked) -> bool:
    return asked.method == "GET" and asked.path == "/drive/v3/files"


def at(number: int, which: Callable, do: Callable[[], object] | None = None) -> Callable:
    """Matches the so-manieth call of a kind; or does something then, and matches none."""
    seen = []

    def matches(asked) -> bool:
        if which(asked):
            seen.append(1)
            if len(seen) == number:
                if do is None:
                    return True
                do()
        return False

    return matches


def make_faults(google, met: list[str]) -> list[Fault]:
    """Twenty faults, of every kind that Google and the network know.

    Parameters
    ----------
    met : told of those that are no answer
    """

    def expire_tokens() -> None:
        met.append("tokens")
        google.expire_tokens()

    def end_uploads() -> None:
        met.append("uploads")
        google.drive.end_uploads()

    return [
        Fault("status", 503, matches=at(2, is_piece)),
        Fault("status", 500, "internalError", matches=at(5, is_piece)),
        Fault("status", 503, matches=at(8, is_piece), times=1),
        Fault("status", 429, "rateLimitExceeded", matches=at(10, is_piece)),
        Fault("status", 403, "userRateLimitExceeded", matches=at(12, is_piece)),
        Fault("status", 401, "authError", matches=at(14, is_piece)),
        Fault("cut", matches=at(4, is_piece)),
        Fault("cut", matches=at(16, is_piece)),
        Fault("cut", matches=at(20, is_start)),
        Fault("lost", matches=at(3, is_last_piece)),
        Fault("lost", matches=at(7, is_last_piece)),
        Fault("lost", matches=at(6, is_start)),
        Fault("lost", matches=at(1, is_folder)),
        Fault("lost", matches=at(2, is_folder)),
        Fault("status", 503, matches=at(1, is_list)),
        Fault("status", 410, "gone", matches=at(18, is_piece)),
        Fault("status", 404, "notFound", matches=at(22, is_piece)),
        Fault("status", 500, "backendError", matches=at(12, is_start)),
        Fault("none", matches=at(9, is_piece, expire_tokens)),
        Fault("none", matches=at(24, is_piece, end_uploads)),
    ]


@pytest.fixture
def google():
    with google_stand_in() as standing:
        yield standing


def make_figures(total_bytes: int, largest_bytes: int, n: int) -> dict[str, bytes]:
    """So many files of varied sizes, one of them large."""
    draw = random.Random(11)
    shares = [draw.random() ** 3 for _ in range(n)]
    rest = total_bytes - largest_bytes
    made = {"figures/spectra/all days.png": draw.randbytes(largest_bytes), "empty.csv": b""}
    for number, share in enumerate(shares):
        folder = ("", "figures/", "figures/spectra/")[number % 3]
        made[f"{folder}{number:03d}.pdf"] = draw.randbytes(int(rest * share / sum(shares)) + 1)
    return made


def through_everything(google, base: Path, files: dict[str, bytes]) -> list[dict[str, float]]:
    """Deliver through all faults and two kills; what each run that came to its end says."""
    drive = google.drive
    lab = drive.make_shared_drive("Lab", {SERVICE_EMAIL: "fileOrganizer", "ada": "organizer"})
    root = drive.make_folder("Figures", lab, by="ada")
    google.write_key(base / "key.json")
    write_library(base / "library", Config())
    toml = base / "library" / "wakeful.toml"
    toml.write_text(
        f'{toml.read_text()}\n[google]\ncredentials = "{base}/key.json"\n\n'
        f'[delivery]\nto = "drive"\ndrive_folder = "{root}"\n'
    )
    folder = publish(base / "library" / "published", files)
    runs: list[subprocess.Popen] = []

    def kill() -> None:
        os.kill(runs[-1].pid, signal.SIGKILL)

    met: list[str] = []
    google.faults += [
        *make_faults(google, met),
        Fault("none", matches=at(7, is_piece, kill)),
        Fault("none", matches=at(15, is_last_piece, kill)),
    ]
    said = []
    for _ in range(4):
        words = [sys.executable, "-c", DELIVER, str(toml.parent), str(folder), root]
        with subprocess.Popen(
            words, env=endpoint_of(google), stdout=subprocess.PIPE, text=True
        ) as run:
            runs.append(run)
            told, _ = run.communicate(timeout=250)
        if run.returncode == 0:
            said.append(json.loads(told))
        else:
            assert run.returncode == -signal.SIGKILL
    assert len(said) == 2, "two were killed, one did it, one found nothing to do"
    left = [fault for fault in google.faults if fault.kind != "none"]
    assert (left, met) == ([], ["tokens", "uploads"]), "every fault was met"
    found = {
        path.removeprefix("M1/night/"): [file.md5 for file in copies]
        for path, copies in drive.tree(root).items()
    }
    assert found == {name: [md5] for name, md5 in md5s(files).items()}
    folders = drive.folders(root)
    assert sorted(folders) == sorted(set(folders))
    made = [file for file in drive.files.values() if not file.is_folder]
    assert len(made) == len(files), "none anywhere else, and none in the trash"
    assert said[-1]["n_sent"] == 0
    return said


def test_a_small_folder_through_everything(google, tmp_path):
    through_everything(google, tmp_path, make_figures(26 * MB, 18 * MB, 30))


@pytest.mark.slow
def test_300_megabytes_through_everything(google, tmp_path):
    said = through_everything(google, tmp_path, make_figures(300 * MB, 70 * MB, 120))
    # Python, the client library and a piece or two of 8 MiB; the largest file alone has 70 MB.
    assert max(run["peak_mb"] for run in said) < 120
