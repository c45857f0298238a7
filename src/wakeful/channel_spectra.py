"""Spectrograms of single channels, when somebody asks: what is stored is one per region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.analysis import compute_spectrogram
from wakeful.model.arrays import ArraySource, Lfp
from wakeful.model.epochs import Spectrogram
from wakeful.model.errors import BadParameters
from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Span


class _ChosenChannels:
    """Some channels of a source, each a region of its own."""

    def __init__(self, source: ArraySource, rows: Sequence[int]) -> None:
        self._source = source
        self._rows = tuple(rows)
        self._channels = tuple(
            replace(source.channels[row], region=source.channels[row].name, kind=ChannelKind.LFP)
            for row in self._rows
        )

    @property
    def channels(self) -> tuple[Channel, ...]:
        """See `ArraySource`."""
        return self._channels

    @property
    def spans(self) -> tuple[Span, ...]:
        """See `ArraySource`."""
        return self._source.spans

    @property
    def dtype(self) -> np.dtype[Any]:
        """See `ArraySource`."""
        return self._source.dtype

    def read(self, first_sample: int, out: NDArray[Any], rows: Sequence[int] | None = None) -> None:
        """See `ArraySource.read`."""
        wanted = range(len(self._rows)) if rows is None else rows
        self._source.read(first_sample, out, [self._rows[row] for row in wanted])


def compute_channel_spectrogram(
    lfp: Lfp,
    channels: Sequence[str],
    *,
    epoch_s: float = 4.0,
    params: Mapping[str, Any] | None = None,
) -> Spectrogram:
    """Power spectral density per epoch of single channels, by the step that regions go through.

    Parameters
    ----------
    lfp : in memory, or a session's (`library.session(NAME).lfp`), which is read piece by piece
    channels : names; EMG and other channels may be among them
    params : of the step `spectrogram`

    Returns
    -------
    A spectrogram whose regions are the channels' names, in the order given; marks of bad channels
    are not heeded.

    Raises
    ------
    BadParameters
        There is no such channel, one is named twice, or none is named.
    """
    names = [channel.name for channel in lfp.channels]
    absent = [name for name in channels if name not in names]
    if absent or not channels or len(set(channels)) < len(channels):
        raise BadParameters(
            f"there is no channel {', '.join(absent)}"
            if absent
            else f"channels {', '.join(channels) or '(none)'}",
            where="compute_channel_spectrogram",
            remedy=f"name each once; there are {', '.join(names)}",
        )
    chosen = _ChosenChannels(lfp.samples, [names.index(name) for name in channels])
    return compute_spectrogram(Lfp(chosen, lfp.rate_hz), epoch_s=epoch_s, params=params)
