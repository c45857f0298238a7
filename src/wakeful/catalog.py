"""Finds the steps and puts them in order: the order follows from the names of their fields."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType

from wakeful.model.errors import WakefulError
from wakeful.step import GIVEN, Step


class BadCatalog(WakefulError):
    """The steps contradict each other."""


@dataclass(frozen=True)
class Catalog:
    """Steps by name, in an order in which each comes after what it needs."""

    steps: Mapping[str, Step]

    @classmethod
    def of(cls, steps: Iterable[Step]) -> Catalog:
        """Order steps and check that they fit together.

        Raises
        ------
        BadCatalog
            Two steps give one field, a needed field is given by nobody, or the steps run in a
            circle; all problems at once.
        """
        by_name = {step.name: step for step in steps}
        maker: dict[str, str] = {}
        problems: list[str] = []
        for step in by_name.values():
            for field in step.output_types():
                if field in GIVEN:
                    problems.append(f"{step.name}.{field}: this name is given by the runner")
                elif field in maker:
                    problems.append(f"{field} comes from both {maker[field]} and {step.name}")
                maker[field] = step.name
        graph: dict[str, set[str]] = {}
        for step in by_name.values():
            needs = [f for f in step.input_fields() if f not in GIVEN]
            problems += [
                f"{step.name} needs {field}, which no step gives"
                for field in needs
                if field not in maker and not step.input_fields()[field]
            ]
            graph[step.name] = {maker[f] for f in needs if f in maker} - {step.name}
            problems += [
                f"{step.name} has a sink for {field}, which is not one of its outputs"
                for field in step.sink_fields()
                if field not in step.output_types()
            ]
        if problems:
            raise BadCatalog(" | ".join(problems), where="steps")
        sorter = TopologicalSorter({name: graph[name] for name in sorted(graph)})
        try:
            order = list(sorter.static_order())
        except CycleError as error:
            raise BadCatalog(
                f"steps need each other in a circle: {' > '.join(error.args[1])}", where="steps"
            ) from error
        return cls(MappingProxyType({name: by_name[name] for name in order}))

    def maker_of(self, field: str) -> Step | None:
        """The step that gives an output field."""
        for step in self.steps.values():
            if field in step.output_types():
                return step
        return None

    def needs(self, name: str, unused: frozenset[str] = frozenset()) -> tuple[str, ...]:
        """The steps that a step takes its inputs from, optional ones included.

        Parameters
        ----------
        unused : input fields that are not wanted
        """
        return tuple(
            dict.fromkeys(
                maker.name
                for field in self.steps[name].input_fields()
                if field not in GIVEN
                and field not in unused
                and (maker := self.maker_of(field)) is not None
                and maker.name != name
            )
        )

    def with_needs(
        self, names: Iterable[str], unused: Mapping[str, frozenset[str]] | None = None
    ) -> tuple[str, ...]:
        """The named steps and all that they need, in order.

        Parameters
        ----------
        unused : step -> input fields of it that are not wanted
        """
        unused = unused or {}
        wanted: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in wanted:
                wanted.add(name)
                waiting += self.needs(name, unused.get(name, frozenset()))
        return tuple(name for name in self.steps if name in wanted)


@cache
def load_catalog() -> Catalog:
    """All steps of `wakeful.steps`: one module, one step."""
    import wakeful.steps as steps

    found: list[Step] = []
    for module in pkgutil.iter_modules(steps.__path__):
        step = getattr(importlib.import_module(f"{steps.__name__}.{module.name}"), "STEP", None)
        if not isinstance(step, Step):
            raise BadCatalog(
                "has no STEP",
                where=f"wakeful.steps.{module.name}",
                remedy="end the file with STEP = Step(...)",
            )
        found.append(step)
    return Catalog.of(found)
