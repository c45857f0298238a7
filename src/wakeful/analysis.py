"""What `import wakeful` offers: the pipeline's own verbs on plain arrays, and a library's results.

Every function here calls the very step that the pipeline runs, so that a number from a notebook
and a number from the night's run are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wakeful.catalog import load_catalog
from wakeful.config import Library
from wakeful.config import open_library as open_config
from wakeful.io.store import Store
from wakeful.ledger import Ledger
from wakeful.model.arrays import ArraySource, Lfp, MemorySink, MemorySource
from wakeful.model.epochs import (
    BandPower,
    Hypnogram,
    LfpEmg,
    MuscleTone,
    Rows,
    SleepFeatures,
    Spectrogram,
)
from wakeful.model.errors import BadParameters, UnknownResult
from wakeful.model.ictal import IctalIntervals
from wakeful.model.quality import ChannelQuality, Mark
from wakeful.model.rhythms import Connectivity, SpectralFit
from wakeful.model.subject import Channel, Session, Subject
from wakeful.model.time import Interval, Span
from wakeful.service.lookup import Found, find_session, find_sessions
from wakeful.sheet.local import LocalSheet

if TYPE_CHECKING:
    from wakeful.publish.contents import NwbOptions, SessionContents


def make_source(
    samples: NDArray[Any], rate_hz: float, channels: Sequence[Channel] | None = None
) -> MemorySource:
    """A gap-free array as the source that the other functions take.

    Parameters
    ----------
    samples : (n_channels, n_samples); microvolts, or steps of each channel's `gain_uv`
    rate_hz : samples per second
    channels : what each row is; unnamed LFP channels where None

    Raises
    ------
    BadParameters
        The shapes do not fit, or the rate is not a positive number.
    """
    array = np.asarray(samples)
    named = tuple(channels or (Channel(name=f"{i + 1}") for i in range(len(array))))
    if array.ndim != 2 or len(named) != len(array):
        what = f"samples of shape {array.shape} with {len(named)} channels"
        remedy = "give (n_channels, n_samples) and as many channels as rows"
        raise BadParameters(what, where="make_source", remedy=remedy)
    if not (np.isfinite(rate_hz) and rate_hz > 0):
        raise BadParameters(f"rate_hz is {rate_hz}", where="make_source", remedy="give a rate")
    return MemorySource(array, named, (Span(0.0, array.shape[1], float(rate_hz), 0),))


def _session(lfp_spans: tuple[Span, ...], epoch_s: float, mains_hz: float) -> Session:
    return Session(
        name="array",
        subject=Subject(identifier="array"),
        start_utc=None,
        duration_s=lfp_spans[-1].stop_s if lfp_spans else 0.0,
        mains_hz=mains_hz,
        epoch_s=epoch_s,
    )


def _block_of(epochs: Spectrogram | BandPower) -> dict[str, Any]:
    """The block and the session of which these epochs are the whole."""
    stop_s = float(epochs.start_s[-1]) + epochs.epoch_s if epochs.n_rows else 0.0
    span = Span(0.0, max(1, round(stop_s)), 1.0, 0)
    return {
        "block": Interval(0.0, stop_s),
        "session": _session((span,), epochs.epoch_s, 50.0),
    }


def _run(step_name: str, values: Mapping[str, Any], params: Mapping[str, Any] | None) -> Any:
    step = load_catalog().steps[step_name]
    return step.compute(step.inputs(**values), step.make_params(params or {}))


def _whole_epochs(spans: tuple[Span, ...], epoch_s: float) -> Interval:
    """From the session's start to the end of the last whole epoch."""
    stop_s = spans[-1].stop_s if spans else 0.0
    return Interval(0.0, np.floor(stop_s / epoch_s + 1e-6) * epoch_s)


