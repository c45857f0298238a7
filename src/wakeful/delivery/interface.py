"""What delivering is, whatever it leads to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wakeful.delivery.state import SessionState
from wakeful.model.errors import WakefulError

Progress = Callable[[int, int], None]
"""Told how many bytes are where they should be, and of how many."""


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """What a delivery did."""

    link: str
    """Where people find the session's folder."""
    n_sent: int
    n_unchanged: int
    n_removed: int
    kept: tuple[str, ...]
    """Files of an earlier delivery that somebody has changed since: no longer ours, left."""


class Target(Protocol):
    """Where published folders are delivered to.

    `<target>/<subject>/<session>/` comes to hold what the published folder holds. Files are updated
    in place, and are not sent where they are there already. One that is no longer part is removed
    only if we sent it and nobody changed it since. What others put there is never touched.
    """

    def deliver(
        self, folder: Path, subject: str, session: str, state: SessionState, progress: Progress
    ) -> Delivered:
        """Make the session's folder there hold what `folder` holds.

        Parameters
        ----------
        folder : the published folder; its manifest says which files are meant
        subject, session : names of the folders there
        state : what earlier deliveries of this session left; written before each step that must
            not be done twice
        progress : told how far it is

        Raises
        ------
        ForeignFiles
            Somebody else's files stand where ours should go; nothing was changed.
        NotDelivered
            Bytes arrive damaged however often they are sent, or the target says no.
        TargetAway
            The target can't be reached now, or the published folder is being written anew.
        GoogleAway, GoogleRefused
            The same, of Google Drive.
        """
        ...


class ForeignFiles(WakefulError):
    """Somebody else's files stand where ours should go."""


class NotDelivered(WakefulError):
    """A delivery that won't go better before somebody changes something."""


class TargetAway(WakefulError):
    """A delivery that may go well later."""


def foreign(names: list[str], where: str) -> ForeignFiles:
    """The error of files in the way."""
    shown = ", ".join(sorted(names)[:5]) + (", ..." if len(names) > 5 else "")
    return ForeignFiles(
        f"{shown}: there already, and not sent by Wakeful",
        where=where,
        remedy="move these files elsewhere; nothing was overwritten",
    )
