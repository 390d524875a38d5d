"""The classifier for scikit-learn keeps scikit-learn's rules, and computes what the engine computes; ``-m oracle``."""

import copy
import importlib
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from bdfa_np import Config, build_model
from bdfa_np.data import Batches
from bdfa_np.errors import ConfigError, DataError, TrainingError
from bdfa_np.options.machine import usable_cores
from bdfa_np.trainer import Trainer

pytestmark = pytest.mark.oracle

sklearn = pytest.importorskip("sklearn", reason="scikit-learn is in the extra named oracle")
from scipy.special import expit, softmax  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_iris, load_wine  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils import get_tags  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402

from bdfa_np.sklearn import PARAMETERS, FeedbackAlignmentClassifier  # noqa: E402

X, Y = load_wine(return_X_y=True)
FOLDS = StratifiedKFold(5, shuffle=True, random_state=0)


def quick(**parameters):
    return FeedbackAlignmentClassifier(**{"num_hidden": 12, "epochs": 5, **parameters})


@pytest.mark.parametrize(
    "parameters", [{}, {"gradient": "fa", "criterion": "ce", "optimization": "adam"}, {"criterion": "mse"}], ids=str
)
def test_every_check_of_scikit_learn_passes(parameters):
    results = check_estimator(FeedbackAlignmentClassifier(**parameters), on_skip=None)
    others = {result["check_name"]: result["exception"] for result in results if result["status"] != "passed"}
    assert len(results) > 50
    assert set(others) <= {"check_array_api_input"}, others  # which SciPy runs where SCIPY_ARRAY_API is set


def test_no_tag_switches_a_check_off():
    tags = get_tags(FeedbackAlignmentClassifier())
    assert not any([tags.no_validation, tags.non_deterministic, tags.classifier_tags.poor_score, tags._skip_test])
    assert tags.classifier_tags.multi_class
    assert tags.requires_fit


@pytest.mark.parametrize("gradient", ["bp", "fa", "dfa", "bfa", "bdfa"])
@pytest.mark.parametrize("load", [load_wine, load_iris], ids=["wine", "iris"])
def test_tables_are_learnt_with_the_parameters_as_they_are(load, gradient):
    found = cross_val_score(FeedbackAlignmentClassifier(gradient=gradient), *load(return_X_y=True), cv=FOLDS)
    assert found.mean() > 0.93


def test_a_search_over_parameters_in_two_processes_finds_the_better_ones():
    grid = {"feedbackalignmentclassifier__lr": [1e-7, 1e-3], "feedbackalignmentclassifier__criterion": ["ce"]}
    pipeline = make_pipeline(StandardScaler(), FeedbackAlignmentClassifier(gradient="dfa", num_hidden=20, epochs=40))
    search = GridSearchCV(pipeline, grid, cv=FOLDS, n_jobs=2).fit(X, Y)
    assert search.best_params_["feedbackalignmentclassifier__lr"] == 1e-3
    assert search.best_score_ > 0.9


def test_it_trains_what_the_engine_trains_on_columns_of_mean_0_and_deviation_1_bit_for_bit():
    prepared = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)
    model = build_model(Config(gradient="dfa", num_hidden=12, lr=1e-3, seed=7, threads=1, backend="numpy"), (13,), 3)
    list(model.trainer(Batches(prepared, Y, 64, streams=model.streams), Batches(prepared, Y, 64)).run(5))
    fitted = quick(gradient="dfa", random_state=7).fit(X, Y)
    for name, trained in model.network.weights.state().items():
        np.testing.assert_array_equal(fitted.model_.network.weights[name], trained)
    np.testing.assert_allclose(fitted.decision_function(X), model.network.predict(prepared), rtol=1e-3, atol=1e-5)


def test_probabilities_are_the_softmax_under_ce():
    fitted = quick(criterion="ce").fit(X, Y)
    np.testing.assert_allclose(fitted.predict_proba(X), softmax(fitted.decision_function(X), axis=1), rtol=1e-12)


