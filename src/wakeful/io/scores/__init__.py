"""Hand scores: files of other programs read, and written again. One file a format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wakeful.io.atomic import write_bytes
from wakeful.io.scores import accusleep, csv_table, edf_plus, matlab, nwb, sirenia, spike2, visbrain
from wakeful.io.scores.grid import WriteOptions, Written
from wakeful.io.scores.lines import ReadOptions, read_text_lines
from wakeful.model.epochs import Hypnogram
from wakeful.model.errors import BadScores
from wakeful.model.scores import ScoredStretches

__all__ = ["FORMATS", "ReadOptions", "WriteOptions", "find_format", "read_scores", "write_scores"]


@dataclass(frozen=True, kw_only=True)
class ScoreFormat:
    """One way in which scores are kept."""

    name: str
    title: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, ReadOptions], ScoredStretches]
    write: Callable[[Hypnogram, WriteOptions], Written]
    write_as: tuple[tuple[str, Callable[[Hypnogram, WriteOptions], Written]], ...] = ()
    """Suffix -> another writer, for formats that are kept in two ways."""


FORMATS = {
    f.name: f
    for f in (
        ScoreFormat(
            name="csv",
            title="a table, or one label a row",
            suffixes=(".csv", ".txt", ".tsv"),
            read=csv_table.read_csv,
            write=csv_table.write_csv,
        ),
        ScoreFormat(
            name="edf",
            title="annotations of EDF+ or BDF+",
            suffixes=(".edf", ".bdf"),
            read=edf_plus.read_edf_scores,
            write=edf_plus.write_edf_scores,
        ),
        ScoreFormat(
            name="accusleep",
            title="labels of AccuSleep (.mat) or AccuSleePy (.csv)",
            suffixes=(".mat", ".csv"),
            read=accusleep.read_accusleep,
            write=accusleep.write_accusleep_csv,
            write_as=((".mat", accusleep.write_accusleep_mat),),
        ),
        ScoreFormat(
            name="visbrain",
            title="hypnogram of Visbrain's Sleep",
            suffixes=(".txt", ".csv", ".hyp"),
            read=visbrain.read_visbrain,
            write=visbrain.write_visbrain,
        ),
        ScoreFormat(
            name="mat",
            title="vector of states in a .mat file",
            suffixes=(".mat",),
            read=matlab.read_mat,
            write=matlab.write_mat,
        ),
        ScoreFormat(
            name="buzcode",
            title="SleepState intervals in a .mat file",
            suffixes=(".mat",),
            read=matlab.read_mat,
            write=matlab.write_buzcode,
        ),
        ScoreFormat(
            name="spike2",
            title="marks of Spike2 exported as text",
            suffixes=(".txt",),
            read=spike2.read_spike2,
            write=spike2.write_spike2,
        ),
        ScoreFormat(
            name="sirenia",
            title="table exported by Sirenia Sleep",
            suffixes=(".txt", ".csv", ".tsv"),
            read=sirenia.read_sirenia,
            write=sirenia.write_sirenia,
        ),
        ScoreFormat(
            name="nwb",
            title="intervals with states in an NWB file",
            suffixes=(".nwb",),
            read=nwb.read_nwb_scores,
            write=nwb.write_nwb_scores,
        ),
    )
}
"""Format -> how it is read and written."""


def find_format(path: Path) -> ScoreFormat:
    """The format that a file's name and first lines show.

    Raises
    ------
    BadScores
        Neither shows one.
    """
    suffix = path.suffix.casefold()
    if suffix in (".edf", ".bdf"):
        return FORMATS["edf"]
    if suffix == ".nwb":
        return FORMATS["nwb"]
    if suffix == ".mat":
        names = {name for name in matlab.load_mat(path) if not name.startswith("__")}
        only_labels = accusleep.VARIABLE in names and "epoch_s" not in names
        return FORMATS["accusleep" if only_labels else "mat"]
    if suffix not in (".csv", ".txt", ".tsv", ".hyp", ""):
        raise BadScores(
            f"files named *{suffix} hold no scores that can be read",
            where=path.name,
            remedy=f"say what it is with --from ({', '.join(FORMATS)})",
        )
    lines = read_text_lines(path)
    if sirenia.find_head(lines) is not None:
        return FORMATS["sirenia"]
    if accusleep.COLUMN in lines[0][1]:
        return FORMATS["accusleep"]
    if spike2.looks_like_spike2(lines):
        return FORMATS["spike2"]
    if visbrain.looks_like_visbrain(path, lines):
        return FORMATS["visbrain"]
    return FORMATS["csv"]


def read_scores(
    path: Path, format_name: str | None = None, options: ReadOptions | None = None
) -> ScoredStretches:
    """Read a file of hand scores.

    Parameters
    ----------
    format_name : one of `FORMATS`; found from name and contents where None
    options : what the file may not say itself

    Raises
    ------
    BadScores
        It can't be used as it is; says what is wrong, where, and what to do.
    BadRecording
        An EDF file is damaged.
    """
    chosen = find_format(path) if format_name is None else _named(format_name)
    return chosen.read(path, options or ReadOptions())


def write_scores(
    path: Path,
    hypnogram: Hypnogram,
    format_name: str | None = None,
    options: WriteOptions | None = None,
) -> tuple[str, ...]:
    """Write a hypnogram (its smoothed states) in one of the formats; whole or not at all.

    Parameters
    ----------
    format_name : one of `FORMATS`; where None the suffix tells: .csv, .edf, .mat, .nwb or .txt
        (Visbrain)

    Returns
    -------
    What the format could not hold.

    Raises
    ------
    BadScores
        The format can't hold this hypnogram.
    """
    suffix = path.suffix.casefold()
    if format_name is None:
        by_suffix = {".csv": "csv", ".edf": "edf", ".mat": "mat", ".nwb": "nwb", ".txt": "visbrain"}
        if suffix not in by_suffix:
            raise BadScores(
                f"the name does not say as what to write it ({suffix or 'no suffix'})",
                where=path.name,
                remedy=f"say so with --to ({', '.join(FORMATS)})",
            )
        format_name = by_suffix[suffix]
    chosen = _named(format_name)
    if suffix not in chosen.suffixes:
        raise BadScores(
            f"{chosen.title} is not written as *{suffix}",
            where=path.name,
            remedy=f"end the name in {' or '.join(chosen.suffixes)}",
        )
    writer = dict(chosen.write_as).get(suffix, chosen.write)
    written = writer(hypnogram, options or WriteOptions())
    write_bytes(path, written.data)
    return written.notes


def _named(name: str) -> ScoreFormat:
    if name not in FORMATS:
        raise BadScores(
            f"there is no format {name!r}", remedy=f"choose one of {', '.join(FORMATS)}"
        )
    return FORMATS[name]
