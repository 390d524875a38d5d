"""``bdfa runs``: several runs in a table, and what a folder of runs is answered with where one run is wanted."""

import json
import shutil
from pathlib import Path

import pytest

from bdfa_np.runs.checkpoint import read_checkpoint
from bdfa_np.runs.listing import list_runs

BEFORE = Path(__file__).parents[1] / "runs" / "written_before" / "runs"


def rows(out):
    """Return the words of each row, and the title."""
    title, head, *lines = out.splitlines()
    return title, head.split(), {line.split()[0]: line.split()[1:] for line in lines}


def test_runs_are_listed_with_what_differs_and_damaged_ones_with_a_word(bdfa):
    bdfa.train("runs/a", "--epochs", 2, "--seed", 1)
    bdfa.train("runs/b", "--epochs", 1, "--seed", 2, "--validate", "--visualize", 0)
    bdfa.train("runs/c", "--epochs", 1)
    Path("runs/c/config.toml").write_text("[[[")
    Path("runs/notes").mkdir()
    Path("runs/notes/config.toml").write_text("somebody = 'else'")
    outcome = bdfa("runs")
    assert (outcome.code, outcome.err) == (0, "")
    title, head, found = rows(outcome.out)
    assert title == "3 runs in runs"
    assert head == ["run", "settings", "epochs", "last", "lowest", "after", "on", "state"]
    history = read_checkpoint(Path("runs/a/checkpoint.h5")).history
    best = min(history, key=lambda record: record.test_error)
    errors = [f"{history[-1].test_error:.2%}", f"{best.test_error:.2%}", str(best.epoch)]
    assert found["a"] == ["validate=0", "seed=1", "2/2", *errors, "test", "finished"]
    assert found["b"][:3] == ["validate=1", "seed=2", "1/1"]
    assert found["b"][-2:] == ["validation", "finished"]
    assert found["c"] == ["damaged"]
    assert "note: runs/c/config.toml is damaged" in outcome.out


def test_where_all_runs_test_on_one_part_the_title_says_which(bdfa):
    bdfa.train("runs/a", "--epochs", 1, "--validate")
    title, head, found = rows(bdfa("runs").out)
    assert title == "1 run in runs, error on validation images"
    assert head == ["run", "epochs", "last", "lowest", "after", "state"]
    assert found["a"][0] == "1/1"


def test_a_run_with_epochs_to_do_can_go_on_and_one_that_ended_early_is_finished(bdfa):
    bdfa.train("runs/stopped", "--epochs", 50, "--validate", "--patience", 1, "--lr", "1e-30")
    bdfa.train("runs/more", "--epochs", 1, "--validate", "--patience", 1, "--lr", "1e-30")
    text = Path("runs/more/config.toml").read_text()
    Path("runs/more/config.toml").write_text(text.replace("\nepochs = 1\n", "\nepochs = 4\n"))
    found = rows(bdfa("runs").out)[2]
    assert found["more"][0] == "1/4"
    assert found["more"][-3:] == ["can", "go", "on"]
    assert found["stopped"][-1] == "finished"
    assert int(found["stopped"][0].split("/")[0]) < 50


def test_what_follows_from_another_option_is_not_listed_beside_it(bdfa):
    bdfa.train("runs/a", "--epochs", 1, "--gradient", "bdfa")
    bdfa.train("runs/b", "--epochs", 1, "--gradient", "bp", "--optimization", "adamw")
    settings = [set(run.settings) for run in list_runs("runs")]
    assert settings == [{"gradient", "optimization"}] * 2
    bdfa.train("runs/c", "--epochs", 1, "--gradient", "bdfa", "--feedback-lr", "1e-3")
    assert [run.settings.get("feedback_lr") for run in list_runs("runs")] == [5e-5, None, 1e-3]


def test_runs_are_listed_in_80_columns_with_every_setting_also_those_of_earlier_versions(bdfa):
    shutil.copytree(BEFORE, "runs")
    out = bdfa("runs").out
    assert max(map(len, out.splitlines())) <= 80
    for text in ("optimization=adam", "optimization=nag", "optimization=sgd", "lr=0.1", "momentum=0.9", "criterion=ce"):
        assert text in out.split()
    assert out.count("2/2") == 3


@pytest.mark.parametrize(
    ("now", "problem"),
    [
        ('optimization = "none"', "--optimization none"),
        ("optimization = 3", "'optimization' has a value of the wrong type"),
        ('optimization = "sgd"\nlr = -1.0', "--lr must be a finite number"),
    ],
)
def test_options_that_cannot_be_are_damage_beside_runs_that_are_whole(bdfa, now, problem):
    for name in ("a", "b"):
        bdfa.train(f"runs/{name}", "--epochs", 1, "--lr", "1e-3")
    file = Path("runs/b/config.toml")
    text = file.read_text().replace("lr = 0.001\n", "", 1) if "lr" in now else file.read_text()
    file.write_text(text.replace('optimization = "rmsprop"', now))
    outcome = bdfa("runs")
    assert (outcome.code, outcome.err) == (0, "")
    assert rows(outcome.out)[2]["a"][-1] == "finished"
    assert rows(outcome.out)[2]["b"] == ["damaged"]
    assert problem in " ".join(outcome.out.split())


