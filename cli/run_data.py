"""What the commands share about data: loading a run's data set and putting it into batches."""

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bdfa_np.config import Config
    from bdfa_np.data import Batches, Dataset, Scaling, Split
    from bdfa_np.streams import Streams


@dataclass(frozen=True)
class RunData:
    """A data set, the part of it that a run uses, and how its images are scaled."""

    dataset: "Dataset"
    split: "Split"
    scaling: "Scaling"

    def train_batches(self, batch_size: int, streams: "Streams", *, drop_last: bool = False) -> "Batches":
        """Return shuffled batches of the training part."""
        from bdfa_np.data import Batches

        images, labels = self.split.train_images, self.split.train_labels
        return Batches(images, labels, batch_size, scaling=self.scaling, streams=streams, drop_last=drop_last)

    def test_batches(self, batch_size: int) -> "Batches":
        """Return batches of the part that the run tests on."""
        from bdfa_np.data import Batches

        return Batches(self.split.test_images, self.split.test_labels, batch_size, scaling=self.scaling)

    def with_real_test_set(self) -> "RunData":
        """Return the same with all test images of the data set as the part to test on."""
        from bdfa_np.data import split

        tested = split(self.dataset)
        parts = replace(self.split, test_images=tested.test_images, test_labels=tested.test_labels)
        return replace(self, split=parts)

    def description(self) -> dict[str, Any]:
        """Return what a run's ``config.toml`` says of its data."""
        return {
            "input_shape": list(self.split.input_shape),
            "class_names": list(self.split.class_names),
            "parts": self.split.description,
            "checksums": self.dataset.checksums,
        }


def load_run_data(config: "Config", *, datapath: str | None = None) -> RunData:
    """Load a configuration's data set, split and limited as it says.

    Parameters
    ----------
    config : Config
        The resolved options.
    datapath : str, optional
        Where to look instead of in ``config.datapath``.

    Raises
    ------
    DataError
        If the data are missing, damaged, or not enough for the limits.
    """
    from bdfa_np.data import Scaling, load_dataset, split

    dataset = load_dataset(config.dataset, datapath or config.datapath, progress=sys.stderr.isatty())
    parts = split(
        dataset,
        validate=config.validate,
        train_limit=config.train_limit,
        test_limit=config.test_limit,
        seed=config.seed,
    )
    return RunData(dataset, parts, Scaling.fit(parts.train_images))


def check_same_data(data: RunData, document: dict[str, Any], run: object) -> None:
    """Raise `DataError` unless the data are, byte for byte, those that the run was started with."""
    from bdfa_np.errors import DataError

    before = document["data"]["checksums"]
    differing = sorted(name for name, digest in data.dataset.checksums.items() if before.get(name) != digest)
    if differing:
        raise DataError(f"the data differ from those of {run}: {', '.join(differing)} (SHA-256): restore the old files")
