"""What wakeful.toml says of the service itself: its log, its metrics, whom it tells what."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Section(BaseModel):
    """A table of wakeful.toml: typed, and refused where it has a field that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Service(Section):
    """What `wakeful run` tells of itself, and what it leaves free."""

    log_mb: Annotated[float, Field(ge=0.1)] = Field(
        50.0, description="The log's files together take no more, megabytes"
    )
    terminal: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="What of the log the terminal shows too: this and graver"
    )
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        0, description="Port where Prometheus finds metrics while `wakeful run` runs; 0 for none"
    )
    metrics_address: str = Field(
        "127.0.0.1",
        description="Address that the metrics are served at; 0.0.0.0 for every machine that can "
        "reach this one",
    )
    keep_free_gb: Annotated[float, Field(ge=0)] = Field(
        5.0,
        description="A row that would leave less room than this on a disk of the library waits, "
        "gigabytes",
    )
    quota_gb: Annotated[float, Field(ge=0)] = Field(
        0.0,
        description="The library may hold so much, gigabytes, where a disk is shared: forecasts "
        "and notices count with it; 0 for no quota",
    )


class Notices(Section):
    """Whom Wakeful tells what, and how often."""

    urls: tuple[SecretStr, ...] = Field(
        (),
        description="Where notices go, as addresses of apprise (mail, Slack, Matrix, Telegram, "
        "ntfy, ...). They hold secrets: a wakeful.toml with them must be readable by its owner "
        "alone (mode 600); or use `urls_file`, or WAKEFUL_NOTICES_URLS",
    )
    urls_file: Path | None = Field(
        None, description="File with one address a line, readable by its owner alone (mode 600)"
    )
    repeat_hours: Annotated[float, Field(gt=0)] = Field(
        24.0, description="The same reason is not told again before that"
    )
    stalled_minutes: Annotated[float, Field(ge=0)] = Field(
        30.0,
        description="Told when an animal was being recorded and none of its recordings has grown "
        "for so long; 0: never told",
    )
    disk_days: Annotated[float, Field(ge=0)] = Field(
        3.0,
        description="Told when a disk of the library, or its quota, is full within so many days",
    )
    digest_at: time | None = Field(
        None, description='The lab\'s time of a daily digest, e.g. "08:00"; none where not given'
    )
    link_base: str = Field(
        "",
        description="What stands before a link in place of the library's folder, e.g. "
        '"https://lab.example/night-shift"; the path itself where empty',
    )
