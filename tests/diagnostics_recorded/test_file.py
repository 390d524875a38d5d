"""``diagnostics.h5``: what was measured is read back, by h5py alone too; what is damaged is one line."""

import h5py
import numpy as np
import pytest

import bdfa_np
from bdfa_np import Diagnostics
from bdfa_np.diagnostics.file import write_contents
from bdfa_np.diagnostics.recording import Recording, keeps_snapshot
from bdfa_np.errors import ConfigError, RunError


def recorded(times, names=("signal_angle", "meaningful", "weight_norm")):
    recording = Recording(["linear1", "block.conv2"], names, {"groups": "alignment", "every": "1", "images": 256})
    for time in range(times):
        values = {"signal_angle": [80 - time, 30], "meaningful": [1, time % 2], "weight_norm": [time, np.nan]}
        chosen = {name: values[name] for name in names}
        recording.add(time, 10 * time, chosen, {"features": np.full((2, 3), time, np.float32)})
    return recording


def same(one, other):
    return (
        (one.layers, one.settings, list(one.values), list(one.snapshots))
        == (other.layers, other.settings, list(other.values), list(other.snapshots))
        and np.array_equal(one.epochs, other.epochs)
        and np.array_equal(one.steps, other.steps)
        and np.array_equal(one.snapshot_rows, other.snapshot_rows)
        and all(np.array_equal(one.values[name], other.values[name], equal_nan=True) for name in one.values)
        and all(np.array_equal(one.snapshots[name], other.snapshots[name]) for name in one.snapshots)
    )


@pytest.fixture
def file(tmp_path):
    recorded(4).diagnostics().write(tmp_path / "diagnostics.h5")
    return tmp_path / "diagnostics.h5"


def test_what_was_written_is_read_from_the_file_or_its_folder(file):
    for path in (file, file.parent, str(file)):
        assert same(Diagnostics.read(path), recorded(4).diagnostics())


def test_h5py_alone_reads_it(file):
    with h5py.File(file) as content:
        assert [layer.decode() for layer in content["layers"]] == ["linear1", "block.conv2"]
        assert content["values/signal_angle"][:, 0].tolist() == [80, 79, 78, 77]
        assert content["epochs"][:].tolist() == [0, 1, 2, 3]
        assert content["snapshots/features"].shape == (4, 2, 3)
        assert content["settings"].attrs["every"].decode() == "1"


def test_nothing_measured_is_read_back_too(tmp_path):
    recorded(0).diagnostics().write(tmp_path / "diagnostics.h5")
    found = Diagnostics.read(tmp_path)
    assert (len(found), found.values["weight_norm"].shape, found.rows()) == (0, (0, 2), [])
    assert repr(found).startswith("Diagnostics(0 measurements of 2 layers")
    assert "nothing measured" in found._repr_html_()


def test_every_flipped_byte_is_noticed(file):
    content = file.read_bytes()
    for place in range(0, len(content), 97):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(RunError, match="is damaged"):
            Diagnostics.read(file)


@pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + bytes(600)])
def test_a_foreign_file_is_told_in_one_line(file, content):
    file.write_bytes(content)
    with pytest.raises(RunError, match=r"diagnostics\.h5 is damaged .*: restore it from a copy, or remove it") as told:
        Diagnostics.read(file)
    assert "\n" not in str(told.value)


def test_another_hdf5_file_is_told_in_one_line(tmp_path):
    with h5py.File(tmp_path / "diagnostics.h5", "w") as other:
        other["weights"] = np.ones(3)
    with pytest.raises(RunError, match="its format is missing"):
        Diagnostics.read(tmp_path)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"epochs": np.zeros(3)}, "epochs has the shape"),
        ({"values": {"dead": np.zeros((4, 3))}}, "dead has the shape"),
        ({"steps": np.array([0, 10, 10, 30])}, "not in order"),
        ({"steps": np.array([-1, 0, 1, 2])}, "not in order"),
        ({"steps": np.array([[0, 1], [2, 3]])}, "not a list"),
        ({"snapshot_rows": np.array([0, 1, 2, 4])}, "not in order"),
        ({"snapshots": {"features": np.zeros((3, 2), np.float32)}}, "features has the shape"),
        ({"epochs": np.array([0, 1, np.nan, 3])}, "not in order"),
    ],
)
def test_arrays_that_do_not_go_together_are_refused(file, changed, told):
    write_contents(file, {**vars(recorded(4).diagnostics()), **changed})
    with pytest.raises(RunError, match=told):
        Diagnostics.read(file)


