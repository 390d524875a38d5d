"""`bdfa_np.train` beside the command that trains the same, on names, data sets and arrays; its bar; Ctrl-C."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from bdfa_np import Config, load_dataset, load_run, train
from bdfa_np.data import Dataset
from bdfa_np.errors import ConfigError, DataError, RunError
from bdfa_np.runs import bar
from bdfa_np.runs.checkpoint import read_checkpoint

DIGITS = load_dataset("mnist-5k")
OPTIONS = {"gradient": "dfa", "num_hidden": 12, "lr": 1e-3, "epochs": 2, "threads": 1, "seed": 3, "backend": "numpy"}
TEST_ROWS = np.eye(10, dtype=bool)[DIGITS.test_labels]
ARRAYS = DIGITS.train_images[:400], DIGITS.train_labels[:400], DIGITS.test_images[:100], DIGITS.test_labels[:100]


def same_weights(one, other):
    before, after = one.network.weights.state(), other.network.weights.state()
    return all(np.array_equal(before[name], after[name]) for name in before)


def figures(history):
    return [(record.train_error, record.train_loss, record.test_error, record.test_loss) for record in history]


@pytest.fixture(scope="module")
def result():
    return train(dataset="mnist-5k", **OPTIONS)


def test_it_trains_what_the_command_trains_to_the_last_bit(bdfa, result, tmp_path):
    words = [f"--{name.replace('_', '-')}={value}" for name, value in OPTIONS.items()]
    assert bdfa("train", "--dataset", "mnist-5k", *words, "--save", tmp_path / "run").code == 0
    assert same_weights(result.model, load_run(tmp_path / "run"))
    assert figures(result.history) == figures(read_checkpoint(tmp_path / "run" / "checkpoint.h5").history)
    assert (result.folder, result.interrupted, result.notes) == (None, False, ())


def test_nothing_stays_on_the_disk_unless_a_folder_is_named(result, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    train(dataset="mnist-5k", **OPTIONS | {"epochs": 1, "train_limit": 50})
    assert list(tmp_path.iterdir()) == []
    saved = train(dataset="mnist-5k", save="here", **OPTIONS)
    assert saved.folder == Path("here")
    assert same_weights(result.model, load_run("here"))


@pytest.mark.parametrize(
    "dataset",
    [
        DIGITS,
        (DIGITS.train_images, DIGITS.train_labels, DIGITS.test_images, DIGITS.test_labels),
        ((DIGITS.train_images, DIGITS.train_labels), (DIGITS.test_images, DIGITS.test_labels)),
        (
            DIGITS.train_images.astype(int),
            np.eye(10)[DIGITS.train_labels],
            DIGITS.test_images[..., 0],
            DIGITS.test_labels,
        ),
    ],
    ids=["data set", "four arrays", "two pairs", "other types and shapes"],
)
def test_a_data_set_or_arrays_train_what_their_name_does(result, dataset):
    found = train(dataset=dataset, **OPTIONS)
    assert same_weights(result.model, found.model)
    assert found.model.evaluate(DIGITS).error == result.history[-1].test_error


def test_one_pair_of_arrays_is_divided_where_a_fraction_is_given():
    x, y = DIGITS.train_images[:300], [f"digit {label}" for label in DIGITS.train_labels[:300]]
    found = train(dataset=(x, y), test_fraction=0.2, **OPTIONS)
    assert found.model.class_names == tuple(f"digit {label}" for label in range(10))
    assert found.model.predict(x[:2]).names[0].startswith("digit ")
    with pytest.raises(DataError, match="no test part"):
        train(dataset=(x, y), **OPTIONS)


def test_arrays_are_whitened_and_resumed_in_memory(tmp_path):
    options = OPTIONS | {"whiten": True, "zca_epsilon": 100.0}
    straight = train(dataset=ARRAYS, save=tmp_path / "straight", **options)
    train(dataset=ARRAYS, save=tmp_path / "halves", **options | {"epochs": 1})
    halves = train(dataset=ARRAYS, save=tmp_path / "halves", resume=True, epochs=2)
    assert same_weights(straight.model, halves.model)
    assert len(halves.history) == 2
    assert straight.model.evaluate(*ARRAYS[2:]).error == straight.history[-1].test_error
    with pytest.raises(DataError, match="hand them over again"):
        train(save=tmp_path / "halves", resume=True, epochs=3)
    with pytest.raises(DataError, match=r"x_train .SHA-256."):
        train(dataset=(ARRAYS[0][::-1], *ARRAYS[1:]), save=tmp_path / "halves", resume=True, epochs=3)


def test_a_command_says_that_only_python_can_go_on_with_arrays(bdfa, tmp_path):
    train(dataset=ARRAYS, save=tmp_path / "run", **OPTIONS)
    for outcome in (bdfa("train", "--save", tmp_path / "run", "--resume"), bdfa("evaluate", tmp_path / "run")):
        assert outcome.code == 2
        assert "bdfa_np.train(dataset=..., save=RUN, resume=True)" in outcome.err


def test_a_configuration_gives_options_and_names_go_before_it():
    config = Config(dataset="mnist-5k", **OPTIONS)
    found = train(config, epochs=1, train_limit=50)
    assert (found.config.gradient, found.config.num_hidden, found.config.epochs) == ("dfa", 12, 1)


def test_resume_starts_a_run_that_is_not_there_and_goes_on_with_one_that_is(result, tmp_path):
    for epochs in (1, 2):
        found = train(dataset="mnist-5k", save=tmp_path / "run", resume=True, **OPTIONS | {"epochs": epochs})
        assert len(found.history) == epochs
    assert same_weights(found.model, result.model)


def test_as_many_threads_as_asked_for(monkeypatch):
    seen = []
    monkeypatch.setattr(bar.Bar, "step", lambda *_: seen.append({pool["num_threads"] for pool in threadpool_info()}))
    train(dataset="mnist-5k", **OPTIONS | {"epochs": 1, "train_limit": 50})
    assert set().union(*seen) == {1}


class Interrupting(bar.Bar):
    """Interrupts as Ctrl-C does, in the second step of an epoch."""

    in_epoch = 2

    def step(self, number):
        if self._epoch == self.in_epoch and number == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("save", [False, True])
def test_an_interrupt_leaves_what_whole_epochs_have_learnt(monkeypatch, tmp_path, save):
    monkeypatch.setattr("bdfa_np.runs.train.Bar", Interrupting)
    where = {"save": tmp_path / "run"} if save else {}
    found = train(dataset="mnist-5k", **where, **OPTIONS)
    assert found.interrupted
    assert len(found.history) == 1
    assert "interrupted after 1 epoch" in repr(found)
    assert same_weights(found.model, train(dataset="mnist-5k", **OPTIONS | {"epochs": 1}).model)
    assert found.model.evaluate("mnist-5k").error == found.history[0].test_error


def test_an_interrupt_before_there_is_anything_to_leave_is_an_interrupt(monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("bdfa_np.runs.starting.load_run_data", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(dataset="mnist-5k", **OPTIONS)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"nothing_like_it": 1}, ConfigError, "no option 'nothing_like_it'. help(bdfa_np.Config) lists them"),
        ({"num_hiden": 1}, ConfigError, "Did you mean num_hidden?"),
        ({"learning_rate": 1}, ConfigError, "no option 'learning_rate'. Did you mean lr?"),
        ({"gpu": True}, ConfigError, "Did you mean backend='cupy'?"),
        ({"outdir": "x"}, ConfigError, "Did you mean save?"),
        ({"epochs": "five"}, ConfigError, "--epochs has a value of the wrong type: 'five': int is wanted"),
        ({"dataset": DIGITS.train_images}, ConfigError, "dataset is a ndarray: give a name"),
        ({"dataset": ARRAYS[:3]}, ConfigError, "dataset has 3 parts"),
        ({"dataset": "nosuch"}, ConfigError, "must be one of"),
        ({"resume": True}, ConfigError, "resume=True needs save=RUN"),
        ({"resume": True, "force": True, "save": "x"}, ConfigError, "exclude each other"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(arguments, error, message):
    with pytest.raises(error) as caught:
        train(**arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_that_is_there_is_not_overwritten(tmp_path):
    options = OPTIONS | {"train_limit": 50, "epochs": 1}
    train(dataset="mnist-5k", save=tmp_path / "run", **options)
    with pytest.raises(RunError, match="holds a run already"):
        train(dataset="mnist-5k", save=tmp_path / "run", **options)
    train(dataset="mnist-5k", save=tmp_path / "run", force=True, **options)


def test_the_history_has_a_row_an_epoch(result):
    assert [record.epoch for record in result.history] == [1, 2]
    assert result.history.column("lr") == [1e-3, 1e-3]
    assert result.history.rows()[1]["test_error"] == result.history[-1].test_error
    assert len(result.history[:1]) == 1
    last = result.history[-1]
    assert repr(result.history).endswith(f"train error {last.train_error:.2%}, test error {last.test_error:.2%})")


def test_a_notebook_shows_a_row_an_epoch(result):
    table = result.history.table()
    assert [row[0] for row in table.rows] == [1, 2]
    assert result.history._repr_html_() == table.to_html()
    assert result._repr_html_() == f"<p>{result!r}</p>{table.to_html()}"


def test_under_validate_the_history_says_validation():
    found = train(dataset="mnist-5k", validate=True, **OPTIONS | {"epochs": 1, "train_limit": 50})
    assert list(found.history.rows()[0])[5:7] == ["validation_loss", "validation_error"]
    assert ", validation error " in repr(found.history)
    assert ", validation error " in repr(found)


def test_with_keep_best_the_model_is_the_best_one():
    options = OPTIONS | {"lr": 5e-3, "epochs": 4, "train_limit": 300}
    found = train(dataset="mnist-5k", validate=True, keep_best=True, **options)
    errors = found.history.column("validation_error")
    assert errors.index(min(errors)) < 3, "the last epoch is the best: the test would say nothing"
    held_out = DIGITS.train_images[-800:], DIGITS.train_labels[-800:]
    assert found.model.evaluate(*held_out).error == min(errors)


@pytest.mark.oracle
def test_the_history_becomes_a_table_of_pandas(result):
    table = result.history.to_pandas()
    assert table.index.tolist() == [1, 2]
    assert table["test_error"].tolist() == result.history.column("test_error")


def test_without_pandas_the_table_says_what_to_do(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        result.history.to_pandas()


SCRIPT = """
import bdfa_np
bdfa_np.train(dataset="mnist-5k", num_hidden=5, epochs=2, lr=1e-3, threads=1, train_limit=200, backend="numpy")
"""


def test_a_script_that_nobody_watches_prints_nothing():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_in_a_terminal_there_is_one_bar_and_one_line_is_left():
    master, slave = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stderr=slave, stdout=slave, env=environment)
    os.close(slave)
    shown = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    assert process.wait() == 0
    os.close(master)
    text = shown.decode()
    assert "epoch 1/2" in text
    assert "3/2" not in text
    last = text.rstrip().splitlines()[-1]
    assert "epoch 2/2: train error" in last


class Notebook:
    """What IPython has that a bar needs, remembering what was shown."""

    kernel = object()

    def __init__(self):
        self.shown = []

    def get_ipython(self):
        return self

    def HTML(self, text):
        return text

    def display(self, text, display_id):
        assert display_id
        return self

    def update(self, text):
        self.shown.append(text)


def test_in_a_notebook_the_bar_is_an_element_under_the_cell(monkeypatch, capsys):
    notebook = Notebook()
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setitem(sys.modules, "IPython.display", notebook)
    found = train(dataset="mnist-5k", **OPTIONS | {"train_limit": 50})
    assert capsys.readouterr() == ("", "")
    assert notebook.shown[0].startswith('<progress value="0.000"></progress> <code>epoch 1/2</code>')
    assert notebook.shown[-1] == f"<code>epoch 2/2: train error {found.history[-1].train_error:.2%}, " + (
        f"test error {found.history[-1].test_error:.2%}</code>"
    )


def test_a_kernel_that_a_terminal_runs_is_no_notebook(monkeypatch):
    assert not bar.in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", Notebook())
    assert bar.in_notebook()


def test_notes_are_kept_and_said_unless_all_is_to_be_quiet(capsys):
    labels = DIGITS.train_labels[:100] + 1
    arrays = (DIGITS.train_images[:100], labels)
    data = Dataset.from_arrays(*arrays, test_fraction=0.2)
    assert data.notes
    found = train(dataset=arrays, test_fraction=0.2, **OPTIONS | {"epochs": 1})
    assert [note for note in found.notes if "labels run from 1 to 10" in note]
    assert "note: " in capsys.readouterr().err
    train(dataset=arrays, test_fraction=0.2, progress=False, **OPTIONS | {"epochs": 1})
    assert capsys.readouterr() == ("", "")
