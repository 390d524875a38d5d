"""Testing what a run has trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bdfa_np.batches import evaluate
from bdfa_np.data.sources.find import find_source, is_own
from bdfa_np.errors import ConfigError
from bdfa_np.extensions import blamed
from bdfa_np.model import build_model
from bdfa_np.options.config import Config
from bdfa_np.options.machine import cuda_defaults
from bdfa_np.predictions import Evaluation
from bdfa_np.runs.data import load_data_of_run
from bdfa_np.runs.events import Listener
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.loading import restore
from bdfa_np.runs.starting import moved
from bdfa_np.runs.threads.cores import in_use, within_cores
from bdfa_np.system.threads import limited_threads


@dataclass(frozen=True, repr=False)
class RunEvaluation(Evaluation):
    """How well a run's net does on a part of its data set.

    Attributes
    ----------
    config : Config
        The run's options, with those of the evaluation.
    epoch : int
        After which epoch the net is.
    epochs : int
        Epochs that the run has done.
    best : bool
        Whether it is the run's best net, in place of the last.
    sample : {"image", "vector"}
        What it was tested on.
    """

    config: Config
    epoch: int
    epochs: int
    best: bool
    sample: str


@blamed()
def evaluate_run(
    run: Path,
    part: str = "test",
    changes: Mapping[str, Any] | None = None,
    listener: Listener | None = None,
    *,
    best: bool = False,
    trust: bool = False,
) -> RunEvaluation:
    """Test the net in a run folder on all images of a part of its data set.

    Parameters
    ----------
    run : Path
        A run folder.
    part : {"test", "validation"}, default "test"
        The data set's test images, or those that ``validate`` held out.
    changes : mapping, optional
        Where to compute and where the data are: ``backend``, ``device``, ``threads``, ``dataset``, ``datapath``,
        ``cache_dir``. The data set may be the path of the same one elsewhere.
        What the run itself had of CUDA's options plays no part: it may have been on another machine.
    listener : Listener, optional
        Who hears of data that are prepared anew.
    best : bool, default False
        Whether to test the net of the lowest validation error, which ``keep_best`` keeps, not the last one.
    trust : bool, default False
        As in `load_run`.

    Raises
    ------
    ConfigError, DataError, RunError, BackendError
        Whatever a user can mend, in one line.
    """
    listener = listener or Listener()
    folder = RunFolder(run)
    with folder.opened(trust=trust) as (trained, document, last, notes):
        for text in notes:
            listener.note(text)
        config = in_use_now(trained, run, part, changes, listener)
        checkpoint = folder.read_best() if best else last
        with limited_threads(config.threads):
            kept = folder.read_preprocessing(checkpoint) if config.whiten else None
            data = load_data_of_run(config, document, run, kept=kept, progress=listener.progress, note=listener.note)
            if part == "test":
                data = data.with_real_test_set()
            model = build_model(config, data.split.input_shape, len(data.split.class_names))
            restore(model, checkpoint, run)
            loss, confusion = evaluate(model.network, model.loss, data.test_batches(config.batch_size))
    epoch, epochs = checkpoint.progress.epoch, last.progress.epoch
    sample = "vector" if data.split.holds_vectors else "image"
    return RunEvaluation(loss, confusion, data.split.class_names, config, epoch, epochs, best, sample)


def in_use_now(trained: Config, run: Path, part: str, changes: Mapping[str, Any] | None, listener: Listener) -> Config:
    """Return a run's options with where its net computes now, to be tested on a part of its data set.

    Parameters
    ----------
    trained : Config
        The run's options.
    run, part, changes, listener
        As in `evaluate_run`.

    Raises
    ------
    ConfigError
        If there is no such part, or ``changes`` names another data set.
    """
    if part == "validation" and not trained.validate:
        raise ConfigError(f"{run} was trained without --validate: it has no validation images, only --split test")
    given = {name: value for name, value in (changes or {}).items() if value is not None}
    if not is_own(given.get("dataset", "./")) and find_source(given["dataset"]).spelling != trained.dataset:
        raise ConfigError(f"--dataset {given['dataset']} differs from the run's {trained.dataset}: only a path may")
    given["threads"] = in_use(trained, given.get("threads"))
    anew = {**cuda_defaults(), "backend": "auto", "test_limit": None, **given}
    config, capped = within_cores(moved(trained, anew))
    for text in capped:
        listener.note(text)
    return config
