"""The Python in the how-to guides runs on a library as it is."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from wakeful.model.epochs import State

NAME = "2026-03-02_09-15-00_baseline"
"""As the guides call their session."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recording and a library, as the guides have it."""
    folder = tmp_path_factory.mktemp("guides")
    for command in (
        "simulate recording --minutes 2 --rate-hz 2000 --natural",
        "init night-shift --block-s 60",
        "add recording --subject SIM001 --library night-shift",
        "run --once --quiet --library night-shift",
    ):
        call(folder, command)
    return folder


def call(folder: Path, command: str) -> None:
    """A command that must end well."""
    wakeful = str(Path(sys.executable).parent / "wakeful")
    done = subprocess.run(
        [wakeful, *command.split()], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"


def session_of(place: Path) -> str:
    (session,) = (path.name for path in (place / "night-shift/published/SIM001").iterdir())
    return session


def run_blocks(root: Path, page: str, changes: dict[str, str]) -> dict[str, object]:
    """All Python of a page, one block after the other; returns the names it made."""
    text = (root / "docs" / page).read_text(encoding="utf-8")
    for old, new in changes.items():
        text = text.replace(old, new)
    names: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        exec(compile(block, page, "exec"), names)
    return names


@pytest.mark.slow
def test_how_to_read_results_runs(root: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    names = run_blocks(root, "how-to/read-results-in-python.md", {NAME: session_of(place)})
    assert names["states"].shape == (30,)  # type: ignore[attr-defined]
    assert names["theta_uv2"].shape == (30,)  # type: ignore[attr-defined]
    assert names["ten_seconds_uv"].shape == (9, 10_000)  # type: ignore[attr-defined]
    assert names["hypnogram"].n_rows == 30  # type: ignore[attr-defined]
    assert names["hypnogram"].minutes()[State.UNCLASSIFIED] == 2.0  # type: ignore[attr-defined]


@pytest.mark.slow
def test_how_to_share_runs(root: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    names = run_blocks(root, "how-to/share-with-nwb.md", {NAME: session_of(place)})
    assert names["first_minute"].shape == (60_001, 8)  # type: ignore[attr-defined]
    assert names["lfp_uv"].shape == (8, 120_000)  # type: ignore[attr-defined]
    assert names["rem_power"].dims == ("region", "band")  # type: ignore[attr-defined]


@pytest.mark.slow
def test_how_to_pynapple_and_xarray_runs(
    root: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two minutes hold no REM, of which pynapple warns
        names = run_blocks(root, "how-to/pynapple-and-xarray.md", {NAME: session_of(place)})
    assert names["lfp"].shape == (9, 60_000)  # type: ignore[attr-defined]
    assert names["theta"].shape == (30,)  # type: ignore[attr-defined]
    assert names["within"].shape == (9, 60_000)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_an_outsider_reads_a_block_as_the_reference_tells(root: Path, place: Path) -> None:
    """With nothing but NumPy, before it is packed, and with Blosc after."""
    (block, _) = sorted((place / "night-shift/results/convert").glob("*/*/"))
    session = session_of(place)
    text = (root / "docs/reference/folder-layout.md").read_text(encoding="utf-8")
    text = text.replace("results/convert/3f/3f9a.../", f"{block}/")
    plain, packed = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(plain, "folder-layout.md", "exec"), names)
    assert names["uv"].shape == names["time_s"].shape == (60_000,)  # type: ignore[attr-defined]
    second_channel = names["lfp"][0, 1].tolist()  # type: ignore[index]
    call(place, f"compress {session} --library night-shift")
    exec(compile(packed, "folder-layout.md", "exec"), names)
    call(place, f"compress {session} --undo --library night-shift")
    assert names["numbers"].tolist() == second_channel  # type: ignore[attr-defined]
