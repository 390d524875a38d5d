"""A net as plain arrays, to be computed with by hand."""

from typing import Any, BinaryIO

import numpy as np

from bdfa_np.export.inference import Inference


def write_npz(inference: Inference, file: BinaryIO) -> None:
    """Write a net's arrays by name, and the order in which they are used.

    Beside the arrays there are ``preprocessing`` and ``layers``, the names of the steps in order; a layer's kind is its
    name without what stands before its last dot, and without the number. Of a residual block ``residual1.branch`` and
    ``residual1.shortcut`` are the names of the steps inside, in order. An array or a setting is found by the step's
    name, a dot and its own: ``linear1.W``, ``conv1.stride``. ``input``, ``dtype``, ``input_shape``, ``scores``,
    ``class_names``, ``description`` and ``bdfa_np`` are what `Inference` says. Where a layer has no bias, there is one
    of zeros.

    Parameters
    ----------
    inference : Inference
        What the net computes.
    file : binary file
        Open for writing.
    """
    texts = {name: np.array(text) for name, text in inference.metadata().items()}
    arrays: dict[str, Any] = texts | {
        "class_names": np.array(inference.class_names),
        "dtype": np.array(inference.dtype),
        "input_shape": np.array(inference.input_shape),
        "preprocessing": np.array([step.name for step in inference.preprocessing], dtype=str),
        "layers": np.array([step.name for step in inference.layers], dtype=str),
    }
    for step in inference.steps:
        held = step.arrays
        if step.kind in ("linear", "conv"):
            held = {"b": np.zeros(held["W"].shape[-1], np.float32), **held}
        if step.kind == "batchnorm":
            held = {"beta": np.zeros_like(held["gamma"]), **held}
        if step.kind == "residual":
            parts = {"branch": step.branch, "shortcut": step.shortcut}
            held = {name: np.array([inner.name for inner in part], dtype=str) for name, part in parts.items()}
        arrays |= {f"{step.name}.{name}": value for name, value in {**held, **step.settings}.items()}
    np.savez(file, **arrays)
