"""How the regions of the brain go together: coherence, phase locking, phase lag."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from wakeful.model.arrays import Lfp
from wakeful.model.errors import BadParameters, Unavailable
from wakeful.model.quality import ChannelQuality
from wakeful.model.rhythms import Connectivity
from wakeful.model.subject import Channel, Session
from wakeful.model.time import Interval
from wakeful.step import Step, parameter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from wakeful.signal.montage import RegionMontage
    from wakeful.signal.spectra import EpochBatch, Windows

HALO_S = 120.0
MOST_BINS = 200
"""More frequencies than this are thinned out evenly."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The block's LFP with its halo, and which of its channels are bad when."""

    lfp: Lfp
    block: Interval
    session: Session
    channel_quality: ChannelQuality | None = None


@dataclass(frozen=True, kw_only=True)
class Params:
    """Windows, tapers, and which signals stand for a region."""

    montage: Literal["bipolar", "recorded"] = parameter(
        "bipolar",
        unit="",
        source="what two channels of a region share, a reference first of all, cancels",
        choices=("bipolar", "recorded"),
    )
    window_s: float = parameter(
        60.0, unit="s", source="15 epochs of three tapers: coherence of 0.02 comes by chance"
    )
    least_share: float = parameter(
        0.5, unit="", source="of a window's epochs must be good: half as many, twice the chance"
    )
    half_bandwidth_hz: float = parameter(
        0.5, unit="Hz", source="as for the spectrogram (Thomson 1982)"
    )
    n_tapers: int = parameter(3, unit="", source="as for the spectrogram")
    highest_hz: float = parameter(
        100.0, unit="Hz", source="both gammas, in 200 steps; less where 80 % of Nyquist is lower"
    )
    use_masks: bool = parameter(
        True, unit="", source="a broken channel goes together with nothing, or with its copy"
    )

    def __post_init__(self) -> None:
        """Check ranges, all at once."""
        checks = (
            ("window_s", self.window_s, "1 to 60 s", 1 <= self.window_s <= 60),
            ("least_share", self.least_share, "0 to 1", 0 <= self.least_share <= 1),
            ("half_bandwidth_hz", self.half_bandwidth_hz, "above 0", self.half_bandwidth_hz > 0),
            ("n_tapers", self.n_tapers, "1 to 100", 1 <= self.n_tapers <= 100),
            ("highest_hz", self.highest_hz, "1 or more", self.highest_hz >= 1),
        )
        problems = [
            f"{name} = {value:g} is not {wanted}"
            for name, value, wanted, holds in checks
            if not holds or not math.isfinite(value)
        ]
        if problems:
            raise BadParameters(
                "; ".join(problems), where="connectivity", remedy="correct the values"
            )


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """One row for each window that starts in the block."""

    connectivity: Connectivity


