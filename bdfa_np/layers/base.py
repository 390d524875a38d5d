"""What a layer is: shapes, parameters, buffers, and the methods that each kind writes by hand."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, NoReturn

from bdfa_np.backend.base import Array, Backend
from bdfa_np.errors import ExtensionError
from bdfa_np.habits import Habits
from bdfa_np.parallel.share import Team
from bdfa_np.random_streams import Streams
from bdfa_np.representation import one_line, passage_text, settings
from bdfa_np.system.text import counted

Shape = tuple[int, ...]
"""The shape of one sample: without the batch axis, which always comes first."""


@dataclass(frozen=True)
class ParameterSpec:
    """A parameter's shape and initial values: uniform in ``constant ± bound``, orthogonal, or as ``draw`` says.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    bound : float, default 0
        Half the width of the interval; 0 gives the constant itself.
    constant : float, default 0
        Middle of the interval.
    orthogonal : bool, default False
        Whether the array, as a matrix of its last axis by all others, is drawn from all those with orthonormal
        columns, or rows where these are fewer; bound and constant play no part then.
    draw : callable, optional
        Another distribution: takes a generator of NumPy's and the shape, and returns the values on the host; bound,
        constant and orthogonal play no part then.
    """

    shape: Shape
    bound: float = 0.0
    constant: float = 0.0
    orthogonal: bool = False
    draw: Callable[[Any, Shape], Array] | None = None

    @property
    def standard_deviation(self) -> float:
        """That of the entries about the constant; of an orthogonal matrix 1/√ of its longer side."""
        if self.orthogonal:
            return max(prod(self.shape[:-1]), self.shape[-1]) ** -0.5
        return self.bound / 3**0.5


INITIAL = ("uniform", "zero", "xavier", "kaiming", "orthogonal")
"""How a layer's weights may start; see `initial_values`."""


def check_initial(initial: str) -> None:
    """Raise ValueError unless ``initial`` is one of `INITIAL`."""
    if initial not in INITIAL:
        raise ValueError(f"initial must be one of {', '.join(INITIAL)}, not {initial!r}")


def fans(shape: Shape) -> tuple[int, int]:
    """Return fan_in and fan_out of weights (fan_in, fan_out), or (k, k, C_in, C_out): k·k·C_in and k·k·C_out there."""
    *kernel, into, out = shape
    return prod(kernel) * into, prod(kernel) * out


def initial_values(initial: str, shape: Shape, bias: bool) -> dict[str, ParameterSpec]:
    """Return how ``W`` and, where there is one, ``b`` of a layer start.

    ``uniform``: both within ±1/√fan_in. Under all others ``b`` is 0, and ``W`` is 0 (``zero``), uniform within
    ±√(6/(fan_in + fan_out)) (``xavier``; Glorot and Bengio, AISTATS 2010, eq. 16) or ±√(6/fan_in) (``kaiming``; He et
    al., arXiv 1502.01852, eq. 10), or has orthonormal columns or rows (``orthogonal``; Saxe et al., arXiv 1312.6120).

    Parameters
    ----------
    initial : str
        One of `INITIAL`.
    shape : tuple of int
        Shape of ``W``: (fan_in, fan_out), or (k, k, C_in, C_out), whose fan_in and fan_out are k·k·C_in and k·k·C_out.
    bias : bool
        Whether there is a ``b``.
    """
    out = shape[-1]
    fan_in, fan_out = fans(shape)
    bounds = {"uniform": fan_in**-0.5, "xavier": (6 / (fan_in + fan_out)) ** 0.5, "kaiming": (6 / fan_in) ** 0.5}
    specs = {"W": ParameterSpec(shape, bounds.get(initial, 0.0), orthogonal=initial == "orthogonal")}
    if bias:
        specs["b"] = ParameterSpec((out,), bounds["uniform"] if initial == "uniform" else 0.0)
    return specs


