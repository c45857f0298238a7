"""Commands that look and change nothing: steps, verify, explain, doctor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.tree import Tree

from wakeful.catalog import Catalog, load_catalog
from wakeful.cli.mirror import scrub_library
from wakeful.cli.output import (
    JsonOption,
    LibraryOption,
    console,
    print_json,
    print_table,
)
from wakeful.config import open_library
from wakeful.io.codec import to_plain
from wakeful.io.store import Receipt, Store, digest_file
from wakeful.model.errors import UnknownResult
from wakeful.model.findings import Finding
from wakeful.pipeline.verify import Comparison, Verification, chain_of
from wakeful.pipeline.verify import verify as verify_result
from wakeful.service.checkup import examine
from wakeful.service.reference import describe_steps, masks_text, steps_markdown


def steps(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The whole reference as Markdown.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """The analyses: how they follow from each other, their parameters with units and sources."""
    catalog = load_catalog()
    if as_json:
        print_json(describe_steps(catalog))
        return
    if markdown:
        typer.echo(steps_markdown(catalog))
        return
    console.print(_graph(catalog))
    for name, description in describe_steps(catalog).items():
        console.print(
            f"\n[bold cyan]{name}[/] version {description['version']}, per {description['per']}: "
            f"{escape(description['summary'])}",
            highlight=False,
        )
        console.print(f"bad channels: {masks_text(description)}", style="dim", highlight=False)
        if description["params"]:
            print_table(
                ("parameter", "default", "unit", "source"),
                [
                    (p["name"], str(p["default"]), p["unit"], p["source"])
                    for p in description["params"]
                ],
            )


def _graph(catalog: Catalog) -> Tree:
    """Each step under the one of its needs that comes last; the other needs are named."""
    tree = Tree("[bold]raw recording[/]")
    order = list(catalog.steps)
    nodes: dict[str, Tree] = {}
    for name in order:
        needs = sorted(catalog.needs(name), key=order.index)
        parent = nodes[needs[-1]] if needs else tree
        others = f" [dim](with {', '.join(needs[:-1])})[/]" if len(needs) > 1 else ""
        gives = ", ".join(catalog.steps[name].output_types())
        nodes[name] = parent.add(f"[cyan]{name}[/]{others} [dim]gives {gives}[/]")
    return tree


def verify(
    figure: Annotated[
        str, typer.Argument(help="A figure file that Wakeful wrote, or the start of a key.")
    ] = "",
    raw: Annotated[
        bool, typer.Option("--raw", help="Read all mirrored raw data again and compare.")
    ] = False,
    blake3: Annotated[
        bool,
        typer.Option("--blake3", help="With --raw: compare the checksums of whole files as well."),
    ] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a result again from the raw data and compare, or scrub the raw data.

    Ends with 0 where everything is as it was stored, with 1 where anything differs.
    """
    from wakeful.figures import read_key

    if raw and figure:
        raise typer.BadParameter("give a figure or --raw, not both")
    opened = open_library(library)
    if raw:
        scrub_library(opened.raw, as_json=as_json, with_blake3=blake3)
        return
    if not figure:
        raise typer.BadParameter("give a figure, the start of a key, or --raw")
    path = _as_path(figure)
    store = Store(opened.results)
    receipt = store.find(figure if path is None else read_key(path))
    with Progress(
        TextColumn("{task.description}"), BarColumn(), console=console, transient=True
    ) as bar:
        line = bar.add_task("making it again", total=None)
        verification = verify_result(
            load_catalog(),
            store,
            receipt,
            lambda what, done, total: bar.update(
                line, description=what, completed=done, total=total
            ),
        )
    if path is not None:
        verification = _with_the_file_itself(verification, receipt, path)
    if as_json:
        print_json({**to_plain(verification), "holds": verification.holds})
    else:
        for c in verification.comparisons:
            colour = "green" if c.holds else "red"
            console.print(
                f"{c.step}, {c.scope}: {escape(c.file)}: [{colour}]{escape(c.verdict)}[/]",
                highlight=False,
            )
        if verification.other_processor:
            console.print(
                f"made on another processor ({escape(verification.other_processor)}): arrays are "
                "compared within a tolerance",
                highlight=False,
            )
        n_files = len(verification.comparisons)
        verdict = "holds" if verification.holds else "does NOT hold"
        console.print(
            f"{receipt.key[:12]}: {verdict} ({n_files} files made again)", highlight=False
        )
    if not verification.holds:
        raise typer.Exit(1)


