"""A validated row: what is asked for, with nothing left to interpret."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from pydantic import TypeAdapter

from wakeful.ledger import canonical_json


class NaturalKey(NamedTuple):
    """What makes two rows the same row, whatever else stands in them."""

    subject: str
    recording: str
    stream: str
    """"" where the choice is left."""
    params: str
    rerun: int


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a row asks for."""

    subject: str
    """Safe as the name of a folder."""
    recording: Path
    """Absolute, without links."""
    analyses: tuple[str, ...]
    """Names, in the catalog's order."""
    params: str
    """Name of a parameter set."""
    stream: str | None = None
    channels: Path | None = None
    """The channels file; absolute."""
    priority: int = 0
    rerun: int = 0
    notes: str = ""
    run: bool = False
    """Whether the row is ticked as complete."""
    notices: tuple[str, ...] = field(default=(), compare=False)
    """What was put right on the way, for the person to know."""

    def to_json(self) -> str:
        """Canonical JSON, as the ledger keeps it with a run; without the notices."""
        document = {
            **asdict(self),
            "recording": str(self.recording),
            "channels": None if self.channels is None else str(self.channels),
        }
        del document["notices"]
        return canonical_json(document)

    def asks_for_the_same_work(self, other: Request) -> bool:
        """Whether the two differ at most in what changes no result: notes, priority, run tick."""
        return self is other or self._work() == other._work()

    def _work(self) -> tuple[object, ...]:
        return (
            self.subject,
            self.recording,
            self.analyses,
            self.params,
            self.stream,
            self.channels,
            self.rerun,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The request that `to_json` wrote.

        Raises
        ------
        pydantic.ValidationError
            The text is something else.
        """
        return TypeAdapter(cls).validate_json(text)


def natural_key(request: Request) -> NaturalKey:
    """What makes two rows the same: subject, recording, stream, parameter set, rerun number."""
    return NaturalKey(
        request.subject,
        str(request.recording),
        request.stream or "",
        request.params,
        request.rerun,
    )
