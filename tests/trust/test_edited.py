"""A ``config.toml`` that was edited between two sittings."""

import re
import shutil
import tomllib
from pathlib import Path

import pytest
import tomli_w

from bdfa_np import load_run, train
from bdfa_np.errors import RunError
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.changes import CHANGEABLE, check_unedited, record
from bdfa_np.options.config import Config
from bdfa_np.runs.checkpoint import read_checkpoint, write_checkpoint

DOCUMENT = {
    "run": {"network_sha256": "ab"},
    "versions": {"numpy": "2.0"},
    "data": {"input_shape": [28, 28, 1], "class_names": ["a", "b"], "checksums": {"one": "cd", "two": "ef"}},
}
OTHER = {bool: True, int: 7, float: 0.123, str: "other", dict: {"strength": 2.0}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine") / "run"
    options = {"num_hidden": 4, "train_limit": 60, "test_limit": 20, "epochs": 1, "threads": 1, "backend": "numpy"}
    train(dataset="mnist-5k", save=folder, progress=False, **options)
    return folder


@pytest.fixture
def run(trained, tmp_path, bdfa):
    shutil.copytree(trained, tmp_path / "run")
    return Path("run")


def edit(run, old, new):
    config = run / "config.toml"
    text = config.read_text()
    assert text.count(old) == 1
    config.write_text(text.replace(old, new))


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_that_a_resumed_run_keeps_is_known_by_the_checkpoint(name):
    before = Config()
    kept, now = getattr(before, name), OTHER[OPTIONS[name].type]
    after = before.replace(**{name: not kept if isinstance(kept, bool) else now})
    recorded = record(before, DOCUMENT)
    assert check_unedited(before, DOCUMENT, recorded, "run/config.toml") == []
    if name in CHANGEABLE:
        assert check_unedited(after, DOCUMENT, recorded, "run/config.toml") == []
        return
    with pytest.raises(RunError, match=rf"^run/config\.toml has been edited: {name} = .*, where the run has .*{name}"):
        check_unedited(after, DOCUMENT, recorded, "run/config.toml")
    with pytest.raises(RunError, match=rf"where the run has {name} = "):
        check_unedited(before, DOCUMENT, record(after, DOCUMENT), "run/config.toml")


EDITS = {
    "a rate": ("lr = 0.0001", "lr = 0.1", "lr = 0.1, where the run has lr = 0.0001"),
    "a seed": ("seed = 0", "seed = 1", "seed = 1, where the run has seed = 0"),
    "a rule": ('gradient = "bdfa"', 'gradient = "dfa"', 'gradient = "dfa", where the run has gradient = "bdfa"'),
    "a limit": ("train_limit = 60", "", "no train_limit, where the run has train_limit = 60"),
    "a new option": ("seed = 0", "seed = 0\nclip_norm = 1.0", "clip_norm = 1.0, where the run has no clip_norm"),
    "a flag by a number": ("validate = false", "validate = 0", "validate = 0, where the run has validate = false"),
    "a rule's file": ('gradient = "bdfa"', 'gradient = "/x/y.py"', 'gradient = "/x/y.py", where the run has'),
    "a class": ('    "7",\n', '    "seven",\n', "in its part [data]"),
    "a sum": ('"mnist_5k.h5" = "', '"mnist_5k.h5" = "0', "in its part [data]"),
    "a shape": ("    28,\n    28,\n", "    14,\n    56,\n", "in its part [data]"),
    "a sum of a net": ("[run]\n", '[run]\nnetwork_sha256 = "ab"\n', 'network_sha256 = "ab", where the run has no'),
}
COMMANDS = ["evaluate run", "predict run --dataset mnist-5k", "export run --to npz", "train --save run --resume"]


@pytest.mark.parametrize(("old", "new", "said"), EDITS.values(), ids=EDITS)
def test_what_was_edited_is_refused_by_every_command_with_the_old_value_and_the_new(bdfa, run, request, old, new, said):
    edit(run, old, new)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    # Which command it is makes no difference to how the run is opened: each meets some of the edits.
    first = [*EDITS].index(request.node.callspec.id) % len(COMMANDS)
    for command in {COMMANDS[first], COMMANDS[-1]}:
        line = bdfa.refused(*command.split())
        assert f"run/config.toml has been edited{': ' if 'where' in said else ' '}{said}" in line
        assert "start a new run from its weights with --load" in line
    with pytest.raises(RunError, match="has been edited"):
        load_run(run)
    assert re.search(r"note: run/config\.toml (has been edited|is damaged)", bdfa("runs", "run").out)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_the_advice_works(bdfa, run, small):
    edit(run, "lr = 0.0001", "lr = 0.1")
    assert bdfa("train", *small, "--load", "run", "--save", "new").code == 0
    edit(run, "lr = 0.1", "lr = 0.0001")
    assert bdfa("evaluate", "run").code == 0


def test_what_may_change_may_be_edited(bdfa, run):
    edit(run, "epochs = 1", "epochs = 2")
    edit(run, "threads = 1", "threads = 2")
    assert bdfa("evaluate", "run").code == 0
    assert "after 2 epochs" in bdfa.resume(run).out


def test_the_end_of_a_cosine_may_not(bdfa, small):
    assert bdfa("train", *small, "--schedule", "cosine", "--save", "run").code == 0
    edit(Path("run"), "epochs = 1", "epochs = 2")
    assert "epochs = 2, where the run has epochs = 1" in bdfa.refused("train", "--save", "run", "--resume")


def test_comments_order_and_spelling_are_no_edits(bdfa, run):
    document = tomllib.loads((run / "config.toml").read_text())
    document["options"] = dict(reversed(document["options"].items())) | {"rfb_mag": 0}
    (run / "config.toml").write_text("# Mine.\n" + tomli_w.dumps(document))
    assert bdfa("evaluate", "run").code == 0


def test_versions_that_were_edited_are_noted(bdfa, run):
    numpy = tomllib.loads((run / "config.toml").read_text())["versions"]["numpy"]
    edit(run, f'numpy = "{numpy}"', 'numpy = "0.9"')
    note = f"note: run/config.toml has been edited: numpy 0.9, where the run had {numpy}"
    assert note in bdfa("evaluate", "run").err.splitlines()
    assert note in bdfa.resume(run, "--epochs", 2).out.splitlines()
    assert "has been edited" not in bdfa("evaluate", "run").err


def test_a_resumed_run_that_was_stopped_before_it_saved_has_not_been_edited(bdfa, run):
    """The next sitting writes ``config.toml`` at once, and its checkpoint after an epoch."""
    config = (run / "config.toml").read_text()
    bdfa.resume(run, "--epochs", 2, "--threads", 2)
    after = (run / "config.toml").read_text()
    assert after != config
    checkpoint = read_checkpoint(run / "checkpoint.h5")
    checkpoint.record = record(Config.from_mapping(tomllib.loads(config)["options"]), tomllib.loads(config))
    write_checkpoint(run / "checkpoint.h5", checkpoint)
    assert bdfa("evaluate", "run").err.count("edited") == 0
    bdfa.resume(run, "--epochs", 3)


def test_a_checkpoint_of_before_there_was_a_record_is_taken_as_it_is(bdfa, run):
    checkpoint = read_checkpoint(run / "checkpoint.h5")
    checkpoint.record = ""
    write_checkpoint(run / "checkpoint.h5", checkpoint)
    edit(run, "seed = 0", "seed = 1")
    assert bdfa("evaluate", "run").code == 0


@pytest.mark.parametrize("text", ["{", "[]", "3", '{"options": 3}', '{"options": {}, "versions": {}, "files": {}}'])
def test_a_record_that_is_none_is_damage(bdfa, run, text):
    checkpoint = read_checkpoint(run / "checkpoint.h5")
    checkpoint.record = text
    write_checkpoint(run / "checkpoint.h5", checkpoint)
    assert "cannot be compared with its checkpoint, which is damaged" in bdfa.refused("evaluate", "run")
