"""A run's data: its data set prepared, split, and put into batches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bdfa_np.data import Batches, Dataset, Normalization, PreparedData, Preprocessing, Split, prepare
from bdfa_np.data.checks import check_classes, class_notes
from bdfa_np.data.preprocess.pipeline import in_memory, reviewed
from bdfa_np.data.sources.find import find_source, is_own, source_of
from bdfa_np.data.statistics import unevenness
from bdfa_np.errors import ConfigError, DataError
from bdfa_np.options.config import Config
from bdfa_np.random_streams import Streams
from bdfa_np.representation import one_line, shape_text
from bdfa_np.runs.preprocessing import parting
from bdfa_np.system.text import counted


@dataclass(frozen=True)
class RunData:
    """A prepared data set, and the two parts of it that a run uses."""

    prepared: PreparedData
    split: Split

    def __repr__(self) -> str:
        """Return what the two parts are."""
        return one_line(self, [self.split.description, shape_text(self.split.input_shape)])

    def train_batches(self, batch_size: int, streams: Streams, *, drop_last: bool = False) -> Batches:
        """Return shuffled batches of the training part."""
        images, labels = self.split.train_images, self.split.train_labels
        return Batches(
            images, labels, batch_size, normalization=self._normalization, streams=streams, drop_last=drop_last
        )

    def test_batches(self, batch_size: int) -> Batches:
        """Return batches of the part that the run tests on."""
        return Batches(self.split.test_images, self.split.test_labels, batch_size, normalization=self._normalization)

    @property
    def _normalization(self) -> Normalization | None:
        return self.prepared.normalization

    def with_real_test_set(self) -> "RunData":
        """Return the same with all test images of the data set as the part to test on."""
        images, labels = self.prepared.parts["test"]
        return replace(self, split=replace(self.split, test_images=images, test_labels=labels))

    def without_limit(self, seed: int) -> "RunData":
        """Return the same with all images of the part that the run tests on; ``seed`` is the run's."""
        return replace(self, split=self.prepared.split(test_limit=None, seed=seed))

    def description(self) -> dict[str, Any]:
        """Return what a run's ``config.toml`` says of its data."""
        return {
            "input_shape": list(self.split.input_shape),
            "class_names": list(self.split.class_names),
            "parts": self.split.description,
            "checksums": self.prepared.checksums,
        }

    def origin(self) -> str | None:
        """Return a line on the prepared file, or None for a data set that needs none."""
        if self.prepared.path is None:
            return None
        nbytes, seconds = self.prepared.nbytes, self.prepared.seconds
        size = f"{nbytes / 1e6:,.0f} MB" if nbytes >= 1e6 else f"{nbytes / 1e3:,.0f} kB"
        how = "cache hit: read" if self.prepared.hit else "prepared and stored"
        what = "numbers" if self.split.holds_vectors else "pixels"
        return f"{how} {size} of {what} in {seconds:.1f} s, {self.prepared.path}"

    def check_same(self, document: Mapping[str, Any], run: object) -> None:
        """Raise `DataError` unless the data are, byte for byte, those that the run was started with."""
        check_same_data(self.prepared.checksums, document, run)

    def with_classes(self, class_names: Sequence[str], run: object) -> "RunData":
        """Return the same with the classes that a run was started with.

        Labels that begin at 1 once had a class "0" too, which no sample was of: a run from then goes on with it.

        Raises
        ------
        DataError
            If there is a class that the run has not.
        """
        names, own = tuple(class_names), self.split.class_names
        if names == own:
            return self
        if not set(own) <= set(names):
            raise DataError(f"the data have other classes than {run}: start a new run")
        codes = np.array([names.index(name) for name in own])
        parts = {part: (samples, codes[labels]) for part, (samples, labels) in self.prepared.parts.items()}
        prepared = replace(self.prepared, parts=parts, class_names=names)
        train, test = (codes[labels] for labels in (self.split.train_labels, self.split.test_labels))
        return RunData(prepared, replace(self.split, train_labels=train, test_labels=test, class_names=names))


