"""Rules from outside: a file of one's own, or what an installed distribution offers."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from bdfa_np import Config, Rule, alignment_angle, load_run
from bdfa_np.errors import ConfigError, ExtensionError, TrainingError
from bdfa_np.extensions import blamed
from bdfa_np.rules import RULES
from bdfa_np.rules.find import find_rule
from bdfa_np.runs.checkpoint import read_checkpoint

ROOT = Path(__file__).parents[2]


def shown(page, name):
    """Return the code block of a page that defines a class: what is documented is what is tested."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    (block,) = (block for block in blocks if f"class {name}(" in block)
    return block


DRTP = shown("README.md", "DRTP")
SIGNS, KOLEN_POLLACK, SCALED, RESIDUAL = (
    shown("docs/rules.md", name) for name in ("SignSymmetry", "KolenPollack", "Scaled", "Residual")
)
LEARNS = ["--dataset", "mnist-5k", "--num-hidden", 100, "--lr", "1e-3", "--threads", 1]


@pytest.fixture
def rules(tmp_path):
    """Write the two rules, each of at most 25 lines, and give their folder."""
    for name, text in {"drtp": DRTP, "signs": SIGNS}.items():
        assert text.count("\n") <= 25
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def run_table(folder):
    return tomllib.loads((Path(folder) / "config.toml").read_text())


@pytest.mark.parametrize("name", ["drtp", "signs"])
def test_a_rule_of_ones_own_learns_is_interrupted_resumed_evaluated_and_used_from_python(bdfa, rules, result, name):
    file = rules / f"{name}.py"
    whole = bdfa("train", *LEARNS, "--gradient", file, "--epochs", 6, "--save", "whole")
    assert (whole.code, whole.err) == (0, "")
    assert float(whole.out.splitlines()[-1].split("test error ")[1].split("%")[0]) < 12
    with bdfa.start("train", *LEARNS, "--gradient", f"{name}.py", "--epochs", 6, "--save", "parts") as process:
        bdfa.read_until(process, "epoch 2/6")
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "go on with: bdfa train --save parts --resume" in err
    bdfa.resume("parts")
    assert result(Path("parts")) == result(Path("whole"))
    assert "error " in bdfa("evaluate", "whole").out
    model = load_run("whole")
    assert isinstance(model.rule, Rule)
    assert model.rule.name == name
    x = np.random.default_rng(0).random((5, 28, 28, 1), dtype=np.float32)
    deltas = model.rule.deltas(model.loss(model.network.forward(x), np.arange(5)))
    assert deltas["linear1"].shape == (5, 100)


def test_documented_feedback_that_learns_comes_to_the_weights_and_resumes(bdfa, tmp_path, result):
    (tmp_path / "kp.py").write_text(KOLEN_POLLACK)
    options = ["--gradient", "kp.py", "--num-layers", 2, "--optimization", "sgd", "--lr", "1e-2"]
    bdfa.train("whole", *options, "--epochs", 6)
    bdfa.train("parts", *options, "--epochs", 1)
    rule, names = load_run("parts").rule, ("linear2", "linear3")
    before = [alignment_angle(rule.B[name], rule.network[name].W) for name in names]
    bdfa.resume("parts", "--epochs", 6)
    assert result(Path("parts")) == result(Path("whole"))
    rule = load_run("parts").rule
    assert all(
        alignment_angle(rule.B[name], rule.network[name].W) < old for name, old in zip(names, before, strict=True)
    )


def test_a_documented_option_beside_inherited_ones_has_its_part(bdfa, tmp_path):
    (tmp_path / "scaled.py").write_text(SCALED)
    for name, options in {"half": ["-O", "scale=0.5"], "same": ["-O", "scale=1.0"]}.items():
        bdfa.train(name, "--gradient", "scaled.py", "--rfb-mag", 0.5, *options, "--epochs", 1)
    bdfa.train("dfa", "--gradient", "dfa", "--rfb-mag", 0.5, "--epochs", 1)
    half, same, dfa = (
        read_checkpoint(Path(name) / "checkpoint.h5").weights["linear1.W"] for name in ("half", "same", "dfa")
    )
    assert same.tobytes() == dfa.tobytes() != half.tobytes()


@pytest.mark.parametrize("gradient", [name for name in RULES if name != "bfa"])
def test_the_documented_residual_net_learns_by_every_rule(bdfa, tmp_path, gradient):
    (tmp_path / "residual.py").write_text(RESIDUAL)
    options = ["--network", "residual.py", "--gradient", gradient, "--epochs", 3, "--save", "run"]
    assert bdfa("train", *LEARNS[:2], *LEARNS[4:], *options).code == 0
    assert load_run("run").network["residual1.linear2"].W.shape == (100, 100)
    assert "error " in bdfa("evaluate", "run").out
    assert read_checkpoint(Path("run/checkpoint.h5")).history[-1].test_error < 0.15


def test_the_documented_residual_net_is_refused_by_bfa_which_needs_a_chain(bdfa, tmp_path):
    (tmp_path / "residual.py").write_text(RESIDUAL)
    line = bdfa.refused("train", *LEARNS[:2], "--network", "residual.py", "--gradient", "bfa")
    assert "--gradient bfa cannot train --network" in line
    assert "residual1" in line


def test_a_rule_is_known_by_its_whole_path_and_by_its_sha256(bdfa, rules):
    import hashlib

    bdfa.train("run", "--gradient", "drtp.py", "--epochs", 1)
    assert run_table("run")["options"]["gradient"] == str(rules / "drtp.py")
    assert run_table("run")["run"]["rule_sha256"] == hashlib.sha256(DRTP.encode()).hexdigest()


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--gradient signs.py -O strength=strong", "-O strength=strong: 'strong' is not a valid float"),
        ("--gradient signs.py -O strength", "-O strength: write it as name=value"),
        ("--gradient signs.py -O =1", "-O =1: write it as name=value"),
        ("--gradient signs.py -O weight=1", "has no option 'weight', only strength: leave it out"),
        ("--gradient drtp.py -O strength=1", "has no option 'strength', and no other of its own: leave it out"),
        ("--gradient dfa -O strength=1", "--gradient dfa has no option 'strength'"),
        ("--gradient drtp.py -O rfb_mag=1", "-O rfb_mag: an option of its own spelling: give it as --rfb-mag"),
        ("--gradient nowhere.py", "unknown rule 'nowhere.py': there is no such file"),
        ("--gradient signs", "unknown rule 'signs': choose from bp, fa, dfa, bfa, bdfa, or name a Python file"),
    ],
)
def test_what_a_rule_does_not_have_is_one_line_before_anything_is_written(bdfa, rules, tiny, options, message):
    line = bdfa.refused("train", *tiny, *options.split(), "--save", "run")
    assert message in line
    assert not Path("run").exists()


