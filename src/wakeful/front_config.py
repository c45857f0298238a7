"""What wakeful.toml says of the people's side: sheets, where figures go, the web page, blinding."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from wakeful.oversight_config import Section

_SHEET_KEY = re.compile(r"(?:https?://[^\s/]+/spreadsheets/(?:u/\d+/)?d/)?([\w-]{10,})(?:[/?#].*)?")
_FOLDER_KEY = re.compile(
    r"(?:https?://[^\s/]+/drive/(?:u/\d+/)?folders/|https?://\S*[?&]id=)?([\w-]{6,})(?:[/?#&].*)?"
)


class Google(Section):
    """The lab's Google account, and the sheets in it that are read."""

    credentials: Path | None = Field(
        None,
        description="JSON file of a service account, or of a person (`wakeful google login`); "
        "readable by its owner alone (mode 600). Or its path in WAKEFUL_GOOGLE_CREDENTIALS",
    )
    sheets: tuple[str, ...] = Field(
        (), description="Addresses of the Google Sheets whose rows are computed"
    )
    poll_s: Annotated[float, Field(ge=2)] = Field(
        15.0,
        description="Pause between two looks at a Google Sheet, seconds; Google takes 60 reads and "
        "60 writes a minute from one account",
    )

    @field_validator("sheets")
    @classmethod
    def _addresses(cls, sheets: tuple[str, ...]) -> tuple[str, ...]:
        keys = tuple(map(sheet_key, sheets))
        if len(set(keys)) < len(keys):
            raise ValueError("one of the sheets is named twice; name each once")
        return sheets


class Inbox(Section):
    """Files of rows that are watched: an .xlsx or .csv that somebody saves now and then."""

    files: tuple[Path, ...] = Field(
        (),
        description="Files whose rows are computed; they are never written. Statuses go into a "
        "file beside each, NAME.status.xlsx or NAME.status.csv",
    )
    poll_s: Annotated[float, Field(ge=0.5)] = Field(
        5.0, description="Pause between two looks at such a file, seconds"
    )

    @field_validator("files")
    @classmethod
    def _endings(cls, files: tuple[Path, ...]) -> tuple[Path, ...]:
        if bad := [str(f) for f in files if f.suffix.lower() not in (".xlsx", ".csv")]:
            raise ValueError(f"{', '.join(bad)}: give files that end in .xlsx or .csv")
        if bad := [str(f) for f in files if f.stem.lower().endswith(".status")]:
            raise ValueError(f"{', '.join(bad)}: that is where Wakeful writes statuses")
        if len(set(files)) < len(files):
            raise ValueError("one of the files is named twice; name each once")
        return files


class Delivery(Section):
    """Where figures, report and tables go besides the library's own published folder."""

    to: Literal["nowhere", "drive", "folder", "rclone"] = Field(
        "nowhere", description="Google Drive, a folder (a NAS, say), or what rclone reaches"
    )
    drive_folder: str = Field(
        "",
        description="Address of the folder in Google Drive; in a Shared Drive where a service "
        "account writes, since such an account owns no files",
    )
    folder: Path | None = Field(None, description="The folder, e.g. on a NAS; must exist")
    remote: str = Field("", description="Where rclone writes, e.g. lab-s3:figures")
    link: str = Field(
        "",
        description="Address under which people open what was delivered to a folder or by rclone, "
        "e.g. https://files.lab.org/figures; the row's link begins with it",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {"drive": "drive_folder", "folder": "folder", "rclone": "remote"}.get(self.to)
        if needed is not None and not getattr(self, needed):
            raise ValueError(f'to = "{self.to}" needs {needed}')
        if self.drive_folder and _FOLDER_KEY.fullmatch(self.drive_folder.strip()) is None:
            raise ValueError(
                f"drive_folder: {self.drive_folder!r} is not the address of a folder in Google "
                "Drive; open the folder in the browser and copy the address"
            )
        if self.remote and ":" not in self.remote:
            raise ValueError(f"remote: {self.remote!r} names no remote; write REMOTE:PATH")
        return self


class Web(Section):
    """The page that `wakeful serve` shows."""

    address: str = Field("127.0.0.1", description="Address that it listens at")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8460, description="Its port")
    trusted_user_header: str = Field(
        "",
        description="Header in which a proxy names who is logged in, e.g. X-Forwarded-User; "
        "without it only 127.0.0.1 is listened at",
    )


class Blinding(Section):
    """Whether what tells groups apart is hidden from people who score and look at figures."""

    hide_groups: bool = Field(
        False,
        description="Hide genotype, drug, dose and notes of animals until somebody unblinds them "
        "(`wakeful unblind`), which is logged",
    )


def sheet_key(address: str) -> str:
    """The key of a Google Sheet, from its address in the browser or the key itself.

    Raises
    ------
    ValueError
        It is neither.
    """
    found = _SHEET_KEY.fullmatch(address.strip())
    if found is None:
        raise ValueError(
            f"{address!r} is not the address of a Google Sheet; open the sheet in the browser and "
            "copy the address"
        )
    return found[1]


def google_sheet_name(address: str) -> str:
    """How the library knows a Google Sheet, for ever."""
    return f"google:{sheet_key(address)}"


def inbox_name(file: Path) -> str:
    """How the library knows a watched file: as wakeful.toml names it, wherever the library is."""
    return f"file:{file.as_posix()}"


def folder_key(address: str) -> str:
    """The key of a folder in Google Drive, from its address in the browser or the key itself.

    Raises
    ------
    ValueError
        It is neither.
    """
    found = _FOLDER_KEY.fullmatch(address.strip())
    if found is None:
        raise ValueError(f"{address!r} is not the address of a folder in Google Drive")
    return found[1]
