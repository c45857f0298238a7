"""Commands that look and change nothing: inspect, steps, verify, explain, doctor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.tree import Tree

from wakeful.catalog import Catalog, load_catalog
from wakeful.cli.output import (
    JsonOption,
    LibraryOption,
    console,
    duration,
    print_json,
    print_table,
)
from wakeful.config import open_library
from wakeful.io.codec import to_plain
from wakeful.io.mirror import read_manifest, scrub
from wakeful.io.recording import read_recording
from wakeful.io.store import Receipt, Store, digest_file
from wakeful.model.errors import UnknownResult
from wakeful.model.recording import Stream
from wakeful.model.time import Interval, account_for
from wakeful.pipeline.verify import Comparison, Verification, chain_of
from wakeful.pipeline.verify import verify as verify_result
from wakeful.service.checkup import Finding, examine
from wakeful.service.reference import describe_steps, masks_text, steps_markdown


def inspect(
    path: Annotated[Path, typer.Argument(help="A recording's folder or file.")],
    as_json: JsonOption = False,
) -> None:
    """What a recording holds: format, channels, rates, spans, gaps."""
    description = read_recording(path.expanduser().resolve()).description
    if as_json:
        print_json(to_plain(description))
        return
    console.print(f"[bold]{escape(description.root)}[/]", highlight=False, soft_wrap=True)
    start = "unknown" if description.start_utc is None else f"{description.start_utc:%F %T}"
    if description.start_utc is not None:
        start += " on the lab's clock" if description.start_is_local else " UTC"
    console.print(f"format {description.format}; start {start}", highlight=False)
    for stream in description.streams:
        _print_stream(stream)
    for warning in description.warnings:
        console.print(f"[yellow]note[/] {escape(warning)}", highlight=False, soft_wrap=True)
    if description.ignored_files:
        names = ", ".join(description.ignored_files)
        console.print(f"left aside: {escape(names)}", style="dim", highlight=False)


def _print_stream(stream: Stream) -> None:
    spans = stream.spans
    fitted = sorted({round(span.rate_hz, 4) for span in spans})
    rates = ", ".join(f"{rate:,.6g}" for rate in fitted[:4]) + (" ..." if len(fitted) > 4 else "")
    console.print(
        f"\n[bold cyan]stream {escape(stream.name)}[/]: {len(stream.channels)} channels, nominal "
        f"{stream.rate_hz:,.6g} Hz (fitted {rates} Hz), {duration(stream.duration_s)}, "
        f"{len(spans)} spans",
        highlight=False,
        soft_wrap=True,
    )
    print_table(
        ("channel", "kind", "region", "reference", "high-pass", "low-pass", "µV per step"),
        [
            (
                c.name,
                c.kind.value,
                c.region,
                c.reference,
                "?" if c.highpass_hz is None else f"{c.highpass_hz:g} Hz",
                "?" if c.lowpass_hz is None else f"{c.lowpass_hz:g} Hz",
                f"{c.gain_uv:.6g}",
            )
            for c in stream.channels
        ],
        right=1,
    )
    gaps = stream.gaps
    if not gaps:
        console.print("no gaps")
    for gap in gaps[:20]:
        console.print(
            f"gap of {gap.duration_s * 1000:,.1f} ms at {gap.start_s:,.4f} s", highlight=False
        )
    if len(gaps) > 20:
        console.print(f"and {len(gaps) - 20} more gaps")
    for stretch in stream.quarantined:
        console.print(
            f"[yellow]quarantined[/] {stretch.interval.start_s:,.4f} to "
            f"{stretch.interval.stop_s:,.4f} s: {escape(stretch.reason)}",
            highlight=False,
        )
    whole = Interval(0.0, stream.duration_s)
    parts = account_for(whole, whole, spans, stream.quarantined)
    console.print(
        f"accounted for: {parts.recorded_s:,.3f} s recorded + {parts.gap_s:,.3f} s gaps "
        f"+ {parts.quarantined_s:,.3f} s quarantined = {parts.length_s:,.3f} s",
        highlight=False,
        soft_wrap=True,
    )


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
        _scrub(opened.raw, as_json)
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


def _scrub(folder: Path, as_json: bool) -> None:
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*/manifest.json")):
        manifest = read_manifest(path.parent)
        if manifest is None:
            continue
        damage = scrub(manifest)
        found[manifest.source] = list(damage)
        if not as_json:
            verdict = "[red]damaged[/]" if damage else "[green]as it was taken in[/]"
            size = f"{manifest.n_bytes / 1e6:,.1f} MB"
            console.print(f"{escape(manifest.source)} ({size}): {verdict}", highlight=False)
            for line in damage:
                console.print(f"    {escape(line)}", highlight=False)
    if as_json:
        print_json(found)
    elif not found:
        console.print("no raw data has been taken in yet")
    if any(found.values()):
        raise typer.Exit(1)


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
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Is everything in place, and what to do if not.

    Checks the environment, disk, library folder, database and time zone. Ends with 1 where
    something would keep Wakeful from working.
    """
    findings = examine(library)
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
