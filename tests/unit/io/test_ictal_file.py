from __future__ import annotations

from pathlib import Path

import pytest

from wakeful.io.ictal_file import read_ictal
from wakeful.model.errors import BadScores


def put(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_kinds_and_order(tmp_path: Path) -> None:
    text = "kind,start_s,stop_s\npost-ictal,60,120\nSeizure,20,60\n,10,12\n"
    found = read_ictal(put(tmp_path / "a.csv", text))
    assert found.start_s.tolist() == [10, 20, 60]
    assert found.stop_s.tolist() == [12, 60, 120]
    assert found.kind.tolist() == [1, 1, 2]
    assert found.source == "a.csv"


def test_none(tmp_path: Path) -> None:
    assert read_ictal(put(tmp_path / "a.csv", "start_s,stop_s\n")).n_rows == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("start_s\n1\n", "column stop_s is missing"),
        ("start_s,stop_s\n1,x\n", r"a\.csv, line 2: '1' to 'x'"),
        ("start_s,stop_s\n1,2\n5,4\n", "line 3: the interval reaches from 5 to 4 s"),
        ("start_s,stop_s\n1,nan\n", "from 1 to nan"),
        ("start_s,stop_s\n1\n", "are no seconds"),
        ("start_s,stop_s,kind\n1,2,maybe\n", "'maybe' is no kind"),
    ],
)
def test_what_can_be_wrong(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadScores, match=said):
        read_ictal(put(tmp_path / "a.csv", text))
