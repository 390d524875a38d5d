"""Data sets: finding, checking, splitting, scaling and batching them. Nothing here knows of layers or networks."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bdfa_np.data.augmentation import Augmentation
    from bdfa_np.data.batches import Batches
    from bdfa_np.data.dataset import Dataset, load_dataset
    from bdfa_np.data.preprocessing import Scaling
    from bdfa_np.data.registry import dataset_names
    from bdfa_np.data.splits import Split, split

__all__ = ["Augmentation", "Batches", "Dataset", "Scaling", "Split", "dataset_names", "load_dataset", "split"]

# Imported when first asked for: the command line lists the data sets' names in its help without loading NumPy.
_HOMES = {
    "Augmentation": "augmentation",
    "Batches": "batches",
    "Dataset": "dataset",
    "Scaling": "preprocessing",
    "Split": "splits",
    "dataset_names": "registry",
    "load_dataset": "dataset",
    "split": "splits",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
