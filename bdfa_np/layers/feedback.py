"""The feedback site: where a direct rule hands the network's output error to a hidden layer."""

from math import prod

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer, ParameterSpec


class ErrorFeedback(Layer):
    """Identity in the forward direction; ``e B`` in place of the gradient under a direct rule.

    ``B`` is (K, n), with K the network's outputs and n the entries of a sample here. It stands at the end of
    a block (after its pooling, non-linearity and dropout); the block's own layers then go backward locally
    (Nøkland, arXiv 1609.01596, eq. 7).
    """

    kind = "feedback"
    feedback_site = "direct"
    gives_signal = True
    passes_on = True
    h: Array

    def feedback(self, num_outputs: int) -> ParameterSpec:
        """Return ``B`` (K, n), uniform within ±1/√n."""
        n = prod(self.input_shape)
        return ParameterSpec((num_outputs, n), n**-0.5)

    def forward(self, h: Array, train: bool = True) -> Array:
        """Return ``h`` itself, and keep it: BDFA trains ``B`` on it."""
        self.h = h
        return h  # (N, ...)

    def backward(self, grad_h: Array, need_grad_in: bool = True) -> Array | None:
        """Return ``grad_h``: the Jacobian is the identity."""
        return grad_h if need_grad_in else None

    def push_forward(self, dh: Array) -> Array:
        """Return ``dh``: the Jacobian is the identity."""
        return dh

    def project_feedback(self, signal: Array, B: Array) -> Array:
        """Return ``e B``, of an error ``e`` (N, K), in the shape of this site's activity."""
        N = len(signal)
        signal = self.backend.matmul(signal, B, out=self.backend.lend((N, B.shape[1])))
        return signal.reshape(N, *self.input_shape)
