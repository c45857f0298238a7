"""Headers of every version that wrote one."""

# ruff: noqa: DTZ001 (local times without a zone are what these files hold)
from __future__ import annotations

from datetime import datetime
from types import ModuleType

import pytest

from wakeful.io.neuralynx_header import read_header
from wakeful.model.errors import BadRecording


def _with_date(line: str) -> bytes:
    return (
        f"######## Neuralynx Data File Header\n{line}\n-ADBitVolts 1e-7\n-AcqEntName A\n".encode()
    )


@pytest.mark.parametrize(
    ("line", "opened"),
    [
        ("-TimeCreated 2023/11/02 13:39:27", datetime(2023, 11, 2, 13, 39, 27)),
        ("-TimeOpened 2019/7/2 3:09:07.25", datetime(2019, 7, 2, 3, 9, 7, 250_000)),
        (
            "## Time Opened (m/d/y): 2/6/2013  (h:m:s.ms) 18:33:4.796",
            datetime(2013, 2, 6, 18, 33, 4, 796_000),
        ),
        (
            "## Time Opened: (m/d/y): 10/4/2003  At Time: 10:3:0.578",
            datetime(2003, 10, 4, 10, 3, 0, 578_000),
        ),
        (
            "## Time Opened: (m/d/y): 12/11/15  At Time: 11:37:39.000",
            datetime(2015, 12, 11, 11, 37, 39),
        ),
        (
            "## Date Opened: (mm/dd/yyy): 12/14/2015 At Time: 15:58:32",
            datetime(2015, 12, 14, 15, 58, 32),
        ),
        ("## Time Closed (m/d/y): 2/6/2013  (h:m:s.ms) 18:33:4.796", None),
        ("-TimeCreated 2023/13/45 13:39:27", None),
        ("-TimeCreated yesterday", None),
        ("-TimeCreated ", None),
    ],
)
def test_dates_in_every_style(line: str, opened: datetime | None) -> None:
    assert read_header(_with_date(line), "x").opened == opened


def test_older_versions_separate_with_tabs_and_name_the_amplifier() -> None:
    raw = (
        b"######## Neuralynx Data File Header\r\n## File Name: C:\\CSC1.Ncs\r\n"
        b"\t-CheetahRev\t4.0.2\r\n-SamplingFrequency\t30303.0\r\n-ADBitVolts\t 6.10352e-008\t\r\n"
        b"-AmpLowCut\t1.0\r\n-AmpHiCut\t9000.0\r\n-AcqEntName\tTT1\r\n"
    )
    header = read_header(raw.ljust(16_384, b"\0"), "x")
    assert header.name == "TT1"
    assert header.rate_hz == 30_303.0
    assert header.gain_uv == pytest.approx(0.0610352)
    assert (header.highpass_hz, header.lowpass_hz) == (1.0, 9000.0)
    assert header.polarity == 1
    assert header.opened is None


def test_an_inverted_input_turns_the_gain(files: ModuleType) -> None:
    header = read_header(files.ncs_header(InputInverted="True"), "x")
    assert header.gain_uv == pytest.approx(-0.030517578125)
    assert header.polarity == -1


def test_a_filter_that_is_off_has_no_corner(files: ModuleType) -> None:
    raw = files.ncs_header(DSPLowCutFilterEnabled="False", DSPHighCutFilterEnabled="false")
    header = read_header(raw, "x")
    assert (header.highpass_hz, header.lowpass_hz) == (None, None)


def test_a_gain_left_out_follows_from_the_range(files: ModuleType) -> None:
    header = read_header(files.ncs_header(ADBitVolts=None), "a.ncs")
    assert header.gain_uv == pytest.approx(-1000 / 32_767)
    assert "a.ncs: no ADBitVolts" in header.warnings[0]


@pytest.mark.parametrize("text", [None, "", "zero", "nan", "-1e-8", "0", "12"])
def test_no_gain_at_all_is_an_error(files: ModuleType, text: str | None) -> None:
    raw = files.ncs_header(ADBitVolts=text, InputRange=None)
    with pytest.raises(BadRecording, match=r"a.ncs: the header does not say how many volts"):
        read_header(raw, "a.ncs")


@pytest.mark.parametrize("text", ["0", "-5", "inf", "1e300", "fast"])
def test_a_rate_that_can_not_be_is_no_rate(files: ModuleType, text: str) -> None:
    assert read_header(files.ncs_header(SamplingFrequency=text), "x").rate_hz is None


def test_letters_outside_ascii_do_no_harm(files: ModuleType) -> None:
    raw = files.ncs_header(DspFilterDelay="\N{MICRO SIGN}s 3984", ProbeName="\xe9\xff")
    assert read_header(raw, "x").name == "CSC1"


@pytest.mark.parametrize(
    ("compensation", "delay", "delay_s"),
    [
        ("Enabled", "3984", 0.0),
        ("Disabled", "3984", 3984e-6),
        ("Disabled", "0", 0.0),
        (None, "3984", None),
        ("Disabled", None, None),
        ("Disabled", "much", None),
        ("Disabled", "-4", None),
        ("Disabled", "1e300", None),
    ],
)
@pytest.mark.parametrize("letter", ["\N{MICRO SIGN}s", "us"])
def test_the_delay_of_digital_filters(
    files: ModuleType,
    compensation: str | None,
    delay: str | None,
    delay_s: float | None,
    letter: str,
) -> None:
    changes = {"DspDelayCompensation": compensation, f"DspFilterDelay_{letter}": delay}
    header = read_header(files.ncs_header(**changes), "a.ncs")
    assert header.filter_delay_s == (None if delay_s is None else pytest.approx(delay_s))
    late = [text for text in header.warnings if "lag behind their time stamps by 3.98 ms" in text]
    assert len(late) == (delay_s is not None and delay_s > 0)


def test_when_the_file_was_closed(files: ModuleType) -> None:
    assert read_header(files.ncs_header(), "x").closed is None
    raw = files.ncs_header(TimeClosed="2024/03/02 10:00:01")
    assert read_header(raw, "x").closed == datetime(2024, 3, 2, 10, 0, 1)
