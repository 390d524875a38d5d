"""Measures a run's net as it learns, on images that are the same in every sitting; what is trained is never touched."""

from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from bdfa_np.data import Batches
from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.diagnostics.measurer import IMAGES, Measurer, Probe
from bdfa_np.diagnostics.quantities import of_groups
from bdfa_np.diagnostics.recording import Recording
from bdfa_np.errors import RunError
from bdfa_np.model import Model
from bdfa_np.options.tracking import groups, interval
from bdfa_np.random_streams import Streams
from bdfa_np.runs.data import RunData


class Tracker:
    """Measures a model before its first step, and every few epochs or steps from there on.

    Parameters
    ----------
    model : Model
        What trains; its options say what is measured, and how often.
    data : RunData
        What it trains and tests on: 256 images of each part are measured on, or all where there are fewer.
    before : Diagnostics, optional
        What was measured in earlier sittings.
    path : Path, optional
        Where that was read, for messages.

    Attributes
    ----------
    recording : Recording
        What was measured, earlier and here.
    every : Interval
        How often is measured.
    measured, seconds, first_seconds : int, float, float
        How often was measured in this sitting, how long that took, and how long the first time, which may compile
        what training would compile a moment later.

    Raises
    ------
    RunError
        If what was measured earlier is of another net.
    """

    def __init__(
        self, model: Model, data: RunData, before: Diagnostics | None = None, path: Path | None = None
    ) -> None:
        self._model = model
        self.every = interval(model.config.track_every)
        chosen = groups(model.config.track) if model.config.track else ()
        self._measurer = Measurer(model, chosen, probe_of(data, model)) if chosen else None
        self._in_steps = 0.0
        self.measured, self.seconds, self.first_seconds = 0, 0.0, 0.0
        if self._measurer is None:
            assert before is not None  # else there is nothing to keep, and no tracker
            self.recording = Recording(before.layers, (), before=before)
            return
        layers = self._measurer.layers
        if before is not None and before.layers != layers:
            raise RunError(
                f"{path} is of another net, with the layers {', '.join(before.layers)}: restore it from a copy, "
                "or remove it"
            )
        settings = {
            "groups": ",".join(chosen),
            "every": str(self.every),
            "images": min(IMAGES, len(data.split.train_labels)),
            "held_out_images": min(IMAGES, len(data.split.test_labels)),
            "part": model.config.tested_on,
        }
        self.recording = Recording(layers, of_groups(chosen), settings, before)

    @property
    def measures(self) -> bool:
        """Whether it measures, and not only keeps what was measured before."""
        return self._measurer is not None

    @property
    def watches_steps(self) -> bool:
        """Whether `after_step` has something to do."""
        return self._measurer is not None and self.every.of_steps

    def begin(self, epochs: int) -> None:
        """Measure before the first step, or after so many epochs where nothing was measured before."""
        if self._measurer is not None and not len(self.recording):
            self._measure(float(epochs))

    def after_step(self, epoch: float) -> None:
        """Measure after a step, where it is time to; ``epoch`` is how many are done, with the part of this one."""
        if self._model.optimizer.steps % self.every.number == 0:
            before = self.seconds
            self._measure(epoch)
            self._in_steps += self.seconds - before

    def after_epoch(self, epochs: int) -> None:
        """Measure after so many whole epochs, where it is time to; where steps are counted, `after_step` has."""
        if self._measurer is not None and not self.every.of_steps and epochs % self.every.number == 0:
            self._measure(float(epochs))

    def seconds_within(self) -> float:
        """Return the seconds that measuring took between the steps of an epoch, once: they are no part of it."""
        seconds, self._in_steps = self._in_steps, 0.0
        return seconds

    def diagnostics(self) -> Diagnostics:
        """Return all that was measured."""
        return self.recording.diagnostics()

    def _measure(self, epoch: float) -> None:
        assert self._measurer is not None
        self._model.backend.synchronize()  # or the steps before it would count as measuring
        start = perf_counter()
        found = self._measurer.measure(self._model)
        self.recording.add(epoch, self._model.optimizer.steps, found.values, found.snapshots)
        self.measured += 1
        self.seconds += perf_counter() - start
        if self.measured == 1:
            self.first_seconds = self.seconds


def probe_of(data: RunData, model: Model) -> Probe:
    """Return the images that a run is measured on, as its net takes them: of each part the first that a stream draws.

    Parameters
    ----------
    data : RunData
        The run's.
    model : Model
        The run's; its seed draws, and labels are not looked at.
    """
    split, streams = data.split, model.streams
    train, test = (
        _drawn(data, streams, part, images, labels)
        for part, images, labels in (
            ("train", split.train_images, split.train_labels),
            ("test", split.test_images, split.test_labels),
        )
    )
    return Probe(*train, *test)


def _drawn(
    data: RunData, streams: Streams, part: str, images: NDArray[np.generic], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    order = np.sort(streams.generator("probe", part).permutation(len(labels))[:IMAGES])
    batches = Batches(images[order], labels[order], len(order), normalization=data.prepared.normalization)
    ((x, chosen),) = batches.epoch(0)
    return x, chosen
