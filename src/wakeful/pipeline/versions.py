"""Named versions of the pipeline: which version of every step, and which defaults, a project uses.

A project pins one, so that a newer Wakeful never changes its numbers unasked. The file of a version
says what was installed when it was named; it is never written again.
"""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from wakeful.catalog import Catalog
from wakeful.config import Config, Pipeline, read_config
from wakeful.io.atomic import write_bytes, write_json
from wakeful.io.codec import from_plain, to_plain
from wakeful.model.errors import BadConfig, PipelineChanged
from wakeful.pipeline.machine import code_version
from wakeful.step import Step

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class StepVersion:
    """One step as it was when the version was named."""

    version: int
    draw_version: int
    defaults: dict[str, Any]
    """Parameter -> default value, as plain values."""


@dataclass(frozen=True, kw_only=True)
class PipelineVersion:
    """Every step of the pipeline under one name."""

    name: str
    code_version: str
    """Of the Wakeful that has these steps."""
    made_utc: str
    note: str
    steps: dict[str, StepVersion]


@dataclass(frozen=True, kw_only=True)
class StepChange:
    """How the installed step differs from the one of a version."""

    step: str
    what: str
    changes_numbers: bool
    """False where figures only are drawn otherwise, or the step is new."""


def describe_installed(catalog: Catalog, name: str, note: str = "") -> PipelineVersion:
    """The steps that are installed, as a version.

    Raises
    ------
    BadConfig
        The name can't be that of a file.
    """
    _check_name(name)
    return PipelineVersion(
        name=name,
        code_version=code_version(),
        made_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        note=note,
        steps={step.name: _describe(step) for step in catalog.steps.values()},
    )


def _describe(step: Step) -> StepVersion:
    return StepVersion(
        version=step.version,
        draw_version=step.draw_version,
        defaults={f.name: to_plain(f.default) for f in dataclasses.fields(step.params)},
    )


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadConfig(
            f"{name!r} can't name a version of the pipeline",
            where="pipeline version",
            remedy="use letters, digits, dots, dashes and underscores, e.g. 2026-11",
        )


def write_version(folder: Path, version: PipelineVersion) -> Path:
    """Write the file of a version; a name is given once.

    Raises
    ------
    BadConfig
        There is one of this name already, with other steps.
    """
    path = folder / f"{version.name}.json"
    if path.exists():
        if read_version(folder, version.name).steps == version.steps:
            return path
        raise BadConfig(
            f"there is a version {version.name!r} already, with other steps",
            where=str(path),
            remedy="choose another name: what a version means never changes",
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, to_plain(version))
    return path


def read_version(folder: Path, name: str) -> PipelineVersion:
    """The version of a name.

    Raises
    ------
    BadConfig
        There is none, or its file is damaged.
    """
    _check_name(name)
    path = folder / f"{name}.json"
    try:
        version: PipelineVersion = from_plain(
            json.loads(path.read_text(encoding="utf-8")), PipelineVersion
        )
    except FileNotFoundError:
        known = ", ".join(version_names(folder)) or "none yet"
        raise BadConfig(
            f"there is no version {name!r} of the pipeline",
            where=str(folder),
            remedy=f"use one of those there are ({known}), or name the installed one with "
            f"`wakeful pipeline save {name}`",
        ) from None
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise BadConfig(
            f"can't be read ({error})",
            where=str(path),
            remedy="bring it back from a backup: nothing else says what the version was",
        ) from error
    return version


def version_names(folder: Path) -> tuple[str, ...]:
    """Names of the versions in a folder, the oldest first."""
    paths = [p for p in folder.glob("*.json") if _NAME.fullmatch(p.stem)]
    return tuple(p.stem for p in sorted(paths, key=lambda p: (p.stat().st_mtime, p.stem)))


