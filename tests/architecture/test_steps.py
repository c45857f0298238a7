"""What every step must say of itself."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from wakeful.catalog import load_catalog
from wakeful.step import Step

STEPS = load_catalog().steps


@pytest.fixture(params=list(STEPS))
def step(request: pytest.FixtureRequest) -> Step:
    return STEPS[request.param]


def test_it_says_what_it_is(step: Step) -> None:
    assert step.title
    assert step.summary.endswith(".")
    assert step.version >= 1
    assert step.name == Path(inspect.getfile(step.compute)).stem


def test_its_nouns_are_frozen(step: Step) -> None:
    for noun in (step.inputs, step.params, step.outputs):
        assert dataclasses.is_dataclass(noun)
        assert noun.__dataclass_params__.frozen, noun  # type: ignore[attr-defined]


def test_every_parameter_has_a_unit_and_a_source(step: Step) -> None:
    bad = [
        field.name
        for field in dataclasses.fields(step.params)
        if "unit" not in field.metadata
        or not field.metadata.get("source")
        or field.default is dataclasses.MISSING
    ]
    assert bad == []


def test_a_parameter_with_a_unit_says_it_in_its_name(step: Step) -> None:
    suffix = {"Hz": "_hz", "s": "_s", "uV": "_uv", "uV^2": "_uv2"}
    bad = [
        f"{field.name} [{unit}]"
        for field in dataclasses.fields(step.params)
        if (unit := field.metadata["unit"]) in suffix and not field.name.endswith(suffix[unit])
    ]
    assert bad == []


def test_it_says_what_it_does_with_bad_channels(step: Step) -> None:
    assert step.masks in ("takes", "refuses", "none")
    assert step.masks_reason, "why, in half a sentence"
    # Advice that is taken must be asked for, may be missing, and can be switched off.
    takes = step.masks == "takes"
    assert step.input_fields().get("channel_quality", False) is takes
    assert any(f.name == "use_masks" for f in dataclasses.fields(step.params)) is takes


def test_defaults_pass_their_own_checks(step: Step) -> None:
    assert step.make_params({}) == step.params()


def test_importing_the_catalog_loads_no_heavy_library() -> None:
    """`wakeful --help` must stay quick: what is slow to import is imported where it computes."""
    code = (
        "import sys; from wakeful.catalog import load_catalog; load_catalog(); "
        "print([m for m in ('matplotlib.pyplot', 'neo') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_parameter_is_read_somewhere(our_sources: list[Path]) -> None:
    """A parameter that nothing reads would be a promise that is not kept."""
    read: set[str] = set()
    by_loop: set[str] = set()
    for path in our_sources:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        checks = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and node.name == "__post_init__"
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if id(node) in checks:
                continue
            if isinstance(node, ast.Attribute):
                read.add(node.attr)
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) == "getattr"
                and ast.unparse(node.args[0]) == "params"
            ):
                by_loop.add(path.stem)
    unread = [
        f"{name}.{field.name}"
        for name, step in STEPS.items()
        for field in dataclasses.fields(step.params)
        if field.name not in read and name not in by_loop
    ]
    assert unread == []
