"""What a learning rule is: which signal reaches which layer, and how feedback weights learn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import prod
from typing import ClassVar, TypeVar

from bdfa_np.backend.base import Array, Batch
from bdfa_np.declaration import Option
from bdfa_np.errors import ExtensionError
from bdfa_np.habits import Habits
from bdfa_np.layers.base import Layer, ParameterSpec, Shape, tree_of
from bdfa_np.losses import LossResult
from bdfa_np.network import Sequential
from bdfa_np.optim import Optimizer
from bdfa_np.parameters import ParameterVector, check_same_names, copy_named
from bdfa_np.representation import one_line, passage_text, settings
from bdfa_np.rules.pathways import Pathway, Pathways
from bdfa_np.system.text import counted

AnyLayer = TypeVar("AnyLayer", bound=Layer)


class Rule(Habits, ABC):
    """A learning rule over one network.

    A training step is ``forward``, the loss, `backward`, `train_feedback`, the optimizer over `trained`, and
    `after_step`. The rule holds its feedback weights; layers hold none, so that several rules can look at one network.

    Parameters
    ----------
    network : Sequential
        The network to train.

    Attributes
    ----------
    feedback : ParameterVector
        The feedback matrices ``B``, by names such as ``linear2.B``; empty where a rule has none.
    B : dict of str to array
        The same by the names of their layers: ``B["linear2"]``.
    batch_size : int
        How many samples the step has that is being trained, or was last; also where a graph of CUDA's is replayed, and
        `backward` is not called.
    optimizers : list of Optimizer
        Optimizers of the rule's own, beside the one that trains `trained`: they step and are halved when it is, and
        follow the same schedule.

    Raises
    ------
    ValueError
        If the network has nothing to train, or lacks what the rule needs.
    """

    habits: ClassVar[dict[str, str]] = {
        "parameters": "rule.trained lists the vectors that an optimizer trains, as in SGD(rule.trained, 0.1)",
        "forward": "the network goes forward: result = loss(network.forward(x), labels), then rule.backward(result)",
        "step": "an optimizer steps: optimizer = SGD(rule.trained, 0.1), then optimizer.step() after rule.backward",
        "zero_grad": "network.forget_gradients() lets the next backward overwrite the gradients",
        "state_dict": "rule.feedback.state() gives the feedback matrices by name, rule.state() what else it carries",
    }
    name: ClassVar[str]
    """What it is called; a rule from a file is called as the file says."""
    group: ClassVar[str] = ""
    """Which of `bdfa_np.rules.GROUPS` it is listed under; a base class says it for all that derive from it."""
    summary: ClassVar[str] = ""
    """What it does, in a line without a full stop, for example ``each layer gets the error through a fixed matrix``."""
    formula: ClassVar[str] = ""
    """The signal of a hidden layer, in the papers' symbols: ``δ_l = (δ_{l+1} W_{l+1}ᵀ) ⊙ f'(a_l)``."""
    trains: ClassVar[str] = ""
    """What learns: ``W`` alone, or feedback too, and by what: ``W, and B by the gradient of W``."""
    errors_from: ClassVar[str] = ""
    """Where the error that a hidden layer learns from comes from: ``the layer above`` or ``the output``."""
    source: ClassVar[str] = ""
    """Authors, year, arXiv number and equation."""
    pathways: ClassVar[Pathways] = (Pathway("down"),)
    """The ways that signals take, which `bdfa_np.figures.paths` draws."""
    options: ClassVar[tuple[Option, ...]] = ()
    """The options that the constructor takes beside the network."""
    reads: ClassVar[tuple[str, ...]] = ()
    """Options of the run, beside the rule's own, that the constructor is handed too, by their names: ``momentum``."""
    fully_connected_only: ClassVar[bool] = False
    """Whether it trains fully connected nets alone, and refuses all others."""
    starts_at_zero: ClassVar[bool] = False
    """Whether forward weights may start at zero: where no signal travels through them."""
    keeps_signals: ClassVar[bool] = True
    """Whether what it was given or has returned as a layer's signal must stay as it was until its next ``backward``.

    If not, layers write over signals that they have read. A class that writes a method of the walk anew says so anew.
    """
    across_processes: ClassVar[bool] = False
    """Whether what it learns from a batch beside the weights is the sum over all processes that share the batch.

    It is asked of a rule that writes `train_feedback`, `backward` or a phase of its own: by default that it does not
    know of others, and one process trains it alone. See `steps`, and ``backend.share``.
    """
    noted: Container[str] | None = None
    """The names of the layers whose signals `deltas` is to copy; None: of all."""

    def __init_subclass__(cls) -> None:
        """Take back that no signals are kept, where a method that is given signals is another one."""
        super().__init_subclass__()
        if "keeps_signals" not in vars(cls) and {"visit", "inject", "walk", "reached"} & vars(cls).keys():
            cls.keeps_signals = True

    def __init__(self, network: Sequential) -> None:
        self.network = network
        self.backend = network.backend
        if not len(network.weights):
            raise ValueError(f"{self.name} needs a network with at least one layer that has weights")
        self.feedback = ParameterVector({}, self.backend, trained=False)
        self.B: dict[str, Array] = {}
        self.batch_size = 0
        self.optimizers: list[Optimizer] = []
        self.wanted: dict[Layer, bool] = {}
        """Of each layer, whether anything below it needs the signal at its input."""
        self._note_what_is_wanted(network.layers, False)
        self._record: dict[str, Array] | None = None

    def __repr__(self) -> str:
        """Return what net it trains, its feedback weights, and its settings."""
        passage = passage_text(self.network.input_shape, self.network.output_shape)
        weights = counted(self.feedback.values.size, "feedback weight")
        feedback = f"{weights} in {counted(len(self.feedback), 'matrix', 'matrices')}"
        held = feedback if len(self.feedback) else "no feedback weights"
        return one_line(self, [passage, held, *settings(self, leave_out=("network",))])

    # The walk

    @abstractmethod
    def visit(self, layer: Layer, signal: Array, wanted: bool) -> Array | None:
        """Write a layer's parameter gradients from the signal at its output; return the signal at its input.

        Parameters
        ----------
        layer : Layer
            A layer that holds no others.
        signal : array (N, ...)
            At its output.
        wanted : bool
            Whether the signal at its input is needed; where it is not, None may be returned.
        """

    def backward(self, result: LossResult) -> None:
        """Write every layer's parameter gradients.

        Parameters
        ----------
        result : LossResult
            What the loss says of the last forward pass: outputs, targets, error.

        Raises
        ------
        ValueError
            If the loss was not of this network's output.
        """
        if result.error.shape[1:] != self.network.output_shape:
            raise ValueError(
                f"the loss is of {prod(result.error.shape[1:])} outputs, and this network has "
                f"{prod(self.network.output_shape)}: the loss takes logits, loss(network.forward(x), labels)"
            )
        self.result = result
        self.batch_size = self.backend.share.whole(len(result.error))
        with self.backend.handing_over(not self.keeps_signals):
            self.walk(self.network.layers, result.error)

    def walk(self, layers: Sequence[Layer], signal: Array | None) -> Array | None:
        """Carry a signal from the output of the last of some layers to the input of the first, where it is needed."""
        for layer in reversed(layers):
            if self.cuts(layer):
                signal = self.inject(layer) if self.wanted[layer] else None
                if signal is not None:
                    self.reached(layer, signal)
                continue
            if signal is None:
                continue
            self.reached(layer, signal)
            wanted = self.wanted[layer]
            if layer.branches():
                below = layer.carry_back(signal, self.walk)
            else:
                below = self.visit(layer, signal, wanted)
                if wanted:  # None would leave all below without a signal, and say nothing
                    self.check_shape(f"visit of {layer.name}", below, (len(signal), *layer.input_shape))
            signal = below if wanted else None
        return signal

    def cuts(self, layer: Layer) -> bool:
        """Return whether what reaches this layer from above ends there, since the rule hands it a signal anew."""
        return False

    def inject(self, layer: Layer) -> Array:
        """Return the signal that the rule hands to a layer that it `cuts`."""
        raise NotImplementedError(f"{self.name} hands no signal to {layer.name}")

    def _note_what_is_wanted(self, layers: Sequence[Layer], wanted: bool) -> None:
        """Fill in `wanted` for some layers, the input of the first of which is wanted or not."""
        for layer in layers:
            self.wanted[layer] = wanted
            for branch in layer.branches():
                self._note_what_is_wanted(branch, wanted)
            learns = any(inner.parameters() and self.learns(inner) for inner in tree_of([layer]))
            wanted = not self.cuts(layer) and (wanted or learns)

    def learns(self, layer: Layer) -> bool:
        """Return whether a layer's own parameters are trained; a rule that leaves some as they are overrides this."""
        return True

    # Looking on

    def deltas(self, result: LossResult) -> dict[str, Array]:
        """Go backward once and return a copy of the signal that reached each layer's output.

        For a `Linear` that is ``δ`` (N, units), with ``dW = xᵀ δ``. Parameter gradients are those of this
        error alone, and the next `backward` starts anew.

        Parameters
        ----------
        result : LossResult
            Of the last forward pass: ``loss(logits, labels)``.

        Returns
        -------
        dict of str to array
            By layer name, from the output layer down; layers that no signal reaches are left out.
        """
        self._record = {}
        self.network.forget_gradients()
        try:
            self.backward(result)
            return self._record
        finally:
            self._record = None
            self.network.forget_gradients()

    def reached(self, layer: Layer, signal: Array) -> None:
        """Note the signal at a layer's output, where somebody asked for it."""
        if self._record is not None and (self.noted is None or layer.name in self.noted):
            self._record[layer.name] = signal.copy()

    def check_shape(self, method: str, array: Array | None, shape: Shape) -> None:
        """Check what a method of a rule returned.

        Raises
        ------
        ExtensionError
            If it is no array of the shape that is wanted: NumPy would fail elsewhere, or broadcast it without a word.
        """
        actual = getattr(array, "shape", None)
        if actual != shape:
            found = f"a {type(array).__name__}" if actual is None else f"an array of shape {actual}"
            raise ExtensionError(f"{self.name}: {method} returned {found}, where an array of shape {shape} is wanted")

    # Feedback weights, and what else is trained

    def draw_feedback(self, layers: Sequence[Layer], bound: float = 0.0, *, trained: bool = False) -> None:
        """Give the rule a ``B`` for each of some layers, each drawn from a generator of its own.

        Parameters
        ----------
        layers : sequence of Layer
            Layers of this network that have a place for a ``B``.
        bound : float, default 0
            Draw uniform within ±bound; 0 takes each layer's own.
        trained : bool, default False
            Whether an optimizer trains the feedback, so that it needs gradients.

        Raises
        ------
        ValueError
            If a layer has no place for feedback weights.
        """
        specs = {layer: self.feedback_spec(layer) for layer in layers}
        if bound:
            specs = {layer: replace(spec, bound=bound) for layer, spec in specs.items()}
        self.hold_feedback(specs, trained=trained)

    def feedback_spec(self, layer: Layer) -> ParameterSpec:
        """Return the shape of a layer's ``B``, and how it starts where a rule says no other.

        Raises
        ------
        ValueError
            If the layer has no place for feedback weights.
        """
        spec = layer.feedback(prod(self.network.output_shape))
        if spec is None:
            raise ValueError(f"{layer.name} cannot have feedback weights")
        return spec

    def hold_feedback(self, specs: Mapping[AnyLayer, ParameterSpec], *, trained: bool = False) -> None:
        """Give the rule a ``B`` for each of some layers, of the shape and the initial values that are said.

        Parameters
        ----------
        specs : mapping of Layer to ParameterSpec
            Each ``B`` is drawn from a generator of its own.
        trained : bool, default False
            As in `draw_feedback`.
        """
        named = {f"{layer.name}.B": spec for layer, spec in specs.items()}
        self.feedback = ParameterVector(named, self.backend, trained=trained)
        self.feedback.draw(self.network.streams, "feedback")
        self.B = {layer.name: self.feedback[f"{layer.name}.B"] for layer in specs}

    @property
    def trained(self) -> list[ParameterVector]:
        """The vectors that the optimizer updates."""
        return [self.network.weights]

    @property
    def clipped(self) -> list[ParameterVector]:
        """The vectors whose gradients ``--clip-norm`` scales: the weights, whose norm decides, and what follows them.

        That is feedback whose gradient is the weights' own. Feedback that learns by an error of its own is left out.
        """
        return [self.network.weights]

    def train_feedback(self, result: LossResult) -> None:
        """Learn from this batch what the rule's feedback weights learn; most rules keep them fixed."""

    @contextmanager
    def steps(self) -> Iterator[Mapping[str, Array]]:
        """Yield for each ``B``, by the names of `B`, what a sum over a batch's samples is to be added to.

        That is ``B`` itself; or, where other processes have the rest of the batch, an array of zeros, to which theirs
        is added at the end of the context, and which is then added to ``B``.
        """
        share = self.backend.share
        if share.is_whole:
            yield self.B
            return
        step = ParameterVector(self.feedback.specs, self.backend, trained=False)
        yield {name: step[f"{name}.B"] for name in self.B}
        share.sum(step.values)
        self.feedback.values += step.values

    def feedback_fit(self, result: LossResult) -> Mapping[str, float]:
        """Return how well each ``B`` does what it is trained for, from 0 to 1, by site; it is only looked at."""
        return {}

    def before_training(self, batches: Iterable[Batch]) -> None:
        """Do what is to be done before the first step of a run, for example a phase that trains the feedback.

        Parameters
        ----------
        batches : iterable of (x, labels)
            The training batches of one epoch, for as many steps as an epoch has; read only if somebody asks.
        """

    def after_step(self) -> None:
        """Do what is to be done after the optimizer's step, for example a step of a phase of the rule's own.

        On CUDA this is outside of what a graph captures, as are the steps of `optimizers`.
        """

    def epoch_notes(self) -> Iterable[str]:
        """Return what a run's log is to say after an epoch's figures, each note a line without a full stop."""
        return ()

    # What a checkpoint keeps

    def buffers(self) -> dict[str, Array]:
        """Return what the rule carries from step to step beside ``feedback``, as arrays that it goes on to change."""
        return {}

    def state(self) -> dict[str, Array]:
        """Return copies on the host of the buffers and of the state of the rule's own optimizers, by name."""
        held = {name: self.backend.to_host(array).copy() for name, array in self.buffers().items()}
        for start, optimizer in self._named_optimizers():
            held |= {start + name: array.copy() for name, array in optimizer.state().items()}
        return held

    def counters(self) -> dict[str, float]:
        """Return the rates and the steps taken of the rule's own optimizers, by name."""
        found: dict[str, float] = {}
        for start, optimizer in self._named_optimizers():
            found |= {f"{start}learning_rate": optimizer.learning_rate, f"{start}steps": float(optimizer.steps)}
        return found

    def load_state(self, state: Mapping[str, Array], counters: Mapping[str, float]) -> None:
        """Take over what `state` and `counters` of the same rule gave.

        Raises
        ------
        ValueError
            If names or shapes differ from this rule's own.
        """
        check_same_names(self.state(), state)
        check_same_names(self.counters(), counters)
        buffers = self.buffers()
        copy_named(buffers, {name: state[name] for name in buffers}, self.backend)
        for start, optimizer in self._named_optimizers():
            optimizer.load_state({name: state[start + name] for name in optimizer.state()})
            optimizer.learning_rate = counters[f"{start}learning_rate"]
            optimizer.steps = int(counters[f"{start}steps"])

    def _named_optimizers(self) -> Iterator[tuple[str, Optimizer]]:
        return ((f"optimizer{number}.", optimizer) for number, optimizer in enumerate(self.optimizers, start=1))

    def all_finite(self) -> bool:
        """Return whether every feedback weight is a finite number."""
        return bool(self.backend.xp.isfinite(self.feedback.values).all())
