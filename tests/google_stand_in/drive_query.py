"""What Drive's `q` and `fields` mean: as much of both as is in use."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_TEXT = r"'((?:[^'\\]|\\.)*)'"
_HAS = re.compile(rf"appProperties\s+has\s+{{\s*key\s*=\s*{_TEXT}\s+and\s+value\s*=\s*{_TEXT}\s*}}")
_IN = re.compile(rf"{_TEXT}\s+in\s+parents")
_IS = re.compile(rf"(name|mimeType)\s*(!?=|contains)\s*{_TEXT}")
_TRASHED = re.compile(r"trashed\s*=\s*(true|false)")
_AND = re.compile(r"\s+and\s+")

Matches = Callable[[Any], bool]


class BadQuery(Exception):
    """Drive would answer 400."""


def read_query(text: str) -> Matches:
    """What files a `q` lets through: clauses joined by `and`."""
    clauses: list[Matches] = []
    at = 0
    while at < len(text.strip()):
        clause, at = _read_clause(text, at)
        clauses.append(clause)
        if at >= len(text.rstrip()):
            break
        joint = _AND.match(text, at)
        if joint is None:
            raise BadQuery(text)
        at = joint.end()
    return lambda file: all(clause(file) for clause in clauses)


def _read_clause(text: str, at: int) -> tuple[Matches, int]:
    if found := _HAS.match(text, at):
        key, value = _plain(found[1]), _plain(found[2])
        return lambda file: file.properties.get(key) == value, found.end()
    if found := _IN.match(text, at):
        parent = _plain(found[1])
        return lambda file: file.parent == parent, found.end()
    if found := _TRASHED.match(text, at):
        wanted = found[1] == "true"
        return lambda file: file.is_gone() is wanted, found.end()
    if found := _IS.match(text, at):
        field, how, value = found[1], found[2], _plain(found[3])

        def matches(file: Any) -> bool:
            has = file.name if field == "name" else file.mime
            if how == "contains":
                return has.lower().startswith(value.lower())
            return (has == value) is (how == "=")

        return matches, found.end()
    raise BadQuery(text)


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def select(tree: Any, fields: str) -> Any:
    """The parts of an answer that `fields` names, e.g. "nextPageToken, files(id, name)"."""
    if not fields or fields == "*":
        return tree
    wanted, rest = _read_fields(fields.replace(" ", ""))
    if rest:
        raise BadQuery(fields)
    return _cut(tree, wanted)


def _read_fields(text: str) -> tuple[dict[str, Any], str]:
    wanted: dict[str, Any] = {}
    while text and text[0] != ")":
        found = re.match(r"[\w*/]+", text)
        if found is None:
            raise BadQuery(text)
        text = text[found.end() :]
        inner: Any = None
        if text.startswith("("):
            inner, text = _read_fields(text[1:])
            if not text.startswith(")"):
                raise BadQuery(text)
            text = text[1:]
        *outer, last = found[0].split("/")
        at = wanted
        for part in outer:
            at = at.setdefault(part, {})
        at[last] = inner
        text = text.removeprefix(",")
    return wanted, text


def _cut(tree: Any, wanted: dict[str, Any] | None) -> Any:
    if wanted is None or "*" in wanted:
        return tree
    if isinstance(tree, list):
        return [_cut(member, wanted) for member in tree]
    return {name: _cut(tree[name], inner) for name, inner in wanted.items() if name in tree}
