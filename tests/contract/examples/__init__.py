"""Examples of recordings, at least one of each reader, for the tests that all readers must pass.

To add one, put a module into this folder with a function that writes a small recording whose every
sample is known, decorated with `@example("name")`. It is found by itself, and a reader without an
example fails the tests.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np


def _of_first_channel(samples: np.ndarray) -> bytes:
    return samples[0].tobytes()


@dataclass(frozen=True)
class Example:
    """A recording of one format with one stream, and what is planted in it."""

    path: Path
    format: str
    """As in `Description.format`."""
    channels: tuple[str, ...]
    rate_hz: float
    spans: tuple[tuple[float, int], ...]
    """(start_s, n_samples)"""
    planted: np.ndarray
    """(n_channels, n_samples): all spans, one after the other."""
    gain_uv: float | tuple[float, ...]
    """Of all channels, or of each."""
    offset_uv: float = 0.0
    stored: Callable[[np.ndarray], bytes] | None = _of_first_channel
    """The bytes on disk of the first samples (n_channels, 8); None where they are packed."""
    loaded: bool = False
    """Whether the format leaves no choice but to hold its samples in memory."""
    headerless: bool = False
    """Whether the samples' file is nothing but samples, so that rubbish can't be told from them."""


Make = Callable[[Path], Example]


@dataclass(frozen=True)
class Entry:
    """How an example is made, and which reader it is for."""

    reader: str
    make: Make
    big: Callable[[Path], Path] | None
    """Writes a recording of gigabytes that takes no room on the disk, where the format can."""


EXAMPLES: dict[str, Entry] = {}


def example(
    name: str, *, reader: str = "", big: Callable[[Path], Path] | None = None
) -> Callable[[Make], Make]:
    """Register the decorated function as the maker of an example.

    Parameters
    ----------
    name : of the example, in the names of the tests
    reader : as in `wakeful.io.registry.READERS`; the example's name where it is the same
    big : writes the same kind of recording, gigabytes long, as a sparse file
    """

    def register(make: Make) -> Make:
        assert name not in EXAMPLES, f"two examples are called {name}"
        EXAMPLES[name] = Entry(reader or name, make, big)
        return make

    return register


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
