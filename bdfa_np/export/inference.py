"""What a model computes in use, as a list of steps that any file format can be written from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np import __version__
from bdfa_np.data.preprocess.preprocessing import Preprocessing
from bdfa_np.data.preprocess.yuv import WEIGHTS
from bdfa_np.errors import ConfigError
from bdfa_np.layers import (
    GELU,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dropout,
    ErrorFeedback,
    Flatten,
    GlobalAvgPool,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    PadShortcut,
    Patches,
    ReLU,
    Residual,
    Shape,
    Sigmoid,
    Tanh,
    Transpose,
)
from bdfa_np.model import Model
from bdfa_np.representation import one_line, shape_text

SCORES = {"ce": "softmax", "bce": "sigmoid", "mse": "identity"}
"""What a loss makes of logits, by its name."""


@dataclass(frozen=True, eq=False)
class Step:
    """One operation on a batch.

    Attributes
    ----------
    kind : str
        What is computed: the kind of a layer, or ``yuv``, ``normalization`` or ``whitening``.
    name : str
        The layer's name, or the kind once more.
    input_shape, output_shape : tuple of int
        Shape of one sample before and after this step, (H, W, C) for images.
    arrays : dict of str to ndarray
        Parameters and statistics, by their names in the layer; float32 but for what is computed in float64.
    settings : dict of str to number
        What else the layer was made with, for example ``stride``.
    branch, shortcut : tuple of Step
        Of a ``residual`` the steps of either, whose outcomes are added up; a shortcut without steps is the input.
    """

    kind: str
    name: str
    input_shape: Shape
    output_shape: Shape
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    settings: dict[str, float] = field(default_factory=dict)
    branch: tuple["Step", ...] = ()
    shortcut: tuple["Step", ...] = ()

    def __repr__(self) -> str:
        """Return the name and the shape of what comes out."""
        return one_line(self, [self.name, shape_text(self.output_shape)])


@dataclass(frozen=True, eq=False)
class Inference:
    """What a model computes of a batch, outside training.

    Attributes
    ----------
    description : str
        What was trained, in a few words.
    version : str
        Of bdfa-np.
    input : {"raw", "prepared"}
        Whether samples are taken as they lie in files, or as after preprocessing, where the model has none.
    dtype : {"uint8", "float32"}
        The type of a sample's values.
    input_shape : tuple of int
        Shape of one sample, (H, W, C) or (d,).
    preprocessing, layers : tuple of Step
        What is done to samples, and then by the net. Feedback sites are left out: they do nothing in use.
    scores : {"softmax", "sigmoid", "identity"}
        What the loss makes of the logits: probabilities that sum to 1, or a score for each class by itself.
    class_names : tuple of str
        The names of the K classes.
    """

    description: str
    version: str
    input: str
    dtype: str
    input_shape: Shape
    preprocessing: tuple[Step, ...]
    layers: tuple[Step, ...]
    scores: str
    class_names: tuple[str, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, from the input to the logits, those inside of others after these."""
        return tuple(each((*self.preprocessing, *self.layers)))

    @property
    def nbytes(self) -> int:
        """The bytes that all arrays take."""
        return sum(array.nbytes for step in self.steps for array in step.arrays.values())

    @property
    def scores_name(self) -> str:
        """What the scores are called: ``probabilities`` where they sum to 1, else ``scores``."""
        return "probabilities" if self.scores == "softmax" else "scores"

    @property
    def interface(self) -> str:
        """What goes in and what comes out, in one line."""
        shape = ", ".join(["N", *map(str, self.input_shape)])
        (K,) = self.layers[-1].output_shape
        return f"{self.input} samples ({shape}) of {self.dtype} -> logits and {self.scores_name} (N, {K})"

    def metadata(self) -> dict[str, str]:
        """Return what a file says of itself."""
        return {
            "description": self.description,
            "bdfa_np": self.version,
            "input": self.input,
            "scores": self.scores,
        }


def inference(model: Model) -> Inference:
    """Return what a model computes outside training.

    Parameters
    ----------
    model : Model
        On any backend, in any precision; its arrays are copied to the host.

    Returns
    -------
    Inference

    Raises
    ------
    ConfigError
        If the net has a layer that is not one of the package's.
    """
    network, config, preprocessing = model.network, model.config, model.preprocessing
    bytes_go_in = preprocessing is not None and preprocessing.raw.is_bytes
    return Inference(
        description=f"{Path(config.network).stem}, trained by {Path(config.gradient).stem} against {config.criterion}",
        version=__version__,
        input="prepared" if preprocessing is None else "raw",
        dtype="uint8" if bytes_go_in else "float32",
        input_shape=network.input_shape,
        preprocessing=() if preprocessing is None else tuple(_preparing(preprocessing)),
        layers=tuple(_steps(model, model.network.layers)),
        scores=SCORES[model.loss.name],
        class_names=model.class_names,
    )


