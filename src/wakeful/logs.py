"""What the service does, line by line: JSON for programs, plain text for people.

One place of set-up. Whoever has something to say takes `get_log()` and says it with facts as
keywords; where nothing was set up (in a library call, in a test) nothing is written anywhere. Every
line passes the same redaction before it reaches a file or a terminal.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wakeful.model.secrets import Redaction

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

LOG_NAME: Final = "wakeful.jsonl"
_LOGGER: Final = "wakeful"
_N_OLDER: Final = 4
"""Older files beside the one that is written."""
_LONGEST: Final = 8_000
"""Characters of one value: the end of a trace matters more than its middle."""
_COLOURS: Final = {"warning": "33", "error": "31", "critical": "31;1", "info": "36", "debug": "2"}
_FIRST: Final = ("row", "subject", "session", "job", "step", "seconds")

logging.getLogger(_LOGGER).addHandler(logging.NullHandler())
logging.getLogger(_LOGGER).setLevel(logging.INFO)

_redaction = Redaction()


@cache
def get_log() -> BoundLogger:
    """The one log. Facts of a row that is being worked on are added by `facts_of`."""
    import structlog

    log: BoundLogger = structlog.wrap_logger(
        logging.getLogger(_LOGGER),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
    )
    return log


def facts_of(
    *, row: int | None = None, subject: str = "", session: str = ""
) -> contextlib.AbstractContextManager[None]:
    """Whatever is logged inside is about this row."""
    from structlog.contextvars import bound_contextvars

    facts = {"row": row, "subject": subject, "session": session}
    return bound_contextvars(**{name: fact for name, fact in facts.items() if fact})


@contextlib.contextmanager
def write_logs(
    folder: Path,
    *,
    most_mb: float,
    terminal_level: str = "warning",
    not_on_terminal: Collection[str] = (),
    secrets: Iterable[str] = (),
) -> Iterator[None]:
    """Write what is logged into a folder and to the terminal, as long as this lasts.

    Parameters
    ----------
    folder : gets `wakeful.jsonl` and older files beside it
    most_mb : all of them together take no more, megabytes
    terminal_level : what is shown on standard error: this and graver
    not_on_terminal : events that the terminal shows in another way
    secrets : words that must never be written, beside what is recognised for a secret
    """
    global _redaction  # noqa: PLW0603 -- one process writes one log
    from structlog.processors import JSONRenderer
    from structlog.stdlib import ProcessorFormatter

    before = _redaction
    _redaction = Redaction(secrets)
    file = RotatedFile(folder / LOG_NAME, most_bytes=int(most_mb * 1e6))
    file.setFormatter(_formatter(ProcessorFormatter, JSONRenderer(ensure_ascii=False, default=str)))
    terminal = _Terminal()
    terminal.setLevel(terminal_level.upper())
    terminal.addFilter(lambda record: _event_of(record) not in not_on_terminal)
    terminal.setFormatter(_formatter(ProcessorFormatter, render_plainly))
    # On the root: what other libraries warn of belongs into the same file.
    root = logging.getLogger()
    for handler in (file, terminal):
        root.addHandler(handler)
    try:
        yield
    finally:
        for handler in (file, terminal):
            root.removeHandler(handler)
            handler.close()
        _redaction = before


def _event_of(record: logging.LogRecord) -> str:
    """What one of our own records is about; "" for those of other libraries."""
    return str(record.msg.get("event", "")) if isinstance(record.msg, dict) else ""


def _shared_processors() -> list[Any]:
    import structlog

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
        redact,
    ]


def _formatter(kind: Any, renderer: Any) -> logging.Formatter:
    formatter: logging.Formatter = kind(
        foreign_pre_chain=_shared_processors(),
        processors=[kind.remove_processors_meta, renderer],
    )
    return formatter


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The processor that every line passes: no secrets, no endless values."""
    for name, value in event.items():
        if not name.startswith("_"):
            event[name] = _shorten(_redaction.clean(name, value))
    return event


