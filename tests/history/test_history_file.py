"""``history.bin`` and what follows from it: cut off, lost, damaged, edited, and as much an epoch as at first."""

import os
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bdfa_np import Config
from bdfa_np.runs import curves
from bdfa_np.runs.checkpoint import Checkpoint, read_checkpoint
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.history import CLOSE, FALL, FIRST_JUDGED, RECENT, Standing
from bdfa_np.runs.starting import start_run
from bdfa_np.runs.store.epochs import RECORD, packed, unpacked
from bdfa_np.runs.store.figures import metrics_header, metrics_rows, read_metrics
from bdfa_np.runs.store.log import mended
from bdfa_np.trainer import EpochRecord, Progress

SMALL = {"dataset": "mnist-5k", "num_hidden": 4, "train_limit": 60, "test_limit": 20, "threads": 1, "backend": "numpy"}
BEFORE = Path(__file__).parents[1] / "runs" / "written_before" / "runs" / "bp-ce"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Give the folder of a run of four epochs that nobody disturbed."""
    start_run(Config(**SMALL, epochs=4), tmp_path_factory.mktemp("whole") / "run")
    return next(tmp_path_factory.getbasetemp().glob("whole*/run"))


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """Give the folder of a run of three epochs."""
    start_run(Config(**SMALL, epochs=3), tmp_path_factory.mktemp("begun") / "run")
    return next(tmp_path_factory.getbasetemp().glob("begun*/run"))


@pytest.fixture
def run(bdfa, begun):
    return Path(shutil.copytree(begun, "run"))


def epoch_lines(run):
    log = (run / "Log.txt").read_text().splitlines()
    return [int(found[1]) for line in log if (found := re.match(r"epoch +(\d+)/\d+: ", line))]


def flip(path):
    content = bytearray(path.read_bytes())
    content[70] ^= 1
    path.write_bytes(content)


def replace_by_link(path):
    path.rename("elsewhere")
    path.symlink_to(Path("elsewhere").resolve())
    flip(Path("elsewhere"))


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


def replace_by_pipe(path):
    path.unlink()
    os.mkfifo(path)


DAMAGES = {
    "missing": (Path.unlink, "is missing"),
    "empty": (lambda path: path.write_bytes(b""), "is too short for 3 epochs"),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is too short for 3 epochs"),
    "with a flipped bit": (flip, "its SHA-256 is another"),
    "another run's": (lambda path: path.write_bytes(bytes(3 * RECORD.size)), "its SHA-256 is another"),
    "behind a link": (replace_by_link, "its SHA-256 is another"),
}
IN_PLACE = {"a folder": replace_by_folder, "a pipe": replace_by_pipe}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_history_is_made_anew_from_the_metrics_and_said(bdfa, run, whole, result, damage):
    DAMAGES[damage][0](run / "history.bin")
    assert bdfa("evaluate", run).code == 0
    (listed,) = [line for line in bdfa("runs", run).out.splitlines() if "damaged" in line][:1]
    assert listed
    outcome = bdfa.resume(run, "--epochs", 4)
    assert "note: run/history.bin was missing or damaged; it was made anew from metrics.csv\n" in outcome.out
    assert result(run) == result(whole)
    assert not (run / "history.bin").is_symlink()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_history_beside_edited_metrics_is_told_in_one_line_with_advice_that_works(bdfa, run, damage):
    harm, said = DAMAGES[damage]
    harm(run / "history.bin")
    metrics = run / "metrics.csv"
    metrics.write_text(re.sub(r"\d(?=\n)", "", metrics.read_text()))
    line = bdfa.refused("train", "--save", run, "--resume", "--epochs", 4)
    assert "metrics.csv is not as it was written either" in line
    assert "run/history.bin is" in line
    assert said.split()[-1] in line or damage == "missing"
    options = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    assert "--load run" in line
    assert bdfa("train", *options, "--epochs", 1, "--load", run, "--save", "other").code == 0


@pytest.mark.parametrize("kind", IN_PLACE)
def test_what_is_no_file_in_its_place_is_told_and_not_waited_for(bdfa, run, kind):
    IN_PLACE[kind](run / "history.bin")
    assert bdfa("evaluate", run).code == 0
    assert "run/history.bin" in bdfa("runs", run).out.replace("\n  ", "").replace("\n", "")


@pytest.mark.parametrize("beyond", [1, RECORD.size // 2, RECORD.size, 5 * RECORD.size])
def test_epochs_that_were_not_saved_are_cut_off(bdfa, run, whole, result, beyond):
    with (run / "history.bin").open("ab") as file:
        file.write(b"\1" * beyond)
    assert "finished" in bdfa("runs", run).out
    bdfa.resume(run, "--epochs", 4)
    assert result(run) == result(whole)
    assert (run / "history.bin").stat().st_size == 4 * RECORD.size


EDITS = {
    "by a spreadsheet": lambda text: text.replace(",", ";"),
    "with half a line": lambda text: text[:-9],
    "with a line more": lambda text: text + "4,0.1,0.2\n",
    "without its end": lambda text: text[: len(text) // 2],
    "emptied": lambda _: "",
    "with zeros, as after a loss of power": lambda text: text + "\0" * 80,
}


@pytest.mark.parametrize(
    ("name", "edit"), [*(("metrics.csv", edit) for edit in EDITS), ("ErrorRate.log", "with half a line")]
)
def test_an_edited_table_hinders_nothing_and_is_as_it_should_be_after_a_resume(bdfa, run, whole, result, name, edit):
    (run / name).write_text(EDITS[edit]((run / name).read_text()))
    assert bdfa("evaluate", run).code == 0
    bdfa.resume(run, "--epochs", 4)
    assert result(run) == result(whole)


@pytest.mark.parametrize("name", ["metrics.csv", "ErrorRate.log", "Log.txt", "confusion.csv"])
def test_nothing_is_written_through_a_link(bdfa, run, whole, result, name):
    Path("precious").write_text("mine")
    (run / name).unlink()
    (run / name).symlink_to(Path("precious").resolve())
    bdfa.resume(run, "--epochs", 4)
    assert Path("precious").read_text() == "mine"
    assert result(run) == result(whole)


@pytest.mark.parametrize(
    "lose",
    [
        lambda lines: [line for line in lines if not line.startswith("epoch 3/")],
        lambda lines: [line for line in lines if not line.startswith("epoch ")],
        lambda lines: lines[: lines.index(next(line for line in lines if line.startswith("epoch 2/")))],
        lambda _: [],
    ],
)
def test_a_line_of_the_log_that_was_lost_is_written_again(bdfa, run, lose):
    lines = (run / "Log.txt").read_text().splitlines()
    (run / "Log.txt").write_text("".join(f"{line}\n" for line in lose(lines)))
    bdfa.resume(run, "--epochs", 4)
    assert epoch_lines(run) == [1, 2, 3, 4]
    log = (run / "Log.txt").read_text()
    assert log.startswith("bdfa-np ")
    assert "options other than the defaults:\n" in log


def test_a_log_is_left_alone_where_nothing_is_amiss():
    text = "bdfa-np\nmine\nepoch 1/2: a\nepoch 2/2: b\ndone: c\n"
    assert mended(text, ["opening"], ["epoch 1/3: a", "epoch 2/3: b"]) == text


def test_an_epoch_that_was_not_saved_goes_from_the_log_with_all_that_followed_it():
    text = "bdfa-np\nepoch 1/3: a\nepoch 2/3: b\nnote: c\nhalf a l"
    assert mended(text, ["opening"], ["epoch 1/3: a"]) == "bdfa-np\nepoch 1/3: a\n"


def test_a_run_of_format_1_gets_its_history_file_with_the_first_resume(bdfa):
    run = Path(shutil.copytree(BEFORE, "run"))
    before = read_checkpoint(run / "checkpoint.h5").history
    assert len(before) == 2
    assert "finished" in bdfa("runs", run).out
    assert not (run / "history.bin").exists()
    bdfa.resume(run, "--epochs", 3)
    assert unpacked((run / "history.bin").read_bytes())[:2] == before
    with h5py.File(run / "checkpoint.h5") as file:
        assert file.attrs["format"] == 2
    assert read_checkpoint(run / "checkpoint.h5").history[:2] == before
    bdfa.resume(run, "--epochs", 4)
    assert epoch_lines(run) == [1, 2, 3, 4]


def test_a_resume_of_format_1_that_was_killed_before_its_first_epoch_can_be_gone_on_with(bdfa):
    run = Path(shutil.copytree(BEFORE, "run"))
    (run / "history.bin").write_bytes(bytes(RECORD.size))
    bdfa.resume(run, "--epochs", 3)
    assert epoch_lines(run) == [1, 2, 3]


FIGURE = st.floats(allow_nan=False, width=64)
RECORDS = st.lists(st.tuples(*[FIGURE] * 7), max_size=8).map(
    lambda rows: [EpochRecord(number, *row) for number, row in enumerate(rows, start=1)]
)


@given(RECORDS)
@settings(max_examples=25, deadline=None)
def test_every_digit_comes_back_from_the_file_and_from_the_metrics(records):
    assert unpacked(packed(records)) == records
    assert read_metrics(metrics_header("validation") + metrics_rows(records)) == records


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 1)), max_size=12), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_what_is_kept_up_an_epoch_at_a_time_is_what_the_whole_history_says(figures, share):
    history = [
        EpochRecord(number, 0.1, loss, 0.5, 0.5, 0.5, error, 1.0)
        for number, (loss, error) in enumerate(figures, start=1)
    ]
    standing = Standing(history)
    assert standing.lowest == min(history, key=lambda record: record.test_error, default=None)
    losses, of_constant = [record.train_loss for record in history], 1 - share
    expected = (
        len(history) >= FIRST_JUDGED
        and share != 1
        and history[-1].test_error >= of_constant - min(CLOSE, 0.1 * of_constant)
        and min(losses[-RECENT:]) > (1 - FALL) * min(losses[:-RECENT])
    )
    assert standing.learns_nothing(share) is expected


class _Checkpoints:
    """Gives the checkpoints of a run of any length without training it."""

    def __init__(self):
        self.history = []

    def next(self):
        number = len(self.history) + 1
        self.history.append(EpochRecord(number, 1e-3, 0.123456789, 0.5, 0.5, 0.25, 0.5, 0.001))
        state = {name: {} for name in ("feedback", "layers", "optimizer")}
        weights = {"linear1.W": np.zeros((30, 20), "f4")}
        progress = Progress(number, 0.5)
        confusion = np.ones((3, 3), int)
        return Checkpoint(weights, **state, training_passes=1, learning_rate=0.1, steps=number, progress=progress,
                          confusion=confusion, history=self.history)  # fmt: skip


def written():
    """Return how many bytes this process has written so far."""
    return int(re.search(r"wchar: (\d+)", Path("/proc/self/io").read_text())[1])


@pytest.mark.skipif(not os.path.exists("/proc/self/io"), reason="this system does not count what a process writes")
def test_an_epoch_writes_as_many_bytes_after_thousands_of_others_as_at_first(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    checkpoints, config, names = _Checkpoints(), Config(**SMALL).resolve(), ["a", "b", "c"]
    folder, cost = RunFolder(tmp_path / "run"), []
    with folder.new(force=False):
        first = _Checkpoints().next()
        first.history, first.progress = [], Progress()
        folder.begin(first, names, config)
        for number in range(20):
            if number == 10:
                checkpoints.history += [checkpoints.history[-1]] * 5000
            before = written()
            folder.write_epoch(checkpoints.next(), names, config, best=False)
            folder.log(["epoch 1"])
            cost.append(written() - before)
    assert max(cost[10:]) < min(cost[:10]) + 32  # a digit more of the epoch's number here and there


def test_pictures_take_a_small_share_of_the_time_however_many_epochs_there_are(tmp_path, monkeypatch):
    now, drawn = [0.0], []

    def draw(_path, history, *_):
        now[0] += 0.1 + 1e-4 * len(history)
        drawn.append(len(history))

    monkeypatch.setattr(curves, "monotonic", lambda: now[0])
    monkeypatch.setattr(curves, "draw_curves", draw)
    picture, history = curves.Curves("a run", "test"), []
    for _ in range(10_000):
        now[0] += 0.01
        history.append(None)
        picture.draw(tmp_path, history, at_once=False)
    assert now[0] - 100 < 0.06 * 100
    picture.draw(tmp_path, history, at_once=True)
    picture.draw(tmp_path, history, at_once=True)
    assert drawn[0] == 1
    assert drawn[-2:-1] < drawn[-1:] == [10_000]