def _as_path(text: str) -> Path | None:
    """The figure file that is meant; None where it is a key."""
    path = Path(text).expanduser()
    if path.is_file():
        return path
    if path.suffix or len(path.parts) > 1:
        raise UnknownResult("there is no such file", where=text, remedy="correct the path")
    return None


def _with_the_file_itself(verification: Verification, receipt: Receipt, path: Path) -> Verification:
    """The very file that was given is compared as well, not only the result it names."""
    digest = digest_file(path)
    same = any(entry["xxh3_128"] == digest for entry in receipt.files.values())
    given = Comparison(
        str(receipt.tree["of_step"]),
        str(receipt.tree["scope"]),
        receipt.key,
        str(path),
        "same bits as stored" if same else "is not the figure that was stored: edited or damaged",
        same,
    )
    return replace(verification, comparisons=(*verification.comparisons, given))


def explain(
    result: Annotated[
        str, typer.Argument(help="A figure file that Wakeful wrote, or the start of a key.")
    ],
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """The chain that made a result: steps, versions, parameters, machine."""
    from wakeful.figures import read_key

    opened = open_library(library)
    path = _as_path(result)
    store = Store(opened.results)
    receipt = store.find(result if path is None else read_key(path))
    chain = chain_of(store, receipt)
    if as_json:
        print_json([link.tree for link in chain])
        return
    groups: dict[str, list[Receipt]] = {}
    for link in chain:
        what = link.tree["of_step"] + (" figures" if link.tree["kind"] == "figure" else "")
        groups.setdefault(what, []).append(link)
    for what, links in groups.items():
        tree = links[-1].tree
        scopes = tree["scope"] if len(links) == 1 else f"{len(links)} {tree['scope'].split()[0]}s"
        changed = ", ".join(f"{k} = {v}" for k, v in tree["changed_params"].items())
        console.print(
            f"[bold cyan]{what}[/] version {tree['step_version']}, {scopes}, "
            f"{sum(link.tree['seconds'] for link in links):.1f} s, at most "
            f"{max(link.tree['peak_memory_mb'] for link in links):.0f} MB, made "
            f"{tree['started_utc'][:19].replace('T', ' ')} UTC; parameters: "
            f"{escape(changed) or 'all at their defaults'}",
            highlight=False,
            soft_wrap=True,
        )
        keys = " ".join(link.key[:12] for link in links)
        console.print(f"    {keys}", style="dim", highlight=False)
    tree = receipt.tree
    libraries = ", ".join(f"{name} {version}" for name, version in tree["libraries"].items())
    console.print(
        f"Wakeful {tree['code_version']} with {libraries}, on {tree['machine']['processor']}",
        highlight=False,
    )


def doctor(
    google: Annotated[
        bool,
        typer.Option(
            "--google", help="Look at the Google account, its sheets and its Drive folder too."
        ),
    ] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Is everything in place, and what to do if not.

    Checks the environment, disk, library folder, database and time zone; with --google each
    permission at Google by itself. Ends with 1 where something would keep Wakeful from working.
    """
    findings = examine(library)
    if google:
        from wakeful.service.google_checkup import examine_google

        findings = (*findings, *examine_google(open_library(library)))
    if as_json:
        print_json([to_plain(finding) for finding in findings])
    else:
        for finding in findings:
            _print_finding(finding)
    if any(finding.verdict == "bad" for finding in findings):
        raise typer.Exit(1)


def _print_finding(finding: Finding) -> None:
    marks = {"good": "[green]ok  [/]", "note": "[yellow]note[/]", "bad": "[red]bad [/]"}
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    console.print(
        f"{marks[finding.verdict]} {escape(finding.what)}: {escape(finding.found + remedy)}",
        highlight=False,
        soft_wrap=True,
    )
