"""A page that holds all it shows, safe whatever the names are."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime, time
from html.parser import HTMLParser

import pytest

from wakeful.model.subject import LightSchedule, Session, Subject
from wakeful.model.time import Accounting
from wakeful.publish import Report, ReportFigure, ReportStep, ReportTable, render_report

KEY = "0123456789abcdef" * 4
SESSION = Session(
    name="baseline",
    subject=Subject(identifier="M014", species="Mus musculus", sex="F"),
    start_utc=datetime(2026, 5, 11, 22, tzinfo=UTC),
    duration_s=7384.0,
    time_zone="Europe/Zurich",
    light=LightSchedule(on=time(7), off=time(19)),
)
PNG = b"\x89PNG picture"
REPORT = Report(
    session=SESSION,
    accounting=Accounting(7000.0, 300.0, 84.0, 0.0),
    recording="neuralynx, 12 channels at 32,000 Hz",
    regions=("CA1", "PFC"),
    warnings=("3 channels have no region", "a gap of 5 min"),
    figures=(
        ReportFigure(
            title="Tue 2026-05-12",
            caption="The day at a glance",
            alternative="Spectrograms and hypnogram",
            media_type="image/png",
            data=PNG,
            key=KEY,
            files=("figures/day 1.png", "figures/day 1.pdf"),
        ),
    ),
    tables=(ReportTable(title="Minutes", columns=("state", "min"), rows=(("awake", "12.0"),)),),
    files=(("hypnogram.csv", "a line an epoch"),),
    steps=(
        ReportStep(name="convert", version=2, seconds=812.4, n_results=3, key=KEY),
        ReportStep(name="sleep", version=1, changed=(("delta_hz", "(0.5, 4.0)"),), key=KEY),
    ),
    software={"wakeful": "0.1.0", "numpy": "2.1"},
)


class Page(HTMLParser):
    """Tags, attributes and text of a page; notices tags that are not closed."""

    VOID = frozenset({"meta", "img", "br", "link"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def page_of(report: Report) -> Page:
    return Page(render_report(report).decode())


def test_header_says_what_when_and_how_much() -> None:
    text = page_of(REPORT).text
    assert "M014 · baseline" in text
    assert "2026-05-12 00:00:00 Europe/Zurich (UTC+02:00)" in text
    assert "2 h 03 min 04 s" in text
    assert "recorded 1 h 56 min 40 s (94.8 %)" in text
    assert "quarantined 0 h 01 min 24 s" in text
    assert "outside" not in text
    assert "on 07:00, off 19:00" in text


def test_facts_of_one_name_become_a_list() -> None:
    facts = (("scoring", "by LFP <b>"), ("gaps", "none"), ("scoring", "no EMG"))
    page = render_report(replace(REPORT, facts=facts)).decode()
    assert page.count("<dt>scoring</dt>") == 1
    assert "<li>by LFP &lt;b&gt;</li><li>no EMG</li>" in page
    assert "<dt>gaps</dt><dd>none</dd>" in page


@pytest.mark.parametrize(
    ("gap_s", "said"),
    [
        (0.0, "gap 0 s (0.0 %)"),
        (0.0004, "gap <1 ms (<0.1 %)"),
        (0.256, "gap 256 ms (<0.1 %)"),
        (0.9996, "gap 1 s (<0.1 %)"),
        (2.3456, "gap 2.35 s (<0.1 %)"),
        (59.97, "gap 0 h 01 min 00 s (0.8 %)"),
    ],
)
def test_a_short_gap_is_told_as_long_as_it_is(gap_s: float, said: str) -> None:
    text = page_of(replace(REPORT, accounting=Accounting(7200.0, gap_s, 0.0, 0.0))).text
    assert said in text
    assert "quarantined" not in text
    assert (">99.9 %" in text) == (0 < gap_s < 3)


def test_panels_stand_folded_up_after_the_figures() -> None:
    day = REPORT.figures[0]
    lone = replace(day, title="Lone panel", panel=True, files=("figures/panel.png",))
    page = render_report(replace(REPORT, figures=(lone, day))).decode()
    assert page.index("Tue 2026-05-12.") < page.index("<details>") < page.index("Lone panel.")
    assert page.index("Panels one by one") < page.index("Lone panel.")
    assert page.index("Lone panel.") < page.index("</details>")
    assert "wakeful verify &#39;figures/day 1.png&#39;" in page
    assert "<details" not in render_report(REPORT).decode()
    assert "<details open>" in render_report(replace(REPORT, figures=(lone,))).decode()
    Page(page)


def test_a_figure_is_shown_at_its_share_of_the_width() -> None:
    from matplotlib.figure import Figure

    from wakeful.figures import render

    figure = Figure(figsize=(90 / 25.4, 1))
    data = render(figure, "png", KEY)
    page = page_of(replace(REPORT, figures=(replace(REPORT.figures[0], data=data),)))
    image = next(a for tag, a in page.tags if tag == "img")
    assert image["style"] == "--share: 0.5"
    other = next(a for tag, a in page_of(REPORT).tags if tag == "img")
    assert other["style"] == "--share: 1"
    assert "min-width: calc(var(--share) * 44rem)" in render_report(REPORT).decode()


def test_warnings_stand_before_the_figures() -> None:
    page = render_report(REPORT).decode()
    assert page.index("2 things to know") < page.index("<figure>")
    assert "a gap of 5 min" in page
    assert 'class="warnings"' not in render_report(replace(REPORT, warnings=())).decode()


def test_nothing_comes_from_elsewhere() -> None:
    page = page_of(REPORT)
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object")
        for name in ("src", "href"):
            value = attributes.get(name, "")
            assert "//" not in value or value.startswith("data:")
    assert "http" not in re.sub(r'http-equiv="', "", render_report(REPORT).decode())


def test_figures_are_inside_with_alternative_and_key() -> None:
    page = page_of(REPORT)
    image = next(a for tag, a in page.tags if tag == "img")
    assert image["alt"] == "Spectrograms and hypnogram"
    kind, _, data = image["src"].partition(";base64,")
    assert kind == "data:image/png"
    assert base64.b64decode(data) == PNG
    assert KEY[:12] in page.text
    assert any(a.get("title") == KEY for _, a in page.tags)
    assert "figures/day%201.png" in [a.get("href") for _, a in page.tags]
    assert "wakeful verify 'figures/day 1.png'" in page.text


def test_steps_and_software_are_told() -> None:
    text = page_of(REPORT).text
    assert "delta_hz = (0.5, 4.0)" in text
    assert "812" in text
    assert "numpy 2.1, wakeful 0.1.0" in text


def test_names_can_do_no_harm() -> None:
    evil = "<script>alert(1)</script>"
    report = replace(
        REPORT,
        session=replace(SESSION, subject=Subject(identifier=evil, genotype='"><b>x')),
        warnings=(evil,),
        regions=(evil,),
        tables=(ReportTable(title=evil, columns=(evil,), rows=((evil,),)),),
        figures=(replace(REPORT.figures[0], alternative='" onerror="alert(1)', caption=evil),),
    )
    page = page_of(report)
    assert "script" not in [tag for tag, _ in page.tags]
    assert not any("onerror" in attributes for _, attributes in page.tags)
    assert evil in page.text


def test_an_unknown_start_and_an_empty_session_are_told() -> None:
    report = Report(
        session=replace(SESSION, start_utc=None, light=None, duration_s=0.0),
        accounting=Accounting(0.0, 0.0, 0.0, 0.0),
        provisional=True,
    )
    text = page_of(report).text
    assert "unknown (the files do not say)" in text
    assert "provisional" in text


def test_the_same_report_gives_the_same_page() -> None:
    assert render_report(REPORT) == render_report(replace(REPORT))
