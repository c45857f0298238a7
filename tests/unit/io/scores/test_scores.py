"""Hand scores: each format read as others write it, and what we write read back."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from wakeful.io.scores import FORMATS, ReadOptions, WriteOptions, read_scores, write_scores
from wakeful.io.scores.edf_plus import read_annotations
from wakeful.model.epochs import Hypnogram
from wakeful.model.errors import BadRecording, BadScores
from wakeful.sleep.hand_scores import make_hypnogram, parse_label_map

A, U, N, R, X = 0, 1, 2, 3, -1
START = datetime.fromisoformat("2026-03-02T13:02:11")


def hypnogram_of(states: list[int], epoch_s: float = 4.0, first: int = 0) -> Hypnogram:
    state = np.array(states, np.int8)
    return Hypnogram(
        start_s=(np.arange(len(state)) + first) * epoch_s,
        raw_state=state,
        state=state,
        confidence=np.ones(len(state), np.float32),
        epoch_s=epoch_s,
        scorer="s",
    )


def put(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def read(path: Path, format_name: str | None = None, **options: object) -> list[int]:
    labels = options.pop("labels", "")
    stretches = read_scores(path, format_name, ReadOptions(**options))  # type: ignore[arg-type]
    return make_hypnogram(
        stretches,
        epoch_s=stretches.epoch_s or 4.0,
        labels=parse_label_map([str(labels)]),
    ).state.tolist()


WAYS = [
    ("csv", ".csv", {}),
    ("edf", ".edf", {"epoch_s": 4.0}),
    ("accusleep", ".mat", {"epoch_s": 4.0}),
    ("accusleep", ".csv", {"epoch_s": 4.0}),
    ("visbrain", ".txt", {"epoch_s": 4.0}),
    ("mat", ".mat", {}),
    ("buzcode", ".mat", {"epoch_s": 4.0}),
    ("spike2", ".txt", {"epoch_s": None}),
    ("sirenia", ".txt", {}),
]
LOSSLESS = {"csv", "edf", "mat", "spike2"}


@pytest.mark.parametrize(("name", "suffix", "options"), WAYS)
def test_round_trip(tmp_path: Path, name: str, suffix: str, options: dict[str, float]) -> None:
    rng = np.random.default_rng(3)
    states = np.repeat(rng.choice([A, N, R, U], 60), rng.integers(1, 9, 60)).tolist()
    if name in ("buzcode", "sirenia"):
        states = [A if s == U else s for s in states]
    path = tmp_path / f"scores{suffix}"
    notes = write_scores(path, hypnogram_of(states), name, WriteOptions(start_local=START))
    # Only a list of time and text has no sign of what wrote it.
    known = name if name == "spike2" else None
    assert notes == ()
    assert read(path, known, **options) == states
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(("name", "suffix", "options"), WAYS)
def test_round_trip_with_a_hole(
    tmp_path: Path, name: str, suffix: str, options: dict[str, float]
) -> None:
    """What begins late and has a hole comes back so, or the format says what it made of it."""
    states = [A, A, X, X, N, N, N, R, A]
    path = tmp_path / f"scores{suffix}"
    notes = write_scores(path, hypnogram_of(states, first=3), name, WriteOptions(start_local=START))
    found = read(path, name, **options)
    if name in LOSSLESS - {"mat"} or name == "buzcode":
        assert found == states
        stretches = read_scores(path, name, ReadOptions(**options))
        assert stretches.start_s[0] == 12.0
    elif name in ("mat", "sirenia"):
        assert found == states  # no data in front is no epoch
    else:
        assert found == [U, U, U, A, A, U, U, N, N, N, R, A]
        assert "without data" in notes[0]


def test_the_suffix_tells_the_format(tmp_path: Path) -> None:
    for suffix in (".csv", ".edf", ".mat", ".txt"):
        path = tmp_path / f"a{suffix}"
        write_scores(path, hypnogram_of([A, N, R]))
        assert read(path, epoch_s=4.0) == [A, N, R]
    with pytest.raises(BadScores, match="--to"):
        write_scores(tmp_path / "a.xyz", hypnogram_of([A]))
    with pytest.raises(BadScores, match="no format 'nonsense'"):
        write_scores(tmp_path / "a.csv", hypnogram_of([A]), "nonsense")
    with pytest.raises(BadScores, match=r"end the name in \.edf"):
        write_scores(tmp_path / "a.csv", hypnogram_of([A]), "edf")


def test_the_same_scores_give_the_same_bytes(tmp_path: Path) -> None:
    for name, suffix, _ in WAYS:
        one, two = tmp_path / f"1{name}{suffix}", tmp_path / f"2{name}{suffix}"
        for path in (one, two):
            write_scores(path, hypnogram_of([A, N]), name, WriteOptions(start_local=START))
        assert one.read_bytes() == two.read_bytes()


class TestTable:
    def test_one_label_a_row(self, tmp_path: Path) -> None:
        path = put(tmp_path / "a.csv", "W\nW\nNR\nR\n")
        assert read(path, epoch_s=4.0) == [A, A, N, R]
        with pytest.raises(BadScores, match="--epoch"):
            read(path)

    def test_one_label_a_row_under_a_head(self, tmp_path: Path) -> None:
        assert read(put(tmp_path / "a.txt", "Stage\nW\nNR\n"), epoch_s=4.0) == [A, N]

    @pytest.mark.parametrize("mark", [",", ";", "\t"])
    def test_start_and_label(self, tmp_path: Path, mark: str) -> None:
        text = "start_s,state\n0,W\n4,W\n8,N\n16,R\n".replace(",", mark)
        assert read(put(tmp_path / "a.csv", text)) == [A, A, N, X, R]

    def test_epoch_numbers_and_clock(self, tmp_path: Path) -> None:
        """As the table of a published mouse has it."""
        text = (
            "EpochNo,Stage,Time,Delta\n0,W,2012-08-16 07:00:00,126.0\n"
            "1,W,2012-08-16 07:00:04,95.8\n2,NR,2012-08-16 07:00:08,95.8\n"
        )
        path = put(tmp_path / "a.csv", text)
        stretches = read_scores(path)
        assert stretches.zero_local == datetime.fromisoformat("2012-08-16T07:00:00")
        assert stretches.epoch_s == 4.0
        assert read(path) == [A, A, N]

    def test_epoch_numbers_alone(self, tmp_path: Path) -> None:
        path = put(tmp_path / "a.csv", "epoch;score\n1;W\n2;N\n4;R\n")
        assert read(path, epoch_s=4.0) == [A, N, X, R]
        with pytest.raises(BadScores, match="--epoch"):
            read(path)
        with pytest.raises(BadScores, match="counted from 7"):
            read(put(tmp_path / "b.csv", "epoch;score\n7;W\n8;N\n"), epoch_s=4.0)

    def test_durations_and_stops(self, tmp_path: Path) -> None:
        for head, rows in (
            ("onset,duration,label", "0,8,W\n8,4,N\n"),
            ("start,stop,label", "0,8,W\n8,12,N\n"),
        ):
            assert read(put(tmp_path / "a.csv", f"{head}\n{rows}")) == [A, A, N]

    def test_our_own_hypnogram(self, tmp_path: Path) -> None:
        from wakeful.model.subject import Session, Subject
        from wakeful.publish.tables import hypnogram_csv

        session = Session(
            name="s", subject=Subject(identifier="M"), start_utc=None, duration_s=16.0
        )
        path = tmp_path / "hypnogram.csv"
        path.write_bytes(hypnogram_csv(session, hypnogram_of([A, N, X, R, R])))
        assert read(path) == [A, N, X, R, R]

    def test_changes_of_state(self, tmp_path: Path) -> None:
        path = put(tmp_path / "a.csv", "start_s,state\n0,W\n8,N\n12,R\n20,W\n")
        stretches = read_scores(path)
        assert stretches.stop_s.tolist() == [8, 12, 20]
        assert "has no end" in stretches.notes[0]

    def test_rows_that_are_neither(self, tmp_path: Path) -> None:
        path = put(tmp_path / "a.csv", "start_s,state\n0,W\n8,W\n11,R\n20,W\n")
        with pytest.raises(BadScores, match="neither epochs of one length nor changes"):
            read_scores(path)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "empty"),
            ("start_s,state\n", "no rows"),
            ("a,b\n1,W\n", "names no column"),
            ("start_s,state,stage\n0,W,W\n", "several columns"),
            ("start_s,duration\n0,4\n", "no column may hold the labels"),
            ("start_s,state\n0,W\nx,W\n", "'x' in line 3 is no number"),
            ("time,state\nnoon,W\n", "neither seconds nor a date"),
            ("start_s,state\n0,W\n4\n", "line 3 has fewer cells"),
            ("start_s,state\n4,W\n0,W\n", r"line 3 \(0 s\) is not later than line 2"),
            ("start,stop,state\n4,2,W\n", "ends before it begins"),
        ],
    )
    def test_what_can_be_wrong(self, tmp_path: Path, text: str, said: str) -> None:
        with pytest.raises(BadScores, match=said) as caught:
            read_scores(put(tmp_path / "a.csv", text))
        assert caught.value.remedy
        assert "a.csv" in str(caught.value)

    def test_the_column_can_be_named(self, tmp_path: Path) -> None:
        path = put(tmp_path / "a.csv", "start_s,state,Lisa\n0,W,R\n4,W,N\n")
        assert read(path, column="Lisa") == [R, N]
        with pytest.raises(BadScores, match="it has start_s, state, Lisa"):
            read_scores(path, "csv", ReadOptions(column="lisa"))

    def test_bytes_that_are_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_bytes(b"W\0\1\2")
        with pytest.raises(BadScores, match="no text"):
            read_scores(path)

    @pytest.mark.parametrize("code", ["utf-8-sig", "utf-16", "latin-1"])
    def test_codes_of_text(self, tmp_path: Path, code: str) -> None:
        path = tmp_path / "a.csv"
        path.write_bytes("start_s,state,Müller\n0,W,ä\n4,N,ö\n".encode(code))
        assert read(path) == [A, N]


class TestEdf:
    def test_written_by_pyedflib(self, tmp_path: Path) -> None:
        import pyedflib

        path = tmp_path / "a.edf"
        with pyedflib.EdfWriter(str(path), 1, file_type=pyedflib.FILETYPE_EDFPLUS) as writer:
            writer.setStartdatetime(START)
            writer.setSignalHeader(0, {"label": "EEG", "sample_frequency": 100})
            writer.writeSamples([np.zeros(6000)])
            for onset, text in ((0, "W"), (20, "2"), (44, "R")):
                writer.writeAnnotation(onset, 20 if onset < 20 else 24, f"Sleep stage {text}")
            writer.writeAnnotation(30, -1, "Lights off")
        stretches = read_scores(path)
        assert stretches.zero_local == START
        assert stretches.label == ("W", "2", "R")
        assert "Lights off" in stretches.notes[0]
        hypnogram = make_hypnogram(stretches, epoch_s=4.0)
        assert hypnogram.state.tolist() == [A] * 5 + [N] * 6 + [R] * 6

    def test_read_by_pyedflib(self, tmp_path: Path) -> None:
        import pyedflib

        path = tmp_path / "a.edf"
        states = [A, A, N, N, X, R, U]
        write_scores(path, hypnogram_of(states, 2.5), "edf", WriteOptions(start_local=START))
        with pyedflib.EdfReader(str(path)) as reader:
            assert reader.getStartdatetime() == START
            onset, duration, text = reader.readAnnotations()
        assert onset.tolist() == [0, 5, 12.5, 15]
        assert np.asarray(duration, float).tolist() == [5, 5, 2.5, 2.5]
        assert [t[-1] for t in text] == ["W", "N", "R", "?"]

    def test_a_start_within_a_second(self, tmp_path: Path) -> None:
        path = tmp_path / "a.edf"
        start = START.replace(microsecond=250_000)
        assert write_scores(path, hypnogram_of([A, N]), None, WriteOptions(start_local=start))
        annotations, zero = read_annotations(path)
        assert zero == START
        assert [a.onset_s for a in annotations] == [0.25, 4.25]

    def test_without_a_date(self, tmp_path: Path) -> None:
        path = tmp_path / "a.edf"
        assert "no date" in write_scores(path, hypnogram_of([A, N]))[0]
        assert b"Startdate X" in path.read_bytes()

    def test_own_words(self, tmp_path: Path) -> None:
        import pyedflib

        path = tmp_path / "a.edf"
        with pyedflib.EdfWriter(str(path), 1, file_type=pyedflib.FILETYPE_EDFPLUS) as writer:
            writer.setSignalHeader(0, {"label": "EEG", "sample_frequency": 100})
            writer.writeSamples([np.zeros(2000)])
            writer.writeAnnotation(0, 8, "Wake")
            writer.writeAnnotation(8, 8, "puff")
        with pytest.raises(BadScores, match="'puff'"):
            make_hypnogram(read_scores(path))
        labels = parse_label_map(["puff=ignore"])
        hypnogram = make_hypnogram(read_scores(path), epoch_s=4.0, labels=labels)
        assert hypnogram.state.tolist() == [A, A]

    @pytest.mark.real_data
    def test_a_recording_without_scores(self, real_data: Path) -> None:
        with pytest.raises(BadScores, match=r"annotation"):
            make_hypnogram(read_scores(real_data / "sleep/neurodent_sample/A10_recording.edf"))

    def test_a_damaged_file(self, tmp_path: Path) -> None:
        with pytest.raises(BadRecording):
            read_scores(put(tmp_path / "a.edf", "W\nN\n"))


class TestAccuSleep:
    def test_labels_of_a_mat_file(self, tmp_path: Path) -> None:
        from scipy.io import savemat

        path = tmp_path / "labels.mat"
        savemat(path, {"labels": np.array([[2, 2, 3, 1, 4]], float)})
        assert read(path, epoch_s=2.5) == [A, A, N, R, U]
        with pytest.raises(BadScores, match="--epoch"):
            read(path)

    def test_a_table(self, tmp_path: Path) -> None:
        path = put(tmp_path / "a.csv", "brain_state,confidence_score\n2,0.9\n3,0.8\n1,1\n-1,0\n")
        assert read(path, epoch_s=2.5) == [A, N, R, U]

    def test_another_set_of_states(self, tmp_path: Path) -> None:
        path = put(tmp_path / "a.csv", "brain_state\n2\n7\n")
        with pytest.raises(BadScores, match=r"'7' \(line 3"):
            read(path, epoch_s=2.5)
        assert read(path, epoch_s=2.5, labels="7=REM") == [A, R]


class TestVisbrain:
    def test_stages_and_ends(self, tmp_path: Path) -> None:
        """The example of Visbrain's manual, shortened."""
        text = "*Scorer  John\n*Date    05_17_2018\nWake     8\nN1       12\nN3  20\n"
        text += "REM 24\nArt 28\n"
        assert read(put(tmp_path / "a.txt", text)) == [A, A, N, N, N, R, U]

    def test_one_value_a_second(self, tmp_path: Path) -> None:
        path = put(tmp_path / "a.txt", "0\n0\n2\n4\n-1\n")
        with pytest.raises(BadScores, match=r"a_description\.txt"):
            read_scores(path, "visbrain")
        put(
            tmp_path / "a_description.txt",
            "Time 1\nWake 0\nN1 1\nN2 2\nN3 3\nREM 4\nArtefact -1\n",
        )
        assert read(path) == [A, A, N, R, U]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("*a b\nWake 8\nREM 4\n", "line 3 ends at 4 s"),
            ("*a b\nWake 8\nREM x\n", "line 3"),
            ("*a b\n", "remarks only"),
        ],
    )
    def test_what_can_be_wrong(self, tmp_path: Path, text: str, said: str) -> None:
        with pytest.raises(BadScores, match=said):
            read_scores(put(tmp_path / "a.txt", text))

    def test_a_length_that_does_not_fit(self, tmp_path: Path) -> None:
        stretches = read_scores(put(tmp_path / "a.txt", "*Duration_sec 90\nWake 8\n"))
        assert "lasts 90 s" in stretches.notes[0]


