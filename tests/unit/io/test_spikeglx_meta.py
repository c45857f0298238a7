"""The .meta file of SpikeGLX: channels and gains of each kind of device."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from wakeful.io.spikeglx_meta import Meta, parse_meta
from wakeful.model.errors import BadRecording

NAME = "m_g0_t0.imec0.ap"


def _parse(values: dict[str, object], name: str = NAME) -> Meta:
    raw = "\n".join(f"{k}={v}" for k, v in values.items() if v is not None).encode()
    return parse_meta(raw, name, f"{name}.meta")


def _imec(files: ModuleType, **changes: object) -> dict[str, object]:
    return files.flat.imec_meta(Path(f"{NAME}.bin"), 2, 100, **changes)


def test_every_channel_has_its_own_gain(files: ModuleType) -> None:
    """Also where only some channels were saved: the table counts those acquired."""
    meta = _parse(_imec(files, snsSaveChanSubset="4,7,768"))
    assert [c.name for c in meta.channels] == ["AP0", "AP1", "SY0"]
    step = 0.6 / 512 * 1e6
    assert [c.gain_uv for c in meta.channels] == pytest.approx([step / 500, step / 1000, 1.0])
    assert (meta.run, meta.gate, meta.trigger, meta.stream) == ("m", 0, 0, "imec0.ap")
    assert meta.digital == (2,)


@pytest.mark.parametrize(
    ("changes", "gain_uv"),
    [
        # 2.0 with 14 bits, before and after imMaxInt and imChan0apGain were written
        ({"imDatPrb_type": 21, "imMaxInt": None, "imAiRangeMax": 0.5}, 0.5 / 8192 / 80 * 1e6),
        ({"imDatPrb_type": 24, "imMaxInt": 8192, "imAiRangeMax": 0.5}, 0.5 / 8192 / 80 * 1e6),
        # 2.0 with 12 bits
        ({"imDatPrb_type": 2013, "imMaxInt": 2048, "imAiRangeMax": 0.62}, 0.62 / 2048 / 100 * 1e6),
        # a probe that was not known when this was written says its gain itself
        ({"imDatPrb_type": 4711, "imMaxInt": 2048, "imChan0apGain": 120}, 0.6 / 2048 / 120 * 1e6),
        # ultra-high density 2: gains in the head of the table
        (
            {"imDatPrb_type": 1110, "~imroTbl": "(1110,0,0,1500,250,1)(0 0 0)"},
            0.6 / 512 / 1500 * 1e6,
        ),
        # phase 3A: the table begins with the probe's number
        (
            {
                "imDatPrb_type": None, "imMaxInt": None, "imProbeOpt": 3, "typeThis": None,
                "~imroTbl": "(841100023,3,384)(0 0 0 250 125)(1 0 0 250 125)",
            },
            0.6 / 512 / 250 * 1e6,
        ),
    ],
)  # fmt: skip
def test_gains_of_other_probes(
    files: ModuleType, changes: dict[str, object], gain_uv: float
) -> None:
    table = "(24,384)" + "".join(f"({c} 0 0 1 {c})" for c in range(384))
    meta = _parse(_imec(files) | {"~imroTbl": table} | changes)
    assert [c.gain_uv for c in meta.channels[:2]] == pytest.approx([gain_uv] * 2)


def test_gains_of_the_slow_band(files: ModuleType) -> None:
    path = Path("m_g0_t3.imec1.lf.bin")
    meta = _parse(files.flat.imec_meta(path, 2, 100), path.stem)
    assert [c.gain_uv for c in meta.channels[:2]] == pytest.approx([0.6 / 512 / 250 * 1e6] * 2)
    assert (meta.stream, meta.trigger, meta.rate_hz) == ("imec1.lf", 3, 2500.022583)


def test_a_card_with_every_kind_of_input(files: ModuleType) -> None:
    path = Path("m_g0_t0.nidq.bin")
    meta = _parse(files.flat.nidq_meta(path, [2, 1, 1, 2], 100), path.stem)
    step = 2.5 / 32_768 * 1e6
    assert [c.gain_uv for c in meta.channels] == pytest.approx(
        [step / 200] * 2 + [step / 2, step] + [1.0] * 2
    )
    assert meta.digital == (4, 5)


def test_names_without_gate_and_trigger(files: ModuleType) -> None:
    meta = _parse(_imec(files), "rat 7.imec0.ap")
    assert (meta.run, meta.gate, meta.trigger) == ("rat 7", -1, -1)
    joined = _parse(_imec(files), "m_g2_tcat.imec0.ap")
    assert (joined.gate, joined.trigger) == (2, -1)


def test_a_file_that_is_still_being_written(files: ModuleType) -> None:
    meta = _parse(_imec(files, fileSizeBytes=None, firstSample=None, fileCreateTime=None))
    assert (meta.n_bytes, meta.first_sample, meta.opened) == (None, None, None)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"nSavedChans": None}, "no nSavedChans"),
        ({"nSavedChans": 10**9}, "nSavedChans is '1000000000'"),
        ({"imSampRate": "nan"}, "imSampRate is 'nan'"),
        ({"imSampRate": "-3"}, "imSampRate is '-3'"),
        ({"imAiRangeMax": None}, "no imAiRangeMax"),
        ({"snsApLfSy": "2,0"}, "snsApLfSy is '2,0'"),
        ({"snsApLfSy": "7,0,1"}, "3 channels saved, but 8 described"),
        ({"snsSaveChanSubset": "0:99999999"}, "snsSaveChanSubset is"),
        ({"snsSaveChanSubset": "0:400"}, "names more than the 3 channels saved"),
        ({"snsSaveChanSubset": "0"}, "names fewer"),
        ({"typeThis": "camera"}, "typeThis is 'camera'"),
        ({"~imroTbl": None}, "AP gain of channel 0 is not there"),
        ({"imDatPrb_type": 4711}, "AP gain of channel 0 is not there"),
    ],
)
def test_what_is_damaged(files: ModuleType, changes: dict[str, object], what: str) -> None:
    with pytest.raises(BadRecording, match=what):
        _parse(_imec(files) | changes)


def test_a_name_that_is_not_of_spikeglx(files: ModuleType) -> None:
    with pytest.raises(BadRecording, match="'recording' is not one of SpikeGLX"):
        _parse(_imec(files), "recording")
