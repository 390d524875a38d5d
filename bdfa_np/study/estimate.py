"""How long the runs of a study should take here, from a few training steps of each kind of net on random samples."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter

import numpy as np

from bdfa_np.batches import evaluate, fed
from bdfa_np.data import Dataset
from bdfa_np.data.preprocess.pipeline import in_memory
from bdfa_np.data.recipe import Recipe
from bdfa_np.data.sources.find import source_of
from bdfa_np.data.sources.kinds import Described
from bdfa_np.data.splits import validation_size
from bdfa_np.extensions import blamed
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.config import Config
from bdfa_np.options.tracking import NAMES as TRACKING
from bdfa_np.runs.data import RunData
from bdfa_np.runs.loading import model_for
from bdfa_np.runs.threads.trial import unnoticed
from bdfa_np.study.plan import PlannedRun
from bdfa_np.system.threads import limited_threads
from bdfa_np.trainer import Trainer

BATCHES = 4
"""Of how many random batches an epoch of the trial is; it tests on one."""
SHORTEST, MOST = 0.03, 40
"""Seconds, or steps, after which no further one is timed."""
FEWEST = 2
"""Steps that are timed at least: a single one may be one during which the machine did something else."""
NO_MATTER = (
    *("seed", "epochs", "dataset", "label", "test_fraction", "no_extra", "validate", "train_limit", "test_limit"),
    *("datapath", "cache_dir", "models_folder", "schedule", "milestones", "warmup", "epoch_step"),
    *("keep_best", "patience", "on_test", "visualize", "threads", "init", "normalization", "zca_epsilon"),
    *TRACKING,
)
"""Options on which the time of a training step does not hang."""


class Estimates:
    """Tells how long runs take; each kind of step is measured once.

    The time that data take to be read and prepared, and checkpoints to be written, is left out.
    """

    def __init__(self) -> None:
        self._described: dict[Recipe, Described] = {}
        self._measured: dict[object, tuple[float, float]] = {}

    def seconds_of(self, run: PlannedRun) -> float:
        """Return the seconds that a run should take here, alone on one thread.

        Raises
        ------
        DataError
            If its data are the user's own, and cannot be read: of published ones nothing is read.
        """
        config = _resolved(run)
        described = self._description(config)
        train, test = _counts(config, described)
        step, tested = self._measurement(config, described)
        size = min(config.batch_size, train)  # a smaller last batch takes its share
        steps = train // size if config.const_batch_size else train / size
        return float(config.epochs * (steps * step + test / size * tested))

    def kinds(self, runs: Iterable[PlannedRun]) -> list[PlannedRun]:
        """Return one run of each kind whose steps have not been measured."""
        found: dict[object, PlannedRun] = {}
        for run in runs:
            config = _resolved(run)
            found.setdefault(_kind(config, self._description(config)), run)
        return [run for kind, run in found.items() if kind not in self._measured]

    def _description(self, config: Config) -> Described:
        recipe = config.recipe()
        if recipe not in self._described:
            self._described[recipe] = source_of(recipe).describe(recipe)
        return self._described[recipe]

    def _measurement(self, config: Config, described: Described) -> tuple[float, float]:
        kind = _kind(config, described)
        if kind not in self._measured:
            self._measured[kind] = _measured(config, described)
        return self._measured[kind]


def seconds_of(run: PlannedRun) -> float:
    """Return the seconds that a run should take here, alone on one thread, as `Estimates` measures it."""
    return Estimates().seconds_of(run)


def shared_out(seconds: Iterable[float], workers: int) -> float:
    """Return how long several workers take for runs that each fetches when it is free, the longest ones first."""
    busy = [0.0] * workers
    for one in sorted(seconds, reverse=True):
        busy[busy.index(min(busy))] += one
    return max(busy)


def _resolved(run: PlannedRun) -> Config:
    return Config.from_mapping({**run.options, "threads": 1}).resolve()


def _counts(config: Config, described: Described) -> tuple[int, int]:
    """Return how many samples are trained on and tested on in each epoch."""
    train, test = described.train, described.test
    if config.validate:
        test = min(validation_size(train, config.validate), train)
        train -= test
    return min(train, config.train_limit or train), min(test, config.test_limit or test)


def _kind(config: Config, described: Described) -> object:
    """Return what the time of a step hangs on; of a rate only whether it is 0."""
    options = {name: value for name, value in config.to_mapping().items() if name not in NO_MATTER}
    kept = [(name, bool(value) if OPTIONS[name].type is float else repr(value)) for name, value in options.items()]
    return described.input_shape, described.classes, tuple(kept)


def _measured(config: Config, described: Described) -> tuple[float, float]:
    """Return the seconds of a training step, and of a batch tested on."""
    with limited_threads(1), unnoticed(), blamed():
        data = _random_data(config, described)
        model = model_for(config, data)
        train = data.train_batches(config.batch_size, model.streams)
        trainer = model.trainer(train, None)
        trainer.rule.before_training(itertools.islice(fed(model.network, train, 0), 1))
        test = data.test_batches(config.batch_size)
        with model.network.computing(), model.backend.non_finite_allowed():
            steps = _steps(trainer)
            next(steps)  # compiles and makes buffers, which no other step does
            step = _seconds(lambda: next(steps))
        tested = _seconds(lambda: evaluate(model.network, model.loss, test))
    return step, tested


def _steps(trainer: Trainer) -> Iterator[None]:
    """Train for ever, a step at a time, each waited for."""
    backend = trainer.network.backend
    for epoch in itertools.count(1):
        for number, (x, labels) in enumerate(fed(trainer.network, trainer.train, epoch), start=1):
            trainer.step(x if trainer.augment is None else trainer.augment(backend.asarray(x), epoch, number), labels)
            backend.synchronize()
            yield


def _seconds(act: Callable[[], object]) -> float:
    """Return the least time that an act takes: to that, other programs only add."""
    begin, times = perf_counter(), list[float]()
    while len(times) < FEWEST or (len(times) < MOST and perf_counter() - begin < SHORTEST):
        start = perf_counter()
        act()
        times.append(perf_counter() - start)
    return min(times)


def _random_data(config: Config, described: Described) -> RunData:
    """Return random samples like the run's: bytes where it has bytes, else as they would be prepared."""
    generator = np.random.default_rng(0)
    size = min(config.batch_size, _counts(config, described)[0])
    count = BATCHES * size
    shape = (count + size, *described.input_shape)
    if config.recipe().keeps_bytes:
        samples = generator.integers(0, 256, shape, np.uint8)
    else:
        samples = generator.standard_normal(shape, np.float32)
    labels = generator.integers(0, described.classes, count + size)
    names = tuple(map(str, range(described.classes)))
    dataset = Dataset(described.name, samples[:count], labels[:count], samples[count:], labels[count:], names)
    prepared = in_memory(Recipe(config.dataset), dataset)
    return RunData(prepared, prepared.split(test_limit=None, seed=0))