class Layer(Habits):
    """A step of a network, with explicit ``forward``, ``backward``, ``push_forward`` and ``project_feedback``.

    A layer is made with its own settings alone. `Sequential` then *binds* it: gives it a name, a backend and
    the shape of its input. What ``forward`` returns is a buffer, overwritten by its next call or, where the layer
    `gives_output`, by the layer above; what ``backward`` returns is lent, for as long as somebody holds it.

    Attributes
    ----------
    name : str
        Its kind and its number among the layers of that kind, for example ``linear2``.
    input_shape, output_shape : tuple of int
        Shapes of one sample.
    training_pass : int
        Which training pass of the network this is, counted from 0; what is drawn anew in each is keyed by it.
    accumulate : bool
        Whether the next ``backward`` adds to the parameter gradients or overwrites them. True after a
        ``backward``; `Sequential.forget_gradients` makes it false.
    """

    kind = "layer"
    feedback_site: str | None = None
    """Where this layer's feedback weights act: ``layerwise`` (FA, BFA), ``direct`` (DFA, BDFA), or None."""
    dead_at_zero = False
    """Whether the slope at an input of 0 is 0, so that weights that start at zero learn nothing."""
    shares_batch = False
    """Whether its kernels may cut a batch into shares, one a thread."""
    gives_output = False
    """Whether the layer above may write over what ``forward`` returned; each class says so for itself alone."""
    gives_signal = False
    """Whether the layer below may write over what ``backward`` or `project_feedback` returned, and this layer keeps
    nothing of what came to it; each class says so for itself alone."""
    passes_on = False
    """Whether what these methods return may be what they were given, or a view of it."""
    owns_input = False
    """Whether ``forward`` may write over its input, since nobody else reads it: see `hand_over`."""
    owns_signal = False
    """Whether ``backward`` may write over what comes from above while signals are handed over."""
    said_by_shape: ClassVar[tuple[str, ...]] = ()
    """The arguments of the constructor that the shape of the output, or the layer table, says already."""
    habits: ClassVar[dict[str, str]] = {
        "weight": "its weights are W, and their gradient dW",
        "in_features": "the shape of a sample that comes in is input_shape",
        "out_features": "the shape of a sample that goes out is output_shape",
        "train": "there is no mode to switch: forward(x, train=True) in training, forward(x, train=False) in use",
        "eval": "there is no mode to switch: forward(x, train=True) in training, forward(x, train=False) in use",
    }
    backend: Backend
    xp: Any
    streams: Streams
    input_shape: Shape
    output_shape: Shape

    def __init_subclass__(cls) -> None:
        """Take back what a class from which this one is made gives away: what this one keeps, it alone knows."""
        super().__init_subclass__()
        for name in ("gives_output", "gives_signal"):
            if name not in vars(cls):
                setattr(cls, name, False)

    def __init__(self) -> None:
        self.name = self.kind
        self.accumulate = False
        self.training_pass = 0
        self._buffers: dict[str, Array] = {}

    def bind(self, name: str, input_shape: Shape, backend: Backend, streams: Streams) -> None:
        """Fix the layer's name, shapes, backend and random streams; a layer is bound once.

        Raises
        ------
        ValueError
            If the layer stands in a network already, or cannot take inputs of this shape.
        """
        if hasattr(self, "backend"):
            raise ValueError(f"{self.name} stands in a network already: make a new {type(self).__name__} for this one")
        self.name = name
        self.backend = backend
        self.xp = backend.xp
        self.streams = streams
        self.input_shape = input_shape
        self.output_shape = self.infer_shape(input_shape)

    def __repr__(self) -> str:
        """Return its settings; once it is bound, the shapes of its samples and its parameters too."""
        if not self._bound:
            inside = sum(1 for _ in tree_of([self])) - 1
            return one_line(self, [*settings(self), counted(inside, "layer") + " inside" if inside else ""])
        parameters = sum(prod(spec.shape) for layer in tree_of([self]) for spec in layer.parameters().values())
        passage = passage_text(self.input_shape, self.output_shape)
        changed = settings(self, leave_out=self.said_by_shape, all_named=True)
        return one_line(self, [passage, *changed, counted(parameters, "parameter") if parameters else ""])

    def __call__(self, *_: object, **__: object) -> NoReturn:
        """Say what to write: which way a layer goes, and whether in training, is said at every call.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError(f"a layer is not called: write {self.name}.forward(x, train=True), or train=False in use")

    @property
    def _bound(self) -> bool:
        return "output_shape" in vars(self)

    def advice_on(self, name: str) -> str:
        """Return a sentence too on what a layer has in a network alone, or after a forward pass alone."""
        if not any(name in vars(kind).get("__annotations__", ()) for kind in type(self).__mro__):
            return super().advice_on(name)
        if self._bound:
            return f"{self.name} has no {name!r} before a batch went forward: call network.forward(x) first"
        return (
            f"{self!r} stands in no network yet, and has no {name!r}: "
            f"Sequential([..., {self!r}, ...], input_shape=...) gives it shapes, weights and a backend"
        )

    def infer_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of one output sample; a layer that changes the shape overrides this."""
        return input_shape

    def parameters(self) -> dict[str, ParameterSpec]:
        """Return what is trained by the optimizer, by attribute name (``W``, ``b``); known once bound."""
        return {}

    def feedback(self, num_outputs: int) -> ParameterSpec | None:
        """Return the shape and initial values of a ``B`` that acts here in a net of ``num_outputs`` outputs, if any."""
        return None

    def multiply_adds(self) -> int:
        """Return the multiplications of a forward pass, each with its addition, for one sample."""
        return 0

    def state(self) -> dict[str, Array]:
        """Return what a layer carries from batch to batch besides parameters, as arrays that it goes on to change."""
        return {}

    def agree(self, team: Team) -> None:
        """Bring what each process of a team carries from batch to batch to one value, where they may differ.

        It is called after the last batch of an epoch. A layer that writes `state` has to write this too, or it is
        trained by one process alone; nothing is to be done in it where each process saw the whole batch's values.
        """

    def forward(self, x: Array, train: bool = True) -> Array:
        """Return the layer's output for a batch (N, ...) and keep what ``backward`` needs."""
        raise NotImplementedError

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Apply the exact transposed Jacobian: accumulate parameter gradients, return the input's gradient.

        Parameters
        ----------
        grad_y : array (N, ...)
            Gradient with respect to the output of the last ``forward``.
        need_grad_in : bool, default True
            If false, the input's gradient is not computed and None may be returned.
        """
        raise NotImplementedError

    def push_forward(self, dx: Array) -> Array:
        """Apply the exact Jacobian of the last ``forward``, of which ``backward`` is the transpose.

        Parameters
        ----------
        dx : array (N, *input_shape)
            Tangent of its input; parameters are held constant.

        Returns
        -------
        array (N, *output_shape)
            Tangent of its output, in memory that is lent, or that no other method writes to: ``backward`` may follow.

        Raises
        ------
        ExtensionError
            If this kind of layer, from outside of the package, has no ``push_forward``.
        """
        raise ExtensionError(
            f"{self.name}: {type(self).__name__} has no push_forward(dx), which a rule needs that sends tangents "
            "forward"
        )

    def project_feedback(self, signal: Array, B: Array) -> Array:
        """Carry a teaching signal to this layer's input through feedback weights, which a rule hands over.

        Parameters
        ----------
        signal : array (N, ...)
            The signal at this layer's output; the output error at a site of direct feedback.
        B : array
            Shaped as the forward weights, its last axis as wide as the signal; (K, n) at a site.
        """
        raise NotImplementedError(f"{self.name} has no place for feedback weights")

    def branches(self) -> tuple[Sequence["Layer"], ...]:
        """Return the layers that this one is made of, branch by branch, each from its input up; most have none."""
        return ()

    def carry_back(self, signal: Array, walk: "Walk") -> Array | None:
        """Carry a rule's signal from a container's output to its input, through ``walk(branch, signal)``.

        A container says how its branches' signals are put together. What is walked may return None, where nothing
        below needs the signal.
        """
        raise NotImplementedError(f"{self.name} has branches, and says nothing of how a rule's signal passes them")

    def carry_forward(self, tangent: Array | None, walk: "TangentWalk") -> Array | None:
        """Carry a tangent from a container's input to its output, through ``walk(branch, tangent)``.

        A container says how its branches' tangents are put together. None stands for a tangent of 0: it may be what
        comes in, and still something may enter inside, so that every branch is walked.
        """
        raise ExtensionError(
            f"{self.name}: {type(self).__name__} has no carry_forward(tangent, walk), which a rule needs that sends "
            "tangents forward"
        )

    def buffer(self, name: str, shape: Shape, dtype: Any = None) -> Array:
        """Return an uninitialised array of this shape (batch axis first), the same memory at every call.

        Memory grows with the largest batch seen; a smaller batch gets the front of it.
        """
        held = self._buffers.get(name)
        if held is None or held.shape[0] < shape[0] or held.shape[1:] != shape[1:]:
            held = self._buffers[name] = self.backend.empty(shape, dtype)
        return held if held.shape[0] == shape[0] else held[: shape[0]]

    def frees_output(self) -> bool:
        """Return whether nobody else reads what ``forward`` returned, as `hand_over` has found."""
        return self.gives_output and (self.owns_input or not self.passes_on)

    def frees_signal(self) -> bool:
        """Return whether nobody else reads what ``backward`` returned while signals are handed over."""
        return self.gives_signal and (self.owns_signal or not self.passes_on)

    def over_input(self, x: Array, name: str) -> Array:
        """Return where ``forward`` writes an array of its input's shape: over ``x`` where it may, else a buffer."""
        return x if self.owns_input and x.flags.c_contiguous else self.buffer(name, x.shape)

    def over_signal(self, grad_y: Array) -> Array:
        """Return where ``backward`` writes an array of the signal's shape: over it where it may, else lent memory."""
        if self.owns_signal and self.backend.hands_over and grad_y.flags.c_contiguous:
            return grad_y
        return self.backend.lend(grad_y.shape)


