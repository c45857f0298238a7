"""Published folders on their way to Google Drive, another folder, or what rclone reaches."""

from __future__ import annotations

from wakeful.delivery.interface import (
    Delivered,
    ForeignFiles,
    NotDelivered,
    Progress,
    Target,
    TargetAway,
)
from wakeful.delivery.library import (
    Outcome,
    deliver_session,
    make_target,
    read_outcome,
    target_key,
)

__all__ = [
    "Delivered",
    "ForeignFiles",
    "NotDelivered",
    "Outcome",
    "Progress",
    "Target",
    "TargetAway",
    "deliver_session",
    "make_target",
    "read_outcome",
    "target_key",
]