def compute_lfp(
    source: ArraySource, *, params: Mapping[str, Any] | None = None
) -> tuple[Lfp, LfpEmg]:
    """Decimated LFP and LFP-derived EMG of a whole source, held in memory.

    Parameters
    ----------
    source : `make_source(...)`, or `read_recording(...).open(stream)`
    params : of the step `convert`
    """
    spans = source.spans
    block = Interval(0.0, spans[-1].stop_s if spans else 0.0)
    result = _run("convert", {"raw": source, "block": block, "lfp_sink": MemorySink()}, params)
    return result.lfp, result.lfp_emg


def compute_channel_quality(
    lfp: Lfp, *, marks: Sequence[Mark] = (), params: Mapping[str, Any] | None = None
) -> ChannelQuality:
    """Faults of channels: flat, clipped, humming, disconnected, copied; see `join_faults`.

    Parameters
    ----------
    marks : what people said of the channels; the later wins
    params : of the step `channel_quality`
    """
    stop_s = lfp.spans[-1].stop_s if lfp.spans else 0.0
    values = {
        "lfp": lfp,
        "block": Interval(0.0, stop_s),
        "session": _session(lfp.spans, 4.0, 50.0),
        "marks": tuple(marks),
    }
    result: ChannelQuality = _run("channel_quality", values, params).channel_quality
    return result


def compute_spectrogram(
    lfp: Lfp,
    *,
    epoch_s: float = 4.0,
    mains_hz: float = 50.0,
    quality: ChannelQuality | None = None,
    params: Mapping[str, Any] | None = None,
) -> Spectrogram:
    """Multitaper power spectral density per epoch and region, uV^2/Hz.

    Parameters
    ----------
    quality : from `compute_channel_quality`: bad channels are left out; None uses all
    params : of the step `spectrogram`
    """
    session = _session(lfp.spans, epoch_s, mains_hz)
    block = _whole_epochs(lfp.spans, epoch_s)
    values = {"lfp": lfp, "block": block, "session": session, "channel_quality": quality}
    result: Spectrogram = _run("spectrogram", values, params).spectrogram
    return result


def compute_band_power(
    spectrogram: Spectrogram, *, params: Mapping[str, Any] | None = None
) -> BandPower:
    """Power per epoch, region and band, uV^2.

    Parameters
    ----------
    params : of the step `band_power`
    """
    values = {
        "spectrogram": spectrogram,
        **_block_of(spectrogram),
    }
    result: BandPower = _run("band_power", values, params).band_power
    return result


def compute_aperiodic(
    spectrogram: Spectrogram, *, params: Mapping[str, Any] | None = None
) -> SpectralFit:
    """Aperiodic exponent, peaks above it, and theta by its peak, per epoch and region.

    Parameters
    ----------
    params : of the step `aperiodic`
    """
    values = {
        "spectrogram": spectrogram,
        **_block_of(spectrogram),
    }
    result: SpectralFit = _run("aperiodic", values, params).spectral_fit
    return result


def compute_connectivity(
    lfp: Lfp,
    *,
    epoch_s: float = 4.0,
    quality: ChannelQuality | None = None,
    params: Mapping[str, Any] | None = None,
) -> Connectivity:
    """Coherence, phase locking and phase-lag index of every two regions, per window.

    Parameters
    ----------
    quality : from `compute_channel_quality`: bad channels are left out; None uses all
    params : of the step `connectivity`

    Raises
    ------
    Unavailable
        There are fewer than two regions.
    """
    values = {
        "lfp": lfp,
        "block": _whole_epochs(lfp.spans, epoch_s),
        "session": _session(lfp.spans, epoch_s, 50.0),
        "channel_quality": quality,
    }
    result: Connectivity = _run("connectivity", values, params).connectivity
    return result


