"""A second net beside the one that trains, on which everything is measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bdfa_np.backend import make_backend
from bdfa_np.backend.base import Array
from bdfa_np.errors import RunError
from bdfa_np.model import Model, assemble, configured_schedule
from bdfa_np.networks import build_network
from bdfa_np.random_streams import Streams


class Twin:
    """Network, rule, loss and optimizer built anew from a model's options, which take over its state at each call.

    The model itself is only read, so that measuring leaves no trace in what it trains: no pass is counted, no running
    average moves, no rule's buffer changes, and a CUDA graph finds its memory as it was.

    Parameters
    ----------
    model : Model
        What trains; built from its options.

    Attributes
    ----------
    model : Model
        The twin.
    state : mapping
        What `Model.state` gave at the last `load`.

    Raises
    ------
    RunError
        If its options build another network than it has.
    """

    def __init__(self, model: Model) -> None:
        config, network = model.config, model.network
        backend = make_backend(
            config.backend,
            model.backend.dtype,
            device=config.device,
            tf32=config.tf32,
            memory_limit=None if config.gpu_memory is None else int(config.gpu_memory * 2**30),
        )
        shape, (K,) = network.input_shape, network.output_shape
        twin = build_network(config, shape, K, Streams(config.seed), backend)
        self.model = replace(assemble(config, twin), preprocessing=model.preprocessing)
        if _shapes(self.model) != _shapes(model):
            raise RunError(
                "diagnostics build the net a second time from its options, and these build another one: measure a "
                "model that build_model(config, ...) gave, or that a run was trained with"
            )
        self.trainer = self.model.trainer(_NoBatches(), None)
        self.state: Mapping[str, Any] = {}

    def load(self, model: Model) -> None:
        """Take over the state of a model, and the factor that a schedule has put on its rates."""
        self.state = model.state()
        self.restore()
        for mine, theirs in zip(self.trainer.optimizers, [model.optimizer, *model.rule.optimizers], strict=True):
            mine.scale = theirs.scale
        schedule = configured_schedule(model.config)
        if schedule is not None and model.optimizer.steps == 0:  # nobody has asked it yet
            for optimizer in self.trainer.optimizers:
                optimizer.scale = schedule(0)

    def restore(self) -> None:
        """Go back to the state that was loaded."""
        self.model.load_state(self.state)
        self.model.network.forget_gradients()
        gradients = self.model.network.weights.gradients
        if gradients is not None:
            gradients.fill(0)


def _shapes(model: Model) -> dict[str, tuple[int, ...]]:
    vectors = model.network.weights, model.rule.feedback
    return {name: spec.shape for vector in vectors for name, spec in vector.specs.items()}


class _NoBatches:
    """What a trainer is given that takes single steps alone."""

    def __len__(self) -> int:
        return 0

    def epoch(self, number: int) -> Iterator[tuple[Array, Array]]:
        return iter(())
