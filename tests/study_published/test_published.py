"""The published tables of the package: their numbers against a copy typed by hand, and whether they can be run."""

import math
import re
from dataclasses import replace

import pytest

from bdfa_np import Config, build_model
from bdfa_np.study.description import load_study, published_names
from bdfa_np.study.engine.sequential import Sequential
from bdfa_np.study.events import Watcher
from bdfa_np.study.plan import plan

SHAPES = {
    "mnist": (28, 28, 1),
    "fashion-mnist": (28, 28, 1),
    "cifar10": (32, 32, 3),
    "cifar100": (32, 32, 3),
}
# As the papers and pages print them: columns are the last axis, rows the first one where there are two.
TABLES = {
    "luo-mnist": """
               bp     fa    dfa    bfa   bdfa
        1x400  1.95   3.75  3.75   2.90  3.24
        1x800  1.92   4.49  4.49   3.14  3.43
        2x400  1.71   4.25  3.70   2.89  3.28
        2x800  1.74   4.53  4.21   2.92  3.40
        3x400  1.83   5.46  3.62   2.84  3.33
        3x800  1.80   5.48  4.30   2.95  3.37""",
    "luo-cifar10": """
               bp     fa     dfa    bfa    bdfa
        1x400  46.78  48.38  48.48  48.34  48.00
        1x800  45.22  48.08  48.04  48.01  47.36
        2x400  46.22  49.50  48.52  48.38  47.98
        2x800  44.97  48.88  48.86  48.55  48.46""",
    "noekland-mnist": """
               bp     fa     dfa
               -      -      1.45""",
    "dfa-torch": """
               mnist  cifar10  cifar100
               1.05   -        -""",
    "frenkel-mnist": """
               bp         fa         dfa        drtp
        500    1.72±0.08  1.92±0.08  2.59±0.11  4.58±0.12
        1000   1.76±0.06  1.90±0.06  2.12±0.05  4.03±0.13
        2x500  1.62±0.12  1.95±0.07  4.35±0.30  4.57±0.13
        2x1000 1.67±0.07  1.90±0.07  3.46±0.25  4.04±0.12""",
    "biotorch-lenet": """
                       bp    fa     usf   brsf   frsf  dfa
        mnist          0.91  1.7    0.94  0.91   0.97  1.61
        fashion-mnist  9.2   13.06  9.69  10.02  9.61  12.81""",
    "biotorch-lenet-cifar10": """
               bp     fa     usf    brsf   frsf   dfa
        sgd    14.23  46.69  16.22  16.02  16.86  54.21
        adam   15.92  40.67  16.34  17.08  16.83  37.59""",
    "ccl-mlp": """
                       bp          fa          dfa         drtp
        mnist          98.19±0.10  96.96±0.05  97.27±0.06  92.16±0.18
        fashion-mnist  89.58±0.25  87.38±0.12  87.35±0.99  82.03±0.56
        cifar10        50.03±0.31  45.76±0.38  42.86±1.94  33.85±0.43""",
    "akrout-mnist": """
               bp     fa     kp     wm
               98.5   97.8   98.45  98.49""",
    "ebd-mlp": """
               dfa         ebd         bp
        mnist    98.1±0.21 98.2±0.08   98.7±0.05
        cifar10  52.1±0.33 55.5±0.19   56.4±0.33""",
    "dkp-cifar10": """
               bp     dkp    dfa
               70.47  67.52  61.02""",
}
# What the originals print, an error or an accuracy, and how many epochs they train.
MEASURES = {"ccl-mlp": "accuracy", "akrout-mnist": "accuracy", "ebd-mlp": "accuracy", "dkp-cifar10": "accuracy"}
EPOCHS = {
    "luo-mnist": 300,
    "luo-cifar10": 300,
    "noekland-mnist": 300,
    "dfa-torch": 300,
    "frenkel-mnist": 100,
    "biotorch-lenet": 100,
    "biotorch-lenet-cifar10": 250,
    "ccl-mlp": 100,
    "akrout-mnist": 400,
    "ebd-mlp": 120,
    "dkp-cifar10": 50,
}