def compute_muscle_tone(
    lfp: Lfp,
    lfp_emg: LfpEmg,
    *,
    epoch_s: float = 4.0,
    mains_hz: float = 50.0,
    quality: ChannelQuality | None = None,
    params: Mapping[str, Any] | None = None,
) -> MuscleTone:
    """EMG (root mean square) and LFP-derived EMG per epoch.

    Parameters
    ----------
    quality : from `compute_channel_quality`: bad channels are left out; None uses all
    params : of the step `muscle`
    """
    values = {
        "lfp": lfp,
        "lfp_emg": lfp_emg,
        "block": _whole_epochs(lfp.spans, epoch_s),
        "session": _session(lfp.spans, epoch_s, mains_hz),
        "channel_quality": quality,
    }
    result: MuscleTone = _run("muscle", values, params).muscle
    return result


def compute_sleep_features(
    lfp: Lfp,
    muscle: MuscleTone | None = None,
    *,
    epoch_s: float = 4.0,
    mains_hz: float = 50.0,
    quality: ChannelQuality | None = None,
    params: Mapping[str, Any] | None = None,
) -> SleepFeatures:
    """Some hundred numbers per epoch: powers, shape, pairs of regions, muscle, neighbours in time.

    Parameters
    ----------
    muscle : from `compute_muscle_tone`; NaN in its columns where None
    quality : from `compute_channel_quality`: bad channels are left out; None uses all
    params : of the step `sleep_features`
    """
    values = {
        "lfp": lfp,
        "muscle": muscle,
        "block": _whole_epochs(lfp.spans, epoch_s),
        "session": _session(lfp.spans, epoch_s, mains_hz),
        "channel_quality": quality,
    }
    result: SleepFeatures = _run("sleep_features", values, params).sleep_features
    return result


def score_sleep(
    band_power: BandPower,
    muscle: MuscleTone | None = None,
    *,
    ictal: IctalIntervals | None = None,
    params: Mapping[str, Any] | None = None,
) -> Hypnogram:
    """Awake, NREM or REM per epoch, without labels.

    Parameters
    ----------
    ictal : seizures and what follows them, not scored
    params : of the step `sleep`
    """
    values = {
        "band_power": band_power,
        "muscle": muscle,
        "ictal": ictal,
        "session": _block_of(band_power)["session"],
    }
    result: Hypnogram = _run("sleep", values, params).hypnogram
    return result