def find_changes(version: PipelineVersion, catalog: Catalog) -> tuple[StepChange, ...]:
    """How the installed steps differ from those of a version."""
    found: list[StepChange] = []
    for name, old in version.steps.items():
        step = catalog.steps.get(name)
        if step is None:
            found.append(StepChange(step=name, what="is gone", changes_numbers=True))
            continue
        now = _describe(step)
        words = []
        if now.version != old.version:
            words.append(f"version {old.version}, installed is {now.version}")
        words += _default_words(old.defaults, now.defaults)
        if words:
            found.append(StepChange(step=name, what="; ".join(words), changes_numbers=True))
        elif now.draw_version != old.draw_version:
            what = f"figures of version {old.draw_version}, installed is {now.draw_version}"
            found.append(StepChange(step=name, what=what, changes_numbers=False))
    found += [
        StepChange(step=name, what="is new", changes_numbers=False)
        for name in catalog.steps
        if name not in version.steps
    ]
    return tuple(found)


def _default_words(old: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """A parameter that was added changes nothing while it is at its default."""
    return [
        f"{name} was {value!r} by default, now {now[name]!r}" if name in now else f"{name} is gone"
        for name, value in old.items()
        if name not in now or now[name] != value
    ]


def check_pinned(
    version: PipelineVersion, catalog: Catalog, steps: Iterable[str], library: Path
) -> None:
    """Whether the installed steps give the numbers of a version.

    Parameters
    ----------
    steps : those that matter
    library : named in the message

    Raises
    ------
    PipelineChanged
        They don't; says how, and what can be done.
    """
    wanted = set(steps)
    changes = [
        f"{change.step} ({change.what})"
        for change in find_changes(version, catalog)
        if change.changes_numbers and change.step in wanted
    ]
    if changes:
        raise PipelineChanged(
            f"this library is pinned to the pipeline {version.name!r}, and the installed Wakeful "
            f"{code_version()} has other steps: {', '.join(changes)}",
            where=str(library),
            remedy=f"install Wakeful {version.code_version} again; or see what would change "
            f"(wakeful diff default@{version.name} default SESSION) and adopt it "
            "(wakeful pipeline save NAME, wakeful pipeline pin NAME)",
        )


def with_versions(catalog: Catalog, version: PipelineVersion) -> Catalog:
    """The catalog with the step numbers of a version: its keys are those of the results made then.

    It names results; it can't make them where the installed step is another one. Figures of steps
    that are the same may be drawn anew, by the installed drawing.
    """
    steps = dict(catalog.steps)
    for name, old in version.steps.items():
        if name in steps and steps[name].version != old.version:
            steps[name] = dataclasses.replace(
                steps[name], version=old.version, draw_version=old.draw_version
            )
    return Catalog(MappingProxyType(steps))


_SECTION = re.compile(r"^\[\s*pipeline\s*\][^\n]*$", re.MULTILINE)
_NEXT_SECTION = re.compile(r"^[ \t]*\[", re.MULTILINE)
_VERSION = re.compile(r"^[ \t]*version\s*=[^\n]*$", re.MULTILINE)


def pin_version(config: Path, name: str) -> None:
    """Write the version that a library keeps into its wakeful.toml; every other line stays.

    Parameters
    ----------
    name : of a version; "" for whatever is installed

    Raises
    ------
    BadConfig
        The file can't be read, or is written in a way in which this field can't be set safely.
    """
    before = read_config(config)
    text = config.read_text(encoding="utf-8")
    line = f'version = "{name}"'
    section = _SECTION.search(text)
    if section is None:
        changed = f"{text.rstrip()}\n\n[pipeline]\n{line}\n"
    else:
        after = _NEXT_SECTION.search(text, section.end())
        stop = len(text) if after is None else after.start()
        inside = text[section.end() : stop]
        inside = (
            _VERSION.sub(line, inside, count=1) if _VERSION.search(inside) else f"\n{line}{inside}"
        )
        changed = text[: section.end()] + inside + text[stop:]
    wanted = before.model_copy(update={"pipeline": Pipeline(version=name)})
    try:
        reached = Config.model_validate(tomllib.loads(changed))
    except ValueError:
        reached = None
    if reached != wanted:
        raise BadConfig(
            "the version can't be set here by itself",
            where=str(config),
            remedy=f"write it yourself: {line} under [pipeline]",
        )
    write_bytes(config, changed.encode())
