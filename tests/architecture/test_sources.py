"""Rules for the source files that no linter knows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

MAX_LINES = 500
BANNED_NAMES = {"utils", "util", "core", "common", "helpers", "misc"}

WITHOUT_MIRROR: dict[str, str] = {}
"""Packages and modules of wakeful without tests of their own under tests/unit -> the reason."""


def test_no_file_is_too_long(our_sources: list[Path]) -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in our_sources}
    assert {str(p): n for p, n in lengths.items() if n > MAX_LINES} == {}


def test_no_name_says_nothing(our_sources: list[Path], root: Path) -> None:
    parts = {part for path in our_sources for part in path.relative_to(root).with_suffix("").parts}
    assert parts & BANNED_NAMES == set()


def test_annotations_are_lazy_everywhere(our_sources: list[Path]) -> None:
    line = "from __future__ import annotations"
    missing = [
        str(path)
        for path in our_sources
        if _has_code(path) and line not in path.read_text(encoding="utf-8").splitlines()
    ]
    assert missing == []


def _has_code(path: Path) -> bool:
    return len(ast.parse(path.read_text(encoding="utf-8")).body) > 1


def test_everything_public_has_a_docstring(our_sources: list[Path]) -> None:
    missing = []
    for path in our_sources:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if ast.get_docstring(tree) is None:
            missing.append(f"{path}: module")
        missing += [
            f"{path}:{node.lineno}: {node.name}"
            for node in _public_definitions(tree)
            if ast.get_docstring(node) is None
        ]
    assert missing == []


def _public_definitions(
    tree: ast.Module | ast.ClassDef,
) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("_"):
                continue
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public_definitions(node)


def test_every_part_has_its_mirror_among_the_tests(our_sources: list[Path], root: Path) -> None:
    unit = root / "tests" / "unit"
    inside = [path.relative_to(root / "src" / "wakeful") for path in our_sources]
    parts = {path.parts[0].removesuffix(".py") for path in inside} - {"__init__", "__main__"}
    mirrored = {
        part for part in parts if [*unit.glob(f"test_{part}.py"), *(unit / part).rglob("test_*.py")]
    }
    assert sorted(parts - mirrored - set(WITHOUT_MIRROR)) == []
    assert sorted(set(WITHOUT_MIRROR) - parts) == [], "an exception for what is not there"
    assert sorted(set(WITHOUT_MIRROR) & mirrored) == [], "an exception that is not needed"


def test_nothing_is_unfinished(our_files: list[Path]) -> None:
    marks = re.compile(r"\b(TO[D]O|FI[X]ME|X[X]X)\b|raise NotImplemented[E]rror|assert Tr[u]e\b")
    assert _hits(marks, our_files) == []


def test_no_address_of_a_package_registry(our_files: list[Path]) -> None:
    hosts = re.compile(
        r"pyp[i]\.(org|python)|pythonhos[t]ed\.org|npm[j]s\.(org|com)|anacond[a]\.(org|com)"
        r"|debia[n]\.org|(extra-)?index-ur[l]|find-lin[k]s"
    )
    assert _hits(hosts, our_files) == []


def test_no_path_of_somebodys_machine(our_files: list[Path]) -> None:
    paths = re.compile(r"(?<![\w.])/(hom[e]|roo[t]|User[s]|wor[k])/\w")
    assert _hits(paths, our_files) == []


def _hits(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    return [
        f"{path}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