class TestMatlab:
    def test_a_vector(self, tmp_path: Path) -> None:
        from scipy.io import savemat

        path = tmp_path / "a.mat"
        savemat(path, {"hypno": np.array([0, 1, 2, 2]), "fs": 500.0})
        assert read(path, epoch_s=4.0, labels="0=awake,1=NREM,2=REM") == [A, N, R, R]
        with pytest.raises(BadScores, match=r"'0' \(hypno\(1\)"):
            read(path, epoch_s=4.0)
        with pytest.raises(BadScores, match="--epoch"):
            read(path)

    def test_several_vectors(self, tmp_path: Path) -> None:
        from scipy.io import savemat

        path = tmp_path / "a.mat"
        savemat(path, {"one": np.array([0, 1, 2, 2]), "two": np.array([0, 0, 0, 0])})
        with pytest.raises(BadScores, match="one, two"):
            read(path, epoch_s=4.0)
        assert read(path, epoch_s=4.0, column="two", labels="0=awake") == [A] * 4
        with pytest.raises(BadScores, match="no vector of states 'three'"):
            read(path, epoch_s=4.0, column="three")

    def test_intervals_of_buzcode(self, tmp_path: Path) -> None:
        from scipy.io import savemat

        path = tmp_path / "a.SleepState.states.mat"
        ints = {
            "WAKEstate": np.array([[0, 8], [16, 20]]),
            "NREMstate": np.array([[8, 16]]),
            "REMstate": np.empty((0, 2)),
        }
        savemat(path, {"SleepState": {"ints": ints, "idx": {"states": np.ones(20)}}})
        assert read(path) == [A, A, N, N, A]

    def test_version_7_3(self, tmp_path: Path) -> None:
        import h5py

        path = tmp_path / "a.mat"
        with h5py.File(path, "w", userblock_size=512) as file:
            file["SleepState/ints/WAKEstate"] = np.array([[0, 16], [8, 20]])
            file["SleepState/ints/NREMstate"] = np.array([[8], [16]])
        assert read(path) == [A, A, N, N, A]

    def test_a_damaged_file(self, tmp_path: Path) -> None:
        with pytest.raises(BadScores, match="can't be read as a MATLAB file"):
            read_scores(put(tmp_path / "a.mat", "W\nN\n"))


