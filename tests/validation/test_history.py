"""The history of a run with ``validate``, from Python."""

import pytest

from bdfa_np import train
from bdfa_np.runs.history import History
from bdfa_np.trainer import EpochRecord

RECORDS = [EpochRecord(number, 0.1, 0.2, 0.3, 0.4, 0.5, 0.06 * number, 0.7) for number in (1, 2)]


def test_its_figures_are_called_as_in_metrics(tmp_path):
    found = train(
        dataset="mnist-5k", epochs=1, num_hidden=10, train_limit=200, threads=1, validate=True, save=tmp_path / "run"
    )
    header = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0]
    assert list(found.history.rows()[0]) == header.split(",")
    assert found.history.column("validation_error") == [found.history[0].test_error]
    assert f", 1 epoch, validation error {found.history[0].test_error:.2%}" in repr(found)
    assert f"1 epoch: train error {found.history[0].train_error:.2%}, validation error" in repr(found.history)


def test_parts_of_it_stay_what_they_are():
    history = History(RECORDS, "validation")
    assert history[1:].column("validation_error") == [0.12]
    with pytest.raises(KeyError, match="test_error"):
        history.column("test_error")
    assert History(RECORDS).column("test_error") == [0.06, 0.12]


def test_it_is_a_table_of_pandas():
    pytest.importorskip("pandas", reason="a table of pandas' needs pandas")
    table = History(RECORDS, "validation").to_pandas()
    assert table["validation_error"].tolist() == [0.06, 0.12]
