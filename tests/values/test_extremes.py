"""Values from the corners of every option, alone and together: a run of finite figures, or one line that names them."""

import contextlib
import csv
import io
import math
import os
import tomllib
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bdfa_np.cli.group import bdfa as group
from bdfa_np.cli.outcome import run
from bdfa_np.errors import ConfigError
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.config import Config
from bdfa_np.options.machine import usable_cores
from bdfa_np.trainer import Trainer

NUMBERS = (
    *("0", "-0.0", "1", "-1", "2", "0.5", "0.9999999", "0.99999999", "0.9999999999999999", "1.0000000000000002"),
    *("5e-324", "1e-310", "1e-46", "1e-45", "1e-38", "1e-20", "1e-8", "1e6", "1e20", "1e38", "3.4e38", "3.5e38"),
    *("1e154", "1e308", "1e309", "inf", "-inf", "nan", "-nan"),
    *("127", "128", "1000", "1001", "4096", "100000", "2147483647", "2147483648", "4294967296"),
    *("9223372036854775807", "9223372036854775808", "18446744073709551616", "1" + 40 * "0", "1" + 400 * "0"),
)
TEXTS = (
    *("", " ", "\t", "1_000", "0x10", "\u0661", "\u00b2", "+1", "01", " 1 ", "1.", ".5", "1e", "1,2", "1 2", "--", "-"),
    *("true", "True", "FALSE", "yes", "on", "none", "None", "null", "NaN", "b-p", "-bp", "--lr", "\\", "a\nb", "é"),
)
SIZES = {"num_hidden": 3, "num_layers": 1, "epochs": 2, "batch_size": 4, "threads": 1}
"""Of the net that is trained, where nothing else is drawn."""
UNUSED = {"rule_options", "dataset", "network"}
"""Options that a test of their own gives: `-O`, and what names files."""
NAMES = sorted(OPTIONS.keys() - UNUSED)
TAKES_LONG = {("num_layers", "1000"), ("num_layers", "1_000")}
BLOWS_UP = "try a smaller"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a folder with a data set of twelve small images."""
    path = tmp_path_factory.mktemp("extremes")
    draw = np.random.default_rng(0)
    images, labels = draw.integers(0, 256, (16, 4, 4, 1), np.uint8), np.arange(16) % 4
    np.savez(path / "tiny.npz", x_train=images, y_train=labels, x_test=images[:8], y_test=labels[:8])
    return path


@pytest.fixture
def train(folder, monkeypatch):
    """Give what trains with some options in this process, and checks how that ends."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("BDFA_CACHE_DIR", str(folder / "prepared"))
    goes_on = Trainer.goes_on
    monkeypatch.setattr(Trainer, "goes_on", lambda self, epochs: self.progress.epoch < 2 and goes_on(self, epochs))

    def call(chosen, *further):
        arguments = [spelled(name, value) for name, value in chosen.items()]
        sizes = [f"{OPTIONS[name].flag}={value}" for name, value in SIZES.items() if name not in chosen]
        options = ["train", "--dataset=tiny.npz", "--backend=numpy", *sizes, *arguments, *further, "--save=run"]
        options.append("--force")
        if "backend" in chosen:
            options.remove("--backend=numpy")
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("error")
            code = run(group, options)
        return code, out.getvalue(), err.getvalue()

    return call


def spelled(name, text):
    """Return an option on the command line; a switch that is on by its name alone."""
    bare = OPTIONS[name].is_flag and text == "true"
    return OPTIONS[name].flag if bare else f"{OPTIONS[name].flag}={text}"


def asked(name, text):
    """Return what a text asks for, read without the code that is tested."""
    option = OPTIONS[name]
    if text.lower() in option.words:
        return text.lower()
    if option.choices and not (option.also and text.lower() in ("true", "false")):
        plain = {str(choice).lower().replace("-", ""): choice for choice in option.choices}
        return plain[text.lower().replace("-", "") if str in option.types else text]
    words = {**dict.fromkeys(("1", "true", "yes", "on", "t", "y"), True)}
    words |= dict.fromkeys(("0", "false", "no", "off", "f", "n"), False)
    if option.type is bool and not (option.also and text.lower() not in ("true", "false")):
        return words[text.strip().lower()]
    if name == "milestones":
        return ",".join(str(int(word)) for word in text.split(","))
    if name in ("datapath", "cache_dir", "models_folder"):
        return os.path.abspath(os.path.expanduser(text))
    kinds = [kind for kind in option.types if kind is not bool]
    for kind in kinds:
        with contextlib.suppress(ValueError):
            return kind(text)
    raise AssertionError(f"{name} = {text!r} was taken")


def check(folder, chosen, code, out, err):
    assert code in (0, 2)
    if code == 2:
        assert out == "" or "run folder: run" in out, out
        lines = err.splitlines()
        assert len([line for line in lines if not line.startswith("note: ")]) == 1, err
        assert lines[-1].startswith("bdfa")
        assert "error: " in lines[-1]
        named = [spelling for name in chosen for spelling in (OPTIONS[name].flag, f"'{name}'")]
        assert any(spelling in lines[-1] for spelling in named) or BLOWS_UP in lines[-1], err
        return
    assert all(line.startswith("note: ") for line in err.splitlines()), err
    written = tomllib.loads((folder / "run/config.toml").read_text(encoding="utf-8"))["options"]
    for name, text in chosen.items():
        wanted, found = asked(name, text), written.get(name)
        if name == "feedback_output" and wanted == "auto":
            continue  # it is one of the others, by the loss
        if name == "threads" and wanted > usable_cores():
            assert f"{wanted} threads" in out or str(wanted) in out
            continue
        assert (type(found), found) == (type(wanted), wanted) or (OPTIONS[name].type is float and found == wanted)
    rows = list(csv.DictReader((folder / "run/metrics.csv").read_text().splitlines()))
    assert rows
    for row in rows:
        assert all(math.isfinite(float(value)) for value in row.values()), row


