"""Where the parts of an animal were, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, field

from wakeful.model.epochs import PER_ROW, Floats, Rows


@dataclass(frozen=True, eq=False, kw_only=True)
class Pose(Rows):
    """Keypoints of one animal in one camera; a row a frame, `start_s` its time."""

    x_px: Floats = field(metadata=PER_ROW)
    """(n_frames, n_keypoints); NaN where a keypoint was not found."""
    y_px: Floats = field(metadata=PER_ROW)
    """(n_frames, n_keypoints), counted downwards from the image's upper edge."""
    confidence: Floats = field(metadata=PER_ROW)
    """(n_frames, n_keypoints) 0 to 1, as the tracker gave it."""
    keypoints: tuple[str, ...]
    """For example "snout", "leftear", "tailbase"."""
    edges: tuple[tuple[int, int], ...] = ()
    """Pairs of keypoints that the skeleton joins."""
    software: str = ""
    """What tracked them, with its version."""
    video: str = ""
    """The video's file."""
    width_px: int = 0
    """Of the image; 0 where unknown."""
    height_px: int = 0
