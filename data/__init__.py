"""Data sets: finding, checking, splitting, scaling and batching them. Nothing here knows of layers or networks."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bdfa_np.data.augmentation import Augmentation
    from bdfa_np.data.batches import Batches
    from bdfa_np.data.dataset import Dataset
    from bdfa_np.data.load import load_dataset
    from bdfa_np.data.prepared import PreparedData
    from bdfa_np.data.preparing import prepare
    from bdfa_np.data.preprocess.normalization import Normalization
    from bdfa_np.data.preprocess.zca import ZCA
    from bdfa_np.data.recipe import Recipe
    from bdfa_np.data.sources.registry import dataset_names
    from bdfa_np.data.splits import Split, split

__all__ = [
    "ZCA",
    "Augmentation",
    "Batches",
    "Dataset",
    "Normalization",
    "PreparedData",
    "Recipe",
    "Split",
    "dataset_names",
    "load_dataset",
    "prepare",
    "split",
]

# Imported when first asked for: the command line lists the data sets' names in its help without loading NumPy.
_HOMES = {
    "Augmentation": "augmentation",
    "Batches": "batches",
    "Dataset": "dataset",
    "Normalization": "preprocess.normalization",
    "PreparedData": "prepared",
    "Recipe": "recipe",
    "Split": "splits",
    "ZCA": "preprocess.zca",
    "dataset_names": "sources.registry",
    "load_dataset": "load",
    "prepare": "preparing",
    "split": "splits",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
