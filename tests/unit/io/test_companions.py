"""What is taken in with a recording that is one file."""

from __future__ import annotations

from pathlib import Path

from wakeful.io.companions import companions
from wakeful.io.mirror import take_in


def test_a_table_and_a_channels_file_come_along(tmp_path):
    for name in ("A_ColMajor.bin", "A_Meta.csv", "B_Meta.csv", "channels.csv", "x.edf"):
        (tmp_path / name).write_text(name)
    found = companions(tmp_path / "A_ColMajor.bin")
    assert [p.name for p in found] == ["A_Meta.csv", "channels.csv"]
    assert [p.name for p in companions(tmp_path / "x.edf")] == ["channels.csv"]
    manifest = take_in(tmp_path / "A_ColMajor.bin", tmp_path / "in", in_place=False)
    root = Path(manifest.root)
    assert root.name == "A_ColMajor.bin"
    assert (root.parent / "A_Meta.csv").read_text() == "A_Meta.csv"


def test_events_go_with_their_signals(tmp_path: Path) -> None:
    for name in ("a.ns5", "a.nev", "b.nev"):
        (tmp_path / name).write_bytes(b"x")
    assert companions(tmp_path / "a.ns5") == (tmp_path / "a.nev",)