def test_probabilities_are_the_scores_over_their_sum_under_bce():
    fitted = quick(criterion="bce").fit(X, Y)
    scores = expit(fitted.decision_function(X))
    assert np.abs(scores.sum(axis=1) - 1).max() > 0.01
    np.testing.assert_allclose(fitted.predict_proba(X), scores / scores.sum(axis=1, keepdims=True), rtol=1e-12)


@pytest.mark.parametrize("criterion", ["bce", "ce"])
def test_probabilities_sum_to_1_wherever_the_logits_are(criterion):
    fitted = quick(criterion=criterion).fit(X, Y)
    fitted.model_.network.weights["linear3.W"][...] *= 1e6
    found = fitted.predict_proba(X)
    assert np.abs(fitted.decision_function(X)).max() > 1e4
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)


def test_under_mse_there_are_labels_and_no_probabilities():
    fitted = quick(criterion="mse", epochs=60).fit(X, Y)
    assert fitted.score(X, Y) > 0.95
    assert not hasattr(fitted, "predict_proba")
    with pytest.raises(AttributeError, match="has no attribute 'predict_proba'"):
        fitted.predict_proba(X)
    of_two = quick(criterion="mse", epochs=60).fit(X[Y < 2], Y[Y < 2])
    np.testing.assert_array_equal(of_two.predict(X), (of_two.decision_function(X) > 0).astype(int))


@pytest.mark.parametrize("criterion", ["bce", "ce"])
def test_of_two_classes_the_decision_is_the_log_odds_of_the_second(criterion):
    fitted = quick(criterion=criterion).fit(X[Y < 2], Y[Y < 2])
    odds = fitted.predict_proba(X)
    np.testing.assert_allclose(fitted.decision_function(X), np.log(odds[:, 1] / odds[:, 0]), rtol=1e-9)
    np.testing.assert_array_equal(fitted.predict(X), (fitted.decision_function(X) > 0).astype(int))


@pytest.mark.parametrize(
    "names",
    [
        np.array(["Barolo", "Grignolino", "Barbera"]),
        np.array(["été", "", "鳥"], dtype=object),
        np.array([-5, 100, 3]),
        np.array([1.0, 2.0, 4.0]),
        np.array([7, 8, 9], dtype=np.uint8),
    ],
    ids=["words", "objects", "numbers", "floats", "bytes"],
)
def test_labels_may_be_of_any_type(names):
    fitted = quick(epochs=40).fit(X, names[Y])
    np.testing.assert_array_equal(fitted.classes_, np.sort(names))
    assert fitted.predict(X).dtype == names.dtype
    assert (fitted.predict(X) == names[Y]).mean() > 0.95


def test_labels_may_be_true_and_false():
    fitted = quick(epochs=40).fit(X, Y == 1)
    assert fitted.classes_.tolist() == [False, True]
    assert (fitted.predict(X) == (Y == 1)).mean() > 0.95


def test_nothing_is_printed_and_no_file_is_written(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    quick().fit(X, Y).predict(X)
    assert capfd.readouterr() == ("", "")
    assert list(Path().rglob("*")) == []


def test_the_same_seed_gives_the_same_bits_and_another_one_others():
    def bits(random_state):
        return quick(random_state=random_state).fit(X, Y).predict_proba(X).tobytes()

    assert bits(3) == bits(3) == bits(np.int64(3))
    assert bits(3) != bits(4)
    assert bits(np.random.RandomState(0)) == bits(np.random.RandomState(0))
    assert bits(None) != bits(None)


@pytest.mark.parametrize("again", [lambda fitted: pickle.loads(pickle.dumps(fitted)), copy.deepcopy])
def test_a_copy_computes_the_same(again):
    fitted = quick(batchnorm=1).fit(X, Y)
    copied = again(fitted)
    np.testing.assert_array_equal(copied.predict_proba(X), fitted.predict_proba(X))
    assert copied.n_iter_ == 5
    assert (copied.model_.rule.B["feedback1"] == fitted.model_.rule.B["feedback1"]).all()
    assert not hasattr(clone(fitted), "model_")


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_honoured_and_given_back(monkeypatch, threads):
    def blas():
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    before, used = blas(), set()
    step = Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda *arguments: (used.update(blas()), step(*arguments))[1])
    quick(threads=threads).fit(X, Y)
    assert used == {threads}
    assert blas() == before


