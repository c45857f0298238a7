"""A step's numbers change only with its version."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from wakeful.catalog import load_catalog

from .golden_numbers import PLACE, compute_numbers

RENEW = "raise the step's version, then run .venv/bin/python tests/golden/golden_numbers.py"


@pytest.fixture(scope="module")
def now() -> dict[str, Any]:
    return compute_numbers()


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    return json.loads(PLACE.read_text(encoding="utf-8"))


def differences(old: Any, new: Any, where: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict) and set(old) == set(new):
        return [d for k in old for d in differences(old[k], new[k], f"{where}.{k}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f"{where}[{i}]")]
    if isinstance(old, float) or isinstance(new, float):
        # Other processors sum in another order.
        same = isinstance(new, int | float) and math.isclose(old, new, rel_tol=2e-4, abs_tol=2e-4)
        return [] if same else [f"{where}: {old} became {new}"]
    return [] if old == new else [f"{where}: {old} became {new}"]


@pytest.mark.parametrize("name", list(load_catalog().steps))
def test_numbers_change_only_with_the_version(name, golden, now):
    assert name in golden, f"{name} has no golden numbers; {RENEW}"
    if golden[name]["version"] != now[name]["version"]:
        pytest.fail(
            f"{name} has a new version; run .venv/bin/python tests/golden/golden_numbers.py"
        )
    changed = differences(golden[name]["outputs"], now[name]["outputs"], name)
    assert changed == [], RENEW


def test_a_change_would_be_noticed(golden):
    spoilt = json.loads(json.dumps(golden))
    spoilt["band_power"]["outputs"]["band_power"]["power_uv2"]["mean"] *= 1.001
    assert differences(golden, spoilt, "all")