class TestSpike2:
    EXPORT = (
        '"INFORMATION"\n"mouse.smrx"\n"SUMMARY"\n"1"\t"Waveform"\t"EEG"\n'
        '"CHANNEL"\t"1"\n"Waveform"\n"EEG"\n"uV"\n0.1\n0.2\n'
        '"CHANNEL"\t"31"\n"TextMark"\n"No comment"\n"State"\n'
        '0.0\t1\t0\t0\t0\t"W"\n4.0\t2\t0\t0\t0\t"NR"\n8.0\t2\t0\t0\t0\t"NR"\n12.0\t3\t0\t0\t0\t"R"\n'
    )

    def test_sections(self, tmp_path: Path) -> None:
        path = put(tmp_path / "a.txt", self.EXPORT)
        assert read(path) == [A, N, N, R]
        assert read_scores(path).format == "spike2"

    def test_marks_of_two_channels(self, tmp_path: Path) -> None:
        more = '"CHANNEL"\t"32"\n"TextMark"\n0.0\t"R"\n4\t"R"\n'
        path = put(tmp_path / "a.txt", self.EXPORT + more)
        with pytest.raises(BadScores, match="channels 31, 32"):
            read_scores(path)
        assert read(path, column="32") == [R, R]

    def test_no_marks(self, tmp_path: Path) -> None:
        path = put(tmp_path / "a.txt", self.EXPORT.partition('"CHANNEL"\t"31"')[0])
        with pytest.raises(BadScores, match="no marks"):
            read_scores(path)

    def test_a_list_with_a_bad_line(self, tmp_path: Path) -> None:
        with pytest.raises(BadScores, match="line 2"):
            read_scores(put(tmp_path / "a.txt", "0 W\nnonsense\n"), "spike2")