def test_a_name_is_whole_to_be_copied_while_settings_are_folded(bdfa):
    names = ["2026-01-31_12-00-00", "2026-01-31_12-00-00_2"]
    for name, rule in zip(names, ("bdfa", "dfa"), strict=True):
        bdfa.train(f"runs/{name}", "--epochs", 1, "--gradient", rule, "--lr", f"1e-{len(name)}", "--seed", len(rule))
    lines = bdfa("runs").out.splitlines()
    assert max(map(len, lines)) <= 80
    assert set(names) <= {line.split()[0] for line in lines}
    assert len(lines) > 2 + len(names)


def test_json_has_the_figures_of_metrics_csv_whatever_the_table_rounds(bdfa):
    bdfa.train("runs/a/2", "--epochs", 2, "--lr", "1e-3")
    bdfa.train("runs/a/10", "--epochs", 1, "--lr", "1e-2")
    bdfa.train("runs/broken", "--epochs", 1)
    Path("runs/broken/checkpoint.h5").write_bytes(b"\x89HDF")
    first, second, third = json.loads(bdfa("runs", "--json").out)
    assert (first["run"], second["run"], third["run"]) == ("a/2", "a/10", "broken")
    last = Path("runs/a/2/metrics.csv").read_text().splitlines()[-1].split(",")
    assert first["last_error"] == float(last[6])
    assert (first["epochs_done"], first["epochs"], first["tested_on"], first["state"]) == (2, 2, "test", "finished")
    assert first["settings"] == {"lr": 1e-3}
    assert (third["state"], third["last_error"], third["epochs"]) == ("damaged", None, None)
    assert "runs/broken/checkpoint.h5 is damaged" in third["problem"]


def test_listing_runs_nobodys_rule_or_net(bdfa, tiny):
    Path("rule.py").write_text("from bdfa_np import DFA\nclass Own(DFA):\n    pass\n")
    Path("net.py").write_text(
        "from bdfa_np import ErrorFeedback, Flatten, Linear, ReLU, Sequential\n"
        "def build(config, input_shape, num_classes, rng, backend):\n"
        "    layers = [Flatten(), Linear(5), ReLU(), ErrorFeedback(), Linear(num_classes)]\n"
        "    return Sequential(layers, input_shape, backend=backend, rng=rng)\n"
    )
    assert (
        bdfa("train", *tiny, "--gradient", "rule.py", "--network", "net.py", "--epochs", 1, "--save", "runs/a").code
        == 0
    )
    bdfa.train("runs/b", "--epochs", 1, "--gradient", "bp")  # whose weights start otherwise, as the rule has it
    for name in ("rule.py", "net.py"):
        Path(name).write_text("open('was_run', 'w')\n")
    title, _, found = rows(bdfa("runs").out)
    assert title == "2 runs in runs, error on test images"
    assert "network=net.py" in found["a"]
    assert not Path("was_run").exists()
    Path("rule.py").unlink()
    assert rows(bdfa("runs").out)[2]["a"][-1] == "finished"


def test_a_folder_without_runs_is_refused(bdfa):
    assert "there is no folder runs" in bdfa.refused("runs")
    Path("runs").mkdir()
    assert "there are no runs in runs" in bdfa.refused("runs")
    assert "there are no runs in runs" in bdfa.refused("runs", "--json")


@pytest.mark.parametrize("name", ["a", "with blanks"])
def test_evaluating_a_folder_of_runs_lists_them_and_says_how_to_evaluate_one(bdfa, name):
    bdfa.train(f"runs/{name}", "--epochs", 1)
    outcome = bdfa("evaluate", "runs")
    assert outcome.code == 2
    assert outcome.out == bdfa("runs").out
    command = f"bdfa evaluate {'runs/a' if name == 'a' else repr('runs/' + name)}"
    assert outcome.err == f"bdfa: error: runs is no run, there are runs in it: name one, as in {command}\n"
    assert bdfa("evaluate", f"runs/{name}").code == 0


def test_a_run_that_is_named_itself_is_listed_alone(bdfa):
    bdfa.train("runs/a", "--epochs", 1)
    title, _, found = rows(bdfa("runs", "runs/a").out)
    assert title.startswith("1 run in runs/a")
    assert list(found) == ["runs/a"]
