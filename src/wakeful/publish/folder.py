"""The published tree: <folder>/<subject>/<session>/, in which only our own files are touched."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wakeful.io.atomic import sync_folder, write_bytes, write_json
from wakeful.io.published import MANIFEST
from wakeful.model.errors import BadRow, BrokenArtefact

_FORBIDDEN = set('<>:"/\\|?*')
_RESERVED = {"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(1, 10))}


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a publication changed; names are relative to `folder`."""

    folder: Path
    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    """Files of an earlier publication that somebody has changed since: no longer ours, left."""


def session_folder(folder: Path, subject: str, session: str) -> Path:
    """Where a session is published.

    Raises
    ------
    BadRow
        A name that is no safe name of a folder (on Windows shares too).
    """
    return folder / _safe_name(subject, "subject") / _safe_name(session, "session")


def publish_files(
    folder: Path, subject: str, session: str, files: Mapping[str, bytes]
) -> Published:
    """Make a session's published folder hold `files`.

    Each file is whole or not there at any moment. A file whose content is the same is not
    rewritten; one that somebody changed is written anew. What is no longer part is removed only if
    we wrote it and nobody changed it.

    Parameters
    ----------
    files : name ("figures/day.png", forward slashes) -> content; all of the publication

    Raises
    ------
    BadRow
        A subject, session or file name that is not safe.
    BrokenArtefact
        A file that we did not write stands where one of ours should go, or the manifest can't be
        read. Nothing has been changed then.
    """
    target = session_folder(folder, subject, session)
    for name in files:
        _check_file_name(name)
    ours = _read_manifest(target)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    unchanged = tuple(n for n, d in digests.items() if _digest(target / n) == d)
    foreign = [
        name
        for name in files
        if name not in unchanged and name not in ours and (target / name).exists()
    ]
    if foreign:
        raise BrokenArtefact(
            f"{', '.join(foreign)}: there already, and not written by this publication",
            where=str(target),
            remedy="move these files elsewhere; nothing was overwritten",
        )
    _make_folders(folder, target)
    # First say which files may become ours, so that a kill half way leaves no orphan.
    claimed = {
        name: sorted({*ours.get(name, ()), *([digests[name]] if name in digests else [])})
        for name in {*ours, *digests}
    }
    if claimed != ours:
        _write_manifest(target, claimed)
    for name, data in files.items():
        if name not in unchanged:
            _make_folders(target, (target / name).parent)
            write_bytes(target / name, data)
    removed, kept = _remove_old(target, {n: d for n, d in ours.items() if n not in digests})
    final = {name: [digest] for name, digest in digests.items()}
    if final != claimed:
        _write_manifest(target, final)
    return Published(
        folder=target,
        written=tuple(name for name in files if name not in unchanged),
        unchanged=unchanged,
        removed=removed,
        kept=kept,
    )


def _remove_old(
    target: Path, old: Mapping[str, list[str]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    removed: list[str] = []
    kept: list[str] = []
    for name, digests in sorted(old.items()):
        path = target / name
        now = _digest(path)
        if now is None:
            continue
        if now not in digests:
            kept.append(name)
            continue
        path.unlink()
        sync_folder(path.parent)
        removed.append(name)
        for parent in PurePosixPath(name).parents:
            empty = target / parent
            if empty == target or any(empty.iterdir()):
                break
            empty.rmdir()
    return tuple(removed), tuple(kept)


def _make_folders(base: Path, target: Path) -> None:
    """Make the folders from `base` down to `target`, durably."""
    base.mkdir(parents=True, exist_ok=True)
    at = base
    for part in target.relative_to(base).parts:
        parent, at = at, at / part
        if not at.is_dir():
            at.mkdir(exist_ok=True)
            sync_folder(parent)


def _digest(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(target: Path) -> dict[str, list[str]]:
    path = target / MANIFEST
    if not path.exists():
        return {}
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
        manifest = {str(name): [str(d) for d in digests] for name, digests in files.items()}
        for name in manifest:
            _check_file_name(name)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, BadRow) as error:
        raise BrokenArtefact(
            f"can't be read as a manifest ({error})",
            where=str(path),
            remedy="move the session's published folder away; it is written anew",
        ) from error
    return manifest


def _write_manifest(target: Path, files: Mapping[str, list[str]]) -> None:
    write_json(target / MANIFEST, {"files": dict(sorted(files.items()))})


def _safe_name(name: str, what: str) -> str:
    problem = ""
    if not name.strip() or name.strip(".") == "":
        problem = "is empty or only dots"
    elif name != name.strip() or name.endswith("."):
        problem = "begins or ends with a space, or ends with a dot"
    elif bad := sorted({c for c in name if c in _FORBIDDEN or unicodedata.category(c) == "Cc"}):
        problem = f"contains {' '.join(repr(c) for c in bad)}"
    elif name.split(".", maxsplit=1)[0].lower() in _RESERVED:
        problem = "is a name that Windows keeps for itself"
    elif len(name.encode()) > 200:
        problem = "is longer than 200 bytes"
    if problem:
        raise BadRow(
            f"{what} {name!r} {problem}, so it can't name a folder",
            where=what,
            remedy="use letters, digits, dots, hyphens and underscores, e.g. M014",
        )
    return name


def _check_file_name(name: str) -> None:
    for part in name.split("/"):
        _safe_name(part, "file name")
    if name == MANIFEST:
        raise BadRow(
            f"{name} is kept for the manifest", where="file name", remedy="rename the file"
        )
