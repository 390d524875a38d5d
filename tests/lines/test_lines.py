"""What a run says: in 80 columns, all figures there, and each line once where it belongs."""

import re
import tomllib
from pathlib import Path

import pytest

from bdfa_np import Config, __version__
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.runs.lines import choices, ending, epoch_heading, epoch_line, learns_nothing_lines
from bdfa_np.runs.store.result import FinalTest
from bdfa_np.system.text import counted
from bdfa_np.trainer import EpochRecord

WIDTH = 80
WIDEST = EpochRecord(1000, 1.23e-06, 123.4567, 1.0, 1.0, 123.4567, 1.0, 12345.6)


@pytest.mark.parametrize("epochs", [1, 99, 1000, -1])
@pytest.mark.parametrize("tested_on", ["test", "validation"])
def test_an_epochs_line_and_its_headings_fit_80_columns_and_stand_one_above_the_other(epochs, tested_on):
    lines = [*epoch_heading(tested_on, epochs), epoch_line(WIDEST, epochs)]
    assert max(map(len, lines)) <= WIDTH
    heading = lines[-2]
    line = epoch_line(EpochRecord(1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 7.8), epochs)
    ends = [match.end() for match in re.finditer(r"\S+", heading)]
    assert [match.end() for match in re.finditer(r"\S+", line)][-7:] == ends


def test_an_epochs_line_holds_every_figure():
    line = epoch_line(EpochRecord(3, 0.001, 0.25, 0.31, 0.42, 0.53, 0.64, 7.5), 12)
    assert line.split() == ["epoch", "3/12:", "31.00%", "42.00%", "0.2500", "64.00%", "0.5300", "0.001", "7.5"]


@pytest.mark.parametrize(
    ("loss", "said"),
    [(999.99994, "999.9999"), (1000.0, "1.000e3"), (147295401863151755489916319956992.0, "1.473e32"), (1e-9, "0.0000")],
)
def test_a_loss_that_has_no_room_is_a_power_of_ten_and_the_columns_stay(loss, said):
    usual, large = (epoch_line(EpochRecord(1, 0.1, one, 0.3, 0.4, one, 0.6, 7.8), 2) for one in (0.2, loss))
    assert len(usual) == len(large)
    assert large.split().count(said) == 2


def test_the_running_mean_is_explained_where_it_is_shown():
    assert epoch_heading("test", 3)[0] == (
        "mean: running mean of the training error, m = 0.75 m + 0.25 error, from m = 1"
    )
    assert "m = 0.75 m + 0.25 error" in OPTIONS["epochs"].help


CHOOSING = [
    {},
    {"validate": True},
    {"validate": True, "keep_best": True, "patience": 100},
    {"on_test": True, "keep_best": True, "patience": 100},
    {"on_test": True, "patience": 100},
]


@pytest.mark.parametrize("options", CHOOSING, ids=str)
@pytest.mark.parametrize("best", [1, 300])
def test_the_ends_lines_fit_80_columns(options, best):
    history = [EpochRecord(number, 0.1, 1, 1, 1, 1, 0.99 if number == best else 1.0, 99.9) for number in range(1, 301)]
    tested = FinalTest(300, 1.0, 1.0, 10_000) if "validate" in options else None
    config = Config(**options)
    reason = "the running mean of the training error is at most 0.0001"
    lines = [*choices(config), *ending(config, history, reason, tested, Path("runs"))]
    assert max(map(len, lines)) <= WIDTH
    assert lines[-1] == "29,970.0 s in all, run folder: runs"


def test_the_end_without_validation_says_what_would_keep_a_better_net():
    history = [
        EpochRecord(number, 0.1, 1, 1, 1, 1, error, 1.0) for number, error in enumerate((0.3, 0.1, 0.2), start=1)
    ]
    lines = ending(Config(), history, "", None, Path("run"))
    assert lines == [
        "done: test error 20.00% after 3 epochs, lowest 10.00% after 2",
        "the net after 2 epochs is not kept: --validate --keep-best keeps the best one",
        "3.0 s in all, run folder: run",
    ]