def typed(table):
    """Return a table's numbers by the cells' names, as (mean, deviation), either None where there is none."""
    head, *rows = (line.split() for line in table.strip().splitlines())
    found = {}
    for row in rows:
        label, figures = (row[:1], row[1:]) if len(row) > len(head) else ([], row)
        for heading, figure in zip(head, figures, strict=True):
            mean, _, deviation = figure.partition("±")
            found["/".join([*label, heading])] = (
                None if mean == "-" else float(mean),
                float(deviation) if deviation else None,
            )
    return found


@pytest.fixture(scope="module", params=sorted(TABLES))
def study(request):
    return load_study(request.param)


def test_all_that_come_with_the_package_are_known_here():
    assert published_names() == sorted(TABLES)


def test_the_numbers_are_those_that_were_published(study):
    assert {cell.name: (cell.published, cell.published_sd) for cell in study.cells} == typed(TABLES[study.name])


def test_it_says_what_is_measured_and_trains_as_long_as_the_original(study):
    assert study.measure == MEASURES.get(study.name, "error")
    assert {cell.options["epochs"] for cell in study.cells} == {EPOCHS[study.name]}


def test_it_says_where_its_numbers_are_from_and_what_was_left_open(study):
    assert study.title
    assert re.search(r"https://(arxiv\.org/abs|github\.com)/\S+$", study.source)
    assert len(study.notes) >= 3
    assert all(note.endswith(".") for note in study.notes)


def test_what_is_shown_beside_the_published_number_is_measured(study):
    for cell in study.cells:
        if "test" in study.report:
            assert cell.options["validate"]
        if "best" in study.report and study.name == "biotorch-lenet":
            assert "validate" not in cell.options  # the page chooses on the test images


def test_every_cell_can_be_used_and_every_net_of_it_built(study):
    nets = {}
    for cell in study.cells:
        config = Config(**cell.options).resolve()
        assert config.gradient == cell.options["gradient"]
        nets.setdefault((config.network, config.dataset, config.num_layers, config.num_hidden), config)
    for config in nets.values():
        height, width, channels = SHAPES[config.dataset]
        shape = (config.resize or height, config.resize or width, channels)
        model = build_model(config, shape, 100 if config.dataset == "cifar100" else 10)
        assert model.rule.name == config.gradient


def test_a_cell_of_it_trains(study, tmp_path):
    cell = study.cells[-1] if study.name != "dfa-torch" else study.cells[0]
    small = {"dataset": "mnist-5k", "train_limit": 40, "test_limit": 20, "epochs": 1, "batch_size": 10}
    options = {**cell.options, **small}
    if options["network"] == "mlp":
        options["num_hidden"] = 10
    else:
        options["resize"] = 32
    if options.get("validate"):
        options["validate"] = 0.25
    tiny = replace(study, cells=(replace(cell, options=options),), seeds=(0,))
    (run,) = plan(tiny)
    (outcome,) = Sequential().run([run], tmp_path, {"threads": 1}, Watcher())
    assert (outcome.state, outcome.reason, outcome.trained) == ("finished", "", 1)


@pytest.mark.parametrize("size", ["500", "1000"])
def test_frenkels_feedback_of_fa_is_hes_for_every_matrix_that_a_signal_passes(size):
    cells = {cell.name: cell.options for cell in load_study("frenkel-mnist").cells}
    for name in (f"{size}/fa", f"2x{size}/fa"):
        assert cells[name]["rfb_mag"] == pytest.approx(math.sqrt(6 / cells[name]["num_hidden"]), rel=1e-6)


def test_akrouts_rates_are_the_logs_divided_by_the_batch():
    rates = {"bp": 0.2, "fa": 0.2, "kp": 0.3, "wm": 0.05}
    for cell in load_study("akrout-mnist").cells:
        assert cell.options["lr"] == rates[cell.name] / 128
