"""Pages made from the code each time the documentation is built: they can't fall behind it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages (called by mkdocs)."""
    from mkdocs.structure.files import File

    for path, content in (
        ("reference/steps.md", steps_page()),
        ("reference/command-line.md", command_line_page()),
    ):
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in the generated parts of written pages (called by mkdocs).

    Raises
    ------
    KeyError
        A page asks for a part that is not made.
    """
    return re.sub(r"<!-- generated: (.+?) -->", lambda found: PARTS[found[1]](), markdown)


def steps_page() -> str:
    """All steps, as `wakeful steps --markdown` prints them."""
    from wakeful.catalog import load_catalog
    from wakeful.service.reference import steps_markdown

    return steps_markdown(load_catalog())


def command_line_page() -> str:
    """Every command with its arguments and options."""
    import typer
    from typer.cli import get_docs_for_click

    from wakeful.cli import app

    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="wakeful")
    return get_docs_for_click(obj=command, ctx=context, name="wakeful", title="Command line")


def configuration_sections() -> str:
    """One table for each section of wakeful.toml."""
    from wakeful.config import Config

    lines: list[str] = []
    for section, info in Config.model_fields.items():
        fields = getattr(info.annotation, "model_fields", None)
        if fields is None:
            continue
        lines += [f"### [{section}]", "", "| field | default | what it is |", "|---|---|---|"]
        for name, field in fields.items():
            default = "" if field.default is None else f"`{field.default}`"
            choices = getattr(field.annotation, "__args__", ())
            one_of = [str(choice) for choice in choices if isinstance(choice, str | int)]
            allowed = f" One of {', '.join(f'`{c}`' for c in one_of)}." if len(one_of) > 1 else ""
            lines.append(f"| `{name}` | {default} | {_cell(field.description or '')}.{allowed} |")
        lines.append("")
    return "\n".join(lines)


def columns_table(filled_by: str) -> str:
    """The columns of the sheet that a person, or Wakeful, fills in."""
    from wakeful.sheet import COLUMNS

    lines = ["| column | what it holds |", "|---|---|"]
    lines += [f"| `{c.name}` | {_cell(c.help)} |" for c in COLUMNS if c.filled_by == filled_by]
    return "\n".join(lines)


def statuses_table() -> str:
    """What stands under *status*."""
    from wakeful.sheet import Status

    lines = ["| status | what it means |", "|---|---|"]
    return "\n".join([*lines, *(f"| {status} | {_cell(status.help)} |" for status in Status)])


def features_table() -> str:
    """Every feature for sleep scoring, group by group."""
    from wakeful.sleep.feature_list import GROUPS, TITLES, describe_features

    described = describe_features()
    lines: list[str] = []
    for group in GROUPS:
        lines += [f"## {TITLES[group]}", "", "| feature | unit | formula | source |"]
        lines.append("|---|---|---|---|")
        lines += [
            f"| `{f.name}` | {f.unit} | {_cell(f.formula)} | {_cell(f.source)} |"
            for of, f in described
            if of == group
        ]
        lines.append("")
    return "\n".join(lines)


def features_count() -> str:
    """How many columns so many regions give."""
    from wakeful.sleep.feature_list import GROUPS, TITLES, list_columns

    lines = ["| regions | " + " | ".join(TITLES[g] for g in GROUPS) + " | together |"]
    lines.append("|---|" + "---|" * (len(GROUPS) + 1))
    for n_regions in (1, 2, 4, 8):
        columns = list_columns(tuple(str(i) for i in range(n_regions)))
        counts = [sum(c.group == group for c in columns) for group in GROUPS]
        lines.append(f"| {n_regions} | {' | '.join(map(str, counts))} | {len(columns)} |")
    return "\n".join(lines)


def tab_table(title: str) -> str:
    """The columns of a tab beside the rows."""
    from wakeful.sheet.google_looks import TABLE_COLUMNS

    lines = ["| column | what it holds |", "|---|---|"]
    lines += [f"| `{name}` | {_cell(text)} |" for name, text in TABLE_COLUMNS[title].items()]
    return "\n".join(lines)


PARTS: dict[str, Callable[[], str]] = {
    "sections of wakeful.toml": configuration_sections,
    "columns filled in by people": lambda: columns_table("person"),
    "columns filled in by Wakeful": lambda: columns_table("wakeful"),
    "statuses": statuses_table,
    "tab Channels": lambda: tab_table("Channels"),
    "tab Subjects": lambda: tab_table("Subjects"),
    "tab Parameters": lambda: tab_table("Parameters"),
    "sleep features": features_table,
    "number of sleep features": features_count,
}


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
