"""What the net of a run folder says of samples; the folder alone is enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data.sources.find import may_be_divided
from bdfa_np.data.sources.own import is_table
from bdfa_np.errors import ConfigError, RunError
from bdfa_np.extensions import blamed
from bdfa_np.model import build_model
from bdfa_np.options.config import Config
from bdfa_np.options.machine import cuda_defaults
from bdfa_np.predictions import Predictions
from bdfa_np.representation import one_line
from bdfa_np.runs.events import Listener
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.loading import restore
from bdfa_np.runs.samples import Samples, read_files, read_part
from bdfa_np.runs.starting import moved
from bdfa_np.runs.threads.cores import in_use, within_cores
from bdfa_np.system.text import counted
from bdfa_np.system.threads import limited_threads


# Comparing two of these compares arrays, which has no single truth value: so eq=False.
@dataclass(frozen=True, eq=False)
class RunPredictions:
    """What a run's net says of samples.

    Attributes
    ----------
    config : Config
        The run's options, with those of where it was computed.
    epoch : int
        Epochs that the net was trained.
    samples : Samples
        What was predicted.
    predictions : Predictions
        What it was taken for.
    """

    config: Config
    epoch: int
    samples: Samples
    predictions: Predictions

    def __repr__(self) -> str:
        """Return how many samples there are, and how many were taken for another class, where that is known."""
        error = "" if self.wrong is None else f"error {self.wrong.mean():.2%}"
        return one_line(self, [counted(len(self.predictions), "sample"), error, f"epoch {self.epoch}"])

    @property
    def wrong(self) -> NDArray[np.bool_] | None:
        """Whether each sample was taken for another class than its own; None where labels are not known."""
        return None if self.samples.labels is None else self.predictions.labels != self.samples.labels

    def worst_first(self) -> RunPredictions:
        """Return the same, ordered by the output of the true class, the smallest first.

        Raises
        ------
        ConfigError
            If labels are not known.
        """
        if self.samples.labels is None:
            raise ConfigError("--worst needs the samples' classes: name a --dataset, or an .npz file with labels y")
        of_true = self.predictions.outputs[np.arange(len(self.samples.labels)), self.samples.labels]
        order = np.argsort(of_true, kind="stable")
        names = [self.samples.names[index] for index in order]
        samples = Samples(names, self.samples.raw[order], self.samples.labels[order])
        logits, outputs = self.predictions.logits[order], self.predictions.outputs[order]
        return replace(self, samples=samples, predictions=replace(self.predictions, logits=logits, outputs=outputs))


@blamed()
def predict_run(
    run: Path,
    files: Sequence[Path] = (),
    *,
    dataset: str | None = None,
    part: str = "test",
    invert: bool = False,
    best: bool = False,
    trust: bool = False,
    changes: Mapping[str, Any] | None = None,
    listener: Listener | None = None,
) -> RunPredictions:
    """Say what samples are, with the net of a run folder.

    Parameters
    ----------
    run : Path
        A run folder.
    files : sequence of Path, optional
        As `bdfa_np.runs.samples.read_files` has them.
    dataset : str, optional
        A data set's name or path, of which a part is predicted, in place of files.
    part : {"test", "train"}, default "test"
        Which.
    invert : bool, default False
        Whether light and dark are exchanged in pictures.
    best : bool, default False
        Whether to take the net of the lowest validation error, not the last one.
    trust : bool, default False
        As in `load_run`.
    changes : mapping, optional
        Where to compute, and where data are; as in `evaluate_run`.
    listener : Listener, optional
        Who hears of anything out of the ordinary.

    Raises
    ------
    ConfigError, DataError, RunError, BackendError
        Whatever a user can mend, in one line.
    """
    listener = listener or Listener()
    if (dataset is None) == (not files):
        raise ConfigError("name files to predict, or a --dataset, and not both")
    if dataset is not None and invert:
        raise ConfigError("--invert is for pictures of your own: leave it out")
    folder = RunFolder(run)
    with folder.opened(trust=trust) as (trained, _, last, notes):
        for text in notes:
            listener.note(text)
        checkpoint = folder.read_best() if best else last
        preprocessing = folder.read_preprocessing(checkpoint)
        if preprocessing is None:
            raise RunError(
                f"{run} is older than preprocessing.h5, without which raw values cannot be prepared: it is added by "
                f"bdfa train --save {run} --resume"
            )
        given = {name: value for name, value in (changes or {}).items() if value is not None}
        given["threads"] = in_use(trained, given.get("threads"))
        config, capped = within_cores(moved(trained, {**cuda_defaults(), "backend": "auto", **given}))
        for text in capped:
            listener.note(text)
        if dataset is None:
            samples = read_files(files, preprocessing, invert=invert, note=listener.note)
        else:
            own = {"label": config.label} if is_table(dataset) else {}
            if may_be_divided(dataset):
                own |= {"test_fraction": config.test_fraction, "seed": config.seed}
            samples = read_part(dataset, part, preprocessing, datapath=config.datapath, note=listener.note, **own)
        with limited_threads(config.threads):
            model = build_model(config, preprocessing.shape, len(preprocessing.class_names))
            restore(model, checkpoint, run)
            model = replace(model, preprocessing=preprocessing)
            return RunPredictions(config, checkpoint.progress.epoch, samples, model.predict(samples.raw))