Walk = Callable[[Sequence[Layer], Array], Array | None]
"""How a rule carries a signal down through the layers of a branch."""

TangentWalk = Callable[[Sequence[Layer], Array | None], Array | None]
"""How a tangent is carried up through the layers of a branch; None stands for one of 0."""


def bind_chain(
    layers: Sequence[Layer],
    input_shape: Shape,
    backend: Backend,
    streams: Streams,
    prefix: str = "",
    numbers: dict[str, int] | None = None,
) -> Shape:
    """Bind layers one after the other, and return the shape of the last one's output.

    Parameters
    ----------
    layers : sequence of Layer
        From input to output.
    input_shape : tuple of int
        Shape of one sample.
    backend : Backend
        Where they compute.
    streams : Streams
        Where random numbers come from.
    prefix : str, default ""
        What their names begin with: a container's own name and a dot, so that parameters have paths.
    numbers : dict of str to int, optional
        How many layers of each kind were named before; they are counted on there.
    """
    shape = tuple(input_shape)
    numbers = {} if numbers is None else numbers
    for layer in layers:
        numbers[layer.kind] = numbers.get(layer.kind, 0) + 1
        layer.bind(f"{prefix}{layer.kind}{numbers[layer.kind]}", shape, backend, streams)
        shape = layer.output_shape
    hand_over(layers)
    return shape


def push_chain(layers: Sequence[Layer], tangent: Array | None) -> Array | None:
    """Carry a tangent through layers one after the other, where nothing enters on the way."""
    if tangent is not None:
        for layer in layers:
            tangent = layer.push_forward(tangent)
    return tangent


def hand_over(layers: Sequence[Layer]) -> None:
    """Decide for each layer of a chain whether it may write over what comes to it from below, and from above.

    It may where its neighbour gives that away. What comes to the chain from outside, at either end, is somebody
    else's: a batch, a loss's error, what a container hands to several branches. A layer that passes on what it was
    given gives away what its own neighbour does.
    """
    free = False
    for layer in layers:
        layer.owns_input = free
        free = layer.frees_output()
    free = False
    for layer in reversed(layers):
        layer.owns_signal = free
        free = layer.frees_signal()


def tree_of(layers: Sequence[Layer]) -> Iterator[Layer]:
    """Yield layers, and after each container those that it is made of, from input to output."""
    for layer in layers:
        yield layer
        for branch in layer.branches():
            yield from tree_of(branch)