def compute(inputs: Inputs, params: Params) -> Outputs:
    """Compare every two regions in every window of epochs.

    Windows are counted from the session's start; an epoch belongs to the window it starts in. For
    each region the first of its signals is taken that is good in enough of the window's epochs:
    no channel of it is bad then (`channel_quality`), all samples are numbers, and it is not flat.
    Two regions are compared over the epochs in which both are good; where these are too few the
    window is NaN. Frequencies below twice the corner of the hardware's high-pass are NaN too.

    Raises
    ------
    Unavailable
        There are fewer than two regions.
    BadParameters
        More tapers than the bandwidth carries in an epoch; epochs longer than 60 s.
    """
    from wakeful.signal.bands import USABLE
    from wakeful.signal.connectivity import compare_pairs
    from wakeful.signal.montage import choose_montages, describe_conduction
    from wakeful.signal.spectra import design_multitaper
    from wakeful.signal.streaming import available_processors

    lfp, epoch_s = inputs.lfp, inputs.session.epoch_s
    if reason := unavailable(lfp.channels):
        raise Unavailable(
            reason, where="connectivity", remedy="give the channels' regions in a channels file"
        )
    if params.window_s + epoch_s > HALO_S:
        raise BadParameters(
            f"epochs of {epoch_s:g} s are too long for windows of {params.window_s:g} s",
            where="connectivity",
            remedy="take shorter epochs",
        )
    montages = choose_montages(lfp.channels, bipolar=params.montage == "bipolar")
    highest_hz = min(params.highest_hz, USABLE * lfp.rate_hz / 2)
    n_bins = math.floor(highest_hz * epoch_s + 0.25)
    bins = np.arange(1, n_bins + 1)
    stride = max(1, -(-n_bins // MOST_BINS))
    bins = bins[stride - 1 :: stride]
    pairs = tuple(combinations(range(len(montages)), 2))
    start_s = _window_starts(inputs.block, params.window_s)
    least = max(2, math.ceil(params.least_share * params.window_s / epoch_s - 1e-9))
    shape = (len(start_s), len(pairs), len(bins))
    coherence, locking, wpli = (np.full(shape, np.nan, np.float32) for _ in range(3))
    n_epochs = np.zeros(shape[:2], np.int16)
    used = np.full((len(start_s), len(montages)), -1, np.int8)

    def design(n_samples: int) -> Windows:
        # As for the spectrogram: the epoch's nominal length, whatever its clock was fitted to.
        return design_multitaper(
            n_samples, n_samples / epoch_s, params.half_bandwidth_hz, params.n_tapers
        )

    method = design(max(8, math.floor(epoch_s * lfp.rate_hz + 1e-3))).name
    reader = _Reader(inputs, montages, params.use_masks)
    with ThreadPoolExecutor(available_processors()) as pool:
        for number, start in enumerate(start_s):
            window = Interval(float(start), float(start) + params.window_s)
            batches = reader.read(window)
            chosen = [_choose(good, least) for good in reader.good(batches)]
            of_region = partial(_spectra, batches, reader, bins, design)
            choices = [choice for choice, _ in chosen]
            spectra = list(pool.map(of_region, range(len(montages)), choices))
            used[number] = choices
            for place, (a, b) in enumerate(pairs):
                if min(chosen[a][0], chosen[b][0]) < 0:
                    continue
                both = chosen[a][1] & chosen[b][1]
                if both.sum() < least:
                    continue
                n_epochs[number, place] = both.sum()
                two = np.stack([spectra[r][both].reshape(-1, len(bins)) for r in (a, b)])
                found = compare_pairs(two, np.array([[0, 1]]))
                coherence[number, place] = found.coherence[0]
                locking[number, place] = found.phase_locking[0]
                wpli[number, place] = found.wpli[0]
    frequency_hz = bins / epoch_s
    notes = [*describe_conduction(lfp.channels, montages)]
    for i, montage in enumerate(montages):
        trusted_hz = _trusted_from_hz(lfp.channels, montage)
        if len(bins) and frequency_hz[0] < trusted_hz - 1e-9:
            below = frequency_hz < trusted_hz - 1e-9
            mine = np.array([i in pair for pair in pairs])
            for values in (coherence, locking, wpli):
                values[:, mine[:, None] & below] = np.nan
            notes.append(
                f"{montage.region}: hardware high-pass: frequencies below {trusted_hz:g} Hz can't "
                "be trusted"
            )
    return Outputs(
        connectivity=Connectivity(
            start_s=start_s,
            coherence=coherence,
            phase_locking=locking,
            wpli=wpli,
            n_epochs=n_epochs,
            montage=used,
            frequency_hz=frequency_hz,
            regions=tuple(m.region for m in montages),
            montages=tuple(tuple(d.name for d in m.derivations) for m in montages),
            pairs=tuple((montages[a].region, montages[b].region) for a, b in pairs),
            bipolar=tuple(montages[a].is_bipolar and montages[b].is_bipolar for a, b in pairs),
            window_s=params.window_s,
            epoch_s=epoch_s,
            method=method,
            n_tapers=params.n_tapers,
            notes=tuple(notes),
        )
    )


def _window_starts(block: Interval, window_s: float) -> NDArray[np.float64]:
    slack = 1e-6
    first, stop = (math.ceil(t / window_s - slack) for t in (block.start_s, block.stop_s))
    return np.arange(first, max(first, stop), dtype=np.float64) * np.float64(window_s)


def _trusted_from_hz(channels: tuple[Channel, ...], montage: RegionMontage) -> float:
    from wakeful.signal.header_faults import trusted_from_hz

    return max(trusted_from_hz(channels[row]) for d in montage.derivations for row in d.rows)


class _Reader:
    """Reads the epochs of a window, and says which signals are good in which of them."""

    def __init__(
        self, inputs: Inputs, montages: tuple[RegionMontage, ...], use_masks: bool
    ) -> None:
        self._inputs = inputs
        self.montages = montages
        rows = sorted({row for m in montages for d in m.derivations for row in d.rows})
        self._rows = tuple(rows)
        self.place = {row: i for i, row in enumerate(rows)}
        self._quality = inputs.channel_quality if use_masks else None

    def read(self, window: Interval) -> list[tuple[EpochBatch, NDArray[np.bool_]]]:
        """Batches of epochs with (n_rows, n_epochs) whether each channel is good in each."""
        from wakeful.signal.spectra import epoch_starts, read_epochs

        lfp, epoch_s = self._inputs.lfp, self._inputs.session.epoch_s
        start_s = epoch_starts(window, epoch_s)
        bad = np.zeros((len(start_s), len(self._rows)), np.bool_)
        if self._quality is not None:
            names = [lfp.channels[row].name for row in self._rows]
            bad = self._quality.is_bad(names, start_s, epoch_s)
        return [
            (batch, ~bad[batch.numbers].T & np.isfinite(batch.samples_uv).all(axis=-1))
            for batch in read_epochs(lfp, self._rows, window, epoch_s)
        ]

    def signal(self, batch: EpochBatch, region: int, choice: int) -> NDArray[np.float32]:
        """(n_epochs, n_samples) of a derivation."""
        derivation = self.montages[region].derivations[choice]
        signal: NDArray[np.float32] = batch.samples_uv[self.place[derivation.plus]]
        if derivation.is_bipolar:
            signal = signal - batch.samples_uv[self.place[derivation.minus]]
        return signal

    def good(
        self, batches: list[tuple[EpochBatch, NDArray[np.bool_]]]
    ) -> list[list[NDArray[np.bool_]]]:
        """Per region and derivation, (n_epochs,) whether it is good."""
        found: list[list[NDArray[np.bool_]]] = []
        for region, montage in enumerate(self.montages):
            found.append([])
            for choice, derivation in enumerate(montage.derivations):
                parts = [np.zeros(0, np.bool_)]
                for batch, live in batches:
                    rows = [self.place[row] for row in derivation.rows]
                    good = live[rows].all(axis=0)
                    values = self.signal(batch, region, choice)
                    good &= values.max(axis=-1) - values.min(axis=-1) > 0
                    parts.append(good)
                found[-1].append(np.concatenate(parts))
        return found


def _choose(good: list[NDArray[np.bool_]], least: int) -> tuple[int, NDArray[np.bool_]]:
    """The first signal that is good in enough epochs, and where it is; -1 for none."""
    for choice, where in enumerate(good):
        if where.sum() >= least:
            return choice, where
    return -1, np.zeros(len(good[0]), np.bool_)


def _spectra(
    batches: list[tuple[EpochBatch, NDArray[np.bool_]]],
    reader: _Reader,
    bins: NDArray[np.int64],
    design: Callable[[int], Windows],
    region: int,
    choice: int,
) -> NDArray[np.complex64]:
    """(n_epochs, n_tapers, n_bins) of one region; empty where none of its signals is good."""
    from wakeful.signal.connectivity import compute_tapered_spectra

    if choice < 0:
        return np.empty((0, 0, len(bins)), np.complex64)
    return np.concatenate(
        [
            compute_tapered_spectra(
                reader.signal(batch, region, choice),
                design(batch.samples_uv.shape[-1]),
                batch.n_fft,
            )[..., bins]
            for batch, _ in batches
        ]
    )


def draw(inputs: Inputs, params: Params, outputs: Outputs) -> Mapping[str, Figure]:  # noqa: ARG001
    """Coherence and phase-lag index of every two regions of one local day."""
    from wakeful.figures import draw_connectivity

    return {
        name: draw_connectivity(inputs.session, outputs.connectivity, inputs.block, measure=measure)
        for name, measure in (("coherence", "coherence"), ("phase_lag", "wpli"))
    }


def unavailable(channels: tuple[Channel, ...]) -> str:
    """Two regions are needed, each with a channel in the brain."""
    regions = {c.region for c in channels if c.kind.is_brain}
    if len(regions) >= 2:
        return ""
    return f"channels lie in {len(regions)} region{'s' if len(regions) != 1 else ''}, not in two"


STEP = Step(
    title="Between regions",
    summary="Coherence, phase locking value and debiased weighted phase-lag index of every two "
    "regions, per minute and frequency.",
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    draw=draw,
    unavailable=unavailable,
    version=1,
    masks="takes",
    masks_reason="a region is stood for by signals without bad channels",
    per="block",
    halo_s=HALO_S,
    sources=(
        "Carter 1987, Proc. IEEE 75: 236 (coherence)",
        "Lachaux et al. 1999, Hum. Brain Mapp. 8: 194 (phase locking value)",
        "Vinck et al. 2011, NeuroImage 55: 1548 (weighted phase-lag index)",
    ),
    captions={
        "coherence": (
            "Magnitude-squared coherence of every two regions, and which signals stood for them. "
            "Where a signal is not bipolar, a shared reference and volume conduction show as "
            "coherence."
        ),
        "phase_lag": (
            "Squared weighted phase-lag index (debiased) of every two regions: what has no lag, "
            "such as volume conduction, does not show."
        ),
    },
)
