"""The Python in the how-to guides runs on a library as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from wakeful.model.epochs import State


@pytest.mark.slow
def test_how_to_read_results_runs(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wakeful = str(Path(sys.executable).parent / "wakeful")
    for command in (
        "simulate recording --minutes 2 --rate-hz 2000 --natural",
        "init night-shift --block-s 60",
        "add recording --subject SIM001 --library night-shift",
        "run --once --quiet --library night-shift",
    ):
        done = subprocess.run(
            [wakeful, *command.split()], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"
    (session,) = (path.name for path in (tmp_path / "night-shift/published/SIM001").iterdir())

    guide = (root / "docs/how-to/read-results-in-python.md").read_text(encoding="utf-8")
    guide = guide.replace("2026-03-02_09-15-00_baseline", session)
    names: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```", guide, re.MULTILINE | re.DOTALL):
        exec(compile(block, "read-results-in-python.md", "exec"), names)
    assert names["states"].shape == (30,)  # type: ignore[attr-defined]
    assert names["theta_uv2"].shape == (30,)  # type: ignore[attr-defined]
    assert names["ten_seconds_uv"].shape == (9, 10_000)  # type: ignore[attr-defined]
    assert names["hypnogram"].n_rows == 30  # type: ignore[attr-defined]
    assert names["hypnogram"].minutes()[State.UNCLASSIFIED] == 2.0  # type: ignore[attr-defined]
