"""What ``bdfa`` does with a folder that holds a run, somebody else's files, or a damaged run."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from bdfa_np.runs.checkpoint import read_checkpoint, write_checkpoint


def everything(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def run(bdfa):
    bdfa.train(Path("run"), "--epochs", 1)
    return Path("run")


def test_a_second_run_in_the_same_folder_is_refused_and_the_first_untouched(bdfa, run, tiny):
    before = everything(run)
    assert "run holds a run already" in bdfa.refused("train", *tiny, "--save", run, "--seed", 1)
    assert everything(run) == before


def test_force_replaces_the_run_and_nothing_else(bdfa, run, result):
    before = result(run)
    (run / "notes.txt").write_text("mine")
    (run / ".thesis.partial").write_text("mine too")
    bdfa.train(run, "--epochs", 2, "--seed", 1, "--force")
    assert (run / "notes.txt").read_text() == "mine"
    assert (run / ".thesis.partial").read_text() == "mine too"
    assert result(run)["arrays"] != before["arrays"]
    assert tomllib.loads((run / "config.toml").read_text())["options"]["seed"] == 1


def test_a_mistake_with_force_does_not_cost_the_old_run(bdfa, run, tiny):
    before = everything(run)
    bdfa.refused("train", *tiny, "--save", run, "--force", "--train-limit", 9999)
    assert everything(run) == before


def test_a_folder_with_other_files_can_hold_a_run(bdfa):
    Path("run").mkdir()
    Path("run/notes.txt").write_text("mine")
    bdfa.train(Path("run"), "--epochs", 1)
    assert Path("run/notes.txt").read_text() == "mine"


@pytest.mark.parametrize("options", [[], ["--force"], ["--resume"]])
def test_a_file_in_place_of_the_folder_is_refused(bdfa, tiny, options):
    Path("run").write_text("mine")
    bdfa.refused("train", *tiny, "--save", "run", *options)
    assert Path("run").read_text() == "mine"


@pytest.mark.parametrize(
    "options",
    ["--lr 1e-3", "--gradient bp", "--num-hidden 21", "--seed 1", "--train-limit 200", "--validate", "-batchSize 32"],
)
def test_a_resume_with_another_option_is_refused(bdfa, run, options):
    before = everything(run)
    line = bdfa.refused("train", "--save", run, "--resume", *options.split())
    assert "differs from the run's" in line
    assert "--epochs, --threads, --processes, --backend" in line
    assert everything(run) == before


def test_a_resume_takes_other_epochs_threads_and_backend_and_the_same_option_again(bdfa, run):
    bdfa.resume(run, "--epochs", 3, "--threads", 2, "--backend", "numpy", "--seed", 0, "--dataset", "mnist-5k")
    options = tomllib.loads((run / "config.toml").read_text())["options"]
    assert (options["epochs"], options["threads"], options["backend"]) == (3, 2, "numpy")
    assert len((run / "metrics.csv").read_text().splitlines()) == 4


def test_a_folder_that_another_process_trains_in_is_refused(bdfa, tiny):
    with bdfa.start("train", *tiny, "--epochs", -1, "--save", "run") as other:
        try:
            bdfa.read_until(other, "epoch 1")
            for option in ("--resume", "--force"):
                line = bdfa.refused("train", *tiny, "--save", "run", option)
                assert "another process is training in run" in line
            assert bdfa("evaluate", "run").code == 0
        finally:
            other.kill()
    assert bdfa("train", "--save", "run", "--resume", "--epochs", 1).code == 0


def text_changed(old, new):
    return lambda text: re.sub(old, new, text, count=1, flags=re.DOTALL)


CONFIG_DAMAGES = {
    "empty": lambda _: "",
    "not toml": lambda text: text + "\n[[[",
    "cut off": lambda text: text[: len(text) // 2],
    "nested deep": lambda text: text + "\nx=" + "[" * 5000,
    "unknown option": text_changed(r"\[options\]", "[options]\nfrobnicate = 1"),
    "no options": text_changed(r"\[options\].*\[run\]", "[run]"),
    "options a number": text_changed(r"\[options\].*\[run\]", "options = 3\n[run]"),
    "versions a number": lambda text: "versions = 3\n" + text.replace("[versions]", "[other]"),
    "no data": text_changed(r"\[data\].*", ""),
    "text for a number": text_changed("num_hidden = 20", 'num_hidden = "20"'),
    "a number for text": text_changed('gradient = "bdfa"', "gradient = 3"),
    "0 for false": text_changed("validate = false", "validate = 0"),
    "a fraction for a whole number": text_changed("epochs = 1", "epochs = 1.5"),
    "a rate of nan": text_changed("lr = 0.0001", "lr = nan"),
    "a rate of 400 digits": text_changed("lr = 0.0001", "lr = 1" + "0" * 400),
    "a rate of 5000 digits": text_changed("lr = 0.0001", "lr = 1" + "0" * 5000),
    "a negative width": text_changed("num_hidden = 20", "num_hidden = -20"),
    "a null character": text_changed("seed = 0", 'seed = 0\ndatapath = "a\\\\u0000b"'),
    "text for the shape": text_changed(r"input_shape = \[.*?\]", 'input_shape = "abc"'),
    "numbers for class names": text_changed(r"class_names = \[", "class_names = [1] #"),
    "a list of checksums": text_changed(r"\[data.checksums\].*", "[data.other]\n[[data.checksums]]\n"),
    "bytes": lambda _: "\udcff\udcfe\0",
}


@pytest.mark.parametrize("damage", CONFIG_DAMAGES.values(), ids=CONFIG_DAMAGES)
def test_a_damaged_config_is_refused_by_every_command_and_nothing_changes(bdfa, run, damage):
    path = run / "config.toml"
    before = path.read_text()
    path.write_bytes(damage(before).encode(errors="surrogateescape"))
    assert path.read_text(errors="replace") != before
    changed = everything(run)
    for command in (("evaluate", run), ("train", "--save", run, "--resume")):
        assert re.search(r"config\.toml (is damaged|has been edited)", bdfa.refused(*command))
    assert everything(run) == changed


def cut(path):
    path.write_bytes(path.read_bytes()[:-1000])


def flip(path):
    content = bytearray(path.read_bytes())
    content[content.index(read_checkpoint(path).weights["linear1.W"].tobytes()) + 999] ^= 4
    path.write_bytes(content)


def changed(**changes):
    def damage(path):
        checkpoint = read_checkpoint(path)
        for name, change in changes.items():
            setattr(checkpoint, name, change(getattr(checkpoint, name)))
        write_checkpoint(path, checkpoint)

    return damage


CHECKPOINT_DAMAGES = {
    "missing": (Path.unlink, "is missing"),
    "empty": (lambda path: path.write_bytes(b""), "is damaged"),
    "truncated": (cut, "is damaged"),
    "with a flipped bit": (flip, "is damaged"),
    "of a wider net": (changed(weights=lambda w: w | {"linear1.W": np.zeros((784, 21), "f4")}), "not that of its"),
    "of a deeper net": (changed(weights=lambda w: w | {"linear4.W": np.zeros((20, 20), "f4")}), "not that of its"),
    "of another rule": (changed(feedback=lambda _: {}), "not that of its"),
    "of another optimizer": (changed(optimizer=lambda _: {}), "not that of its"),
}


@pytest.mark.parametrize(("damage", "message"), CHECKPOINT_DAMAGES.values(), ids=CHECKPOINT_DAMAGES)
def test_a_damaged_checkpoint_is_refused_by_every_command_and_nothing_changes(bdfa, run, damage, message):
    damage(run / "checkpoint.h5")
    before = everything(run)
    assert message in bdfa.refused("evaluate", run)
    assert message in bdfa.refused("train", "--save", run, "--resume", "--epochs", 2)
    assert everything(run) == before


@pytest.mark.parametrize("shape", [(5, 5), (1, 10), (100,)])
def test_a_confusion_matrix_of_other_classes_is_refused_on_resume(bdfa, run, shape):
    changed(confusion=lambda _: np.zeros(shape, int))(run / "checkpoint.h5")
    assert "other classes" in bdfa.refused("train", "--save", run, "--resume", "--epochs", 2)


def test_a_folder_in_place_of_the_checkpoint_is_refused(bdfa, run):
    (run / "checkpoint.h5").unlink()
    (run / "checkpoint.h5").mkdir()
    told = "checkpoint.h5 cannot be read: it is a folder or a device, not a file: move it away"
    assert told in bdfa.refused("evaluate", run)
    assert told in bdfa.refused("train", "--save", run, "--resume")


def test_a_run_folder_whose_name_is_no_utf_8_works(bdfa, tiny):
    outcome = bdfa.child("train", *tiny, "--epochs", 1, "--save", "run\udcff")
    assert (outcome.code, outcome.err) == (0, "")
    assert "run folder: run\\udcff\n" in outcome.out
