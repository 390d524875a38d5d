"""What a run is said to be beforehand: its unusual options first, and the non-linearity that its layers have."""

from pathlib import Path

import pytest

NET = """from bdfa_np import ErrorFeedback, Flatten, Linear, ReLU, Sequential, Tanh
def build(config, input_shape, num_classes, rng, backend):
    layers = [Flatten(), {layers} ErrorFeedback(), Linear(num_classes)]
    return Sequential(layers, input_shape, backend=backend, rng=rng)
"""


def headed(out):
    """Return the options of the printed table under each of its headings."""
    found, title = {}, ""
    table = out[: out.index("└")]
    for line in table.splitlines():
        cell = line.split("│")[1].strip() if line.startswith("│") else ""
        if cell.endswith(":"):
            title = cell
        elif cell:
            found.setdefault(title, []).append(cell)
    return found


def test_options_that_differ_from_the_defaults_come_first_and_no_other(bdfa):
    # 5e-5 is half the rate, which feedback-lr would follow; 1e-4 is the optimizer's own rate.
    options = "--dataset mnist-5k --gradient bdfa --feedback-lr 5e-5 --nonlin relu --lr 1e-4 --epochs 3"
    rows = headed(bdfa("train", *options.split(), "--dry-run").out)
    title, first = next(iter(rows.items()))
    assert title == "Not the default:"
    assert first == ["--dataset", "--nonlin", "--epochs"]
    assert {"--lr", "--feedback-lr", "--init", "--models-folder"} < {
        option for part in rows.values() for option in part
    }
    everything = [option for part in rows.values() for option in part]
    assert len(everything) == len(set(everything)) > 40


def test_a_dry_run_without_an_option_names_none_that_differs(bdfa):
    rows = headed(bdfa("train", "--dry-run").out)
    assert "Not the default:" not in rows
    assert rows["Data:"][0] == "--dataset"


def test_a_dry_run_ends_with_a_summary_and_fits_80_columns(bdfa):
    options = "--dataset mnist-5k --num-hidden 20 --optimization adamw --gradient dfa --epochs -1 --seed 3"
    lines = bdfa("train", *options.split(), "--dry-run").out.splitlines()
    summary = lines.index("mlp 2x20 tanh, dfa, bce; 16,330 parameters")
    assert lines[summary : summary + 2] == [
        "mlp 2x20 tanh, dfa, bce; 16,330 parameters",  # 784·20 + 20 + 20·20 + 20 + 20·10 + 10
        "adamw lr 0.0001, batch 64, no bound of epochs, seed 3",
    ]
    assert lines[summary + 2].startswith("memory: about ")
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ("Linear(5), ReLU(),", "mine.py relu, dfa, bce"),
        ("Linear(5),", "mine.py, dfa, bce"),
        ("Linear(5), ReLU(), Linear(5), Tanh(),", "mine.py, dfa, bce"),
    ],
)
def test_banner_and_dry_run_name_the_non_linearity_of_the_layers_not_that_of_the_option(bdfa, tiny, layers, said):
    Path("mine.py").write_text(NET.format(layers=layers))
    options = [*tiny, "--network", "mine.py", "--nonlin", "sigm", "--gradient", "dfa", "--epochs", 1]
    assert said in [line.partition(";")[0] for line in bdfa("train", *options, "--dry-run").out.splitlines()]
    assert said in bdfa("train", *options, "--save", "run").out.splitlines()
