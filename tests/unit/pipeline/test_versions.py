"""Named versions of the pipeline."""

from __future__ import annotations

import dataclasses
import json
from types import MappingProxyType

import pytest

from wakeful.catalog import Catalog
from wakeful.config import read_config
from wakeful.model.errors import BadConfig, PipelineChanged
from wakeful.pipeline.planner import make_plan
from wakeful.pipeline.versions import (
    check_pinned,
    describe_installed,
    find_changes,
    pin_version,
    read_version,
    version_names,
    with_versions,
    write_version,
)


def with_step(catalog, name, **changes):
    steps = dict(catalog.steps)
    steps[name] = dataclasses.replace(steps[name], **changes)
    return Catalog(MappingProxyType(steps))


def test_a_version_is_read_as_it_was_written(tmp_path, make_catalog):
    version = describe_installed(make_catalog(), "2026-11", "for the paper")
    write_version(tmp_path, version)
    assert read_version(tmp_path, "2026-11") == version
    assert version_names(tmp_path) == ("2026-11",)


def test_a_name_is_given_once(tmp_path, make_catalog):
    write_version(tmp_path, describe_installed(make_catalog(), "one"))
    write_version(tmp_path, describe_installed(make_catalog(), "one", "said again"))
    with pytest.raises(BadConfig, match="already, with other steps"):
        write_version(tmp_path, describe_installed(make_catalog(first_version=2), "one"))


@pytest.mark.parametrize("name", ["", "../evil", "a/b", ".hidden", "x" * 65, "a b"])
def test_a_name_must_be_that_of_a_file(tmp_path, make_catalog, name):
    with pytest.raises(BadConfig, match="can't name a version"):
        describe_installed(make_catalog(), name)
    with pytest.raises(BadConfig, match="can't name a version"):
        read_version(tmp_path, name)


def test_a_version_that_is_not_there_or_damaged_is_named(tmp_path, make_catalog):
    write_version(tmp_path, describe_installed(make_catalog(), "one"))
    with pytest.raises(BadConfig, match=r"no version 'two'.*\(one\)"):
        read_version(tmp_path, "two")
    (tmp_path / "one.json").write_text("{}")
    with pytest.raises(BadConfig, match="can't be read"):
        read_version(tmp_path, "one")


def test_differences_are_named(make_catalog):
    catalog = make_catalog()
    version = describe_installed(catalog, "one")
    assert find_changes(version, catalog) == ()
    (change,) = find_changes(version, make_catalog(first_version=3))
    assert (change.step, change.changes_numbers) == ("first", True)
    assert change.what == "version 1, installed is 3"
    (change,) = find_changes(version, with_step(catalog, "first", draw_version=9))
    assert not change.changes_numbers


def test_changed_defaults_steps_that_came_and_steps_that_went_are_named(make_catalog):
    catalog = make_catalog()
    version = describe_installed(catalog, "one")
    steps = dict(version.steps)
    steps["first"] = dataclasses.replace(steps["first"], defaults={"level": 2.0, "old": True})
    steps["past"] = steps["first"]
    del steps["whole"]
    changes = {c.step: c for c in find_changes(dataclasses.replace(version, steps=steps), catalog)}
    assert changes["first"].what == "level was 2.0 by default, now 1.0; old is gone"
    assert changes["past"].what == "is gone"
    assert (changes["whole"].what, changes["whole"].changes_numbers) == ("is new", False)


def test_what_is_pinned_is_kept_for_the_steps_that_matter(tmp_path, make_catalog):
    version = describe_installed(make_catalog(), "one")
    newer = make_catalog(first_version=2)
    check_pinned(version, newer, ["smooth"], tmp_path)
    with pytest.raises(PipelineChanged, match=r"first \(version 1, installed is 2\)"):
        check_pinned(version, newer, ["first", "smooth"], tmp_path)


def test_plans_under_a_version_name_the_results_of_that_time(make_catalog, make_target):
    old, new = make_catalog(), make_catalog(first_version=2)
    version = describe_installed(old, "one")
    wanted = ["daily"]

    def keys(catalog):
        return {t.key for t in make_plan(make_target(150.0), catalog, wanted, {}).tasks}

    assert keys(old) != keys(new)
    assert keys(with_versions(new, version)) == keys(old)


def test_figures_of_steps_that_are_the_same_may_be_drawn_anew(make_catalog):
    old = make_catalog()
    version = describe_installed(old, "one")
    newer = with_step(old, "whole", draw_version=5)
    assert with_versions(newer, version).steps["whole"].draw_version == 5
    both = with_step(with_step(old, "first", version=2), "first", draw_version=5)
    assert with_versions(both, version).steps["first"].draw_version == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[lab]\ntime_zone = "Europe/Berlin"\n',
        '[pipeline]\nversion = "one"\n\n[lab]\ntime_zone = "UTC"\n',
        '# why\n[pipeline]\n# kept for the paper\n  version="one" # old\n[lab]\n',
        "[pipeline]\n[lab]\nmains_hz = 60",
        "[parameters.x.band_power]\ntheta_hz = [5.0, 9.0]",
    ],
)
def test_a_pin_changes_one_line_and_nothing_else(tmp_path, text):
    path = tmp_path / "wakeful.toml"
    path.write_text(text)
    before = read_config(path)
    for name in ("2026-11", "other", ""):
        pin_version(path, name)
        after = read_config(path)
        assert after.pipeline.version == name
        assert after.model_copy(update={"pipeline": before.pipeline}) == before
        kept = [line for line in text.splitlines() if line.strip() and "version" not in line]
        assert [line for line in path.read_text().splitlines() if line in kept] == kept
        assert path.read_text().count("version") == 1


def test_a_file_in_another_way_of_writing_is_left_alone(tmp_path):
    path = tmp_path / "wakeful.toml"
    path.write_text('pipeline.version = "one"\n')
    with pytest.raises(BadConfig, match="can't be set here"):
        pin_version(path, "two")
    assert path.read_text() == 'pipeline.version = "one"\n'


def test_the_file_of_a_version_is_json_that_people_can_read(tmp_path, make_catalog):
    path = write_version(tmp_path, describe_installed(make_catalog(), "one"))
    tree = json.loads(path.read_text())
    assert tree["steps"]["first"] == {"version": 1, "draw_version": 1, "defaults": {"level": 1.0}}