def _preparing(preprocessing: Preprocessing) -> Iterator[Step]:
    """Yield what is done to a sample that has the size which the net takes."""
    shape = preprocessing.shape
    if preprocessing.format == "yuv":
        # In float64, as `to_yuv`; a row for R, G and B each.
        yield Step("yuv", "yuv", shape, shape, {"weights": WEIGHTS.T})
    if preprocessing.whitening is not None:
        mean, P = preprocessing.whitening.in_product_type
        yield Step("whitening", "whitening", shape, shape, {"mean": mean, "P": P})
    elif preprocessing.normalization is not None:
        offset, divisor = preprocessing.normalization.in_type("float32")
        yield Step("normalization", "normalization", shape, shape, {"offset": offset, "divisor": divisor})


def _steps(model: Model, layers: Sequence[Layer]) -> Iterator[Step]:
    for layer in layers:
        settings = _SETTINGS.get(type(layer))
        if settings is None:
            # A class of the user's own may compute anything, also one that is derived from a layer of the package.
            ours = ", ".join(kind.__name__ for kind in _SETTINGS)
            raise ConfigError(
                f"{layer.name} is a {type(layer).__name__}, a layer of your own, which other programs do not know: "
                f"a net can be exported that is made of {ours}"
            )
        if isinstance(layer, ErrorFeedback):
            continue
        branches = [tuple(_steps(model, branch)) for branch in layer.branches()]
        yield Step(
            layer.kind,
            layer.name,
            layer.input_shape,
            layer.output_shape,
            _float32(model, {key: getattr(layer, key) for key in layer.parameters()} | layer.state()),
            {name: getattr(layer, name) for name in settings},
            *branches,
        )


_SETTINGS: dict[type[Layer], tuple[str, ...]] = {
    Linear: (),
    Conv2d: ("stride", "padding"),
    MaxPool2d: ("size", "stride"),
    AvgPool2d: ("size", "stride"),
    GlobalAvgPool: (),
    BatchNorm: ("epsilon", "momentum"),
    LayerNorm: ("epsilon",),
    Tanh: (),
    Sigmoid: (),
    ReLU: (),
    LeakyReLU: ("slope",),
    GELU: (),
    Dropout: ("probability",),
    Flatten: (),
    Patches: ("size",),
    Transpose: (),
    Residual: (),
    PadShortcut: ("channels", "stride"),
    ErrorFeedback: (),
}
"""What each layer is made with that its arrays do not show."""


def _float32(model: Model, arrays: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    return {name: model.backend.to_host(array).astype("float32") for name, array in arrays.items()}


def each(steps: Sequence[Step]) -> Iterator[Step]:
    """Yield steps, and after each one those inside of it, those of the branch first."""
    for step in steps:
        yield step
        yield from each((*step.branch, *step.shortcut))


def channels_first(layers: Sequence[Step]) -> list[Step]:
    """Return layers for a program whose images are (N, C, H, W), with steps in between that turn images.

    Parameters
    ----------
    layers : sequence of Step
        As they stand in `Inference`.

    Returns
    -------
    list of Step
        The layers, ``channels_first`` before the first one that looks at places, and ``channels_last`` before images
        are flattened, or cut into tokens, whose entries come in the order of H·W·C.
    """
    return _turned(layers, False)[0]


def _turned(layers: Sequence[Step], first: bool) -> tuple[list[Step], bool]:
    """Return layers that take images of which the channels come first or not, and whether they do so at the end."""
    found: list[Step] = []
    for step in layers:
        wanted = _wants_first(step, first)
        if wanted != first:
            found.append(_turn(step.input_shape, wanted))
        first = wanted and len(step.output_shape) == 3
        if step.kind == "residual":
            branch, first = _turned(step.branch, wanted)
            shortcut, of_shortcut = _turned(step.shortcut, wanted)
            if of_shortcut != first:
                shortcut.append(_turn(step.output_shape, first))
            step = replace(step, branch=tuple(branch), shortcut=tuple(shortcut))  # noqa: PLW2901 - the same, turned
        found.append(step)
    return found, first


def _wants_first(step: Step, first: bool) -> bool:
    """Return whether a step's images are to have their channels first; what does not care takes them as they come."""
    if len(step.input_shape) != 3:
        return False
    if step.kind in ("conv", "pool", "avgpool", "globalavgpool", "batchnorm", "shortcut"):
        return True
    return first and step.kind not in ("flatten", "patches", "layernorm")


def _turn(shape: Shape, first: bool) -> Step:
    name = "channels_first" if first else "channels_last"
    return Step(name, name, shape, shape)
