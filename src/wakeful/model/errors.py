"""What can go wrong, each with where it happened and what to do about it."""

from __future__ import annotations

from collections.abc import Callable


class WakefulError(Exception):
    """An error a lab member can act on.

    Parameters
    ----------
    what : what is wrong, in plain words
    where : the file, row, channel or field concerned
    remedy : what to do about it
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(what, where, remedy)

    def __reduce__(self) -> tuple[Callable[..., WakefulError], tuple[object, ...]]:
        return _rebuild, (type(self), self.what, self.where, self.remedy)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}; {self.remedy}" if self.remedy else text


def _rebuild(kind: type[WakefulError], what: str, where: str, remedy: str) -> WakefulError:
    """An error that came from another process."""
    return kind(what, where=where, remedy=remedy)


class BadConfig(WakefulError):
    """The library's wakeful.toml (or a parameter set) can't be used as it is."""


class NoLibrary(WakefulError):
    """There is no library where one was expected."""


class LibraryBusy(WakefulError):
    """Another service holds the library's lock."""


class BadRow(WakefulError):
    """A row of the sheet can't be used as it is."""


class BadRecording(WakefulError):
    """A recording can't be read, or not as it is."""


class NoRecording(BadRecording):
    """Nothing that can be read as a recording was found."""


class TruncatedFile(BadRecording):
    """A file ends in the middle of a record."""


class AmbiguousStream(BadRecording):
    """The recording holds several streams and none can be chosen for the user."""


class StillGrowing(BadRecording):
    """The recording is still being written; it is looked at again later."""


class BadChannels(WakefulError):
    """A channels file does not fit its recording."""


class BadMark(WakefulError):
    """A mark on a channel can't be taken as it is."""


class BadScores(WakefulError):
    """A file of hand scores can't be used as it is."""


class BadParameters(WakefulError):
    """A parameter is out of its range or of the wrong type."""


class TooShort(WakefulError):
    """There are fewer samples than the computation needs."""


class TooLarge(WakefulError):
    """What was asked for does not fit into memory."""


class Unavailable(WakefulError):
    """A result that this recording can't give, with the reason."""


class BrokenArtefact(WakefulError):
    """A stored result does not match its receipt."""


class PipelineChanged(WakefulError):
    """The installed steps are not those that the library is pinned to."""


class UnknownResult(WakefulError):
    """A figure or key that no receipt in the library knows."""


class StepFailed(WakefulError):
    """A step ended in an error; the message says which, and where."""


class BadTable(WakefulError):
    """A table of features can't be used as it is."""


class BadModel(WakefulError):
    """A trained model can't be read, or is not what it says it is."""
