"""A network: an ordered list of layers over flat vectors of parameters."""

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import dropwhile
from typing import Any, ClassVar, NoReturn

from bdfa_np.backend.base import Array, Backend
from bdfa_np.habits import Habits
from bdfa_np.layers.base import Layer, Shape, bind_chain, tree_of
from bdfa_np.layers.table import layer_table
from bdfa_np.parameters import ParameterVector, copy_named
from bdfa_np.random_streams import Streams
from bdfa_np.representation import one_line, passage_text
from bdfa_np.system.text import counted
from bdfa_np.tables import Table

_PLACE = "it stays on the backend that it was made with: Sequential(..., backend=make_backend('cupy'))"
_MODE = "there is no mode to switch: forward(x) in training, predict(x) in use"
_LEARNING = "a learning rule goes backward: rule = DFA(network), then rule.backward(loss(network.forward(x), labels))"


class Sequential(Habits):
    """Layers one after the other.

    Parameters
    ----------
    layers : sequence of Layer
        From input to output; each is bound to this network and can stand in no other.
    input_shape : tuple of int
        Shape of one input sample, (H, W, C) for images.
    backend : Backend, optional
        Where to compute; NumPy in float32 unless given.
    rng : Streams or int, default 0
        The random streams that initial values are drawn from, or the seed to make them from.

    Attributes
    ----------
    weights : ParameterVector
        ``W``, ``b`` and whatever else the layers have, with gradients.
    output_shape : tuple of int
        Shape of one output sample.
    training_passes : int
        Forward passes done in training; to be restored with the parameters, since dropout masks are keyed by it.

    Raises
    ------
    ValueError
        If there are no layers, neighbouring layers' shapes do not fit, or two layers have one name.

    Examples
    --------
    >>> from bdfa_np import Flatten, Linear, Tanh
    >>> network = Sequential([Flatten(), Linear(5), Tanh(), Linear(3)], input_shape=(2, 2, 1))
    >>> network["linear1"].W.shape
    (4, 5)
    >>> network
    Sequential(2x2x1 → 3, 43 parameters, numpy float32)
    layer     output  parameters  multiply-adds
    flatten1  4                0              0
    linear1   5               25             20
    tanh1     5                0              0
    linear2   3               18             15
    all                       43             35
    """

    habits: ClassVar[dict[str, str]] = {
        "parameters": "all parameters are one vector, network.weights, as in SGD(network.weights, 0.1)",
        "named_parameters": "network.weights has them by name: network.weights['linear1.W']",
        "modules": "network.tree() lists the layers, and network['linear1'] is one of them",
        "children": "network.layers lists them, and network.tree() those inside of others too",
        "train": _MODE,
        "eval": _MODE,
        "zero_grad": "network.forget_gradients() lets the next backward overwrite the gradients",
        "state_dict": "network.weights.state() gives the parameters, network.state() the running statistics",
        "load_state_dict": "network.weights.load_state(...) takes parameters, network.load_state(...) the statistics",
        "to": _PLACE,
        "cuda": _PLACE,
        "cpu": _PLACE,
        "numpy": "network.weights.state() gives the parameters as NumPy arrays, by name",
        "double": "float64 is chosen with the backend: Sequential(..., backend=make_backend('numpy', 'float64'))",
        "backward": _LEARNING,
        "fit": "bdfa_np.Trainer(...).run(epochs) trains it",
    }

    def __init__(
        self,
        layers: Sequence[Layer],
        input_shape: Shape,
        *,
        backend: Backend | None = None,
        rng: Streams | int = 0,
    ) -> None:
        if not layers:
            raise ValueError("a network needs at least one layer")
        if backend is None:
            from bdfa_np.backend.cpu.backend import NumpyBackend

            backend = NumpyBackend()
        self.backend = backend
        self.streams = rng if isinstance(rng, Streams) else Streams(rng)
        self.layers = list(layers)
        self.input_shape = tuple(input_shape)
        self.output_shape = bind_chain(self.layers, self.input_shape, backend, self.streams)
        self._tree = list(tree_of(self.layers))
        names = [layer.name for layer in self._tree]
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"several layers are called {', '.join(twice)}: every layer needs a name of its own")
        specs = {f"{layer.name}.{key}": spec for layer in self._tree for key, spec in layer.parameters().items()}
        self.weights = ParameterVector(specs, backend, trained=True)
        self.weights.draw(self.streams, "weights")
        for layer in self._tree:
            for key in layer.parameters():
                setattr(layer, key, self.weights[f"{layer.name}.{key}"])
                setattr(layer, f"d{key}", self.weights.gradient(f"{layer.name}.{key}"))
        self.training_passes = 0

    def table(self, feedback: Mapping[str, Array] | None = None, title: str = "") -> Table:
        """Return the layer table: output shapes, parameters and multiply-adds, layer by layer, and their sums.

        Parameters
        ----------
        feedback : mapping of str to array, optional
            A rule's feedback matrices by the names of their layers, ``rule.B``, which get a column.
        title : str, default ""
            A line above the table.

        Returns
        -------
        Table
            Printed as text, shown as HTML in a notebook.
        """
        return layer_table(self._tree, feedback, title)

    def _titled(self) -> Table:
        passage = passage_text(self.input_shape, self.output_shape)
        parameters = counted(self.weights.values.size, "parameter")
        backend = f"{self.backend.name} {self.backend.dtype}"
        return self.table(title=one_line(self, [passage, parameters, backend]))

    def __repr__(self) -> str:
        """Return its layer table as text."""
        return self._titled().to_text()

    def _repr_html_(self) -> str:
        """Return its layer table as a notebook shows it."""
        return self._titled().to_html()

    def __call__(self, *_: object, **__: object) -> NoReturn:
        """Say what to write: whether a pass is one of training is said at every call.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError("a network is not called: network.forward(x) in training, network.predict(x) in use")

    def tree(self) -> list[Layer]:
        """Return all layers, those inside of others among them, from input to output."""
        return self._tree

    def __getitem__(self, name: str) -> Layer:
        """Return the layer of this name; one inside of another has both in it, as in ``residual1.linear1``.

        Raises
        ------
        KeyError
            If there is none; the message lists those there are.
        """
        for layer in self._tree:
            if layer.name == name:
                return layer
        raise KeyError(f"no layer {name!r}; there are {', '.join(layer.name for layer in self._tree)}")

    def __iter__(self) -> Iterator[Layer]:
        """Iterate over the layers, from input to output."""
        return iter(self.layers)

    def __len__(self) -> int:
        """Return the number of layers."""
        return len(self.layers)

    def forward(self, x: Array, train: bool = True) -> Array:
        """Return the logits of a batch.

        Parameters
        ----------
        x : array (N, *input_shape)
            The batch; brought to the backend's dtype if it is of another.
        train : bool, default True
            Whether layers that differ between training and use behave as in training.

        Returns
        -------
        array (N, *output_shape)
            A buffer that the next call overwrites; `predict` returns an array of its own.

        Raises
        ------
        ValueError
            If the samples do not have the network's input shape.
        """
        if tuple(x.shape[1:]) != self.input_shape:
            if tuple(x.shape) == self.input_shape:
                raise ValueError("this is one sample, and a network takes batches: x[None] is a batch of one")
            raise ValueError(f"samples have the shape {tuple(x.shape[1:])}; this network takes {self.input_shape}")
        x = self.x = self.backend.asarray(x)
        for layer in self._tree:
            layer.training_pass = self.training_passes
        for layer in self.layers:
            # a_l = h_{l-1} W_l, h_l = f(a_l): Luo, eq. 12; Luo, eq. 13; again Luo, eq. 32; Luo, eq. 33
            x = layer.forward(x, train)
        self.training_passes += train
        return x

    def computing(self) -> AbstractContextManager[Any]:
        """Return a context for a whole step, or a forward pass, in which the backend is fastest."""
        return self.backend.computing(any(layer.shares_batch for layer in self._tree))

    def predict(self, x: Array) -> Array:
        """Return the logits of a batch, outside training, in an array of their own."""
        with self.computing():
            return self.forward(x, train=False).copy()

    def push_forward(self, dx: Array | None = None, entering: Mapping[str, Array] | None = None) -> Array:
        """Return the tangent of the last forward pass's logits: what they would change by, parameters held constant.

        Parameters
        ----------
        dx : array (N, *input_shape), optional
            Tangent of the input; 0 unless given.
        entering : mapping of str to array (N, ...), optional
            By the names of layers, those inside of others too, what is added to the tangent at their outputs. Layers
            below the first that anything enters are passed over.

        Returns
        -------
        array (N, *output_shape)
            It may be overwritten by the next call. A backward pass may follow: what it needs stays as it was.

        Raises
        ------
        ValueError
            If nothing enters, a tangent has another shape than what it is of, or no batch went forward before.
        KeyError
            If there is no layer of a name.
        ExtensionError
            If a layer from outside of the package cannot carry tangents.

        Examples
        --------
        >>> import numpy as np
        >>> from bdfa_np import Linear
        >>> network = Sequential([Linear(2), Linear(1)], input_shape=(3,))
        >>> logits = network.forward(np.ones((1, 3)))
        >>> dh = np.array([[1.0, 0.0]])
        >>> bool((network.push_forward(entering={"linear1": dh}) == network["linear2"].W[0]).all())
        True
        """
        return self._push(dx, entering or {}, None)

    def tangents(self, dx: Array | None = None, entering: Mapping[str, Array] | None = None) -> dict[str, Array]:
        """Do what `push_forward` does, and return a copy of the tangent at each layer's output, by layer name.

        Layers that no tangent reaches are left out, whose tangents are 0.
        """
        found: dict[str, Array] = {}
        self._push(dx, entering or {}, found)
        return found

    def _push(self, dx: Array | None, entering: Mapping[str, Array], found: dict[str, Array] | None) -> Array:
        if "x" not in vars(self):
            raise ValueError("a tangent is one of the last forward pass, and there was none: call forward(x) first")
        N = len(self.x)
        enter = {
            name: self._tangent(f"what enters at {name}", array, (N, *self[name].output_shape))
            for name, array in entering.items()
        }

        def walk(layers: Sequence[Layer], tangent: Array | None) -> Array | None:
            for layer in _from_where_any_enters(layers, enter) if tangent is None else layers:
                if layer.branches():
                    tangent = layer.carry_forward(tangent, walk)
                elif tangent is not None:
                    tangent = layer.push_forward(tangent)
                added = enter.get(layer.name)
                if added is not None and tangent is not None:
                    # Not in place: it may be the tangent at a container's input, which other branches need too.
                    out = self.backend.lend(tangent.shape)
                    tangent = self.backend.xp.add(tangent, added, out=out)
                elif added is not None:
                    tangent = added
                if found is not None and tangent is not None:
                    found[layer.name] = tangent.copy()
            return tangent

        tangent = walk(self.layers, None if dx is None else self._tangent("dx", dx, (N, *self.input_shape)))
        if tangent is None:
            raise ValueError("no tangent enters: give dx, or one that enters at a layer's output")
        return tangent

    def _tangent(self, title: str, array: Array, shape: Shape) -> Array:
        if tuple(array.shape) != shape:
            raise ValueError(f"{title} has the shape {tuple(array.shape)}; a tangent here has {shape}")
        return self.backend.asarray(array)

    def input_gradient(self, error: Array) -> Array:
        """Send an output error down to the input through every layer's exact ``backward``, whatever the rule.

        Parameter gradients are accumulated on the way.

        Parameters
        ----------
        error : array (N, K)
            The output error of the last forward pass.

        Returns
        -------
        array (N, *input_shape)
            The exact gradient with respect to the input.
        """
        signal: Array | None = error
        with self.backend.handing_over():
            for layer in reversed(self.layers):
                assert signal is not None
                signal = layer.backward(signal)
        assert signal is not None
        return signal

    def state(self) -> dict[str, Array]:
        """Return copies on the host of what layers carry from batch to batch (running statistics), by name."""
        return {name: self.backend.to_host(array).copy() for name, array in self._carried().items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Take over what `state` of the same network gave.

        Raises
        ------
        ValueError
            If names or shapes differ from this network's own; nothing is changed then.
        """
        copy_named(self._carried(), state, self.backend)

    def _carried(self) -> dict[str, Array]:
        """Return the arrays themselves that layers carry from batch to batch, by name."""
        return {f"{layer.name}.{key}": array for layer in self._tree for key, array in layer.state().items()}

    def forget_gradients(self) -> None:
        """Let the next ``backward`` of each layer overwrite its parameter gradients instead of adding to them."""
        for layer in self._tree:
            layer.accumulate = False

    def all_finite(self) -> bool:
        """Return whether every weight is a finite number."""
        return bool(self.backend.xp.isfinite(self.weights.values).all())


def _from_where_any_enters(layers: Sequence[Layer], names: Container[str]) -> Iterator[Layer]:
    """Return a chain without its layers below the first that has, or has inside, one of some names."""
    return dropwhile(lambda layer: all(inner.name not in names for inner in tree_of([layer])), layers)