def _shorten(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST:
        half = _LONGEST // 2
        return f"{value[:half]} [...] {value[-half:]}"
    return value


def render_plainly(_: Any, __: str, event: Mapping[str, Any]) -> str:
    """One line for people: time, what, and its facts."""
    level = str(event.get("level", "info"))
    facts = [name for name in _FIRST if name in event]
    left_out = {"time", "level", "event", "exception", "logger", *facts}
    facts += [name for name in event if name not in left_out and not name.startswith("_")]
    said = "  ".join(f"{name}={event[name]}" for name in facts)
    when = str(event.get("time", ""))[:19].replace("T", " ")
    grave = "" if level in ("info", "debug") else f"{level}: "
    line = f"{when} {grave}{event.get('event', '')}"
    if said:
        line = f"{line}  {said}"
    if trace := event.get("exception"):
        line = f"{line}\n{trace}"
    return line


class _Terminal(logging.Handler):
    """Standard error as it is at the moment: a progress display may stand in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
            stream = sys.stderr
            if stream.isatty() and "NO_COLOR" not in os.environ:
                line = f"\x1b[{_COLOURS.get(record.levelname.lower(), '0')}m{line}\x1b[0m"
            stream.write(f"{line}\n")
            stream.flush()
        except (OSError, ValueError):
            return  # nobody listens any more: the work goes on


class RotatedFile(logging.Handler):
    """A file that begins anew when it is large, a few older ones kept; never in anybody's way.

    A line that can't be written (a full disk, a folder that is gone) is counted, and the first one
    after it says how many were lost. One process writes, any number may read.

    Parameters
    ----------
    path : the file that is written; older ones are called `NAME.1`, `NAME.2`, ...
    most_bytes : all of them together take no more
    """

    def __init__(self, path: Path, most_bytes: int) -> None:
        super().__init__()
        self._path = path
        self._most = max(most_bytes // (_N_OLDER + 1), 1)
        self._handle: int | None = None
        self._torn = True
        """Whether the file may end in half a line."""
        self._size = 0
        self._n_lost = 0
        self._write_lock = threading.Lock()

    @property
    def n_lost(self) -> int:
        """Lines that could not be written since the last one that could."""
        return self._n_lost

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, or count it as lost."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 -- a fact that can't be shown must not stop the work
            line = json.dumps({"event": "a line that can't be shown", "level": "error"})
        with self._write_lock:
            try:
                self._write(line.encode(errors="backslashreplace"))
            except OSError:
                self._n_lost += 1
                self._shut()

    def _write(self, line: bytes) -> None:
        if self._handle is not None and self._size + len(line) > self._most:
            self._rotate()
        if self._handle is None:
            self._open()
        if self._n_lost:
            lost = {
                "event": "lines of the log were lost",
                "level": "warning",
                "lines": self._n_lost,
            }
            self._put(json.dumps(lost).encode() + b"\n")
            self._n_lost = 0
        self._put(line + b"\n")

    def _put(self, data: bytes) -> None:
        if self._handle is None:
            raise OSError("not open")
        if self._torn:
            data = b"\n" + data
        n_written = os.write(self._handle, data)
        self._size += n_written
        self._torn = n_written < len(data)
        if self._torn:
            raise OSError("the disk took half a line")

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._handle = os.open(self._path, flags, 0o640)
        self._size = os.fstat(self._handle).st_size
        self._torn = self._size > 0 and not self._ends_whole()
        if self._size >= self._most:
            self._rotate()
            self._open()

    def _ends_whole(self) -> bool:
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    def _rotate(self) -> None:
        self._shut()
        for number in range(_N_OLDER, 0, -1):
            younger = older_file(self._path, number - 1)
            if younger.exists():
                younger.replace(older_file(self._path, number))

    def _shut(self) -> None:
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.close(self._handle)
        self._handle = None

    def close(self) -> None:
        """Close the file."""
        with self._write_lock:
            self._shut()
        super().close()


def older_file(path: Path, number: int) -> Path:
    """The log's file of that age; 0 is the one being written."""
    return path if number == 0 else path.with_name(f"{path.name}.{number}")


def log_files(folder: Path) -> tuple[Path, ...]:
    """The files of a log that are there, oldest first."""
    path = folder / LOG_NAME
    found = (older_file(path, number) for number in range(_N_OLDER, -1, -1))
    return tuple(file for file in found if file.is_file())
