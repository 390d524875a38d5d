"""Rules from outside: a file of one's own, or what an installed distribution offers."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from bdfa_np import Config, load_run
from bdfa_np.errors import ConfigError, ExtensionError
from bdfa_np.rules import RULES
from bdfa_np.rules.find import find_rule
from bdfa_np.runs.checkpoint import read_checkpoint


def run_table(folder):
    return tomllib.loads((Path(folder) / "config.toml").read_text())


def test_a_rule_is_known_by_its_whole_path_and_by_its_sha256(bdfa, rules):
    import hashlib

    bdfa.train("run", "--gradient", "drtp.py", "--epochs", 1)
    assert run_table("run")["options"]["gradient"] == str(rules / "drtp.py")
    assert run_table("run")["run"]["rule_sha256"] == hashlib.sha256((rules / "drtp.py").read_bytes()).hexdigest()


def test_a_rule_says_whether_weights_start_at_zero(rules):
    assert Config(gradient=str(rules / "drtp.py")).resolve().initial == "zero"  # as DFA's, from which it derives
    assert Config(gradient=str(rules / "signs.py")).resolve().initial == "uniform"
    assert Config(gradient=str(rules / "drtp.py"), nonlin="relu").resolve().initial == "uniform"


def test_a_rules_own_options_are_given_by_O_kept_in_the_configuration_and_shown(bdfa, rules):
    options = ["--gradient", "signs.py", "-O", "strength=0.5"]
    bdfa.train("run", *options, "--epochs", 1)
    assert run_table("run")["options"]["rule_options"] == {"strength": 0.5}
    assert load_run("run").rule.strength == 0.5
    bdfa.train("default", "--gradient", "signs.py", "--epochs", 1)
    assert run_table("default")["options"]["rule_options"] == {"strength": 0.03}
    assert read_checkpoint(Path("run/checkpoint.h5")).weights["linear1.W"].tobytes() != (
        read_checkpoint(Path("default/checkpoint.h5")).weights["linear1.W"].tobytes()
    )
    rows = [line for line in bdfa("train", *options, "--dry-run").out.splitlines() if "strength" in line]
    assert len(rows) == 1
    assert "0.5" in rows[0]
    assert "command line" in rows[0]


def test_the_configuration_of_a_run_brings_its_rule_and_its_options_again(bdfa, rules, result):
    bdfa.train("run", "--gradient", "signs.py", "-O", "strength=0.5", "--epochs", 1)
    assert bdfa("train", "--config", "run/config.toml", "--save", "again").code == 0
    assert result(Path("again")) == result(Path("run"))
    assert bdfa("train", "--config", "run/config.toml", "-O", "strength=0.1", "--save", "other").code == 0
    assert run_table("other")["options"]["rule_options"] == {"strength": 0.1}


def test_an_inherited_option_is_given_by_its_own_spelling(bdfa, rules):
    bdfa.train("run", "--gradient", "drtp.py", "--rfb-mag", 0.5, "--epochs", 1)
    assert np.abs(load_run("run").rule.feedback.values).max() > 0.4
    assert "--rfb-mag has no part in --gradient" in bdfa.refused("train", "--gradient", "signs.py", "--rfb-mag", 0.5)


def test_a_resumed_run_keeps_its_rules_options(bdfa, rules):
    bdfa.train("run", "--gradient", "signs.py", "-O", "strength=0.5", "--epochs", 1)
    bdfa.resume("run", "--gradient", "signs.py", "-O", "strength=0.5", "--epochs", 2)
    line = bdfa.refused("train", "--save", "run", "--resume", "-O", "strength=0.1")
    assert "-O {'strength': 0.1} differs from the run's" in line
    assert "a resumed run keeps its options" in line


@pytest.fixture
def installed(tmp_path, monkeypatch, documented):
    """Install a distribution that offers a rule and a net, as pip would, where Python finds it."""
    site = tmp_path / "site"
    info = site / "wares-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "wares.py").write_text(
        documented["DRTP"].replace("class DRTP", "class Targets") + "\n\nNOT_A_RULE = 3\n\n\n"
        "def shallow(config, input_shape, num_classes, rng, backend):\n"
        "    from bdfa_np import ErrorFeedback, Flatten, Linear, Sequential, Tanh\n\n"
        "    layers = [Flatten(), Linear(9, initial=config.initial), Tanh(), ErrorFeedback(), Linear(num_classes)]\n"
        "    return Sequential(layers, input_shape, backend=backend, rng=rng)\n"
    )
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wares\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[bdfa_np.rules]\ntargets = wares:Targets\nthree = wares:NOT_A_RULE\ngone = wares:Missing\n"
        "[bdfa_np.networks]\nshallow = wares:shallow\n"
    )
    monkeypatch.syspath_prepend(str(site))
    yield site
    sys.modules.pop("wares", None)


def test_rules_and_nets_of_an_installed_distribution_train_resume_evaluate_and_load(bdfa, installed, result):
    options = ["--gradient", "targets", "--network", "shallow"]
    tiny = ["--dataset", "mnist-5k", "--train-limit", 300, "--test-limit", 100, "--threads", 1]
    for folder, epochs in (("whole", 2), ("parts", 1)):
        outcome = bdfa("train", *tiny, *options, "--epochs", epochs, "--save", folder)
        assert (outcome.code, outcome.err) == (0, "")
    bdfa.resume("parts", "--epochs", 2)
    assert result(Path("parts")) == result(Path("whole"))
    assert bdfa("evaluate", "parts").code == 0
    assert load_run("parts").network.weights["linear1.W"].shape == (784, 9)
    assert run_table("parts")["options"]["gradient"] == "targets"
    assert run_table("parts")["versions"]["wares"] == "1.0"
    assert len(run_table("parts")["run"]["rule_sha256"]) == len(run_table("parts")["run"]["network_sha256"]) == 64


def test_another_version_of_the_distribution_of_a_runs_rule_is_noted(bdfa, installed):
    bdfa.train("run", "--gradient", "targets", "--epochs", 1)
    assert "targets" in next(line for line in bdfa("info").out.splitlines() if line.startswith("rules "))
    assert "shallow" in next(line for line in bdfa("info").out.splitlines() if line.startswith("networks "))
    metadata = installed / "wares-1.0.dist-info/METADATA"
    metadata.write_text(metadata.read_text().replace("Version: 1.0", "Version: 1.1"))
    assert (
        "note: the run was started with wares 1.0, now it is 1.1: digits may differ"
        in bdfa.resume("run", "--epochs", 2).out
    )
    line = bdfa.refused("train", "--gradient", "nobody")
    assert f"choose from {', '.join(RULES)}, gone, targets, three, or name a Python file (.py)" in line


@pytest.mark.usefixtures("installed")
def test_an_entry_point_that_leads_nowhere_is_one_line():
    with pytest.raises(ExtensionError, match="--gradient three: wares:NOT_A_RULE is no class that derives"):
        Config(gradient="three").resolve()
    with pytest.raises(ConfigError, match=r"--gradient gone: wares:Missing cannot be imported \(AttributeError"):
        Config(gradient="gone").resolve()


def test_help_looks_for_no_entry_points():
    code = (
        "import sys, importlib.metadata as m\n"
        "m.entry_points = lambda **_: sys.exit('looked for')\n"
        "from bdfa_np.cli.group import bdfa; from bdfa_np.cli.outcome import run\n"
        "run(bdfa, ['train', '--help']); import json; print(json.dumps('bdfa_np.runs' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) is False


def test_options_of_one_rule_in_a_file_do_not_go_to_another(bdfa, rules):
    bdfa.train("run", "--gradient", "signs.py", "-O", "strength=0.5", "--epochs", 1)
    outcome = bdfa("train", "--config", "run/config.toml", "--gradient", "bp", "--save", "other")
    assert outcome.code == 0
    assert "rule_options" not in run_table("other")["options"]
    assert "rule_options" in outcome.out + outcome.err


def test_a_rule_that_derives_from_another_in_its_file_is_the_one_that_is_meant(rules):
    (rules / "both.py").write_text((rules / "drtp.py").read_text() + "\n\nclass Weaker(DRTP):\n    pass\n")
    assert find_rule(str(rules / "both.py")).__name__ == "Weaker"


def test_an_option_without_a_value_is_not_kept(bdfa, rules):
    text = (rules / "signs.py").read_text()
    text = text.replace("return self.strength", "return (self.strength or 0.03)")
    (rules / "free.py").write_text(text.replace('"strength", 0.03, ', '"strength", None, kind=float, help='))
    bdfa.train("run", "--gradient", "free.py", "--dry-run")
    assert Config(gradient=str(rules / "free.py")).resolve().rule_options is None


def test_what_python_gives_has_the_type_of_the_option():
    with pytest.raises(ConfigError, match=r"--lr has a value of the wrong type: '0.1': float is wanted"):
        Config(lr="0.1").resolve()
    with pytest.raises(ConfigError, match=r"--epochs has a value of the wrong type: 2\.5: int is wanted"):
        Config(epochs=2.5).resolve()
