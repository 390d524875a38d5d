"""The bare matrix products of a step of ``mlp``, and nothing else: the time below which no BLAS program can go.

No bias, no non-linearity, no loss, no optimizer: each product writes into memory that is there already, and a
transpose is a view. That the products are those of this project's own step, one by one, is tested.
"""

import itertools

import numpy as np
from measure.jobs import INPUT_SHAPES, NUM_CLASSES, Job, make_batches

Product = tuple[np.ndarray, np.ndarray, np.ndarray]
"""The two factors, and where their product goes."""


class Products:
    """The products of a step or a pass, on arrays that stay as they are: what is multiplied makes no difference."""

    def __init__(self, job: Job) -> None:
        self.N, self.dtype = job.batch, np.dtype(job.precision)
        self.sizes = [int(np.prod(INPUT_SHAPES[job.network])), *[job.units] * job.layers, NUM_CLASSES]
        self.generator = np.random.default_rng(0)
        pairs = list(itertools.pairwise(self.sizes))
        self.W = [self.array(*pair) for pair in pairs]
        self.B = [self.array(NUM_CLASSES, n) if job.rule in ("dfa", "bdfa") else self.array(m, n) for m, n in pairs]
        self.h = [self.array(self.N, n) for n in self.sizes]  # a batch's activities, the input first, the logits last
        self.delta = [self.array(self.N, n) for n in self.sizes]  # the signals at the same places
        self.dW = [self.array(*pair) for pair in pairs]
        self.dB = [np.empty_like(B) for B in self.B]

    def array(self, rows: int, columns: int) -> np.ndarray:
        """Return an array of numbers of ordinary size."""
        return self.generator.standard_normal((rows, columns)).astype(self.dtype)

    def forward(self) -> list[Product]:
        """Each layer's ``x W``; the last writes to the logits."""
        return [(self.h[i], W, np.empty_like(self.h[i + 1])) for i, W in enumerate(self.W)]

    def weight_gradients(self) -> list[Product]:
        """Each layer's ``xᵀ δ``."""
        return [(self.h[i].T, self.delta[i + 1], dW) for i, dW in enumerate(self.dW)]

    def layerwise(self, weights: list[np.ndarray]) -> list[Product]:
        """``δ Wᵀ`` or ``δ Bᵀ`` through all layers but the lowest, from the output down."""
        return [
            (self.delta[i + 1], weights[i].T, np.empty_like(self.delta[i])) for i in reversed(range(1, len(self.W)))
        ]

    def direct(self) -> list[Product]:
        """``e B`` to every hidden layer."""
        return [(self.delta[-1], B, np.empty_like(self.delta[i])) for i, B in enumerate(self.B[:-1], start=1)]

    def feedback_training(self) -> list[Product]:
        """``Y B`` and ``Yᵀ h`` at every hidden layer; ``Y`` has the shape of the logits."""
        Y = self.h[-1]
        found: list[Product] = []
        for i, (B, dB) in enumerate(zip(self.B[:-1], self.dB, strict=False), start=1):
            found += [(Y, B, np.empty_like(self.h[i])), (Y.T, self.h[i], dB)]
        return found

    def feedback_phase(self) -> list[Product]:
        """``g Bᵀ`` through all layers, down to the drawn input, ``ε W`` up to the last hidden layer, and dB."""
        down = [(self.h[i + 1], B.T, np.empty_like(self.h[i])) for i, B in reversed(list(enumerate(self.B)))]
        up = [(self.delta[i], W, np.empty_like(self.h[i + 1])) for i, W in enumerate(self.W[:-1])]
        return [*down, *up, *[(self.delta[i].T, self.h[i + 1], dB) for i, dB in enumerate(self.dB)]]

    def step(self, rule: str) -> list[Product]:
        """Return the products of a training step by a rule."""
        if rule == "bp":
            signals = self.layerwise(self.W)
        elif rule in ("fa", "bfa"):
            signals = self.layerwise(self.B)
        else:
            signals = self.direct()
        extra = {"bfa": self.feedback_phase, "bdfa": self.feedback_training}.get(rule, list)()
        return [*self.forward(), *signals, *self.weight_gradients(), *extra]


class Floor:
    """The program of a job."""

    def __init__(self, job: Job) -> None:
        products = Products(job)
        rounds = []
        for x, _ in make_batches(job):
            products.h[0] = x.reshape(job.batch, -1)
            rounds.append(products.forward() if job.work == "inference" else products.step(job.rule))
        self.rotation = itertools.cycle(rounds)

    def __call__(self) -> None:
        """Compute the products of the next batch."""
        for a, b, out in next(self.rotation):
            np.matmul(a, b, out=out)

    def weights(self) -> dict[str, np.ndarray]:
        """Return nothing: products alone learn nothing."""
        return {}


def make(job: Job) -> Floor:
    """Make the program of a job on ``mlp``.

    Raises
    ------
    ValueError
        For another net.
    """
    if job.network != "mlp":
        raise ValueError("the floor of matrix products is known for mlp alone")
    return Floor(job)