def test_a_later_version_and_a_missing_file_say_what_to_do(file, monkeypatch):
    monkeypatch.setattr("bdfa_np.diagnostics.file.FORMAT", 2)
    recorded(1).diagnostics().write(file)
    monkeypatch.undo()
    with pytest.raises(RunError, match="written by a later version of bdfa-np: use that version"):
        Diagnostics.read(file)
    file.unlink()
    with pytest.raises(RunError, match="is missing: a run has one where it was trained with --track"):
        Diagnostics.read(file.parent)


def test_a_long_run_keeps_snapshots_ever_more_rarely_and_always_the_latest():
    for times in (64, 65, 66, 67, 300):
        found = recorded(times).diagnostics()
        assert found.snapshot_rows.tolist() == [row for row in range(times) if keeps_snapshot(row) or row == times - 1]
        assert found.snapshots["features"][:, 0, 0].tolist() == found.snapshot_rows.tolist()
    assert found.snapshot_rows.tolist()[62:67] == [62, 63, 64, 66, 68]
    assert [row for row in found.snapshot_rows.tolist() if row >= 128][:3] == [128, 132, 136]
    assert len(found.snapshot_rows) < 64 * 4


def test_what_goes_on_from_a_file_that_was_cut_is_what_was_never_cut():
    for cut in (3, 70):
        before = recorded(100).diagnostics().up_to(10 * cut)
        assert (len(before), before.steps[-1]) == (cut + 1, 10 * cut)
        again = Recording(before.layers, ["signal_angle", "meaningful", "weight_norm"], before=before)
        for time in range(cut + 1, 100):
            values = {"signal_angle": [80 - time, 30], "meaningful": [1, time % 2], "weight_norm": [time, np.nan]}
            again.add(time, 10 * time, values, {"features": np.full((2, 3), time, np.float32)})
        assert same(again.diagnostics(), recorded(100).diagnostics())


def test_other_quantities_from_some_measurement_on_are_nan_before_it():
    before = recorded(2, ["signal_angle"]).diagnostics()
    recording = Recording(before.layers, ["dead"], {"groups": "activity"}, before)
    recording.add(2, 20, {"dead": [0.5, 0.25]}, {})
    found = recording.diagnostics()
    assert list(found.values) == ["signal_angle", "dead"]
    assert found.values["signal_angle"][:, 0].tolist()[:2] == [80, 79]
    assert np.isnan(found.values["signal_angle"][2]).all()
    assert np.isnan(found.values["dead"][:2]).all()
    assert found.values["dead"][2].tolist() == [0.5, 0.25]
    assert (found.settings["groups"], found.settings["images"]) == ("activity", 256)


def test_numbers_are_given_by_layer_and_angles_without_meaning_are_left_out():
    found = recorded(3).diagnostics()
    assert found.figures() == {
        "signal_angle.linear1": 78.0,
        "meaningful.linear1": 1.0,
        "meaningful.block.conv2": 0.0,
        "weight_norm.linear1": 2.0,
    }
    assert found.figures(1)["signal_angle.block.conv2"] == 30
    assert [found.last_of_epoch(epoch) for epoch in (1, 2, 3)] == [1, 2, None]
    first, second = found.rows()[:2]
    assert (first["epoch"], first["step"], first["layer"], first["signal_angle"]) == (0.0, 0, "linear1", 80.0)
    assert (second["layer"], np.isnan(second["signal_angle"])) == ("block.conv2", True)


def test_a_table_has_a_row_a_quantity_or_where_there_are_more_layers_a_row_a_layer():
    assert recorded(3).diagnostics().table().columns == ["", "linear1", "block.conv2"]
    assert recorded(3, ["weight_norm"]).diagnostics().table().columns == ["", "weight_norm"]
    assert str(recorded(3).diagnostics().table()).splitlines()[0] == "after 2 epochs"


def test_pandas_has_a_row_a_measurement_and_layer():
    pandas = pytest.importorskip("pandas", reason="to_pandas needs pandas")
    found = recorded(3).diagnostics().to_pandas()
    assert isinstance(found, pandas.DataFrame)
    assert found.pivot_table(index="epoch", columns="layer", values="weight_norm")["linear1"].tolist() == [0, 1, 2]


def test_it_is_public_and_shows_itself_in_a_line():
    assert bdfa_np.Diagnostics is Diagnostics
    assert repr(recorded(3).diagnostics()) == (
        "Diagnostics(3 measurements of 2 layers, epochs 0 to 2, signal_angle, meaningful, weight_norm)"
    )


def test_an_angle_that_there_is_not_is_told_with_those_that_there_are():
    with pytest.raises(ConfigError, match=r"there is no 'nope' here: what was measured has signal_angle"):
        recorded(3).diagnostics().angles("nope")
