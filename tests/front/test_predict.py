"""Predicting and testing with a trained net, beside what training itself has come to."""

import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from bdfa_np import Config, build_model, load_dataset, load_run
from bdfa_np.data.cache.store import Cache
from bdfa_np.errors import ConfigError, DataError, RunError
from bdfa_np.runs.checkpoint import write_checkpoint
from bdfa_np.runs.folder import RunFolder

OPTIONS = ["--dataset", "mnist-5k", "--train-limit", 300, "--num-hidden", 20, "--lr", "1e-3", "--epochs", 2]
DIGITS = load_dataset("mnist-5k")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a run folder; the command is called without the fixture, which belongs to one test alone."""
    from bdfa_np.runs.starting import start_run

    folder = tmp_path_factory.mktemp("run") / "digits"
    options = {"num_hidden": 20, "lr": 1e-3, "epochs": 2, "threads": 1, "backend": "numpy", "train_limit": 300}
    start_run(Config(dataset="mnist-5k", **options), folder)
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return load_run(folder)


def test_predictions_are_those_that_the_run_was_tested_with(folder, model):
    _, document = RunFolder(folder).read_document()
    checkpoint = RunFolder(folder).read_checkpoint()
    labels = model.predict(DIGITS.test_images).labels
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (DIGITS.test_labels, labels), 1)
    np.testing.assert_array_equal(counts, checkpoint.confusion)
    assert document["data"]["class_names"] == list(model.class_names)


def test_scores_are_the_sigmoids_of_the_logits_by_hand(model):
    found = model.predict(DIGITS.test_images[:300])
    x = DIGITS.test_images[:300].reshape(300, 784) / 255
    for block in ("1", "2"):
        x = np.tanh(x @ model.network[f"linear{block}"].W + model.network[f"linear{block}"].b)
    logits = x @ model.network["linear3"].W + model.network["linear3"].b
    np.testing.assert_allclose(found.logits, logits, atol=2e-5 * abs(logits).max())
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(-logits)), atol=2e-5)
    assert found.kind == "score"
    with pytest.raises(AttributeError, match=r"K sigmoids, which do not sum to 1.*take \.scores"):
        found.probabilities  # noqa: B018


def test_under_ce_they_are_probabilities_that_sum_to_1():
    model = build_model(Config(criterion="ce", num_hidden=5, nonlin="sigm", backend="numpy"), (4,), 3)
    x = np.random.default_rng(0).normal(size=(7, 4))
    found = model.predict(x, prepared=True)
    exponentials = np.exp(found.logits)
    np.testing.assert_allclose(found.probabilities, exponentials / exponentials.sum(axis=1, keepdims=True), rtol=1e-5)
    assert found.kind == "probability"


def test_names_and_the_most_likely_ones_belong_to_the_labels(model):
    found = model.predict(DIGITS.test_images[:20])
    assert found.names == [str(label) for label in found.labels]
    for sample, likely in enumerate(found.top(3)):
        assert [name for name, _ in likely] == [str(i) for i in np.argsort(-found.scores[sample], kind="stable")[:3]]
        assert likely[0][0] == found.names[sample]
    assert len(found.top(99)[0]) == 10
    with pytest.raises(ValueError, match="must be 1 or more"):
        found.top(0)


def test_prepared_values_are_taken_as_they_are_and_raw_ones_are_prepared(model):
    raw = DIGITS.test_images[:5]
    ready = (raw / np.float32(255)).astype(np.float32)
    np.testing.assert_array_equal(model.predict(raw).logits, model.predict(ready, prepared=True).logits)
    with pytest.raises(DataError, match="or say prepared=True"):
        model.predict(ready)


@pytest.mark.parametrize(
    "x", [np.zeros((2, 28, 27, 1)), np.zeros((0, 28, 28, 1)), np.full((1, 28, 28, 1), np.nan), [["a"]], 3.0]
)
def test_prepared_values_that_do_not_fit_are_refused(model, x):
    with pytest.raises(DataError):
        model.predict(x, prepared=True)


def test_a_model_built_by_hand_wants_prepared_values():
    model = build_model(Config(num_hidden=5, backend="numpy"), (4,), 3)
    with pytest.raises(RunError, match=r"built by hand.* prepared=True"):
        model.predict(np.zeros((1, 4)))


def test_testing_takes_a_name_a_data_set_or_samples_with_numbers_or_names_for_labels(folder, model):
    checkpoint = RunFolder(folder).read_checkpoint()
    names = [str(label) for label in DIGITS.test_labels]
    for found in (
        model.evaluate("mnist-5k"),
        model.evaluate(DIGITS),
        model.evaluate(DIGITS.test_images, DIGITS.test_labels),
        model.evaluate(DIGITS.test_images, names),
        model.evaluate(DIGITS.test_images / 255, DIGITS.test_labels, prepared=True),
    ):
        assert found.error == checkpoint.history[-1].test_error
        assert found.loss == pytest.approx(checkpoint.history[-1].test_loss, rel=1e-5)
        assert found.accuracy == 1 - found.error
    assert repr(found) == f"Evaluation(error {found.error:.2%}, loss {found.loss:.4f}, 1,000 samples)"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((DIGITS.test_images,), ConfigError, "needs the labels"),
        ((DIGITS, DIGITS.test_labels), ConfigError, "has labels of its own"),
        ((DIGITS.test_images, DIGITS.test_labels[:9]), DataError, "1,000 samples but 9 labels"),
        ((DIGITS.test_images[:2], [0, 10]), DataError, r"must lie within 0\.\.9, not 0\.\.10"),
        ((DIGITS.test_images[:2], ["0", "ten"]), DataError, "label .*ten.* is no class"),
        ((DIGITS.test_images[:2], [0.0, 1.0]), DataError, "as a number or a name"),
        ((DIGITS.test_images[:2], np.eye(10, dtype=int)[:2]), DataError, "as a number or a name"),
    ],
)
def test_what_cannot_be_tested_is_refused(model, arguments, error, message):
    with pytest.raises(error, match=message):
        model.evaluate(*arguments)


def test_a_data_set_of_other_classes_is_refused(model):
    other = load_dataset("mnist-5k")
    object.__setattr__(other, "class_names", tuple("abcdefghij"))
    with pytest.raises(DataError, match="other classes"):
        model.evaluate(other)


def test_a_run_folder_alone_predicts_after_all_prepared_data_are_gone(bdfa, tmp_path, monkeypatch):
    monkeypatch.setenv("BDFA_CACHE_DIR", str(tmp_path / "cache"))
    run = tmp_path / "whitened"
    assert bdfa("train", *OPTIONS, "--whiten", "--zca-epsilon", "100", "--save", run).code == 0
    before = load_run(run).evaluate(DIGITS)
    assert before.error == RunFolder(run).read_checkpoint().history[-1].test_error
    for entry in Cache(tmp_path / "cache").entries():
        entry.path.unlink()
    moved = tmp_path / "moved"
    shutil.copytree(run, moved)
    shutil.rmtree(run)
    assert repr(load_run(moved).evaluate(DIGITS)) == repr(before)
    with h5py.File(moved / "preprocessing.h5") as file:
        assert file["whitening/P"].dtype == np.float32


def test_a_preprocessing_that_is_not_the_checkpoints_is_refused_and_made_anew_by_a_resume(bdfa, folder, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(folder, run)
    path = run / "preprocessing.h5"
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:900] + bytes([whole[900] ^ 1]) + whole[901:], b""):
        path.write_bytes(damaged)
        with pytest.raises(RunError, match="is damaged, or another run's"):
            load_run(run)
    path.unlink()
    with pytest.raises(RunError, match="is missing: restore it from a copy, or let --resume make it anew"):
        load_run(run)
    outcome = bdfa("train", "--save", run, "--resume", "--epochs", 3)
    assert outcome.code == 0
    assert "preprocessing.h5 is missing" in outcome.out
    assert "made anew from the data" in outcome.out
    assert path.read_bytes() == whole
    assert load_run(run).evaluate(DIGITS).error == RunFolder(run).read_checkpoint().history[-1].test_error


def test_a_run_without_a_preprocessing_gets_one_at_its_resume(bdfa, folder, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(folder, run)
    (run / "preprocessing.h5").unlink()
    without = replace(RunFolder(run).read_checkpoint(), preprocessing="")  # as versions before wrote it
    write_checkpoint(run / "checkpoint.h5", without)
    with pytest.raises(RunError, match="which one more --resume adds"):
        load_run(run).predict(DIGITS.test_images)
    assert bdfa("train", "--save", run, "--resume").code == 0  # it has nothing to train
    assert load_run(run).evaluate(DIGITS).error == RunFolder(run).read_checkpoint().history[-1].test_error
