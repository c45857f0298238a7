"""What a step is: one analysis, one file, pure functions and declared needs."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

from wakeful.model.errors import BadParameters
from wakeful.model.subject import Channel

Per = Literal["block", "scan", "day", "session"]
Masks = Literal["", "takes", "refuses", "none"]
"""What a step does with the advice that a channel is bad (`ChannelQuality`).

takes : it leaves bad channels out, unless its parameter `use_masks` is off
refuses : it uses every channel as recorded, since the fault itself may be the finding
none : it works on no channels, or on results in which the advice was heeded or not
"" : not said, which a test forbids
"""

GIVEN = frozenset(
    {
        "raw",
        "block",
        "day",
        "session",
        "channels",
        "accounting",
        "quarantined",
        "spans",
        "marks",
        "sleep_model",
    }
)
"""Input fields that the runner gives and no step makes.

raw : ArraySource, the stream's samples (more than the block: a step reads its own halo)
block : Interval to compute (block and scan steps)
day : Day to compute or draw (day steps)
session : Session
channels : tuple[Channel, ...]
accounting : Accounting of the day (day steps) or of the session (session steps)
quarantined : tuple[Quarantine, ...], kept apart within the task's time
spans : tuple[Span, ...], what was recorded within the task's time
marks : tuple[Mark, ...], what people said of channels, cut to the task's time; the later wins
sleep_model : NamedScorer | None, the trained scorer that the parameter `model` names; its content
    joins the key
A field named `<output>_sink` is an ArraySink for that output of the step itself.
"""

SINK_SUFFIX = "_sink"


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a step asks of the machine, for the limits of a cluster's jobs.

    Both memory and time grow with channel-hours: channels times the hours of the task. For a
    `block` step the hour is the block's; for days and sessions all of it.
    """

    cpus: int = 1
    """Threads that it makes use of."""
    gpus: int = 0
    memory_mb: float = 600.0
    """However short the recording is: the interpreter, libraries, compiled kernels."""
    memory_mb_per_channel_hour: float = 20.0
    time_s: float = 60.0
    """However short: start, compilation of kernels, a figure."""
    time_s_per_channel_hour: float = 4.0


def parameter(default: Any, *, unit: str, source: str, choices: tuple[str, ...] = ()) -> Any:
    """A field of a step's `Params`, with what the generated reference says of it.

    Parameters
    ----------
    default : any immutable value
    unit : "Hz", "s", "uV", "" for none
    source : the paper, measurement or reason behind the default
    choices : the values allowed, where they are few
    """
    return dataclasses.field(
        default=default, metadata={"unit": unit, "source": source, "choices": choices}
    )


@dataclass(frozen=True, kw_only=True)
class Step:
    """One analysis.

    `inputs`, `params` and `outputs` are frozen dataclasses. An input field is given by the runner
    (`GIVEN`) or named after the output field of the step that makes it; with a default of None it
    is optional. `compute` is pure; `draw` turns its result into figures and has a version of its
    own, so that a better figure recomputes nothing.
    """

    title: str
    """For people: "Spectrogram per region"."""
    summary: str
    """One sentence: what it gives and how."""
    inputs: type[Any]
    params: type[Any]
    outputs: type[Any]
    compute: Callable[[Any, Any], Any]
    draw: Callable[[Any, Any, Any], Mapping[str, Any]] | None = None
    version: int
    """Raised whenever the same input and parameters give other numbers."""
    draw_version: int = 1
    per: Per
    halo_s: float = 0.0
    """How much raw or computed time a block step needs on either side of its block."""
    sources: tuple[str, ...] = ()
    """Papers and equations behind the method."""
    masks: Masks = ""
    """What it does with the advice that a channel is bad; every step says so."""
    masks_reason: str = ""
    """Why, in half a sentence."""
    unavailable: Callable[[tuple[Channel, ...]], str] | None = None
    """Why these channels can't give it, "" where they can; None where any can."""
    unused_inputs: Callable[[Any], frozenset[str]] | None = None
    """Optional inputs that need not be made for these parameters; none where None."""
    resources: Resources = Resources()
    """What it asks of the machine it runs on."""
    captions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Figure -> what it shows, where the summary does not say it."""

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.compute.__module__.rsplit(".", 1)[-1]

    def input_fields(self) -> dict[str, bool]:
        """Input field -> whether it is optional; sinks left out."""
        return {
            f.name: f.default is None
            for f in dataclasses.fields(self.inputs)
            if not f.name.endswith(SINK_SUFFIX)
        }

    def sink_fields(self) -> tuple[str, ...]:
        """The outputs that are written through a sink."""
        return tuple(
            f.name.removesuffix(SINK_SUFFIX)
            for f in dataclasses.fields(self.inputs)
            if f.name.endswith(SINK_SUFFIX)
        )

    def output_types(self) -> dict[str, Any]:
        """Output field -> its type."""
        hints = get_type_hints(self.outputs)
        return {f.name: hints[f.name] for f in dataclasses.fields(self.outputs)}

    def source_digest(self) -> str:
        """Hash of the file the step is written in."""
        module = inspect.getmodule(self.compute)
        text = inspect.getsource(module) if module else ""
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def make_params(self, values: Mapping[str, Any]) -> Any:
        """Parameters from loose values (a parameter set, the command line), checked.

        Raises
        ------
        BadParameters
            Names every unknown field, wrong type and value outside its range at once.
        """
        from pydantic import TypeAdapter, ValidationError

        known = {f.name: f for f in dataclasses.fields(self.params)}
        problems = [
            f"{name} is not a parameter of {self.name} (it has {', '.join(known) or 'none'})"
            for name in values
            if name not in known
        ]
        hints = get_type_hints(self.params)
        chosen: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                continue
            try:
                chosen[name] = TypeAdapter(hints[name]).validate_python(value)
            except ValidationError as error:
                reasons = "; ".join(e["msg"] for e in error.errors())
                problems.append(f"{name} = {value!r}: {reasons}")
                continue
            choices = known[name].metadata.get("choices", ())
            if choices and chosen[name] not in choices:
                problems.append(f"{name} = {value!r} is not one of {', '.join(choices)}")
        if not problems:
            try:
                return self.params(**chosen)
            except (ValueError, BadParameters) as error:
                problems.append(str(error))
        raise BadParameters(
            " | ".join(problems),
            where=f"parameters of {self.name}",
            remedy="correct the parameter set, see `wakeful steps`",
        )


def changed_params(params: Any) -> dict[str, Any]:
    """The parameters that differ from their defaults: only these join a key.

    A parameter added later, at its default, therefore changes no existing key.
    """
    return {
        f.name: value
        for f in dataclasses.fields(params)
        if (value := getattr(params, f.name)) != f.default
    }
