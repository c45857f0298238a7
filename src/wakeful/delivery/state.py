"""What we keep of deliveries on our side.

    deliveries/<target>/lock            held by the one delivery to a target at a time
    deliveries/<target>/folders.json    the subjects' folders there
    deliveries/<target>/sessions/<subject>/
      state-<session>.json              files there, uploads that have begun
      done-<session>.json               what was delivered last, and its link

The address of an upload that has begun lets anybody write that file: these are private (mode 600).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from wakeful.io.atomic import write_json


@dataclass
class Upload:
    """A resumable upload that has begun."""

    address: str = field(repr=False)
    md5: str
    size: int


@dataclass
class Place:
    """A file or folder there, known by an identifier that was chosen before it was made."""

    identifier: str = ""
    is_made: bool = False
    """Whether it has been seen there."""
    digests: list[str] = field(default_factory=list)
    """MD5 of what we sent, or may have sent when we were stopped. Nothing for folders."""
    upload: Upload | None = None


@dataclass
class SessionState:
    """What earlier deliveries of a session left.

    Parameters
    ----------
    path : where it is kept
    """

    path: Path
    files: dict[str, Place] = field(default_factory=dict)
    """Name -> file."""
    folders: dict[str, Place] = field(default_factory=dict)
    """Path below the target -> folder."""

    @property
    def home(self) -> Path:
        """Where what concerns the target as a whole is kept."""
        return self.path.parent.parent.parent

    @classmethod
    def read(cls, path: Path) -> SessionState:
        """As it was kept; empty where nothing was, or where it can't be read.

        A lost state costs time, no more: what is there is looked for.
        """
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
            files = {name: _place(value) for name, value in tree["files"].items()}
            folders = {name: _place(value) for name, value in tree["folders"].items()}
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
            return cls(path)
        return cls(path, files, folders)

    def save(self) -> None:
        """Keep it, durably."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        tree = {
            "files": {name: asdict(place) for name, place in sorted(self.files.items())},
            "folders": {name: asdict(place) for name, place in sorted(self.folders.items())},
        }
        write_json(self.path, tree, private=True)

    def claim(self, digests: dict[str, str]) -> None:
        """Say what may be ours from now on, so that a kill half way leaves no orphan.

        Parameters
        ----------
        digests : name -> MD5 of all that is to be there
        """
        for name, digest in digests.items():
            place = self.files.setdefault(name, Place())
            if digest not in place.digests:
                place.digests.append(digest)
        self.save()

    def settle(self, digests: dict[str, str]) -> None:
        """Say what is ours now that all is there."""
        kept = {name: self.files.get(name, Place()) for name in digests}
        for name, place in kept.items():
            place.digests, place.upload, place.is_made = [digests[name]], None, True
        self.files = kept
        self.save()


def _place(tree: dict[str, Any]) -> Place:
    upload = tree["upload"]
    return Place(
        str(tree["identifier"]),
        bool(tree["is_made"]),
        [str(digest) for digest in tree["digests"]],
        Upload(**upload) if upload else None,
    )