BROKEN = {
    "no python": ("class", ", line 1: SyntaxError"),
    "an exception": ("from bdfa_np import DFA\n1 / 0\n", ", line 2: ZeroDivisionError: division by zero"),
    "no rule": ("from bdfa_np import DFA\n", "one class that derives from bdfa_np.Rule is wanted, it defines none"),
    "two rules": (DRTP + "\n\nclass Other(DFA):\n    pass\n", "is wanted, it defines 2 (DRTP, Other)"),
    "options in a list": (DRTP + "\n    options = []\n", "DRTP.options must be a tuple"),
    "an option of a run's name": (
        "from bdfa_np import DFA\nfrom bdfa_np.declaration import Option\n\n"
        "class Mine(DFA):\n    options = (*DFA.options, Option('lr', 0.1, 'Its own.'))\n",
        "it declares an option 'lr', which every run has: give it another name",
    ),
    "an option of unknown type": (
        "from bdfa_np import DFA\nfrom bdfa_np.declaration import Option\n\n"
        "class Mine(DFA):\n    options = (Option('size', None, 'One.'),)\n",
        "line 5: TypeError: option 'size': a default of None needs a kind, such as kind=float",
    ),
    "an option of no type": (
        "from bdfa_np import DFA\nfrom bdfa_np.declaration import Option\n\n"
        "class Mine(DFA):\n    options = (Option('sizes', (1, 2), 'Several.'),)\n",
        "line 5: TypeError: option 'sizes': its kind must be bool, int, float or str, not tuple",
    ),
    "abstract": ("from bdfa_np import Rule\n\nclass Mine(Rule):\n    pass\n", "Can't instantiate abstract class Mine"),
    "other arguments": (
        DRTP + "\n    def __init__(self):\n        pass\n",
        f"line {DRTP.count(chr(10)) + 2}: TypeError",
    ),
    "exit": ("raise SystemExit(3)\n", ", line 1: SystemExit: 3"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_one_line_that_says_where_and_nothing_is_written(bdfa, tmp_path, tiny, content, message):
    file = tmp_path / "mine.py"
    file.write_text(content)
    line = bdfa.refused("train", *tiny, "--gradient", "mine.py", "--save", "run")
    assert message in line
    assert "mine.py" in line
    assert not Path("run").exists()


@pytest.mark.parametrize("change", ["edit", "remove", "options"])
@pytest.mark.parametrize("command", [("train", "--resume", "--epochs", "2", "--save", "run"), ("evaluate", "run")])
def test_a_rule_that_is_gone_or_has_changed_is_told_from_a_damaged_run(bdfa, rules, result, change, command):
    bdfa.train("run", "--epochs", 1, "--gradient", "signs.py")
    before = result(Path("run"))
    file = rules / "signs.py"
    if change == "remove":
        file.unlink()
    else:
        file.write_text(SIGNS + "# Changed.\n" if change == "edit" else SIGNS.replace("strength", "magnitude"))
    line = bdfa.refused(*command)
    assert "damaged" not in line
    assert ("unknown rule" if change == "remove" else "has changed since run was started") in line
    assert str(file) in line
    assert result(Path("run")) == before


def test_a_run_whose_rule_has_no_file_says_that_it_is_unknown(bdfa):
    bdfa.train("run", "--epochs", 1)
    config = Path("run/config.toml")
    config.write_text(config.read_text().replace('gradient = "bdfa"', 'gradient = "hebb"'))
    for command in (["evaluate", "run"], ["train", "--save", "run", "--resume"]):
        line = bdfa.refused(*command)
        assert "unknown rule 'hebb'" in line
        assert "damaged" not in line


def test_a_resumed_run_keeps_its_rules_options(bdfa, rules):
    bdfa.train("run", "--gradient", "signs.py", "-O", "strength=0.5", "--epochs", 1)
    bdfa.resume("run", "--gradient", "signs.py", "-O", "strength=0.5", "--epochs", 2)
    line = bdfa.refused("train", "--save", "run", "--resume", "-O", "strength=0.1")
    assert "-O {'strength': 0.1} differs from the run's" in line
    assert "a resumed run keeps its options" in line


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a distribution that offers a rule and a net, as pip would, where Python finds it."""
    site = tmp_path / "site"
    info = site / "wares-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "wares.py").write_text(
        DRTP.replace("class DRTP", "class Targets") + "\n\nNOT_A_RULE = 3\n\n\n"
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
    assert "choose from bp, fa, dfa, bfa, bdfa, gone, targets, three, or name a Python file (.py)" in line


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


HALF_WRITTEN = {
    "raises": (
        "from bdfa_np import DFA\n\nclass Mine(DFA):\n    def signal(self, result):\n        return result.missing\n",
        "mine.py, line 5: AttributeError: 'LossResult' object has no attribute 'missing'",
    ),
    "a signal of another shape": (
        "from bdfa_np import DFA\n\nclass Mine(DFA):\n    def signal(self, result):\n"
        "        return result.error[:, :1]\n",
        "mine: signal returned an array of shape (64, 1), where an array of shape (64, 10) is wanted",
    ),
    "no array": (
        "from bdfa_np import DFA\n\nclass Mine(DFA):\n    def signal(self, result):\n        pass\n",
        "mine: signal returned a NoneType, where an array of shape (64, 10) is wanted",
    ),
    "a matrix of another shape": (
        "from bdfa_np import Layerwise\n\nclass Mine(Layerwise):\n    def matrix(self, layer):\n"
        "        return layer.W.T\n",
        "mine: matrix of linear3 returned an array of shape (10, 20), where an array of shape (20, 10) is wanted",
    ),
    "nothing handed on": (
        "from bdfa_np import BP\n\nclass Mine(BP):\n    def visit(self, layer, signal, wanted):\n"
        "        super().visit(layer, signal, wanted)\n",
        "mine: visit of linear3 returned a NoneType, where an array of shape (64, 20) is wanted",
    ),
}


@pytest.mark.parametrize(("content", "message"), HALF_WRITTEN.values(), ids=HALF_WRITTEN)
def test_a_mistake_that_shows_in_training_is_one_line_that_says_where(bdfa, tmp_path, tiny, content, message):
    (tmp_path / "mine.py").write_text(content)
    line = bdfa.refused("train", *tiny, "--num-layers", 2, "--gradient", "mine.py", "--save", "run")
    assert message in line
    debugged = bdfa("train", *tiny, "--num-layers", 2, "--gradient", "mine.py", "--debug")
    assert "Traceback" in debugged.err
    assert "mine.py" in debugged.err or "check_shape" in debugged.err


def test_a_mistake_in_a_layer_of_a_net_of_ones_own_is_one_line(bdfa, tmp_path, tiny):
    (tmp_path / "net.py").write_text(
        "from bdfa_np import ErrorFeedback, Flatten, Linear, Sequential, Tanh\n\n"
        "class Late(Tanh):\n    def forward(self, x, train=True):\n"
        "        return super().forward(x, train) if train else x / self.scale\n\n"
        "def build(config, input_shape, num_classes, rng, backend):\n"
        "    layers = [Flatten(), Linear(8), Late(), ErrorFeedback(), Linear(num_classes)]\n"
        "    return Sequential(layers, input_shape, backend=backend, rng=rng)\n"
    )
    line = bdfa.refused("train", *tiny, "--network", "net.py", "--save", "run")
    assert "net.py, line 5: AttributeError: 'Late' object has no attribute 'scale'" in line
    assert "error" not in bdfa("evaluate", "run").out
    assert "net.py, line 5: AttributeError" in bdfa.refused("evaluate", "run")


def test_a_mistake_of_the_package_is_not_put_down_to_a_users_rule(tmp_path):
    with pytest.raises(ZeroDivisionError), blamed({"--gradient": tmp_path / "mine.py"}):
        1 / 0  # noqa: B018


def test_what_a_user_can_mend_stays_as_it_was_said_though_it_passes_a_rule_of_ones_own():
    with pytest.raises(TrainingError, match=r"^the loss is nan$"), blamed({"--gradient": Path(__file__)}):
        raise TrainingError("the loss is nan")


def test_options_of_one_rule_in_a_file_do_not_go_to_another(bdfa, rules):
    bdfa.train("run", "--gradient", "signs.py", "-O", "strength=0.5", "--epochs", 1)
    outcome = bdfa("train", "--config", "run/config.toml", "--gradient", "bp", "--save", "other")
    assert outcome.code == 0
    assert "rule_options" not in run_table("other")["options"]
    assert "rule_options" in outcome.out + outcome.err


def test_a_rule_that_derives_from_another_in_its_file_is_the_one_that_is_meant(rules):
    (rules / "both.py").write_text(DRTP + "\n\nclass Weaker(DRTP):\n    pass\n")
    assert find_rule(str(rules / "both.py")).__name__ == "Weaker"


def test_an_option_without_a_value_is_not_kept(bdfa, rules):
    (rules / "free.py").write_text(SIGNS.replace('"strength", 0.03, ', '"strength", None, kind=float, help='))
    bdfa.train("run", "--gradient", "free.py", "--dry-run")
    assert Config(gradient=str(rules / "free.py")).resolve().rule_options is None


def test_what_python_gives_has_the_type_of_the_option():
    with pytest.raises(ConfigError, match=r"--lr has a value of the wrong type: '0.1': float is wanted"):
        Config(lr="0.1").resolve()
    with pytest.raises(ConfigError, match=r"--epochs has a value of the wrong type: 2\.5: int is wanted"):
        Config(epochs=2.5).resolve()
