"""What a model computes in use, as a list of steps that any file format can be written from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np import __version__
from bdfa_np.data.preprocess.preprocessing import Preprocessing
from bdfa_np.data.preprocess.yuv import WEIGHTS
from bdfa_np.errors import ConfigError
from bdfa_np.layers import (
    BatchNorm,
    Conv2d,
    Dropout,
    ErrorFeedback,
    Flatten,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    Shape,
    Sigmoid,
    Tanh,
)
from bdfa_np.model import Model
from bdfa_np.representation import one_line, shape_text

SCORES = {"ce": "softmax", "bce": "sigmoid"}
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
    output_shape : tuple of int
        Shape of one sample after this step, (H, W, C) for images.
    arrays : dict of str to ndarray
        Parameters and statistics, by their names in the layer; float32 but for what is computed in float64.
    settings : dict of str to number
        What else the layer was made with, for example ``stride``.
    """

    kind: str
    name: str
    output_shape: Shape
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    settings: dict[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Return its name, the shape that comes of it, and what it computes with."""
        return one_line(self, [self.name, shape_text(self.output_shape), *self.arrays, *self.settings])


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
    scores : {"softmax", "sigmoid"}
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
        """All steps, from the input to the logits."""
        return (*self.preprocessing, *self.layers)

    @property
    def nbytes(self) -> int:
        """The bytes that all arrays take."""
        return sum(array.nbytes for step in self.steps for array in step.arrays.values())

    @property
    def scores_name(self) -> str:
        """What the scores are called: ``probabilities`` where they sum to 1, else ``scores``."""
        return "probabilities" if self.scores == "softmax" else "scores"

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
        layers=tuple(_steps(model)),
        scores=SCORES[model.loss.name],
        class_names=model.class_names,
    )


def _preparing(preprocessing: Preprocessing) -> Iterator[Step]:
    """Yield what is done to a sample that has the size which the net takes."""
    shape = preprocessing.shape
    if preprocessing.format == "yuv":
        yield Step("yuv", "yuv", shape, {"weights": WEIGHTS.T})  # in float64, as `to_yuv`; a row for R, G and B each
    if preprocessing.whitening is not None:
        mean, P = preprocessing.whitening.in_product_type
        yield Step("whitening", "whitening", shape, {"mean": mean, "P": P})
    elif preprocessing.normalization is not None:
        offset, divisor = preprocessing.normalization.in_type("float32")
        yield Step("normalization", "normalization", shape, {"offset": offset, "divisor": divisor})


def _steps(model: Model) -> Iterator[Step]:
    for layer in model.network:
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
        yield Step(
            layer.kind,
            layer.name,
            layer.output_shape,
            _float32(model, {key: getattr(layer, key) for key in layer.parameters()} | layer.state()),
            {name: getattr(layer, name) for name in settings},
        )


_SETTINGS: dict[type[Layer], tuple[str, ...]] = {
    Linear: (),
    Conv2d: ("stride", "padding"),
    MaxPool2d: ("size", "stride"),
    BatchNorm: ("epsilon", "momentum"),
    Tanh: (),
    Sigmoid: (),
    ReLU: (),
    Dropout: ("probability",),
    Flatten: (),
    ErrorFeedback: (),
}
"""What each layer is made with that its arrays do not show."""


def _float32(model: Model, arrays: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    return {name: model.backend.to_host(array).astype("float32") for name, array in arrays.items()}


def channels_first(layers: Sequence[Step]) -> Iterator[Step]:
    """Yield layers for a program whose images are (N, C, H, W), with steps in between that turn images.

    Parameters
    ----------
    layers : sequence of Step
        As they stand in `Inference`.

    Yields
    ------
    Step
        A layer, or ``channels_first`` before the first layer that looks at places, or ``channels_last`` before images
        are flattened, whose entries come in the order of H·W·C.
    """
    first = False
    for step in layers:
        if step.kind in ("conv", "pool", "batchnorm") and len(step.output_shape) == 3 and not first:
            first = True
            yield Step("channels_first", "channels_first", step.output_shape)
        elif step.kind == "flatten" and first:
            first = False
            yield Step("channels_last", "channels_last", step.output_shape)
        yield step
