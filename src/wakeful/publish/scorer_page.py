"""A comparison of scorers as a folder of tables and figures, and a page to read."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from jinja2 import Environment, StrictUndefined

from wakeful.figures import draw_animals, draw_scorers, render
from wakeful.model.epochs import SCORED
from wakeful.model.subject import Session
from wakeful.publish.scorer_tables import comparison_files
from wakeful.sleep.scorers import (
    BlandAltman,
    Comparison,
    bout_differences_of,
    differences_of,
    pairs_of_scorers,
)

PAGE, ANIMALS = "report.html", "animals.png"


@dataclass(frozen=True, kw_only=True)
class PageTable:
    """A table of the page; its first columns hold text."""

    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_text: int


@dataclass(frozen=True, kw_only=True)
class PageFigure:
    """A picture of the page."""

    title: str
    caption: str
    data: str
    """As a data URI: the page needs no other file."""


def comparison_report(
    comparisons: Sequence[Comparison], sessions: Sequence[Session], notes: Sequence[str] = ()
) -> dict[str, bytes]:
    """Name -> bytes: tables, a figure of each animal, one of all animals where there are several,
    and report.html.

    Parameters
    ----------
    sessions : of each comparison, whose clock and light stand along its axis
    notes : what a reader must know
    """
    found = comparison_files(comparisons)
    pictures: list[PageFigure] = []
    if len(comparisons) > 1:
        found[ANIMALS] = render(draw_animals(comparisons), "png", _key(comparisons))
        pictures.append(
            PageFigure(
                title="All animals",
                caption="Above: Cohen's kappa and F1 of each animal, a mark for each two scorers. "
                "Below: for each two scorers, difference against mean of minutes and of bouts, a "
                "dot an animal; lines are the bias, dashed the limits of agreement (bias ± 1.96 "
                "standard deviations).",
                data=_data_uri(found[ANIMALS]),
            )
        )
    for comparison, session in zip(comparisons, sessions, strict=True):
        subject = comparison.subject
        stem = f"{re.sub(r'[^A-Za-z0-9_.-]', '_', subject)}_" if subject else ""
        picture = render(draw_scorers(session, comparison), "png", _key([comparison]))
        found[f"{stem}scorers.png"] = picture
        pictures.append(
            PageFigure(
                title=subject or "Scorers",
                caption="The scorers one above the other, where they differ, and confusion "
                "matrices (shares of the reference's epochs).",
                data=_data_uri(picture),
            )
        )
    found[PAGE] = _render_page(comparisons, pictures, notes)
    return found


def _render_page(
    comparisons: Sequence[Comparison], figures: Sequence[PageFigure], notes: Sequence[str]
) -> bytes:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("wakeful.publish").joinpath("scorers.html.j2").read_text(encoding="utf-8")
    n_scorers = len({name for c in comparisons for name in c.names})
    n_animals = len(comparisons)
    page = environment.from_string(source).render(
        title=f"{n_scorers} scorers of {n_animals} animal{'s' if n_animals > 1 else ''}",
        notes=tuple(dict.fromkeys(notes)),
        tables=(
            _agreement_table(comparisons),
            _amount_table(comparisons),
            *((_altman_table(comparisons),) if n_animals > 1 else ()),
        ),
        figures=figures,
    )
    return page.encode()


def _agreement_table(comparisons: Sequence[Comparison]) -> PageTable:
    rows = [
        (
            c.subject,
            pair.first,
            pair.second,
            f"{pair.agreement.n_epochs:,}",
            *(_number(v, 3) for v in (pair.agreement.kappa, pair.agreement.accuracy)),
            *(_number(pair.agreement.f1[state], 3) for state in SCORED),
        )
        for c in comparisons
        for pair in c.pairs
    ]
    rows += list(_means(comparisons))
    return PageTable(
        title="Agreement",
        caption="Cohen's kappa and F1 of each state, of every two scorers; an unclassified epoch "
        "counts as an error. The mean is over animals, with its range.",
        columns=(
            *("animal", "reference", "scorer", "epochs", "kappa", "agree"),
            *(f"F1 {state.label}" for state in SCORED),
        ),
        rows=tuple(rows),
        n_text=3,
    )


def _means(comparisons: Sequence[Comparison]) -> Iterable[tuple[str, ...]]:
    """Of each two scorers over the animals, where there are several."""
    for first, second in pairs_of_scorers(comparisons):
        found = [
            pair.agreement
            for c in comparisons
            for pair in c.pairs
            if (pair.first, pair.second) == (first, second)
        ]
        if len(found) > 1:
            values = [[a.kappa, a.accuracy, *(a.f1[state] for state in SCORED)] for a in found]
            yield (
                f"mean of {len(found)}",
                first,
                second,
                "",
                *(_mean_and_range(column) for column in np.array(values).T),
            )


def _mean_and_range(values: Sequence[float]) -> str:
    known = [v for v in values if np.isfinite(v)]
    if not known:
        return "–"
    return f"{np.mean(known):.3f} ({min(known):.3f} to {max(known):.3f})"


def _amount_table(comparisons: Sequence[Comparison]) -> PageTable:
    return PageTable(
        title="Minutes and bouts",
        caption="Over the epochs for which all scorers of the animal have data.",
        columns=(
            *("animal", "scorer"),
            *(f"{state.label}, min" for state in SCORED),
            *(f"{state.label}, bouts" for state in SCORED),
        ),
        rows=tuple(
            (
                c.subject,
                name,
                *(_number(c.minutes[i, state], 1) for state in SCORED),
                *(f"{c.n_bouts[i, state]:,}" for state in SCORED),
            )
            for c in comparisons
            for i, name in enumerate(c.names)
        ),
        n_text=2,
    )


def _altman_table(comparisons: Sequence[Comparison]) -> PageTable:
    rows = []
    for first, second in pairs_of_scorers(comparisons):
        minutes = differences_of(comparisons, first, second).get("animal", {})
        bouts = bout_differences_of(comparisons, first, second)
        rows += [
            (
                *(first, second, state.label, f"{bouts[state].n}"),
                *_limits(minutes.get(state)),
                *_limits(bouts[state]),
            )
            for state in SCORED
        ]
    return PageTable(
        title="Bland-Altman over animals",
        caption="Second less first scorer: mean over animals, and limits of agreement (± 1.96 "
        "standard deviations). Limits of few animals are wide and themselves uncertain.",
        columns=(
            *("first", "second", "state", "animals"),
            *("bias, min", "limits, min", "bias, bouts", "limits, bouts"),
        ),
        rows=tuple(rows),
        n_text=3,
    )


def _limits(found: BlandAltman | None) -> tuple[str, str]:
    if found is None:
        return "–", "–"
    if not np.isfinite(found.sd):
        return f"{found.bias:+.1f}", "–"
    return f"{found.bias:+.1f}", f"{found.lower:+.1f} to {found.upper:+.1f}"


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}" if np.isfinite(value) else "–"


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + b64encode(png).decode()


def _key(comparisons: Sequence[Comparison]) -> str:
    digest = hashlib.sha256()
    for c in comparisons:
        digest.update(np.ascontiguousarray(c.states).tobytes())
    return digest.hexdigest()
