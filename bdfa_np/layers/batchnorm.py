"""Batch normalisation, of vectors and of feature maps."""

import math
from collections.abc import Iterable

from bdfa_np.backend import maths
from bdfa_np.backend.base import Array, Backend
from bdfa_np.backend.formula import formula
from bdfa_np.errors import ConfigError
from bdfa_np.layers.base import Layer, ParameterSpec, Shape
from bdfa_np.parallel.share import WHOLE, Share, Team
from bdfa_np.random_streams import Streams


class BatchNorm(Layer):
    """``y = γ (x - μ) / √(v + ε) + β``, for each feature, or each channel of a feature map.

    In training ``μ`` and ``v`` are the batch's mean and (biased) variance, over the samples and, of feature maps,
    over all places; in use they are running averages, in which the variance is the unbiased one
    (Ioffe and Szegedy, arXiv 1502.03167).

    Parameters
    ----------
    bias : bool, default True
        Whether there is a ``β``.
    epsilon : float, default 1e-5
        ``ε``, above 0.
    momentum : float, default 0.1
        A running average moves by this share of its distance to the batch's value; from 0, which leaves it where it
        started, to 1, which takes the last batch's. (Others call the share that it keeps momentum.)

    Raises
    ------
    ValueError
        If ``epsilon`` or ``momentum`` is out of range.
    """

    kind = "batchnorm"
    local = False
    """Whether a process that has a share of a batch takes the statistics of that share, and not of the whole batch."""
    gives_output = True
    gives_signal = True
    x: Array
    gamma: Array
    beta: Array
    dgamma: Array
    dbeta: Array

    def __init__(self, *, bias: bool = True, epsilon: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        if not 0 < epsilon < math.inf:
            raise ValueError(f"epsilon of a BatchNorm must be a finite number above 0, not {epsilon}")
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum of a BatchNorm must be from 0 to 1, not {momentum}")
        self.bias = bias
        self.epsilon = epsilon
        self.momentum = momentum

    def parameters(self) -> dict[str, ParameterSpec]:
        """Return ``gamma``, from 1, and, unless switched off, ``beta``, from 0."""
        C = self.input_shape[-1]
        specs = {"gamma": ParameterSpec((C,), constant=1.0)}
        if self.bias:
            specs["beta"] = ParameterSpec((C,))
        return specs

    def bind(self, name: str, input_shape: Shape, backend: Backend, streams: Streams) -> None:
        """Fix the layer's name, shapes and backend, and start the running averages: mean 0, variance 1."""
        super().bind(name, input_shape, backend, streams)
        self.running_mean = backend.zeros((input_shape[-1],))
        self.running_variance = backend.zeros((input_shape[-1],))
        self.running_variance += 1
        self._zeros = backend.zeros((input_shape[-1],))

    def state(self) -> dict[str, Array]:
        """Return the running averages."""
        return {"running_mean": self.running_mean, "running_variance": self.running_variance}

    def agree(self, team: Team) -> None:
        """Take the mean of all processes' running averages, if each has normalised by its own share."""
        if self.local:
            for average in self.running_mean, self.running_variance:
                team.add_up(average)
                average[...] /= team.size

    def forward(self, x: Array, train: bool = True) -> Array:
        """Normalise by the batch's statistics in training, by the running averages in use."""
        C, y = x.shape[-1], self.buffer("y", x.shape)
        self.samples = len(x)
        self.x = self.xp.ascontiguousarray(x).reshape(-1, C)  # (M, C)
        self.trained, M = train, self._rows
        if train:
            self.mean, variance = self.buffer("mean", (C,)), self.buffer("variance", (C,))
            self._moments(variance)
            self.inverse_deviation, self.scale = self.buffer("inverse_deviation", (C,)), self.buffer("scale", (C,))
            running = self.running_mean, self.running_variance
            self.backend.elementwise(  # all at once: on a GPU a launch takes longer than so few numbers
                with_averages,
                (self.mean, variance, *running, self.gamma),
                (*running, self.inverse_deviation, self.scale),
                momentum=self.momentum,
                unbiased=M / max(M - 1, 1),
                epsilon=self.epsilon,
            )
        else:
            self.mean = self.running_mean
            self.inverse_deviation = 1 / self.xp.sqrt(self.running_variance + self.epsilon)  # (C,)
            self.scale = self.gamma * self.inverse_deviation  # (C,)
        self.backend.normalise(self.x, self.mean, self.scale, self.beta if self.bias else self._zeros, y.reshape(-1, C))
        return y  # (N, ..., C)

    def backward(self, grad_y: Array, need_grad_in: bool = True) -> Array | None:
        """``dγ += Σ grad_y ⊙ x̂``, ``dβ += Σ grad_y``; return the input's gradient.

        Through the batch's statistics that is ``γ/√(v + ε) ⊙ (grad_y - dβ/M - x̂ ⊙ dγ/M)``, with this pass's sums;
        the running averages are constants.
        """
        sum_g, sum_gx = self._sums(grad_y)
        self._add(self.dgamma, sum_gx)
        if self.bias:
            self._add(self.dbeta, sum_g)
        self.accumulate = True
        if not need_grad_in:
            return None
        return self._through(grad_y, sum_g, sum_gx, self.over_signal(grad_y))  # (N, ..., C)

    def push_forward(self, dx: Array) -> Array:
        """Return ``γ/√(v + ε) ⊙ (dx - mean(dx) - x̂ ⊙ mean(x̂ ⊙ dx))``; in use, without the means.

        The Jacobian is its own transpose: so this is what ``backward`` does with a gradient.
        """
        return self._through(dx, *self._sums(dx), self.backend.lend(dx.shape))  # (N, ..., C)

    def _sums(self, signal: Array) -> tuple[Array, Array]:
        """Return the sums of a signal and of ``signal ⊙ x̂`` over all rows: (C,) each."""
        C = signal.shape[-1]
        sum_g, sum_gx = self.buffer("sum_g", (C,)), self.buffer("sum_gx", (C,))
        self.backend.centred_sums(self.xp.ascontiguousarray(signal).reshape(-1, C), self.x, self.mean, sum_g, sum_gx)
        sum_gx *= self.inverse_deviation  # x̂ = (x - μ) / √(v + ε)
        return sum_g, sum_gx

    @property
    def _share(self) -> Share:
        """What part of the samples whose statistics are taken is here."""
        return WHOLE if self.local else self.backend.share

    @property
    def _rows(self) -> int:
        """M: values a channel, of all samples whose statistics are taken."""
        return self._share.whole(self.samples) * math.prod(self.input_shape[:-1])

    def _moments(self, variance: Array) -> None:
        """Write the whole batch's ``μ`` and ``v``, of which other processes may have parts.

        With ``m_r`` and ``v_r`` of the M_r values of each, ``M v = Σ M_r (v_r + (m_r - μ)²)`` (Chan, Golub and LeVeque,
        The American Statistician 37, 1983).
        """
        self.backend.moments(self.x, self.mean, variance)
        team = self._share.team
        if team is None:
            return
        parts = self.xp.zeros((team.size, 3, len(self.mean)), "float64")  # the others' are added to zeros
        M_r, m_r, v_r = parts[team.rank]
        M_r[...], m_r[...], v_r[...] = len(self.x), self.mean, variance
        team.add_up(parts)
        M, m, v = parts.swapaxes(0, 1)
        self.mean[...] = (M * m).sum(axis=0) / self._rows
        variance[...] = (M * (v + (m - self.mean) ** 2)).sum(axis=0) / self._rows

    def _through(self, signal: Array, sum_g: Array, sum_gx: Array, out: Array) -> Array:
        """Write a signal times the Jacobian into ``out``, given its sums; return it."""
        if not self.trained:
            return self.xp.multiply(signal, self.scale, out=out)
        C = signal.shape[-1]
        rows = self.xp.ascontiguousarray(signal).reshape(-1, C)
        along, common = self.buffer("along", (C,)), self.buffer("common", (C,))
        sum_g, sum_gx = self._over_the_batch(sum_g, sum_gx)
        self.backend.elementwise(shares, (sum_g, sum_gx, self.inverse_deviation), (along, common), rows=self._rows)
        self.backend.normalise_gradient(rows, self.x, self.mean, along, common, self.scale, out.reshape(-1, C))
        return out

    def _over_the_batch(self, sum_g: Array, sum_gx: Array) -> tuple[Array, Array]:
        """Return the sums over the whole batch; the gradients keep those over this process's samples."""
        if self._share.is_whole:
            return sum_g, sum_gx
        both = self.xp.stack((sum_g, sum_gx))
        self._share.sum(both)
        return both[0], both[1]

    def _add(self, gradient: Array, addend: Array) -> None:
        if self.accumulate:
            gradient += addend
        else:
            gradient[...] = addend


@formula
def with_averages(mean, variance, running_mean, running_variance, gamma, *, momentum, unbiased, epsilon):
    """Both running averages, moved towards a batch's moments, ``1 / √(v + ε)``, and ``γ / √(v + ε)``."""
    inverse_deviation = 1 / maths.sqrt(variance + epsilon)
    return (
        running_mean + momentum * (mean - running_mean),
        running_variance + momentum * (variance * unbiased - running_variance),
        inverse_deviation,
        gamma * inverse_deviation,
    )


@formula
def shares(sum_g, sum_gx, inverse_deviation, *, rows):
    """``-Σ(g ⊙ x̂) / (M √(v + ε))``, what is taken off a signal along ``x - μ``, and ``Σ g / M``."""
    return inverse_deviation * sum_gx / -rows, sum_g / rows


def lone_samples(layers: Iterable[Layer], samples: int, batch_size: int, *, drop_last: bool) -> str | None:
    """Say whether batch normalisation meets a batch of one sample, of whose values it makes 0 whatever they are.

    Parameters
    ----------
    layers : iterable of Layer
        Of a network. Of feature maps there are as many values a channel as places, unless there is one place alone.
    samples : int
        Training samples.
    batch_size : int
        Samples in a batch.
    drop_last : bool
        Whether a smaller batch at the end of an epoch is left out.

    Returns
    -------
    str or None
        A note on the last batch of an epoch, if that is one sample.

    Raises
    ------
    ConfigError
        If all batches are.
    """
    if not any(isinstance(layer, BatchNorm) and math.prod(layer.input_shape[:-1]) == 1 for layer in layers):
        return None
    if min(samples, batch_size) == 1:
        why = "--batch-size 1" if batch_size == 1 else "one training sample"
        raise ConfigError(
            f"batch normalisation of {why} makes 0 of every value, so that nothing is learnt: train on two samples a "
            "batch or more, or a net without batch normalisation"
        )
    if drop_last or samples % batch_size != 1:
        return None
    return (
        "the last batch of each epoch is one sample, of whose values batch normalisation makes 0: "
        "--const-batch-size leaves it out"
    )
