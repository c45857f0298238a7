"""From a prepared row to its plan, as the library's version of the pipeline has it."""

from __future__ import annotations

from collections.abc import Iterable

from wakeful.catalog import Catalog
from wakeful.config import Library
from wakeful.pipeline.plan import Plan, Task
from wakeful.pipeline.planner import make_plan
from wakeful.pipeline.versions import check_pinned, read_version, with_versions
from wakeful.service.targets import Prepared
from wakeful.sheet.request import Request


def plan_request(request: Request, library: Library, prepared: Prepared, catalog: Catalog) -> Plan:
    """What a row needs, named as the library's version of the pipeline names it.

    Results that were made under that version are found, whatever is installed; before any is
    computed, `check_can_compute` must have passed.

    Raises
    ------
    BadParameters
        The parameter set does not fit its steps.
    BadConfig
        There is no such version.
    """
    if pinned := library.config.pipeline.version:
        catalog = with_versions(catalog, read_version(library.pipelines, pinned))
    return make_plan(prepared.target, catalog, request.analyses, library.parameters(request.params))


def check_can_compute(library: Library, catalog: Catalog, tasks: Iterable[Task]) -> None:
    """Whether the installed steps give the numbers that the library is pinned to.

    Parameters
    ----------
    tasks : what is to be computed

    Raises
    ------
    PipelineChanged
        They don't; says how, and what can be done.
    """
    if pinned := library.config.pipeline.version:
        version = read_version(library.pipelines, pinned)
        check_pinned(version, catalog, {task.step for task in tasks}, library.root)
