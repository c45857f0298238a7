"""Which signals stand for a region."""

from __future__ import annotations

from wakeful.model.subject import Channel, ChannelKind
from wakeful.signal.montage import choose_montages, describe_conduction


def _channels(regions, **about):
    return tuple(Channel(name=f"c{i}", region=r, **about) for i, r in enumerate(regions))


def _names(montage):
    return [d.name for d in montage.derivations]


def test_two_channels_of_a_region_make_a_bipolar_signal():
    channels = _channels(["CA1", "PFC", "CA1", "PFC"])
    ca1, pfc = choose_montages(channels)
    assert (ca1.region, pfc.region) == ("CA1", "PFC")
    assert _names(ca1) == ["c0 - c2"]
    assert ca1.derivations[0].rows == (0, 2)
    assert ca1.is_bipolar
    assert _names(pfc) == ["c1 - c3"]
    assert describe_conduction(channels, (ca1, pfc)) == ()


def test_the_first_signals_share_no_channel():
    (montage,) = choose_montages(_channels(["CA1"] * 6))
    assert _names(montage) == ["c0 - c5", "c1 - c4", "c2 - c3", "c0 - c4"]
    (three,) = choose_montages(_channels(["CA1"] * 3))
    assert _names(three) == ["c0 - c2", "c0 - c1", "c1 - c2"]


def test_places_tell_which_lie_furthest_apart():
    depths = (0.0, 2.0, 0.5)
    channels = tuple(
        Channel(name=f"c{i}", region="CA1", x_mm=0.0, y_mm=0.0, z_mm=z)
        for i, z in enumerate(depths)
    )
    (montage,) = choose_montages(channels)
    assert _names(montage) == ["c0 - c1", "c1 - c2", "c0 - c2"]


def test_channels_of_another_reference_do_not_cancel_it():
    channels = (
        Channel(name="a", region="CA1", reference="screw"),
        Channel(name="b", region="CA1", reference="wire"),
        Channel(name="c", region="PFC", reference="screw"),
        Channel(name="d", region="PFC", reference="wire"),
        Channel(name="e", region="PFC", reference="screw"),
        Channel(name="m", region="neck", kind=ChannelKind.EMG),
    )
    ca1, pfc = choose_montages(channels)
    assert _names(ca1) == ["a", "b"]
    assert not ca1.is_bipolar
    assert _names(pfc) == ["c - e"]
    (note,) = describe_conduction(channels, (ca1, pfc))
    assert note.startswith("not bipolar, but against its reference: CA1:")
    assert "volume conduction" in note


def test_recorded_signals_name_the_reference_they_may_share():
    channels = _channels(["CA1", "CA1", "PFC"], reference="screw")
    montages = choose_montages(channels, bipolar=False)
    assert [_names(m) for m in montages] == [["c0", "c1"], ["c2"]]
    (note,) = describe_conduction(channels, montages)
    assert "a reference they may share (screw): CA1, PFC" in note