class SessionResults:
    """The stored results of one session; read when asked for.

    `lfp`, `spectrogram`, `band_power`, `muscle`, `hypnogram` and every other output of a step is
    an attribute: joined over blocks, arrays memory-mapped or read on demand.
    """

    def __init__(self, library: Library, store: Store, found: Found) -> None:
        self._library = library
        self._store = store
        self._found = found

    @property
    def name(self) -> str:
        """As the published folder is called."""
        return self._found.name

    @property
    def session(self) -> Session:
        """Subject, start, time zone, light schedule; as far as it is analysed while it goes on."""
        return self._found.plan.session

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs there are."""
        steps = load_catalog().steps
        planned = {task.step for task in self._found.plan.tasks if task.kind == "result"}
        return tuple(o for name in steps if name in planned for o in steps[name].output_types())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # asked for while it is copied, before it has anything
            raise AttributeError(name)
        return self._read(name, so_far=False)

    def so_far(self, name: str) -> Any:
        """An output as far as it has been made: what is read while later hours are computed.

        Blocks that are not there yet are left out: their time is a gap in the LFP's spans, and
        missing rows in a table. An attribute of the same name gives all, or an error; of a
        recording that goes on it gives the same as this.

        Parameters
        ----------
        name : one of `outputs`

        Raises
        ------
        UnknownResult
            Nothing of it is there yet.
        """
        return self._read(name, so_far=True)

    def _read(self, name: str, *, so_far: bool) -> Any:
        step = load_catalog().maker_of(name)
        if step is None:
            raise AttributeError(f"{name!r} is not one of {', '.join(self.outputs)}")
        kind = step.output_types()[name]
        tasks = [t for t in self._found.plan.tasks if t.step == step.name and t.kind == "result"]
        if not tasks:
            raise UnknownResult(
                f"the row does not ask for {step.name}", where=self.name, remedy="edit its analyses"
            )
        if so_far or self._found.plan.goes_on:
            tasks = [t for t in tasks if self._store.has(step.name, t.key)]
            if not tasks:
                raise UnknownResult(
                    f"nothing of {name} is there yet", where=self.name, remedy="wakeful run"
                )
        parts = [self._store.read(step.name, task.key, name, kind) for task in tasks]
        if issubclass(kind, Rows | Lfp):
            return kind.join(parts)
        return parts[0] if len(parts) == 1 else tuple(parts)

    def export_nwb(
        self, path: Path | str, options: NwbOptions | None = None, *, so_far: bool = False
    ) -> Path:
        """Write the session as one NWB file; see `wakeful export nwb`.

        Parameters
        ----------
        path : the file, ending in .nwb
        options : a `wakeful.NwbOptions`: compression, start, whether samples go into it
        so_far : take the results that are there, though some are missing

        Raises
        ------
        UnknownResult
            Results are missing.
        BadParameters, BadRecording
            The file can't be written there, or the session's start is unknown.
        """
        from wakeful.publish.nwb import write_nwb

        return write_nwb(self._gather(so_far), Path(path).expanduser().resolve(), options)

    def export_zarr(
        self, path: Path | str, *, overwrite: bool = False, so_far: bool = False
    ) -> Path:
        """Write the session as a zarr store; see `wakeful export zarr`.

        Parameters
        ----------
        path : the folder to make, ending in .zarr
        overwrite : replace what is there
        so_far : take the results that are there, though some are missing

        Raises
        ------
        UnknownResult
            Results are missing.
        BadParameters
            It can't be written there.
        """
        from wakeful.publish.zarr_store import write_zarr

        target = Path(path).expanduser().resolve()
        return write_zarr(self._gather(so_far), target, overwrite=overwrite)

    def export_features(
        self, path: Path | str, *, overwrite: bool = False, so_far: bool = False
    ) -> Path:
        """Write the features for sleep scoring as a table; see `wakeful export features`.

        Parameters
        ----------
        path : the file, ending in .csv or .parquet
        overwrite : replace what is there
        so_far : take the hours that are there, though some are missing

        Raises
        ------
        UnknownResult
            The row does not ask for features, or hours are missing.
        BadParameters
            It can't be written there.
        """
        from wakeful.publish.feature_table import write_feature_table
        from wakeful.service.sharing import gather_features

        parts = gather_features(self._store, load_catalog(), self._found, so_far=so_far)
        target = Path(path).expanduser().resolve()
        return write_feature_table(parts, target, overwrite=overwrite)

    def _gather(self, so_far: bool) -> SessionContents:
        from wakeful.service.sharing import gather

        return gather(self._library, self._store, load_catalog(), self._found, so_far=so_far)

    def __repr__(self) -> str:
        return f"SessionResults({self.name!r}: {', '.join(self.outputs)})"


class OpenLibrary:
    """A library opened for reading.

    Parameters
    ----------
    library : its folder and configuration
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self._store = Store(library.results)

    def sessions(self) -> tuple[SessionResults, ...]:
        """The sessions of all rows whose recording has been taken in."""
        with Ledger.open(self.library.database) as ledger:
            found = find_sessions(self.library, LocalSheet(ledger, actor="reader"), load_catalog())
        return tuple(SessionResults(self.library, self._store, f) for f in found)

    def session(self, name: str) -> SessionResults:
        """One session by its name.

        Raises
        ------
        UnknownResult
            None has it, or several rows do.
        """
        with Ledger.open(self.library.database) as ledger:
            sheet = LocalSheet(ledger, actor="reader")
            found = find_session(self.library, sheet, load_catalog(), name)
        return SessionResults(self.library, self._store, found)


def open_library(path: Path | str | None = None) -> OpenLibrary:
    """Open a library for reading its results.

    Parameters
    ----------
    path : its folder; None for the nearest one at or above the working directory

    Raises
    ------
    NoLibrary, BadConfig
        There is none, or its wakeful.toml can't be used.
    """
    return OpenLibrary(open_config(path))
