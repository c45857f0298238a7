"""What the rows of a library are judged by."""

from __future__ import annotations

from wakeful.catalog import Catalog
from wakeful.config import Library
from wakeful.io.mirror import MANIFEST_NAME, intake_folder
from wakeful.service.sheet_tables import maps_folder
from wakeful.sheet.validate import ValidationContext


def make_context(library: Library, catalog: Catalog) -> ValidationContext:
    """What the rows of a library are judged by."""
    return ValidationContext(
        analyses={name: step.title for name, step in catalog.steps.items()},
        params=library.parameter_sets(),
        base=library.root,
        roots=tuple(library.root / r.expanduser() for r in library.config.work.roots) or None,
        results=(library.results, library.published, library.jobs, library.raw),
        kept=lambda path: (intake_folder(library.raw, path) / MANIFEST_NAME).is_file(),
        own=(maps_folder(library),),
    )
