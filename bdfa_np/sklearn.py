"""A classifier for scikit-learn; needs the extra ``sklearn``."""

import dataclasses
import inspect
import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bdfa_np.data import Batches, Normalization, Preprocessing
from bdfa_np.data.preprocess.raw_values import RawValues
from bdfa_np.declaration import Option
from bdfa_np.errors import ConfigError
from bdfa_np.extensions import blamed
from bdfa_np.layers.batchnorm import lone_samples
from bdfa_np.model import Model, build_model
from bdfa_np.options.catalogue import HEADINGS
from bdfa_np.options.config import Config, explained
from bdfa_np.options.machine import cuda_defaults, usable_cores
from bdfa_np.options.tracking import NAMES as TRACKING
from bdfa_np.system.extras import install_command
from bdfa_np.system.threads import limited_threads

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        f"bdfa_np.sklearn needs scikit-learn 1.6 or later: install it with {install_command('sklearn')}"
    ) from error

NORMALIZATION = Option(
    "normalization",
    "column",
    "What is done to X first: each column, or all values as a whole (simple), to mean 0 and deviation 1, or all values "
    "to 0..1 (scale).",
    choices=("column", "simple", "scale"),
)
RANDOM_STATE = Option("random_state", 0, "Seed of everything random. A RandomState gives one, and None draws one.")
OWN_DEFAULTS = {"num_hidden": 100, "epochs": 100, "lr": 1e-3, "threads": 1, "backend": "numpy"}
"""Tables are small, and a search over parameters trains many nets at once."""
OWN_HELP = {
    "lr": "Learning rate. None: the optimizer's own, 0.0001, of rprop 0.1, of adadelta 1.",
    "threads": "CPU threads. None: one for each usable core; a fit is not timed.",
}
NOT_TAKEN = ("models_folder", "keep_best", "patience", "on_test", "seed", "visualize", *TRACKING)
"""What is of a run's files, or chooses by what a run is tested on; in place of ``seed`` stands ``random_state``."""


def _declared() -> dict[str, Option]:
    """Return the classifier's parameters: the options of a run, but for where data come from and results go to."""
    taken = [option for title, options in HEADINGS.items() if title != "Data" for option in options]
    declared = {
        option.name: dataclasses.replace(
            option,
            default=OWN_DEFAULTS.get(option.name, option.default),
            words=(),
            help=OWN_HELP.get(option.name, option.help),
        )
        for option in taken
        if option.name not in NOT_TAKEN
    }
    return {NORMALIZATION.name: NORMALIZATION, **declared, RANDOM_STATE.name: RANDOM_STATE}


PARAMETERS = _declared()


def _gives_scores(classifier: Any) -> bool:
    if classifier.criterion == "mse":
        raise AttributeError("under mse the outputs are no probabilities: take predict, or criterion='ce'")
    return True


class FeedbackAlignmentClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A net that learns by feedback alignment, as a classifier of scikit-learn.

    It takes vectors, prints nothing and writes no files; sample weights are not taken. It trains in float32 and
    computes what it predicts in float64. With a number as ``random_state`` the same call on the same machine gives
    the same bits, and those of ``bdfa train`` with the same options on the same prepared data.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels, sorted; of any type.
    model_ : Model
        What was trained, on NumPy in float64, its preprocessing included: for `export_model`, say.
    n_iter_ : int
        Epochs done: fewer than ``epochs`` where the running mean of the training error came to 1e-4.
    history_ : list of EpochRecord
        One for each epoch; nothing is tested on, so the figures of testing are NaN.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of str
        Their names, where X has some.

    Examples
    --------
    >>> from bdfa_np.sklearn import FeedbackAlignmentClassifier
    >>> from sklearn.datasets import load_wine
    >>> X, y = load_wine(return_X_y=True)
    >>> FeedbackAlignmentClassifier(gradient="dfa", num_hidden=30).fit(X, y).predict(X[:2]).tolist()
    [0, 0]
    """

    def __init__(self, **parameters: Any) -> None:
        for name in parameters:
            if name not in PARAMETERS:
                raise TypeError(f"{type(self).__name__} has no parameter {name!r}, only {', '.join(PARAMETERS)}")
        for name, option in PARAMETERS.items():
            setattr(self, name, parameters.get(name, option.default))

    @blamed()
    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train a new net.

        Parameters
        ----------
        X : array_like of numbers, shape (N, d)
            Samples, a row each.
        y : array_like, shape (N,)
            Their labels, of any type.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X or y cannot be used.
        ConfigError, DataError, TrainingError
            If parameters cannot be used, X cannot be normalised, or the loss stops being a finite number.
        """
        samples, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        config, normalization = self._config(), self._normalization(samples)
        shape, names = samples.shape[1:], tuple(map(str, self.classes_))
        with limited_threads(config.threads):
            trained = build_model(config, shape, len(names))
            lone = lone_samples(
                trained.network.tree(), len(samples), config.batch_size, drop_last=config.const_batch_size
            )
            if lone:
                warnings.warn(lone, UserWarning, stacklevel=2)
            batches = Batches(
                normalization.apply(samples, np.empty_like(samples)).astype(np.float32),
                labels,
                config.batch_size,
                streams=trained.streams,
                drop_last=config.const_batch_size,
            )
            self.history_ = list(trained.trainer(batches, None).run(config.epochs))
        self.n_iter_ = len(self.history_)
        preprocessing = Preprocessing(shape, names, RawValues.of(samples), normalization=normalization)
        self.model_ = _in_float64(trained.config, trained.state(), preprocessing)
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the labels (N,) of samples (N, d): those with the largest logits."""
        largest = self._logits(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[largest]
        return labels

    @available_if(_gives_scores)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return a probability for each class, (N, K), of samples (N, d); they sum to 1.

        Under ``ce`` they are the logits' softmax. Under ``bce`` a net has a score for each class, σ of its logit, that
        knows nothing of the others; what is returned are the scores over their sum. Under ``mse``, whose outputs may be
        any numbers, there is no such method.
        """
        log_scores = self._log_scores(X)
        scores = np.exp(log_scores - log_scores.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float64] = scores / scores.sum(axis=1, keepdims=True)
        return probabilities

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the logits (N, K) of samples (N, d); of two classes, one number each (N,), positive for the second.

        Of two classes that is the log-odds of `predict_proba`; under ``mse`` it is the difference of the outputs.
        """
        check_is_fitted(self)
        if len(self.classes_) != 2:
            return self._logits(X)
        of_each = self._log_scores(X)
        decision: NDArray[np.float64] = of_each[:, 1] - of_each[:, 0]
        return decision

    def _log_scores(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return logarithms of what `predict_proba` is proportional to; under ``mse`` the outputs."""
        o = self._logits(X)
        return -np.logaddexp(0, -o) if self.criterion == "bce" else o

    @blamed()
    def _logits(self, X: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self)
        samples = validate_data(self, X, reset=False, dtype=np.float64)
        model, preprocessing = self.model_, self.model_.preprocessing
        assert preprocessing is not None
        with limited_threads(self.threads):
            prepared = preprocessing.transform(samples, np.empty_like(samples))
            logits: NDArray[np.float64] = model.network.predict(prepared)
        return logits

    def _config(self) -> Config:
        """Return the parameters as options of a run."""
        given = {name: getattr(self, name) for name in PARAMETERS}
        if given["threads"] is None:
            given["threads"] = usable_cores()
        elif isinstance(given["threads"], str):  # in a search over parameters it would be timed among other fits
            raise ConfigError(f"threads {given['threads']!r}: give a number, or None for one for each usable core")
        del given[NORMALIZATION.name]
        seed = given.pop(RANDOM_STATE.name)
        if not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(2**31 - 1)
        return Config(**given, seed=int(seed)).resolve()

    def _normalization(self, X: NDArray[np.float64]) -> Normalization:
        problem = NORMALIZATION.problem(self.normalization)
        if problem:
            raise ConfigError(f"normalization {problem}")
        return Normalization.fit(self.normalization, X)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: arrays in the place of the objects that hold them."""
        state = dict(super().__getstate__())
        model = state.pop("model_", None)
        return state if model is None else {**state, "_model": (model.config, model.state(), model.preprocessing)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over what was pickled."""
        state = dict(state)
        model = state.pop("_model", None)
        super().__setstate__(state)
        if model is not None:
            self.model_ = _in_float64(*model)


def _in_float64(config: Config, state: dict[str, Any], preprocessing: Preprocessing) -> Model:
    """Return a trained model on the CPU in float64, in which what is computed of a row hangs on no other row."""
    on_cpu = config.replace(backend="numpy", **cuda_defaults())
    model = build_model(on_cpu, preprocessing.shape, len(preprocessing.class_names), dtype="float64")
    model.load_state(state)
    return dataclasses.replace(model, preprocessing=preprocessing)


FeedbackAlignmentClassifier.__doc__ = inspect.cleandoc(FeedbackAlignmentClassifier.__doc__ or "").replace(
    "{parameters}", "\n".join(line for option in PARAMETERS.values() for line in explained(option))
)
# scikit-learn finds an estimator's parameters, and an editor its completions, by the signature.
FeedbackAlignmentClassifier.__init__.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
        inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        *(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option.default)
            for name, option in PARAMETERS.items()
        ),
    ]
)
