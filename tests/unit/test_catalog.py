"""Finding and ordering steps."""

from __future__ import annotations

from dataclasses import dataclass
from types import FunctionType

import pytest

from wakeful.catalog import BadCatalog, Catalog, load_catalog
from wakeful.model.errors import BadParameters
from wakeful.step import Step, changed_params, parameter


@dataclass(frozen=True, kw_only=True)
class Params:
    low_hz: float = parameter(1.0, unit="Hz", source="a test")
    mode: str = parameter("fast", unit="", source="a test", choices=("fast", "slow"))


def fields_of(name: str, names: dict[str, bool]) -> type:
    lines = "".join(f"    {n}: object{' = None' if o else ''}\n" for n, o in names.items())
    space: dict[str, object] = {}
    exec(
        f"from dataclasses import dataclass\n@dataclass(frozen=True, kw_only=True)\n"
        f"class {name}:\n{lines or '    pass'}",
        space,
    )
    return space[name]  # type: ignore[return-value]


def make(name: str, needs: dict[str, bool], gives: list[str]) -> Step:
    def compute(inputs: object, params: object) -> object:
        return None

    compute = FunctionType(compute.__code__, {"__name__": f"wakeful.steps.{name}"})
    compute.__module__ = f"wakeful.steps.{name}"
    return Step(
        title=name,
        summary=name,
        inputs=fields_of("Inputs", needs),
        params=Params,
        outputs=fields_of("Outputs", dict.fromkeys(gives, False)),
        compute=compute,
        version=1,
        per="block",
    )


def test_order_follows_from_field_names():
    catalog = Catalog.of(
        [
            make("a_last", {"second": False}, ["third"]),
            make("m_middle", {"first": False}, ["second"]),
            make("z_first", {"raw": False}, ["first"]),
        ]
    )
    assert list(catalog.steps) == ["z_first", "m_middle", "a_last"]
    assert catalog.with_needs(["m_middle"]) == ("z_first", "m_middle")


def test_contradictions_are_all_named_at_once():
    with pytest.raises(BadCatalog) as caught:
        Catalog.of(
            [
                make("a", {"raw": False}, ["x"]),
                make("b", {"raw": False}, ["x"]),
                make("c", {"nowhere": False, "maybe": True}, ["y"]),
                make("d", {"z_sink": False}, ["day"]),
            ]
        )
    text = str(caught.value)
    assert "x comes from both a and b" in text
    assert "c needs nowhere, which no step gives" in text
    assert "maybe" not in text
    assert "d.day: this name is given by the runner" in text
    assert "sink for z" in text


def test_a_circle_is_named():
    with pytest.raises(BadCatalog, match="circle"):
        Catalog.of([make("a", {"y": False}, ["x"]), make("b", {"x": False}, ["y"])])


def test_the_real_catalog_fits_together():
    catalog = load_catalog()
    assert {"convert", "spectrogram", "band_power", "muscle", "sleep", "day"} <= set(catalog.steps)
    order = list(catalog.steps)
    assert order.index("convert") < order.index("spectrogram") < order.index("sleep")
    for step in catalog.steps.values():
        assert changed_params(step.params()) == {}


def test_parameters_are_checked_and_every_problem_named():
    step = make("a", {"raw": False}, ["x"])
    assert step.make_params({"low_hz": 2}).low_hz == 2.0
    assert changed_params(step.make_params({"low_hz": 1.0, "mode": "slow"})) == {"mode": "slow"}
    with pytest.raises(BadParameters) as caught:
        step.make_params({"low_hz": "much", "mode": "other", "high_hz": 3})
    text = str(caught.value)
    assert "low_hz = 'much'" in text
    assert "mode = 'other' is not one of fast, slow" in text
    assert "high_hz is not a parameter of a" in text
