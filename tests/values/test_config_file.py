"""Files that `--config` names: every key is an option that is read, or a line says which is not and what to do."""

import math
import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bdfa_np.errors import ConfigError
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.precedence import TABLES, read_options

NAMED = {
    "beside the table": ("epochs = 3\n[options]\nlr = 0.1", "'epochs' stands beside the table [options]: move it into"),
    "beside it, with a hyphen": (
        "num-hidden = 3\n[options]\nlr = 0.1",
        "'num-hidden' stands beside the table [options]",
    ),
    "unknown table": ("[options]\nlr = 0.1\n[optoins]\nlr = 1", "unknown table [optoins] beside the table [options]: "),
    "unknown key": ("note = 1\n[options]\nlr = 0.1", "unknown 'note' beside the table [options]: leave it out"),
    "a table that is none": ("data = 1\n[options]\nlr = 0.1", "unknown 'data' beside the table [options]"),
    "two spellings": ("num_hidden = 5\nnum-hidden = 6", "'num_hidden' and 'num-hidden' are the same option: leave one"),
    "two spellings, one value": ("[options]\nnum-hidden = 5\nnum_hidden = 5", "'num-hidden' and 'num_hidden' are the"),
    "letters": ("num_hiden = 5", "unknown option 'num_hiden'. Did you mean 'num_hidden'?"),
    "upper case": ("[options]\nLr = 1.0", "unknown option 'Lr'. Did you mean 'lr'?"),
    "Torch's spelling": ("batchSize = 5", "unknown option 'batchSize'. Did you mean 'batch_size'?"),
    "another name": ("learning_rate = 0.1", "unknown option 'learning_rate'. Did you mean 'lr'?"),
    "hyphens before it": ('"--lr" = 0.1', "unknown option '--lr'. Did you mean 'lr'?"),
    "nothing like it": ("xyzzy = 1", "unknown option 'xyzzy'. bdfa train --help lists them"),
    "a command's own": ('save = "run"', "unknown option 'save'."),
}


@pytest.mark.parametrize("case", NAMED)
def test_a_key_that_would_not_be_read_is_named_with_what_to_do(bdfa, case):
    text, line = NAMED[case]
    Path("own.toml").write_text(text, encoding="utf-8")
    assert f"--config own.toml: {line}" in bdfa.refused("train", "--config", "own.toml", "--save", "run")
    assert not Path("run").exists()


def test_a_runs_own_file_is_one_that_config_takes_and_means_the_same(bdfa):
    bdfa.train(Path("run"), "--epochs", 1, "--weight-decay", 1e-4)
    document = tomllib.loads(Path("run/config.toml").read_text(encoding="utf-8"))
    assert document.keys() <= set(TABLES)
    outcome = bdfa("train", "--config", "run/config.toml", "--save", "again")
    assert (outcome.code, outcome.err) == (0, "")
    assert tomllib.loads(Path("again/config.toml").read_text(encoding="utf-8"))["options"] == document["options"]


NAMES = st.sampled_from(
    [*OPTIONS, "num-hidden", "batch-size", "lr-decay", "LR", "data", "run", "versions", "options", "x"]
)
VALUES = st.sampled_from(
    [True, 0, 1, 2**70, -(2**200), 0.5, math.inf, math.nan, "", "é", [1], {}, {"lr": 1}, {"a b": 1}]
)
TABLE = st.dictionaries(NAMES, VALUES, max_size=4)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
@given(document=st.one_of(TABLE, st.builds(lambda beside, options: {**beside, "options": options}, TABLE, TABLE)))
def test_what_is_read_of_any_file_is_all_that_it_holds(tmp_path, document):
    path = tmp_path / "own.toml"
    path.write_text(tomli_w.dumps(document), encoding="utf-8")
    try:
        found = read_options(path)
    except ConfigError as error:
        said = str(error)
    else:
        whole = document.get("options", document)
        assert {name.replace("-", "_") for name in whole} == found.keys()
        assert len(whole) == len(found)
        assert document.keys() <= set(TABLES) or "options" not in document
        return
    assert said.startswith(f"--config {path}: ")
    assert "\n" not in said
