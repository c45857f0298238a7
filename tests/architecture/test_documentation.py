"""The documentation is whole, and true of the code."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from markdown.extensions.toc import slugify

GENERATED = {"reference/steps.md", "reference/command-line.md"}


@pytest.fixture(scope="module")
def pages(root: Path, docs_hooks: ModuleType) -> dict[str, str]:
    """Path under docs/ -> text, generated pages and parts included."""
    docs = root / "docs"
    texts = {
        path.relative_to(docs).as_posix(): docs_hooks.on_page_markdown(
            path.read_text(encoding="utf-8")
        )
        for path in sorted(docs.rglob("*.md"))
        if path.relative_to(docs).as_posix() not in GENERATED
    }
    return {
        **texts,
        "reference/steps.md": docs_hooks.steps_page(),
        "reference/command-line.md": docs_hooks.command_line_page(),
    }


def _without_code(text: str) -> str:
    text = re.sub(r"^( *)```.*?^\1```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _without_code_blocks(text), re.MULTILINE)
    plain = [re.sub(r"[`*]|\{.*\}", "", heading) for heading in headings]
    return {slugify(heading, "-") for heading in plain}


def _without_code_blocks(text: str) -> str:
    return re.sub(r"^( *)```.*?^\1```", "", text, flags=re.MULTILINE | re.DOTALL)


def test_no_link_leads_nowhere(pages: dict[str, str], root: Path) -> None:
    docs = (root / "docs").resolve()
    dead = []
    for page, text in pages.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", _without_code(text)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            there = (docs / page).parent / path if path else docs / page
            name = there.resolve().relative_to(docs).as_posix()
            if name not in pages and (name.endswith(".md") or not (docs / name).is_file()):
                dead.append(f"{page}: {target}")
            elif anchor and anchor not in _anchors(pages[name]):
                dead.append(f"{page}: {target} (no such heading)")
    assert dead == []


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "README.md"])
def test_no_link_of_the_front_pages_leads_nowhere(
    name: str, pages: dict[str, str], root: Path
) -> None:
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", _without_code((root / name).read_text("utf-8"))):
        path, _, anchor = target.partition("#")
        page = path.removeprefix("docs/")
        if re.match(r"[a-z]+:", target):
            continue
        if not (root / path).exists() and page not in GENERATED:
            dead.append(target)
        elif anchor and page in pages and anchor not in _anchors(pages[page]):
            dead.append(f"{target} (no such heading)")
    assert dead == []


def test_every_page_is_in_the_navigation(pages: dict[str, str], root: Path) -> None:
    text = (root / "mkdocs.yml").read_text(encoding="utf-8").replace("!!python/name:", "")
    listed = list(_leaves(yaml.safe_load(text)["nav"]))
    assert sorted(listed) == sorted(pages)


def _leaves(tree: object) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, list):
        for member in tree:
            yield from _leaves(member)
    elif isinstance(tree, dict):
        for member in tree.values():
            yield from _leaves(member)


def test_decisions_are_numbered_and_have_their_parts(root: Path) -> None:
    folder = root / "docs" / "explanation" / "adr"
    decisions = sorted(folder.glob("[0-9]*.md"))
    assert [path.name[:4] for path in decisions] == [
        f"{number:04d}" for number in range(1, len(decisions) + 1)
    ]
    for path in decisions:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {path.name[:4]} "), path
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequences",
        ], path
        assert path.name in (folder / "index.md").read_text(encoding="utf-8")


def test_footnotes_are_used_and_written(pages: dict[str, str]) -> None:
    for page, text in pages.items():
        used = set(re.findall(r"(?<!^)\[\^([\w-]+)\]", text, re.MULTILINE))
        written = set(re.findall(r"^\[\^([\w-]+)\]:", text, re.MULTILINE))
        assert used == written, page


def test_every_step_and_parameter_is_in_the_reference(pages: dict[str, str]) -> None:
    from wakeful.catalog import load_catalog

    page = pages["reference/steps.md"]
    for name, step in load_catalog().steps.items():
        _, found, section = page.partition(f"\n## {name}\n")
        assert found, name
        section = section.partition("\n## ")[0]
        assert step.title in section
        for field in step.params.__dataclass_fields__:
            assert f"| `{field}` |" in section
        for field in step.output_types():
            assert f"`{field}`" in section


def test_every_feature_is_in_the_reference(pages: dict[str, str]) -> None:
    """Whatever column a table of features can have is in the generated table, whole."""
    from wakeful.sleep.feature_list import describe_features, list_columns

    page = pages["reference/sleep-features.md"]
    rows = {
        cells[0].strip("`"): cells[1:]
        for line in page.splitlines()
        if line.startswith("| `")
        for cells in [re.split(r" \| ", line.strip("| ").replace("|  |", "| - |"))]
    }
    described = {feature.name: feature for _, feature in describe_features()}
    assert rows.keys() == described.keys()
    for column in list_columns(("CA1", "PFC", "thalamus")):
        unit, formula, source = rows[column.feature]
        assert unit.strip("-") == column.unit
        assert formula.replace("\\|", "|") == described[column.feature].formula
        assert source == described[column.feature].source


def test_every_section_of_the_configuration_is_in_the_reference(pages: dict[str, str]) -> None:
    from wakeful.config import Config

    page = pages["reference/configuration.md"]
    for section, info in Config.model_fields.items():
        assert f"### [{section}" in page
        for field in getattr(info.annotation, "model_fields", {}):
            assert f"| `{field}` |" in page


def test_every_kind_and_state_is_in_the_glossary(pages: dict[str, str]) -> None:
    from wakeful.model.epochs import State
    from wakeful.model.subject import ChannelKind

    glossary = pages["reference/glossary.md"]
    assert [k for k in ChannelKind if f"`{k.value}`" not in glossary] == []
    assert [s for s in State if s.label not in glossary] == []


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def _commands() -> dict[str, Any]:
    import typer

    from wakeful.cli import app

    group: Any = typer.main.get_command(app)
    context = typer.Context(group)
    return {name: group.get_command(context, name) for name in group.list_commands(context)}


def test_the_commands_are_there_and_explain_themselves() -> None:
    commands = _commands()
    promised = {"demo", "init", "add", "run", "status", "steps", "inspect", "simulate"}
    promised |= {"report", "verify", "doctor", "mirror"}
    assert promised - set(commands) == set()
    assert [name for name, command in commands.items() if not command.help] == []
    silent = [
        f"{name} {parameter.name}"
        for name, command in commands.items()
        for parameter in command.params
        if not getattr(parameter, "help", None)
    ]
    assert silent == []
    takes_library = ("add", "mirror", "run", "status", "report", "verify", "explain", "doctor")
    assert [n for n in takes_library if "library" not in {p.name for p in commands[n].params}] == []
    reads = ("status", "mirror", "steps", "inspect", "verify", "explain", "doctor")
    assert [n for n in reads if "as_json" not in {p.name for p in commands[n].params}] == []


def test_commands_in_the_documentation_exist(pages: dict[str, str], root: Path) -> None:
    commands = _commands()
    texts = {
        **{page: text for page, text in pages.items() if page not in GENERATED},
        **{name: (root / name).read_text(encoding="utf-8") for name in ("README.md",)},
    }
    unknown = []
    for page, text in texts.items():
        lines = [line for block in _blocks(text, "bash") for line in block.splitlines()]
        lines += re.findall(r"`(wakeful [^`\n]*)`", text)
        for line in lines:
            words = line.partition("#")[0].replace(".venv/bin/", "").split()
            if words[:1] != ["wakeful"] or len(words) < 2:
                continue
            if words[1] not in commands:
                unknown += [f"{page}: {line}"] if not words[1].startswith("-") else []
                continue
            command, rest = commands[words[1]], words[2:]
            while rest and rest[0] in getattr(command, "commands", {}):
                command, rest = command.commands[rest[0]], rest[1:]
            known = {o for p in command.params for o in p.opts + p.secondary_opts}
            known.add("--help")
            options = [w.partition("=")[0] for w in rest if w.startswith("--")]
            unknown += [f"{page}: {line} ({o})" for o in options if o not in known]
    assert unknown == []


def test_python_in_the_documentation_can_be_read(pages: dict[str, str], root: Path) -> None:
    """Every block compiles, and what it takes from Wakeful is there."""
    import importlib

    texts = {**pages, "CONTRIBUTING.md": (root / "CONTRIBUTING.md").read_text(encoding="utf-8")}
    missing = []
    for page, text in texts.items():
        for block in _blocks(text, "python"):
            for node in ast.walk(ast.parse(block, page)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("wakeful"):
                    module = importlib.import_module(str(node.module))
                    missing += [
                        f"{page}: {node.module}.{alias.name}"
                        for alias in node.names
                        if not hasattr(module, alias.name)
                    ]
                if (
                    isinstance(node, ast.Attribute)
                    and isinstance(node.value, ast.Name)
                    and node.value.id == "wakeful"
                    and not hasattr(importlib.import_module("wakeful"), node.attr)
                ):
                    missing.append(f"{page}: wakeful.{node.attr}")
    assert missing == []


def test_the_example_of_a_step_works(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step that CONTRIBUTING.md shows fits into the catalog and computes."""
    import numpy as np

    from wakeful.catalog import Catalog, load_catalog
    from wakeful.model.epochs import BandPower

    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    module = ModuleType("wakeful.steps.theta_delta")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(_blocks(text, "python")[0], "CONTRIBUTING.md", "exec"), module.__dict__)
    catalog = Catalog.of([*load_catalog().steps.values(), module.STEP])
    assert catalog.needs("theta_delta") == ("band_power",)
    power = BandPower(
        start_s=np.array([0.0, 4.0, 8.0]),
        power_uv2=np.array([[[200, 100]], [[0.5, 100]], [[np.nan, np.nan]]], np.float32),
        regions=("CA1",),
        bands=("delta", "theta"),
        edges_hz=((1.0, 4.0), (6.0, 9.0)),
        epoch_s=4.0,
    )
    made = module.STEP.compute(module.Inputs(band_power=power), module.Params()).theta_delta
    np.testing.assert_array_equal(made.ratio, np.array([[0.5], [np.nan], [np.nan]], np.float32))
    assert made.regions == ("CA1",)