def test_of_two_epochs_with_the_same_error_none_is_missed():
    history = [EpochRecord(number, 0.1, 1, 1, 1, 1, 0.2, 1.0) for number in (1, 2)]
    assert len(ending(Config(), history, "", None, Path("run"))) == 2


def test_the_note_on_a_net_that_learns_nothing_fits_too():
    assert max(map(len, learns_nothing_lines(0.9, "validation"))) <= WIDTH


def test_one_epoch_is_no_epochs(bdfa):
    out = bdfa.train("run", "--epochs", 1, "--validate", "--keep-best").out
    out += bdfa("evaluate", "run", "--best").out + bdfa.resume("run").out
    assert "1 epoch" in out
    assert not re.search(r"\b1 (whole )?(epochs|threads|images|classes)\b", out)
    assert [counted(number, "image") for number in (0, 1, 2, 1000)] == [
        "0 images",
        "1 image",
        "2 images",
        "1,000 images",
    ]


def test_every_line_of_a_run_fits_80_columns(bdfa):
    outcome = bdfa.train("run", "--epochs", 2, "--validate", "--keep-best", "--patience", 2, "--backend", "numpy")
    assert max(map(len, outcome.out.splitlines())) <= WIDTH


def test_a_halved_rate_gets_a_line(bdfa):
    lines = bdfa.train("run", "--epochs", 4, "--epoch-step", 2, "--optimization", "sgd", "--lr", 0.01).out.splitlines()
    halved = [number for number, line in enumerate(lines) if line.startswith("learning rate halved: ")]
    assert [lines[number] for number in halved] == [
        "learning rate halved: 0.01 to 0.005",
        "learning rate halved: 0.005 to 0.0025",
    ]
    assert [lines[number - 1].split(":")[0] for number in halved] == ["epoch 2/4", "epoch 4/4"]


def test_a_rate_that_decays_gets_none(bdfa):
    out = bdfa.train("run", "--epochs", 3, "--lr-decay", 0.2, "--optimization", "sgd", "--lr", 0.01).out
    assert "halved" not in out


def test_the_log_opens_with_all_options_those_that_differ_first(bdfa):
    bdfa.train("run", "--epochs", 1, "--gradient", "dfa", "--lr", 1e-3)
    head, _, rest = Path("run/Log.txt").read_text().partition("options as they are by default:\n")
    usual, _, rest = rest.partition("\n\n")
    assert head.startswith(f"bdfa-np {__version__}\noptions other than the defaults:\n")
    assert re.findall(r"^  --(\S+)", head, re.MULTILINE) == [
        *("dataset", "train-limit", "test-limit", "num-hidden", "gradient", "lr", "epochs", "threads")
    ]
    written = tomllib.loads(Path("run/config.toml").read_text())["options"]
    shown = dict(re.findall(r"^  --(\S+) (.*)$", head + usual, re.MULTILINE))
    assert {name.replace("-", "_") for name in shown} == OPTIONS.keys() - {"rule_options"}
    for name, value in written.items():
        assert shown[name.replace("_", "-")] == str(value)


def test_the_log_has_the_layers_and_the_number_of_parameters_before_the_runs_lines(bdfa):
    out = bdfa.train("run", "--epochs", 1, "--gradient", "dfa").out
    log = Path("run/Log.txt").read_text()
    assert log.endswith(f"\n\n{out}")
    table = log[: -len(out)].rstrip("\n").split("\n\n")[-1].splitlines()
    parameters = 785 * 20 + 21 * 20 + 21 * 10
    assert table[0] == f"layers, with {parameters:,} parameters in all:"
    assert table[1].split() == ["layer", "output", "parameters", "feedback", "multiply-adds"]
    assert table[-1].split() == ["all", f"{parameters:,}", "400", f"{784 * 20 + 20 * 20 + 20 * 10:,}"]
    assert max(map(len, table)) <= WIDTH


def test_a_resumed_runs_log_has_its_opening_once(bdfa):
    bdfa.train("run", "--epochs", 1)
    bdfa.resume("run", "--epochs", 2)
    assert Path("run/Log.txt").read_text().count("options other than the defaults:") == 1