class TestSirenia:
    HEAD = "Epoch #,Start Time,End Time,Score #, Score\r\n"

    def test_states_and_artefacts(self, tmp_path: Path) -> None:
        rows = (
            "1,01/02/2019 09:00:00,01/02/2019 09:00:10,2,Non REM\r\n"
            "2,01/02/2019 09:00:10,01/02/2019 09:00:20,130,Non REM X\r\n"
            "3,01/02/2019 09:00:20,01/02/2019 09:00:30,1,Wake\r\n"
        )
        path = put(tmp_path / "a.txt", "Subject,335\r\n" + self.HEAD + rows)
        stretches = read_scores(path)
        assert stretches.format == "sirenia"
        assert stretches.artefact.tolist() == [False, True, False]
        assert stretches.epoch_s == 10.0
        assert "month first" in stretches.notes[0]
        assert stretches.zero_local == datetime.fromisoformat("2019-01-02T09:00:00")
        assert read(path) == [N, N, A]
        lost = make_hypnogram(stretches, keep_artefacts=False)
        assert lost.state.tolist() == [N, U, A]

    def test_the_day_first_where_only_that_fits(self, tmp_path: Path) -> None:
        rows = "1,28/02/2019 23:59:50,01/03/2019 00:00:00,2,REM\r\n"
        rows += "2,01/03/2019 00:00:00,01/03/2019 00:00:10,2,REM\r\n"
        stretches = read_scores(put(tmp_path / "a.txt", self.HEAD + rows))
        assert stretches.zero_local == datetime.fromisoformat("2019-02-28T23:59:50")
        assert stretches.notes == ()

    def test_times_that_go_back(self, tmp_path: Path) -> None:
        rows = "1,01/02/2019 09:00:10,01/02/2019 09:00:20,2,REM\r\n" * 2
        with pytest.raises(BadScores, match="don't go on"):
            read_scores(put(tmp_path / "a.txt", self.HEAD + rows))

    def test_twelve_hours(self, tmp_path: Path) -> None:
        rows = "1,1/2/2019 11:59:50 AM,1/2/2019 12:00:00 PM,2,REM\r\n"
        rows += "2,1/2/2019 12:00:00 PM,1/2/2019 12:00:10 PM,1,Wake\r\n"
        assert read(put(tmp_path / "a.txt", self.HEAD + rows)) == [R, A]

    def test_what_is_unsure_is_unscored(self, tmp_path: Path) -> None:
        path = tmp_path / "a.txt"
        options = WriteOptions(start_local=START)
        notes = write_scores(path, hypnogram_of([A, U, R]), "sirenia", options)
        assert notes == ("1 unclassified epochs are written as Unscored",)
        assert read(path) == [A, X, R]

    def test_it_needs_a_start(self, tmp_path: Path) -> None:
        with pytest.raises(BadScores, match="--start"):
            write_scores(tmp_path / "a.txt", hypnogram_of([A]), "sirenia")
        with pytest.raises(BadScores, match="whole seconds"):
            write_scores(
                tmp_path / "a.txt",
                hypnogram_of([A], 2.5),
                "sirenia",
                WriteOptions(start_local=START),
            )

    @pytest.mark.real_data
    @pytest.mark.slow
    def test_real_scores(self, real_data: Path) -> None:
        """Three mice, three scorers each, as the program exported them."""
        paths = sorted((real_data / "sleep/focolab_3scorers").glob("*scores_*.txt"))
        assert len(paths) == 9
        counts = np.zeros(4, int)
        marked = 0
        for path in paths:
            stretches = read_scores(path)
            assert (stretches.format, stretches.epoch_s) == ("sirenia", 10.0)
            assert stretches.zero_local == datetime.fromisoformat("2019-01-02T09:00:00")
            hypnogram = make_hypnogram(stretches)
            assert hypnogram.n_rows == 8640
            counts += [np.sum(hypnogram.state == s) for s in (A, U, N, R)]
            marked += int(stretches.artefact.sum())
        assert counts.tolist() == [40376 + 243, 0, 31241 + 1935, 3782 + 183]
        assert marked == 243 + 1935 + 183


def test_a_name_that_says_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadScores, match="--from"):
        read_scores(put(tmp_path / "a.docx", "W\n"))


def test_every_format_says_what_it_is() -> None:
    assert [f.name for f in FORMATS.values()] == list(FORMATS)
    assert all(f.title and f.suffixes for f in FORMATS.values())
