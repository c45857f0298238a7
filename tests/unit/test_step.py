"""What a step says of itself."""

from __future__ import annotations

from wakeful.catalog import load_catalog
from wakeful.step import GIVEN, changed_params


def test_inputs_sinks_and_outputs_follow_from_the_fields():
    steps = load_catalog().steps
    convert = steps["convert"]
    assert convert.name == "convert"
    assert convert.input_fields() == {"raw": False, "block": False}
    assert convert.sink_fields() == ("lfp",)
    assert list(convert.output_types()) == ["lfp", "lfp_emg"]
    assert steps["sleep"].input_fields()["muscle"] is True
    assert {"raw", "block"} <= GIVEN


def test_only_changed_parameters_join_a_key():
    step = load_catalog().steps["band_power"]
    assert changed_params(step.make_params({"species": "mouse"})) == {}
    assert changed_params(step.make_params({"theta_hz": [5, 10]})) == {"theta_hz": (5.0, 10.0)}


def test_the_source_digest_belongs_to_the_step():
    digests = {step.source_digest() for step in load_catalog().steps.values()}
    assert len(digests) == len(load_catalog().steps)
