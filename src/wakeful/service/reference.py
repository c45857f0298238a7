"""The reference of all steps, made from the catalog itself."""

from __future__ import annotations

import dataclasses
from typing import Any

from wakeful.catalog import Catalog
from wakeful.io.codec import to_plain
from wakeful.step import GIVEN


def describe_steps(catalog: Catalog) -> dict[str, dict[str, Any]]:
    """Everything the steps say of themselves, in order, as plain values."""
    return {
        name: {
            "title": step.title,
            "summary": step.summary,
            "version": step.version,
            "draw_version": step.draw_version if step.draw is not None else None,
            "per": step.per,
            "halo_s": step.halo_s,
            "masks": step.masks,
            "masks_reason": step.masks_reason,
            "needs": list(catalog.needs(name)),
            "inputs": [
                {
                    "name": field,
                    "optional": optional,
                    "from": "the runner" if field in GIVEN else _maker(catalog, field),
                }
                for field, optional in step.input_fields().items()
            ],
            "outputs": [
                {"name": field, "type": getattr(kind, "__name__", str(kind))}
                for field, kind in step.output_types().items()
            ],
            "params": [
                {
                    "name": f.name,
                    "default": to_plain(f.default),
                    "unit": f.metadata.get("unit", ""),
                    "source": f.metadata.get("source", ""),
                    "choices": list(f.metadata.get("choices", ())),
                }
                for f in dataclasses.fields(step.params)
            ],
            "sources": list(step.sources),
        }
        for name, step in catalog.steps.items()
    }


MASKS = {
    "takes": "takes the advice",
    "refuses": "refuses the advice",
    "none": "not its concern",
    "": "not said",
}


def masks_text(description: dict[str, Any]) -> str:
    """What a described step does with the advice that a channel is bad."""
    return f"{MASKS[description['masks']]} ({description['masks_reason']})"


def _maker(catalog: Catalog, field: str) -> str:
    maker = catalog.maker_of(field)
    return "" if maker is None else maker.name


def steps_markdown(catalog: Catalog) -> str:
    """The reference page, with the graph as a Mermaid chart."""
    lines = ["# Steps", "", "```mermaid", "flowchart LR", "  raw[(raw recording)]"]
    for name in catalog.steps:
        needs = catalog.needs(name) or ("raw",)
        lines += [f"  {need} --> {name}" for need in needs]
    lines += ["```", ""]
    for name, step in describe_steps(catalog).items():
        lines += [f"## {name}", "", f"*{step['title']}* (version {step['version']}, per "]
        lines[-1] += f"{step['per']}, halo {step['halo_s']:g} s)"
        lines += ["", step["summary"], ""]
        inputs = ", ".join(
            f"`{i['name']}`" + (" (optional)" if i["optional"] else "") for i in step["inputs"]
        )
        outputs = ", ".join(f"`{o['name']}` ({o['type']})" for o in step["outputs"])
        lines += [f"Needs {inputs}. Gives {outputs}.", ""]
        lines += [f"Bad channels: {masks_text(step)}.", ""]
        if step["params"]:
            lines += ["| parameter | default | unit | source |", "|---|---|---|---|"]
            lines += [
                f"| `{p['name']}` | `{p['default']}` | {p['unit']} | {p['source']} |"
                for p in step["params"]
            ]
            lines.append("")
        if step["sources"]:
            lines += ["Sources:", "", *(f"- {source}" for source in step["sources"]), ""]
    return "\n".join(lines)
