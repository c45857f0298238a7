"""Text that fits: measured, shortened, wrapped, and only letters that the house's font has."""

from __future__ import annotations

from functools import lru_cache

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

FAMILY = "DejaVu Sans"
_DPI = 200.0
_ELLIPSIS = "…"
_UNKNOWN_LETTER = "\N{REPLACEMENT CHARACTER}"


def _font(size_pt: float, *, bold: bool) -> FontProperties:
    return FontProperties(family=FAMILY, size=size_pt, weight="bold" if bold else "normal")


@lru_cache(maxsize=1)
def _letters() -> frozenset[int]:
    """Code points that the font has both as it is and bold."""
    regular, bold = (get_font(findfont(_font(10.0, bold=b))).get_charmap() for b in (False, True))
    return frozenset(regular) & frozenset(bold)


def plain(text: str) -> str:
    """One line of letters that can be drawn; others are shown as a replacement character."""
    known = _letters()
    line = " ".join(text.split())
    return "".join(c if ord(c) in known else _UNKNOWN_LETTER for c in line)


@lru_cache(maxsize=4096)
def width_pt(text: str, size_pt: float, *, bold: bool = False) -> float:
    """How wide a line of text is at most, points; `$` and `_` are letters like any other.

    Letters in a PNG stand on whole pixels and may be wider than those in a PDF or SVG.
    """
    line = plain(text)
    if not line:
        return 0.0
    font = _font(size_pt, bold=bold)
    free_pt = text_to_path.get_text_width_height_descent(line, font, ismath=False)[0]
    drawn = Figure(dpi=_DPI).text(0, 0, line, fontproperties=font, parse_math=False)
    return max(float(free_pt), float(drawn.get_window_extent().width) * 72 / _DPI)


def shorten(
    text: str, room_pt: float, size_pt: float, *, bold: bool = False, middle: bool = False
) -> str:
    """The text, or as much of it as fits with an ellipsis for the rest.

    Parameters
    ----------
    middle : leave out the middle rather than the end
    """
    text = plain(text)
    if width_pt(text, size_pt, bold=bold) <= room_pt:
        return text

    def cut(n_kept: int) -> str:
        if not middle:
            return text[:n_kept].rstrip() + _ELLIPSIS
        n_tail = n_kept // 2
        return (
            f"{text[: n_kept - n_tail].rstrip()} {_ELLIPSIS} {text[len(text) - n_tail :].lstrip()}"
        )

    fits, too_many = 0, len(text)
    while too_many - fits > 1:
        middle_of = (fits + too_many) // 2
        if width_pt(cut(middle_of), size_pt, bold=bold) <= room_pt:
            fits = middle_of
        else:
            too_many = middle_of
    return cut(fits) if fits else _ELLIPSIS


def wrap(text: str, room_pt: float, size_pt: float, max_lines: int) -> list[str]:
    """The text in lines that fit; what `max_lines` can't hold ends in an ellipsis."""
    lines = [""]
    words = plain(text).split(" ")
    for i, word in enumerate(words):
        longer = f"{lines[-1]} {word}".strip()
        if width_pt(longer, size_pt) <= room_pt or not lines[-1]:
            lines[-1] = longer
        elif len(lines) < max_lines:
            lines.append(word)
        else:
            lines[-1] = " ".join([lines[-1], *words[i:]])
            break
    return [shorten(line, room_pt, size_pt) for line in lines]


def share_room(left_pt: float, right_pt: float, room_pt: float) -> tuple[float, float]:
    """Room for two texts on one line: each gets what it needs, or its share where both are long."""
    if left_pt + right_pt <= room_pt:
        return left_pt, right_pt
    left = min(left_pt, max(0.55 * room_pt, room_pt - right_pt))
    return left, room_pt - left
