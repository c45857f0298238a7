"""What is odd about the characters of a cell, said so that a person finds them.

Look-alikes are told by Unicode's compatibility decompositions and by the Cyrillic and Greek
letters of the confusables table of Unicode Technical Standard 39 that print as Latin ones.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_LOOK_ALIKES: Final = dict(
    zip(
        "АВЕЅІЈКМНОРСТХУЗабеѕіјорсхуԁԛԝһԌΑΒΕΖΗΙΚΜΝΟΡΤΥΧαινορυωχ‐‑‒–—−­․‗ˍıȷ٠۰",
        "ABESIJKMHOPCTXY3a6esijopcxydqwhGABEZHIKMNOPTYXaivopuwx-------.__ij00",
        strict=True,
    )
)
_INVISIBLE_LETTERS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Not classed as spaces or format characters, yet nothing is printed for them."""

_CONTROL_NAMES: Final = {
    0: "a null character",
    7: "a bell character",
    8: "a backspace character",
    9: "a tab",
    10: "a line break",
    11: "a vertical tab",
    12: "a page break",
    13: "a carriage return",
    27: "an escape character",
    127: "a delete character",
}
_ORDINALS: Final = (
    *("first", "second", "third", "fourth", "fifth", "sixth"),
    *("seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
)
_ENDINGS: Final = {1: "st", 2: "nd", 3: "rd"}
_SPACES: Final = "\t\n\r"


def ordinal(index: int) -> str:
    """Where a character stands: 2 -> "third character", 21 -> "22nd character"."""
    if index < len(_ORDINALS):
        return f"{_ORDINALS[index]} character"
    number = index + 1
    ending = "th" if number % 100 in (11, 12, 13) else _ENDINGS.get(number % 10, "th")
    return f"{number}{ending} character"


def name_of(character: str) -> str:
    """Unicode's name of a character, or its number where it has none."""
    return unicodedata.name(character, f"U+{ord(character):04X}")


def is_invisible(character: str) -> bool:
    """Whether nothing is printed for it, or only white space that is not the plain space."""
    if character in _INVISIBLE_LETTERS or "\ufe00" <= character <= "\ufe0f":
        return True
    category = unicodedata.category(character)
    return category in {"Cf", "Zl", "Zp"} or (category == "Zs" and character != " ")


def look_alike(character: str) -> str | None:
    """The plain letter, digit or sign that a character could be taken for."""
    if character.isascii():
        return None
    if character in _LOOK_ALIKES:
        return _LOOK_ALIKES[character]
    plain = unicodedata.normalize("NFKC", character)
    return plain if len(plain) == 1 and plain.isascii() and plain.isprintable() else None


def is_forbidden(character: str) -> bool:
    """Whether no cell may hold it: control characters and halves of surrogate pairs."""
    return unicodedata.category(character) in {"Cc", "Cs"}


def describe(character: str) -> str:
    """What a character is, for the middle of a sentence: "is a space"."""
    if character == " ":
        return "is a space"
    if (code := ord(character)) in _CONTROL_NAMES:
        return f"is {_CONTROL_NAMES[code]}"
    if unicodedata.category(character) == "Cc":
        return f"is the control character U+{code:04X}"
    if unicodedata.category(character) == "Cs":
        return f"is half a character (U+{code:04X})"
    # Before the invisible ones: a soft hyphen is printed by some programs and not by others.
    if is_invisible(character):
        return f"is invisible: {name_of(character)}"
    if (plain := look_alike(character)) is not None:
        kind = "a Latin " if plain.isalpha() else "a plain "
        return f"looks like {kind}{plain} but is {name_of(character)}"
    if unicodedata.combining(character):
        return f"is {name_of(character)}, which stands on the character before it"
    return f"is {name_of(character)} ({character})"


def trim(text: str) -> tuple[str, str]:
    """Take white space off both ends.

    Returns
    -------
    The text without it, and what was taken off, in words; empty where nothing was.
    """
    start, stop = 0, len(text)
    while start < stop and _is_space(text[start]):
        start += 1
    while stop > start and _is_space(text[stop - 1]):
        stop -= 1
    if stop - start == len(text):
        return text, ""
    parts = [
        f"{_count(taken)} {where}"
        for taken, where in ((text[:start], "before it"), (text[stop:], "after it"))
        if taken
    ]
    return text[start:stop], " and ".join(parts)


def _is_space(character: str) -> bool:
    return character in _SPACES or unicodedata.category(character) == "Zs"


def _count(taken: str) -> str:
    if set(taken) == {" "}:
        return "a space" if len(taken) == 1 else f"{len(taken)} spaces"
    names = dict.fromkeys(
        _CONTROL_NAMES.get(ord(c), name_of(c)) if c != " " else "a space" for c in taken
    )
    return ", ".join(names)


def quote(text: str, longest: int = 60) -> str:
    """A cell's text within quotation marks, on one line and not too long."""
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return f'"{shown}"' if len(shown) <= longest else f'"{shown[: longest - 3]}..."'
