"""Movement handed in as a CSV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wakeful.io.movement_file import read_movement
from wakeful.model.errors import BadScores


def write(folder: Path, text: str) -> Path:
    path = folder / "tracker.csv"
    path.write_text(text)
    return path


def test_speeds_are_read_with_their_unit(tmp_path: Path) -> None:
    found = read_movement(
        write(tmp_path, "start_s,speed_cm_per_s,x\n0,1.5,a\n0.5,,b\n1,nan,c\n1.5,0,d\n9,2,e\n")
    )
    assert found.start_s.tolist() == [0, 0.5, 1, 1.5, 9]
    np.testing.assert_array_equal(found.amount, np.float32([1.5, np.nan, np.nan, 0, 2]))
    assert found.bin_s == 0.5
    assert found.unit == "cm/s"
    assert found.source == "tracker.csv"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("start_s,height\n0,1\n", "its columns are start_s, height"),
        ("start_s,movement\n0,1\n1,fast\n", "line 3: '1', 'fast' are no numbers"),
        ("start_s,movement\n0,1\n1,-2\n", "line 3: movement of -2 at 1 s"),
        ("start_s,movement\n0,1\n0,2\n", "line 3: 0 s comes after 0 s"),
        ("start_s,movement\n0,1\n", "it has 1 rows"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadScores, match=said):
        read_movement(write(tmp_path, text))
