"""Layers that are made of layers."""

from collections.abc import Sequence

from bdfa_np.backend.base import Array, Backend
from bdfa_np.layers.base import Layer, Shape, Walk, bind_chain, push_chain
from bdfa_np.random_streams import Streams


class Container(Layer):
    """Base of layers that are made of others: it binds and names them, and passes through their branches.

    A kind of its own writes ``forward`` and ``backward`` as every layer, `carry_back`, which says how a rule's
    signal passes, and `carry_forward`, which says how a tangent does. Inside, layers have paths for names, such as
    ``residual1.linear2``.

    Parameters
    ----------
    *branches : sequence of Layer
        The layers of each branch, from its input up; all branches begin at the container's input.
    """

    kind = "container"

    def __init__(self, *branches: Sequence[Layer]) -> None:
        super().__init__()
        self._branches = tuple(tuple(branch) for branch in branches)

    def branches(self) -> tuple[Sequence[Layer], ...]:
        """Return the layers, branch by branch, each from its input up."""
        return self._branches

    def bind(self, name: str, input_shape: Shape, backend: Backend, streams: Streams) -> None:
        """Fix the names, shapes and backend of this layer and of those inside."""
        numbers: dict[str, int] = {}  # counted on from branch to branch: no two layers may have one name
        self.branch_shapes = [
            bind_chain(branch, input_shape, backend, streams, f"{name}.", numbers) for branch in self._branches
        ]
        super().bind(name, input_shape, backend, streams)

    def through(self, branch: Sequence[Layer], x: Array, train: bool) -> Array:
        """Return a branch's output for the container's input."""
        for layer in branch:
            x = layer.forward(x, train)
        return x

    def back(self, branch: Sequence[Layer], grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Apply the exact transposed Jacobian of a branch."""
        grad: Array | None = grad_y
        for layer in reversed(branch):
            assert grad is not None
            grad = layer.backward(grad, need_grad_in or layer is not branch[0])
        return grad

    def push_forward(self, dx: Array) -> Array:
        """Apply the exact Jacobian of the last ``forward``, as `carry_forward` has it."""
        dy = self.carry_forward(dx, push_chain)
        assert dy is not None
        return dy

    def carry_back(self, signal: Array, walk: Walk) -> Array | None:
        """Carry a rule's signal from this layer's output to its input, through ``walk(branch, signal)``."""
        raise NotImplementedError(f"{self.name}: {type(self).__name__} says nothing of how a rule's signal passes")
