"""wakeful.toml."""

from __future__ import annotations

from datetime import date

import pytest

from wakeful.config import Config, Lab, Work, open_library, read_config, write_library
from wakeful.model.errors import BadConfig, NoLibrary


def test_a_new_library_reads_back_as_it_was_written(tmp_path):
    config = Config(
        lab=Lab(time_zone="Europe/Berlin", mains_hz=60, lights_on="06:30", lights_off="18:30"),
        work=Work(block_s=240, transfer="in-place"),
    )
    write_library(tmp_path / "lib", config)
    library = open_library(tmp_path / "lib")
    assert library.config == config
    assert library.raw.is_dir()
    assert library.parameter_sets() == ("default",)


def test_a_library_is_found_from_a_folder_inside_it(tmp_path, monkeypatch):
    write_library(tmp_path, Config())
    monkeypatch.chdir(tmp_path / "published")
    assert open_library().root == tmp_path.resolve()


def test_a_second_library_in_one_place_is_refused(tmp_path):
    write_library(tmp_path, Config())
    with pytest.raises(BadConfig, match="already"):
        write_library(tmp_path, Config())


def test_no_library_says_how_to_make_one(tmp_path):
    with pytest.raises(NoLibrary, match="wakeful init"):
        open_library(tmp_path)


def test_every_bad_field_is_named_at_once(tmp_path):
    path = tmp_path / "wakeful.toml"
    path.write_text(
        '[lab]\ntime_zone = "Berlin"\nmains_hz = 55\n[work]\nblock_s = 10\ncolour = "red"\n'
        "[executor]\nworkers = 0\n"
    )
    with pytest.raises(BadConfig) as caught:
        read_config(path)
    text = str(caught.value)
    for part in (
        "lab.time_zone: 'Berlin' is not an IANA time zone (did you mean Europe/Berlin?)",
        "lab.mains_hz",
        "work.colour: is not known here",
        "executor.workers",
    ):
        assert part in text


def test_blocks_hold_whole_epochs(tmp_path):
    path = tmp_path / "wakeful.toml"
    path.write_text("[work]\nblock_s = 10\nepoch_s = 4\n")
    with pytest.raises(BadConfig, match="whole number of epochs"):
        read_config(path)


def test_broken_toml_names_the_line(tmp_path):
    path = tmp_path / "wakeful.toml"
    path.write_text("[lab\n")
    with pytest.raises(BadConfig, match="line 1"):
        read_config(path)


def test_an_unknown_parameter_set_lists_those_there_are(tmp_path):
    library = write_library(tmp_path, Config())
    with pytest.raises(BadConfig, match="use one of default"):
        library.parameters("narrow")


def test_what_is_known_of_lab_and_animals(tmp_path):
    path = tmp_path / "wakeful.toml"
    path.write_text(
        '[sharing]\nexperimenters = ["Doe, Jane"]\n'
        '[subjects.M014]\nspecies = "rat"\nbirth = 2025-12-02\n[subjects."M 15"]\nsex = "F"\n'
    )
    config = read_config(path)
    assert config.sharing.experimenters == ("Doe, Jane",)
    assert config.subjects["M014"].species == "Rattus norvegicus"
    assert config.subjects["M014"].birth == date(2025, 12, 2)
    assert config.subjects["M 15"].sex == "F"
    path.write_text(
        '[sharing]\nexperimenters = ["Jane Doe"]\n[subjects.M014]\nspecies = "Maus"\nsex = "x"\n'
        "[work]\ncompress_after_days = -1\n"
    )
    with pytest.raises(BadConfig) as refused:
        read_config(path)
    for part in ("Last, First", "Latin name", "subjects.M014.sex", "compress_after_days"):
        assert part in str(refused.value)
