"""Features for sleep scoring: what an epoch's signals look like, in a few hundred numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wakeful.model.arrays import Lfp
from wakeful.model.epochs import MuscleTone, SleepFeatures
from wakeful.model.errors import BadParameters, Unavailable
from wakeful.model.quality import ChannelQuality
from wakeful.model.subject import Channel, Session
from wakeful.model.time import Interval
from wakeful.step import Step, parameter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HALO_S = 150.0
"""Half of the widest window over neighbours in time, 5 min."""
LONGEST_EPOCH_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The LFP of the block and its neighbours, muscle tone, and which channels are bad when."""

    lfp: Lfp
    block: Interval
    session: Session
    muscle: MuscleTone | None = None
    channel_quality: ChannelQuality | None = None


@dataclass(frozen=True, kw_only=True)
class Params:
    """How the spectrum of an epoch is estimated."""

    half_bandwidth_hz: float = parameter(0.5, unit="Hz", source="as the spectrogram's")
    n_tapers: int = parameter(
        3, unit="", source="2 x time x half bandwidth - 1 for 4 s (Thomson 1982)"
    )
    use_masks: bool = parameter(
        True, unit="", source="features are to be those of channels that measure the region"
    )

    def __post_init__(self) -> None:
        """Check ranges."""
        if not (0 < self.half_bandwidth_hz < float("inf") and 1 <= self.n_tapers <= 100):
            raise BadParameters(
                f"half_bandwidth_hz = {self.half_bandwidth_hz:g}, n_tapers = {self.n_tapers}: not "
                "above 0 and 1 to 100",
                where="sleep_features",
                remedy="correct the values",
            )


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """One row for each epoch that starts in the block."""

    sleep_features: SleepFeatures


def compute(inputs: Inputs, params: Params) -> Outputs:
    """Powers, shape, pairs of regions, muscle tone and neighbours in time, per epoch.

    An epoch that touches a gap is NaN throughout. A channel that is bad, does not change, or holds
    a sample that is not a number is left out of an epoch; a region without a channel is NaN.
    Neighbours in time end at holes: gaps, and epochs without any good brain channel.

    Raises
    ------
    Unavailable
        There is no brain channel.
    BadParameters
        More tapers than the bandwidth carries in an epoch, or epochs too long for the halo.
    """
    from wakeful.sleep.epoch_table import compute_table
    from wakeful.sleep.feature_list import reach_s

    epoch_s = inputs.session.epoch_s
    if not any(c.kind.is_brain for c in inputs.lfp.channels):
        raise Unavailable(
            "there is no LFP or EEG channel",
            where="sleep_features",
            remedy="give the channels' kinds in a channels file",
        )
    if epoch_s > LONGEST_EPOCH_S or reach_s(epoch_s) > HALO_S:
        raise BadParameters(
            f"epochs of {epoch_s:g} s are longer than {LONGEST_EPOCH_S:g} s",
            where="sleep_features",
            remedy="set a shorter epoch_s in wakeful.toml",
        )
    block = inputs.block
    wide = Interval(max(0.0, block.start_s - HALO_S), block.stop_s + HALO_S)
    table = compute_table(
        inputs.lfp,
        wide,
        epoch_s=epoch_s,
        half_bandwidth_hz=params.half_bandwidth_hz,
        n_tapers=params.n_tapers,
        muscle=inputs.muscle,
        quality=inputs.channel_quality if params.use_masks else None,
    )
    whole = SleepFeatures(
        start_s=table.start_s,
        values=table.values,
        names=tuple(column.name for column in table.columns),
        units=tuple(column.unit for column in table.columns),
        groups=tuple(column.group for column in table.columns),
        regions=table.layout.regions,
        channels=table.layout.channels,
        epoch_s=epoch_s,
        refused=table.layout.refused(),
    )
    # Epochs are counted as everywhere: one belongs to a block if it starts within a microsecond.
    slack = 1e-6 * epoch_s
    mine = whole.cut(Interval(block.start_s - slack, block.stop_s - slack))
    return Outputs(sleep_features=mine)


def unavailable(channels: tuple[Channel, ...]) -> str:
    """Features of the brain need a channel in it."""
    return "" if any(c.kind.is_brain for c in channels) else "no channel lies in the brain"


def draw(inputs: Inputs, params: Params, outputs: Outputs) -> Mapping[str, Figure]:  # noqa: ARG001
    """One local day of features, each against its own median and spread."""
    from wakeful.figures import draw_sleep_features

    figure = draw_sleep_features(inputs.session, outputs.sleep_features, inputs.block)
    return {"sleep_features": figure}


STEP = Step(
    title="Features for sleep scoring",
    summary="Powers, ratios, entropies, amplitudes, coherence between regions, muscle tone and "
    "neighbours in time, per epoch.",
    inputs=Inputs,
    params=Params,
    outputs=Outputs,
    compute=compute,
    draw=draw,
    unavailable=unavailable,
    version=1,
    masks="takes",
    masks_reason="bad channels are left out of a region's medians and means",
    per="block",
    halo_s=HALO_S,
    sources=(
        "Hjorth 1970, Electroenceph Clin Neurophysiol 29: 306",
        "Thomson 1982, Proc. IEEE 70: 1055",
        "Bandt & Pompe 2002, Phys Rev Lett 88: 174102",
        "Richman & Moorman 2000, Am J Physiol Heart 278: H2039",
        "Schomburg et al. 2014, Neuron 84: 470",
    ),
)
