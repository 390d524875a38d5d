"""A net as an ONNX graph, its preprocessing among its nodes."""

import json
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bdfa_np.errors import ConfigError
from bdfa_np.export.inference import Inference, Step, channels_first

OPSET, IR_VERSION = 17, 8
"""Versions of the operators and of the format: of 2022, which any runtime in use reads."""
LARGEST = 2**31 - 2**20
"""Bytes of arrays: the format holds less than 2 GiB, the graph included."""


def write_onnx(inference: Inference, file: BinaryIO) -> None:
    """Write a net as an ONNX graph from ``input`` (N, ...) to ``logits`` and `Inference.scores_name`, both (N, K).

    What it says of itself (`Inference.metadata`) lies in the model's metadata, and ``class_names``, a list in JSON.

    Parameters
    ----------
    inference : Inference
        What the net computes.
    file : binary file
        Open for writing.

    Raises
    ------
    ConfigError
        If the arrays are too large for the format.
    """
    import onnx
    from onnx import TensorProto, helper

    if inference.nbytes > LARGEST:
        raise ConfigError(
            f"the net's arrays take {inference.nbytes / 1e9:.1f} GB, and an ONNX file holds 2 GB: choose another --to"
        )
    graph = _Graph()
    h = graph.chain((*inference.preprocessing, *channels_first(inference.layers)), "input")
    graph.add("Identity", [h], output="logits")
    names = ("logits", inference.scores_name)
    graph.add(inference.scores.capitalize(), ["logits"], output=names[1])
    dtype = {"uint8": TensorProto.UINT8, "float32": TensorProto.FLOAT}[inference.dtype]
    (K,) = inference.layers[-1].output_shape
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", K]) for name in names]
    made = helper.make_graph(
        graph.nodes,
        "bdfa_np",
        [helper.make_tensor_value_info("input", dtype, ["N", *inference.input_shape])],
        outputs,
        graph.arrays,
    )
    model = helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="bdfa-np",
        producer_version=inference.version,
        doc_string=inference.description,
    )
    class_names = json.dumps(inference.class_names, ensure_ascii=False)
    helper.set_model_props(model, {**inference.metadata(), "class_names": class_names})
    onnx.checker.check_model(model, full_check=True)
    file.write(model.SerializeToString())


class _Graph:
    """Nodes and arrays, as they are added."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.arrays: list[Any] = []

    def add(self, operator: str, inputs: Sequence[str], *, output: str = "", **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        from onnx import helper

        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def chain(self, steps: Sequence[Step], x: str) -> str:
        """Add steps one after the other; return the name of what comes out of the last."""
        for step in steps:
            x = _NODES[step.kind](self, step, x)
        return x

    def array(self, name: str, array: NDArray[Any]) -> str:
        """Add an array; return its name."""
        from onnx import numpy_helper

        self.arrays.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def cast(self, x: str, dtype: DTypeLike) -> str:
        """Add a change of type."""
        from onnx import helper

        return self.add("Cast", [x], to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


Node = Callable[[_Graph, Step, str], str]
"""Adds a step to a graph: takes the name of the step's input, and returns that of its output."""


def _yuv(graph: _Graph, step: Step, x: str) -> str:
    """As `bdfa_np.data.preprocess.yuv.to_yuv`: in float64, summed in the same order, and rounded once.

    Of grey, V is nothing but rounding, and a normalization makes numbers of ordinary size of it.
    """
    x, terms = graph.cast(x, "float64"), []
    for channel, weights in zip(("R", "G", "B"), step.arrays["weights"], strict=True):
        place = graph.array(f"yuv.place_of_{channel}", np.array(["RGB".index(channel)], np.int64))
        alone = graph.add("Gather", [x, place], axis=3)  # (N, H, W, 1)
        terms.append(graph.add("Mul", [alone, graph.array(f"yuv.{channel}", weights)]))
    total = graph.add("Add", [graph.add("Add", terms[:2]), terms[2]])
    return graph.cast(total, "float32")


def _normalization(graph: _Graph, step: Step, x: str) -> str:
    x = graph.cast(x, "float32")
    for operator, name in (("Sub", "offset"), ("Div", "divisor")):
        x = graph.add(operator, [x, graph.array(f"normalization.{name}", step.arrays[name])])
    return x


def _whitening(graph: _Graph, step: Step, x: str) -> str:
    """As `bdfa_np.data.ZCA`: in float64 where float32 does not do."""
    mean, P = (graph.array(f"whitening.{name}", step.arrays[name]) for name in ("mean", "P"))
    rows = graph.cast(graph.add("Flatten", [x], axis=1), step.arrays["P"].dtype)
    white = graph.cast(graph.add("MatMul", [graph.add("Sub", [rows, mean]), P]), "float32")
    shape = graph.array("whitening.shape", np.array([-1, *step.output_shape], np.int64))
    return graph.add("Reshape", [white, shape])


def _linear(graph: _Graph, step: Step, x: str) -> str:
    W, *b = _weights(graph, step, step.arrays["W"])
    if len(step.input_shape) == 1:
        return graph.add("Gemm", [x, W, *b], output=step.name)
    y = graph.add("MatMul", [x, W])  # of each token
    return graph.add("Add", [y, *b], output=step.name) if b else y


def _conv(graph: _Graph, step: Step, x: str) -> str:
    W = step.arrays["W"]  # (k, k, C_in, C_out)
    stride, padding = int(step.settings["stride"]), int(step.settings["padding"])
    return graph.add(
        "Conv",
        [x, *_weights(graph, step, W.transpose(3, 2, 0, 1))],
        output=step.name,
        kernel_shape=W.shape[:2],
        strides=[stride, stride],
        pads=[padding, padding, padding, padding],
    )


