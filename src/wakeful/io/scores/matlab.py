"""State vectors and intervals of states in .mat files.

A vector has a number an epoch: what they mean must be said, unless the file has `state_names` (a
cell of names, 0 first), and so must the epoch length, unless it has `epoch_s`. Intervals are those
of buzcode (Watson et al. 2016): `SleepState.ints.NREMstate`, `REMstate`, `WAKEstate`, each with a
row of start and stop in seconds.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeful.io.scores.grid import WriteOptions, Written, on_grid, scored_bouts
from wakeful.io.scores.lines import Made, ReadOptions, gather, need_epoch
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadScores
from wakeful.model.scores import ScoredStretches

_LEAST = 3
"""A vector shorter than this holds no scores, but a rate or a size."""
_BUZCODE = {State.AWAKE: "WAKEstate", State.NREM: "NREMstate", State.REM: "REMstate"}
_NAMES = tuple(state.label for state in sorted(State))
"""From no data (-1) on."""


def load_mat(path: Path) -> dict[str, Any]:
    """Variables of a .mat file of any version; structs as dictionaries.

    Raises
    ------
    BadScores
        It can't be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(520)
        if b"\x89HDF\r\n\x1a\n" in (head[:8], head[512:520]):
            return _load_hdf(path)
        from scipy.io import loadmat

        return dict(loadmat(path, simplify_cells=True))
    except OSError as error:
        if error.filename is not None:
            raise
        raise _unreadable(path, error) from error
    except Exception as error:  # scipy raises whatever a damaged file leads to
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BadScores:
    return BadScores(
        f"it can't be read as a MATLAB file ({type(error).__name__}: {error})",
        where=path.name,
        remedy="copy it again, or save it anew in MATLAB",
    )


def _load_hdf(path: Path) -> dict[str, Any]:
    import h5py

    def read(group: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, node in group.items():
            if name.startswith("#"):
                continue
            if isinstance(node, h5py.Group):
                found[name] = read(node)
            elif node.attrs.get("MATLAB_empty", 0):
                found[name] = np.empty((0, 0))
            elif node.dtype.kind in "iuf":
                # MATLAB counts columns first: HDF5 shows its arrays turned.
                found[name] = np.asarray(node[()]).T
        return found

    with h5py.File(path, "r") as file:
        return read(file)


def save_mat(variables: Mapping[str, Any]) -> bytes:
    """The bytes of a .mat file (version 5)."""
    from scipy.io import savemat

    buffer = io.BytesIO()
    savemat(buffer, dict(variables), do_compression=True)
    # The head says when it was written: the same scores are to give the same bytes.
    head = b"MATLAB 5.0 MAT-file, written by Wakeful".ljust(116, b" ")
    return head + buffer.getvalue()[116:]


def read_mat(path: Path, options: ReadOptions) -> ScoredStretches:
    """Read intervals of states, or a vector of them.

    Raises
    ------
    BadScores
        It holds neither, several vectors of which none was named, or no epoch length.
    """
    variables = load_mat(path)
    intervals = _find_intervals(variables)
    if intervals is not None and options.column is None:
        return _read_intervals(path, intervals, options)
    name, values = _find_vector(variables, options.column, path)
    own = variables.get("epoch_s")
    epoch_s = options.epoch_s
    if epoch_s is None and own is not None and np.size(own) == 1:
        epoch_s = float(np.ravel(own)[0])
    epoch_s = need_epoch(ReadOptions(epoch_s=epoch_s), path, "the vector has no times")
    label = [f"{value:g}" if np.isfinite(value) else "NaN" for value in values]
    start_s = np.arange(len(label), dtype=np.float64) * epoch_s
    made = Made(format="mat", epoch_s=epoch_s, meaning=_meaning(variables.get("state_names")))
    place = [f"{name}({i})" for i in range(1, len(label) + 1)]
    return gather(start_s, start_s + epoch_s, label, place, path, made)


def _meaning(names: object) -> tuple[tuple[str, State], ...]:
    """What numbers mean in a file that we wrote."""
    listed = [str(name) for name in np.ravel(np.asarray(names))] if names is not None else []
    if listed != list(_NAMES):
        return ()
    return tuple((f"{int(state)}", state) for state in State)


def _find_intervals(variables: Mapping[str, Any]) -> dict[State, NDArray[np.float64]] | None:
    for value in (variables, *variables.values()):
        if not isinstance(value, Mapping):
            continue
        inner = value.get("ints", value)
        if isinstance(inner, Mapping) and any(name in inner for name in _BUZCODE.values()):
            return {
                state: np.asarray(inner[name], np.float64).reshape(-1, 2)
                for state, name in _BUZCODE.items()
                if name in inner and np.size(inner[name]) % 2 == 0
            }
    return None


def _read_intervals(
    path: Path, intervals: Mapping[State, NDArray[np.float64]], options: ReadOptions
) -> ScoredStretches:
    rows = sorted(
        (float(start_s), float(stop_s), state, f"{_BUZCODE[state]}({i},:)")
        for state, pairs in intervals.items()
        for i, (start_s, stop_s) in enumerate(pairs, 1)
    )
    made = Made(format="buzcode", epoch_s=options.epoch_s or 0.0)
    return gather(
        np.array([row[0] for row in rows], np.float64),
        np.array([row[1] for row in rows], np.float64),
        [row[2].label for row in rows],
        [row[3] for row in rows],
        path,
        made,
    )


def _find_vector(
    variables: Mapping[str, Any], wanted: str | None, path: Path
) -> tuple[str, NDArray[np.float64]]:
    vectors = {
        name: np.ravel(value).astype(np.float64)
        for name, value in variables.items()
        if isinstance(value, np.ndarray)
        and value.dtype.kind in "iufb"
        and value.size == max(value.shape, default=0)
        and value.size >= _LEAST
    }
    if wanted is not None:
        vectors = {name: values for name, values in vectors.items() if name == wanted}
    if len(vectors) != 1:
        names = ", ".join(vectors)
        raise BadScores(
            f"several of its variables may be the states: {names}"
            if vectors
            else f"it holds no vector of states{'' if wanted is None else f' {wanted!r}'}",
            where=path.name,
            remedy="name the one to read with --column"
            if vectors
            else "give a file with a vector of states, or with SleepState.ints",
        )
    ((name, values),) = vectors.items()
    return name, values


def write_mat(hypnogram: Hypnogram, options: WriteOptions) -> Written:  # noqa: ARG001
    """The vector `states` (-1 no data, 0 awake, 1 unclassified, 2 NREM, 3 REM) and `epoch_s`."""
    names = np.array(_NAMES, dtype=object)
    return Written(
        data=save_mat(
            {
                "states": on_grid(hypnogram)[:, None],
                "epoch_s": hypnogram.epoch_s,
                "state_names": names,
            }
        )
    )


def write_buzcode(hypnogram: Hypnogram, options: WriteOptions) -> Written:  # noqa: ARG001
    """The intervals of each state, seconds; what is unclassified has no place there."""
    bouts = scored_bouts(hypnogram)
    ints = {
        name: np.array([(p.start_s, p.stop_s) for s, p in bouts if s == state]).reshape(-1, 2)
        for state, name in _BUZCODE.items()
    }
    n_unsure = int(np.sum(hypnogram.state == State.UNCLASSIFIED))
    notes = (f"{n_unsure:,} unclassified epochs are left out",) if n_unsure else ()
    return Written(data=save_mat({"SleepState": {"ints": ints}}), notes=notes)
