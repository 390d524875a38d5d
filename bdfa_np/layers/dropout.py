"""Dropout."""

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer


class Dropout(Layer):
    """``y = x ⊙ m`` in training, ``m`` being 0 with the given probability p and else 1/(1 - p); ``y = x`` in use.

    (Srivastava et al., 2014, inverted so that nothing is to be scaled in use.) The masks of the n-th
    training pass are a function of (seed, layer, n), so a resumed run goes on with the next.

    Parameters
    ----------
    probability : float
        Of dropping an entry; at least 0 and less than 1.

    Raises
    ------
    ValueError
        If the probability is out of range.
    """

    kind = "dropout"
    gives_output = True
    gives_signal = True
    passes_on = True

    def __init__(self, probability: float) -> None:
        super().__init__()
        if not 0 <= probability < 1:
            raise ValueError(f"a dropout probability must be at least 0 and less than 1, not {probability}")
        self.probability = probability
        self.mask: Array | None = None

    def forward(self, x: Array, train: bool = True) -> Array:
        """Drop entries in training; return ``x`` itself in use."""
        if not train:
            self.mask = None
            return x
        key = self.streams.key("dropout", self.name, self.training_pass)
        y, keep, share = self.over_input(x, "y"), 1 - self.probability, self.backend.share
        if share.is_whole:
            self.mask = self.buffer("mask", x.shape)
            return self.backend.dropout(x, key, keep, self.mask, out=y)  # (N, ...)
        # Each sample's mask is that of its place in the batch, however many processes the batch is cut over.
        masks, unused = (self.buffer(name, (share.samples, *x.shape[1:])) for name in ("masks", "unused"))
        unused.fill(0)
        self.backend.dropout(unused, key, keep, masks, out=unused)
        self.mask = masks[share.rows]
        return self.xp.multiply(x, self.mask, out=y)  # (N, ...)

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """Return ``grad_y ⊙ m``."""
        if not need_grad_in:
            return None
        if self.mask is None:
            return grad_y
        return self.xp.multiply(grad_y, self.mask, out=self.over_signal(grad_y))  # (N, ...)

    def push_forward(self, dx: Array) -> Array:
        """Return ``dx ⊙ m``; ``dx`` itself in use."""
        if self.mask is None:
            return dx
        return self.xp.multiply(dx, self.mask, out=self.backend.lend(dx.shape))  # (N, ...)