def _weights(graph: _Graph, step: Step, W: NDArray[Any]) -> list[str]:
    bias = [graph.array(f"{step.name}.b", step.arrays["b"])] if "b" in step.arrays else []
    return [graph.array(f"{step.name}.W", W), *bias]


def _pool(operator: str) -> Node:
    def node(graph: _Graph, step: Step, x: str) -> str:
        size, stride = int(step.settings["size"]), int(step.settings["stride"])
        return graph.add(operator, [x], output=step.name, kernel_shape=[size, size], strides=[stride, stride])

    return node


def _global_average(graph: _Graph, step: Step, x: str) -> str:
    axes = [2, 3] if len(step.input_shape) == 3 else [1]  # tokens are (N, T, C)
    return graph.add("ReduceMean", [x], output=step.name, axes=axes, keepdims=0)


def _batchnorm(graph: _Graph, step: Step, x: str) -> str:
    arrays = {"beta": 0 * step.arrays["gamma"], **step.arrays}
    names = ("gamma", "beta", "running_mean", "running_variance")
    inputs = [x, *(graph.array(f"{step.name}.{name}", arrays[name]) for name in names)]
    return graph.add("BatchNormalization", inputs, output=step.name, epsilon=step.settings["epsilon"])


def _layernorm(graph: _Graph, step: Step, x: str) -> str:
    inputs = [x, *(graph.array(f"{step.name}.{name}", step.arrays[name]) for name in ("gamma", "beta"))]
    return graph.add("LayerNormalization", inputs, output=step.name, axis=-1, epsilon=step.settings["epsilon"])


def _leaky_relu(graph: _Graph, step: Step, x: str) -> str:
    return graph.add("LeakyRelu", [x], output=step.name, alpha=step.settings["slope"])


def _gelu(graph: _Graph, step: Step, x: str) -> str:
    """``x (1 + erf(x/√2)) / 2``: an operator of its own came later."""
    numbers = {"root_half": 0.5**0.5, "one": 1.0, "half": 0.5}
    root_half, one, half = (
        graph.array(f"{step.name}.{name}", np.array(value, np.float32)) for name, value in numbers.items()
    )
    erf = graph.add("Erf", [graph.add("Mul", [x, root_half])])
    return graph.add("Mul", [graph.add("Mul", [x, half]), graph.add("Add", [erf, one])], output=step.name)


def _patches(graph: _Graph, step: Step, x: str) -> str:
    (H, W, C), size = step.input_shape, int(step.settings["size"])
    cut = graph.array(f"{step.name}.cut", np.array([-1, H // size, size, W // size, size, C], np.int64))
    turned = graph.add("Transpose", [graph.add("Reshape", [x, cut])], perm=[0, 1, 3, 2, 4, 5])
    tokens = graph.array(f"{step.name}.tokens", np.array([-1, *step.output_shape], np.int64))
    return graph.add("Reshape", [turned, tokens], output=step.name)


def _pad_shortcut(graph: _Graph, step: Step, x: str) -> str:
    """Take every so many pixels, and put channels of zeros on either side."""
    C, stride = step.input_shape[2], int(step.settings["stride"])
    names = {"start": [0, 0], "stop": [2**31 - 1] * 2, "axes": [2, 3], "stride": [stride, stride]}
    ends = [graph.array(f"{step.name}.{name}", np.array(value, np.int64)) for name, value in names.items()]
    added = int(step.settings["channels"]) - C
    pads = [0, added // 2, 0, 0, 0, added - added // 2, 0, 0]
    taken = graph.add("Slice", [x, *ends])
    return graph.add("Pad", [taken, graph.array(f"{step.name}.pads", np.array(pads, np.int64))], output=step.name)


def _residual(graph: _Graph, step: Step, x: str) -> str:
    return graph.add("Add", [graph.chain(step.branch, x), graph.chain(step.shortcut, x)], output=step.name)


def _turn(perm: list[int]) -> Node:
    """Return what turns images, which there may be several of: each has a name by its number."""
    return lambda graph, _, x: graph.add("Transpose", [x], perm=perm)


def _plain(operator: str, **attributes: Any) -> Node:
    """Return what adds an operator of one input and no arrays."""

    def node(graph: _Graph, step: Step, x: str) -> str:
        return graph.add(operator, [x], output=step.name, **attributes)

    return node


def _nothing(graph: _Graph, step: Step, x: str) -> str:
    return x


_NODES: dict[str, Node] = {
    "yuv": _yuv,
    "normalization": _normalization,
    "whitening": _whitening,
    "linear": _linear,
    "conv": _conv,
    "pool": _pool("MaxPool"),
    "avgpool": _pool("AveragePool"),
    "globalavgpool": _global_average,
    "batchnorm": _batchnorm,
    "layernorm": _layernorm,
    "tanh": _plain("Tanh"),
    "sigmoid": _plain("Sigmoid"),
    "relu": _plain("Relu"),
    "leaky_relu": _leaky_relu,
    "gelu": _gelu,
    "dropout": _nothing,
    "flatten": _plain("Flatten", axis=1),
    "patches": _patches,
    "transpose": _plain("Transpose", perm=[0, 2, 1]),
    "residual": _residual,
    "shortcut": _pad_shortcut,
    "channels_first": _turn([0, 3, 1, 2]),
    "channels_last": _turn([0, 2, 3, 1]),
}
