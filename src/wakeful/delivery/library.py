"""Delivering a library's published folders, as its wakeful.toml says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from wakeful.config import Library
from wakeful.delivery.interface import Delivered, Progress, Target, TargetAway
from wakeful.delivery.state import SessionState
from wakeful.front_config import folder_key
from wakeful.io.atomic import write_json
from wakeful.io.holding import HeldElsewhere, hold
from wakeful.io.published import published_digest
from wakeful.model.errors import BadConfig

PATIENCE_S = 120.0
"""How long Google may be away at a stretch within one delivery; the service tries again later."""


@dataclass(frozen=True)
class Outcome:
    """What was delivered last of a session, and where it is."""

    published: str
    """Digest of what the published folder held."""
    link: str
    kept: tuple[str, ...] = ()


def target_key(library: Library) -> str:
    """Names the target that wakeful.toml says; "" where figures go nowhere else."""
    delivery = library.config.delivery
    if delivery.to == "nowhere":
        return ""
    places = {
        "drive": delivery.drive_folder and folder_key(delivery.drive_folder),
        "folder": str(delivery.folder),
        "rclone": delivery.remote,
    }
    said = json.dumps([delivery.to, places[delivery.to]])
    return (
        f"{delivery.to}-{hashlib.sha256(said.encode(errors='backslashreplace')).hexdigest()[:12]}"
    )


def make_target(library: Library) -> Target:
    """Where a library's published folders go.

    Raises
    ------
    BadConfig
        Nowhere, or the Google account's key can't be used.
    """
    delivery = library.config.delivery
    if delivery.to == "drive":
        from wakeful.delivery.drive import DriveTarget
        from wakeful.google.account import read_account

        account = read_account(library)
        return DriveTarget.of(account, folder_key(delivery.drive_folder), patience_s=PATIENCE_S)
    if delivery.to == "folder" and delivery.folder is not None:
        from wakeful.delivery.other_folder import FolderTarget

        return FolderTarget(library.root / delivery.folder.expanduser(), delivery.link)
    if delivery.to == "rclone":
        from wakeful.delivery.by_rclone import RcloneTarget
        from wakeful.io.mirror.rclone import Rclone

        config = library.config.work.rclone_config
        path = None if config is None else library.root / config.expanduser()
        return RcloneTarget(Rclone(config=path), delivery.remote, delivery.link)
    raise BadConfig(
        "figures are delivered nowhere",
        where="wakeful.toml: delivery.to",
        remedy='write to = "drive", "folder" or "rclone" under [delivery]',
    )


def read_outcome(library: Library, subject: str, session: str) -> Outcome | None:
    """What was delivered last of a session; None where nothing was, or elsewhere."""
    path = _path(library, subject, f"done-{session}.json")
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        return Outcome(str(tree["published"]), str(tree["link"]), tuple(map(str, tree["kept"])))
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None


def deliver_session(
    library: Library,
    folder: Path,
    subject: str,
    session: str,
    progress: Progress,
    target: Target | None = None,
) -> Delivered:
    """Deliver one published folder, and remember that it was.

    One delivery to a target goes on at a time: two would make two folders of one subject. The lock
    is a file on our side, given back by the kernel however its holder ends.

    Parameters
    ----------
    folder : the published folder
    subject, session : names of the folders there
    target : where to; what wakeful.toml says where None

    Raises
    ------
    WakefulError
        See `Target.deliver`.
    """
    digest = published_digest(folder)
    state_path = _path(library, subject, f"state-{session}.json")
    home = library.deliveries / target_key(library)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        held = hold(home / "lock")
    except HeldElsewhere:
        raise TargetAway(
            "another delivery to this place goes on",
            where=f"{subject}/{session}",
            remedy="it is tried again after a while",
        ) from None
    with held:
        state = SessionState.read(state_path)
        where_to = target if target is not None else make_target(library)
        done = where_to.deliver(folder, subject, session, state, progress)
        outcome = Outcome(digest, done.link, done.kept)
        write_json(_path(library, subject, f"done-{session}.json"), asdict(outcome))
    return done


def _path(library: Library, subject: str, name: str) -> Path:
    return library.deliveries / target_key(library) / "sessions" / subject / name