def test_threads_are_a_number_or_one_for_each_core_and_no_fit_is_timed():
    with pytest.raises(ConfigError, match="threads 'auto': give a number, or None"):
        quick(threads="auto").fit(X, Y)
    assert quick(threads=None).fit(X, Y).model_.config.threads == usable_cores()


def test_its_parameters_are_the_options_of_a_run_with_their_defaults_but_for_its_own():
    defaults = {name: option.default for name, option in PARAMETERS.items()}
    own = {"normalization": "column", "random_state": 0, "num_hidden": 100, "epochs": 100, "lr": 1e-3}
    own |= {"threads": 1, "backend": "numpy"}
    assert {name: getattr(Config(), name, None) for name in defaults} | own == defaults
    assert FeedbackAlignmentClassifier().get_params() == defaults


def test_what_cannot_be_used_is_refused_in_one_line():
    with pytest.raises(TypeError, match=r"no parameter 'learning_rate', only normalization, .*random_state"):
        FeedbackAlignmentClassifier(learning_rate=1)
    with pytest.raises(ConfigError, match=r"--lr must be a finite number greater than 0, not -1"):
        quick(lr=-1.0).fit(X, Y)
    with pytest.raises(ConfigError, match=r"normalization image: choose from column, simple, scale"):
        quick(normalization="image").fit(X, Y)
    with pytest.raises(ConfigError, match=r"--feedback-lr has no part in --gradient dfa"):
        quick(gradient="dfa", feedback_lr=0.1).fit(X, Y)
    with pytest.raises(ConfigError, match="takes images"):
        quick(network="conv", num_hidden=800).fit(X, Y)
    with pytest.raises(DataError, match="cannot be scaled"):
        quick(normalization="scale").fit(np.ones((5, 2)), [0, 1, 0, 1, 0])
    with pytest.raises(TrainingError, match=r"try a smaller --lr"):
        quick(optimization="sgd", lr=1e30, nonlin="relu", gradient="bp").fit(X, Y)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        quick().fit(X, X[:, 0])
    with pytest.raises(ValueError, match="NaN"):
        quick().fit(np.full((5, 2), np.nan), [0, 1, 0, 1, 0])
    with pytest.raises(NotFittedError, match="not fitted yet"):
        quick().decision_function(X)
    with pytest.raises(ValueError, match="13 features"):
        quick().fit(X, Y).predict(X[:, :5])


def test_where_scikit_learn_is_missing_it_is_named_with_its_extra(monkeypatch):
    monkeypatch.delitem(sys.modules, "bdfa_np.sklearn")
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    with pytest.raises(ImportError, match=r"needs scikit-learn 1\.6 or later: install it with .*bdfa-np\[sklearn\]"):
        importlib.import_module("bdfa_np.sklearn")


def test_what_is_predicted_of_a_row_hangs_on_no_other_row():
    fitted = quick(num_hidden=200).fit(X, Y)
    alone = np.concatenate([fitted.decision_function(row[None]) for row in X[:40]])
    np.testing.assert_allclose(fitted.decision_function(X)[:40], alone, rtol=1e-11)


def test_columns_are_normalised_in_the_precision_of_the_table():
    """A year and a fraction of a second: in float32 the column would be two values."""
    column = 2000 + np.linspace(0, 1e-4, 100)[:, None]
    fitted = quick(epochs=60).fit(column, np.arange(100) >= 50)
    assert fitted.score(column, np.arange(100) >= 50) > 0.95
