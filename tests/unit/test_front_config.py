"""What wakeful.toml says of sheets, deliveries, the page and blinding."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from wakeful.front_config import Delivery, Google, Inbox, folder_key, sheet_key

KEY = "1AbC-d_efGhIjKlMnOpQrStUvWxYz0123456789abcdE"


@pytest.mark.parametrize(
    "address",
    [
        KEY,
        f"https://docs.google.com/spreadsheets/d/{KEY}/edit#gid=0",
        f"https://docs.google.com/spreadsheets/d/{KEY}/edit?usp=sharing",
        f"https://docs.google.com/spreadsheets/u/1/d/{KEY}/",
        f"  https://docs.google.com/spreadsheets/d/{KEY}  ",
    ],
)
def test_a_sheet_is_known_by_any_of_its_addresses(address: str) -> None:
    assert sheet_key(address) == KEY


@pytest.mark.parametrize(
    "address", ["", "mice", f"https://docs.google.com/document/d/{KEY}/edit", "https://lab.org/a b"]
)
def test_what_is_no_sheet_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="is not the address of a Google Sheet"):
        sheet_key(address)


@pytest.mark.parametrize(
    "address",
    [
        KEY,
        f"https://drive.google.com/drive/folders/{KEY}",
        f"https://drive.google.com/drive/u/0/folders/{KEY}?usp=sharing",
        f"https://drive.google.com/open?id={KEY}&usp=drive",
    ],
)
def test_a_folder_is_known_by_any_of_its_addresses(address: str) -> None:
    assert folder_key(address) == KEY


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [
        (Google, {"sheets": [KEY, f"https://docs.google.com/spreadsheets/d/{KEY}/"]}, "twice"),
        (Google, {"poll_s": 0.5}, "greater than or equal to 2"),
        (Inbox, {"files": ["mice.ods"]}, "end in .xlsx or .csv"),
        (Inbox, {"files": ["mice.status.xlsx"]}, "where Wakeful writes statuses"),
        (Inbox, {"files": ["a.csv", "a.csv"]}, "named twice"),
        (Delivery, {"to": "drive"}, "needs drive_folder"),
        (Delivery, {"to": "folder"}, "needs folder"),
        (Delivery, {"to": "rclone"}, "needs remote"),
        (Delivery, {"to": "rclone", "remote": "figures"}, "names no remote"),
        (Delivery, {"to": "drive", "drive_folder": "my folder"}, "not the address of a folder"),
    ],
)
def test_what_can_not_be_meant_is_refused(section, values, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        section.model_validate(values)