def load_run_data(
    config: Config,
    dataset: Dataset | None = None,
    *,
    progress: bool = False,
    note: Callable[[str], None] = lambda _: None,
) -> RunData:
    """Load a configuration's data set, prepared, split and limited as it says.

    Parameters
    ----------
    config : Config
        The resolved options.
    dataset : Dataset, optional
        The data set where it is in memory; else the one that the options name is read.
    progress : bool, default False
        Whether to draw progress bars on standard error.
    note : callable, optional
        Called with a line about anything out of the ordinary.

    Raises
    ------
    DataError
        If the data are missing, damaged, or not enough for the limits.
    ConfigError
        If what is asked for does not go with the data.
    """
    recipe = config.recipe()
    if dataset is None:
        prepared = prepare(recipe, datapath=config.datapath, cache_dir=config.cache_dir, progress=progress, note=note)
    else:
        for text in dataset.notes:
            note(text)
        recipe.check(dataset.input_shape)
        said = len(dataset.notes)
        dataset = reviewed(recipe, dataset if recipe.resize is None else dataset.resized(recipe.resize))
        prepared = in_memory(recipe, dataset)
        for text in prepared.notes[said:]:
            note(text)
    check_classes(len(prepared.class_names), prepared.name)
    data = RunData(prepared, prepared.split(test_limit=config.test_limit, seed=config.seed))
    check_augment(config, data.split.input_shape)
    for text in _class_notes(config, data.split):
        note(text)
    if data.split.holds_vectors and config.normalization in ("scale", "simple"):
        uneven = unevenness(prepared.preprocessing.raw.deviations)
        if uneven is not None:
            note(
                f"the columns of {prepared.name} differ widely in scale (deviations by a factor of {uneven:,.0f}): "
                "try --normalization column"
            )
    return data


def _class_notes(config: Config, split: Split) -> tuple[str, ...]:
    """Return what is to be said of classes; what a run holds out itself, its heading tells of."""
    tested = None if config.validate or config.test_limit is not None else split.test_labels
    limited = config.train_limit is not None
    return class_notes(split.train_labels, tested, split.class_names, limited=limited)


def load_data_of_run(
    config: Config,
    document: Mapping[str, Any],
    run: object,
    dataset: Dataset | None = None,
    *,
    kept: Preprocessing | None = None,
    progress: bool = False,
    note: Callable[[str], None] = lambda _: None,
) -> RunData:
    """Load the data that a run was started with, which may lie elsewhere by now.

    Parameters
    ----------
    config : Config
        The run's options, with those that are given anew.
    document : mapping
        The whole of its ``config.toml``.
    run : path
        Its folder, for messages.
    kept : Preprocessing, optional
        What its folder keeps of how its data were prepared. Images are whitened with its matrices, should those that
        are fitted here and now be others.
    dataset, progress, note
        As in `load_run_data`.

    Raises
    ------
    DataError
        As `load_run_data`, or if the data are gone, or not those that the run was started with.
    ConfigError
        As `load_run_data`.
    """
    if dataset is None and is_own(config.dataset):
        if not Path(config.dataset).exists():
            raise DataError(f"the data of {run} are not in {config.dataset}: say where they are with --dataset PATH")
        if config.dataset != document["options"].get("dataset"):  # other data need not be prepared to be refused
            check_same_data(find_source(config.dataset).checksums(), document, run)
    data = load_run_data(config, dataset, progress=progress, note=note)
    data.check_same(document, run)
    if config.whiten:
        data = _whitened_as_before(config, data, kept, run, dataset, progress=progress, note=note)
    return data.with_classes(document["data"]["class_names"], run)


def _whitened_as_before(
    config: Config,
    data: RunData,
    kept: Preprocessing | None,
    run: object,
    dataset: Dataset | None,
    *,
    progress: bool,
    note: Callable[[str], None],
) -> RunData:
    """Return a run's data whitened with the matrices that it keeps, which another version or machine may have made."""
    if kept is None or kept.whitening is None:
        note(f"{run} keeps no whitening: it was fitted anew, and digits differ if another version began the run")
        return data
    apart = parting(kept, data.prepared.preprocessing)
    if apart == 0:
        return data
    note(f"whitened with the matrices that {run} keeps: those fitted here and now differ by {apart:.1g}")
    recipe = config.recipe()
    if dataset is None:
        dataset = source_of(recipe, datapath=config.datapath, progress=progress).read(recipe.resize)
    elif recipe.resize is not None:
        dataset = dataset.resized(recipe.resize)
    prepared = in_memory(recipe, dataset, kept.whitening)
    return RunData(prepared, prepared.split(test_limit=config.test_limit, seed=config.seed))


def check_same_data(checksums: Mapping[str, str], document: Mapping[str, Any], run: object) -> None:
    """Raise `DataError` unless these are a run's data; the name of a single file or folder may be another one."""
    before = document["data"]["checksums"]
    if len(checksums) == 1 and list(checksums.values()) == list(before.values()):
        return
    differing = sorted(name for name, digest in checksums.items() if before.get(name) != digest)
    if differing:
        raise DataError(
            f"the data differ from those of {run}: {', '.join(differing)} (SHA-256): restore the old files, "
            "or name where they are"
        )


def check_augment(config: Config, input_shape: tuple[int, ...]) -> None:
    """Raise `ConfigError` if samples of a shape shall be augmented that are no images."""
    if config.augment and len(input_shape) != 3:
        numbers = counted(input_shape[0], "number")
        raise ConfigError(f"--augment needs images, and {config.dataset} holds vectors of {numbers}")