def values_of(name):
    """Return what an option is tried with: corners, and values that are its own."""
    own = [str(choice) for choice in OPTIONS[name].choices]
    return st.sampled_from([*NUMBERS, *TEXTS, *own])


NEEDED = {
    "momentum": {"optimization": "sgd"},
    "dampening": {"optimization": "sgd", "momentum": "0.9"},
    "lr_decay": {"optimization": "sgd"},
    "gamma": {"schedule": "step", "epoch_step": "1"},
    "milestones": {"schedule": "multistep"},
    "zca_epsilon": {"whiten": "true"},
    "acc_gradient": {"eps": "0.1"},
    "patience": {"on_test": "true"},
    "keep_best": {"on_test": "true"},
    "on_test": {"patience": "1"},
    "feedback_output": {"gradient": "bfa"},
}


@st.composite
def drawn(draw):
    """Return one to three options with a value each; those that others ask for come with a usual value."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    found = {name: draw(values_of(name)) for name in names}
    for name in names:
        for other, value in NEEDED.get(name, {}).items():
            found.setdefault(other, value)
    return found


def examples(count):
    """Return the settings of a test that draws the same examples each time."""
    return settings(
        max_examples=count, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )


@examples(14)
@given(options=drawn())
def test_options_from_the_corners_train_or_are_named_in_one_line(train, folder, options):
    check(folder, options, *train(options))


@pytest.mark.slow
@examples(5000)
@given(options=drawn())
def test_many_options_from_the_corners_train_or_are_named_in_one_line(train, folder, options):
    check(folder, options, *train(options))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_corner_of_every_option_trains_or_is_named_in_one_line(train, folder, name):
    for text in dict.fromkeys([*NUMBERS, *TEXTS, *map(str, OPTIONS[name].choices)]):
        if (name, text) not in TAKES_LONG:
            options = {name: text, **NEEDED.get(name, {})}
            check(folder, options, *train(options))


IN_PYTHON = {"gamma", "test_fraction", "validate", "gpu_memory"}
"""Options with which nothing is computed in float32."""


@pytest.mark.parametrize("name", sorted(name for name in OPTIONS.keys() - IN_PYTHON if float in OPTIONS[name].types))
def test_no_number_is_taken_that_is_another_one_in_float32(name):
    option = OPTIONS[name]
    for text in NUMBERS:
        value = float(text)
        if option.problem(value) is not None:
            continue
        with np.errstate(over="ignore", under="ignore"):
            computed = np.float32(value)
        assert np.isfinite(computed)
        assert (computed == 0) == (value == 0)
        if option.problem(0.5) is None and option.problem(1.0) is not None:  # a fraction
            assert computed < 1


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("--dropout -1", "Invalid value for '--dropout' / '-dropout': '-1' is not one of '0', '1', '2'"),
        ("--batchnorm=-2", "'-2' is not one of '0', '1', '2'"),
        ("--bias=", "'' is not a valid boolean: give 0 or 1"),
        ("--validate=-1", "Invalid value for '--validate' / '-validate': '-1' is not a value of it"),
        ("--augment=-x", "Invalid value for '--augment' / '-augment': '-x' is not a value of it"),
        ("--gradient b-p", "--gradient b-p: unknown rule"),
        ("--dataset -mnist", "'-mnist' is not one of"),
        (
            "--feedback-alpha 1e308",
            "--feedback-alpha must be from 1.18e-38 to 3.4e+38, which float32 holds, not 1e+308",
        ),
        (
            "--num-layers 1000 --feedback-target torch --feedback-alpha 2",
            "--feedback-alpha 2 to the power of 1000, as many as there are hidden",
        ),
        ("--lr 1e-46", "--lr must be from 1.18e-38 to 3.4e+38, which float32 holds, not 1e-46"),
        ("--clip-norm 1e308", "--clip-norm must be from 1.18e-38 to 3.4e+38"),
        (
            "--optimization sgd --momentum 0.99999999",
            "--momentum must be less than 1 by 6e-8, or float32 takes it for 1",
        ),
        ("--input-dropout 0.99999999", "--input-dropout must be less than 1 by 6e-8"),
        (f"--seed {2**128}", "--seed must be a number of at most 128 bits, not one of 129"),
        ("--optimization sgd --nonlin relu --lr 1e30 --eps 1e38", "the run): try a smaller --lr or --eps"),
    ],
)
def test_a_value_that_would_be_taken_for_another_is_refused(train, options, line):
    code, _, err = train({}, *options.split())
    assert (code, err.count("\n")) == (2, 1)
    assert line in err


def test_a_seed_may_be_as_long_as_those_that_are_drawn_at_random(train, folder):
    seed = 2**128 - 1
    assert train({"seed": str(seed)})[0] == 0
    assert train({}, "--config", "run/config.toml")[0] == 0
    assert tomllib.loads((folder / "run/config.toml").read_text())["options"]["seed"] == seed


@pytest.mark.parametrize("value", [10**400, -(10**5000), "a\0b"], ids=["huge", "minus huge", "null"])
def test_from_python_too_a_value_beyond_all_bounds_is_refused_in_one_line(value):
    for name in NAMES:
        with pytest.raises(ConfigError, match=f"^{OPTIONS[name].flag} ") as caught:
            Config(**{name: value}).resolve()
        assert len(str(caught.value)) < 400
