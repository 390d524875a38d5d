"""Where batches come from, how they reach a network, and what it makes of them in use."""

from collections.abc import Iterator
from typing import Protocol

from bdfa_np.backend.base import Array
from bdfa_np.losses import Loss, check_labels
from bdfa_np.metrics import ConfusionMatrix, Tally
from bdfa_np.network import Sequential
from bdfa_np.parallel.share import Share, Team


class BatchSource(Protocol):
    """Where batches come from: `bdfa_np.data.Batches`, or anything with the same two methods."""

    def __len__(self) -> int:
        """Return the number of batches an epoch."""

    def epoch(self, number: int) -> Iterator[tuple[Array, Array]]:
        """Yield (x, labels) for each batch of an epoch; arrays may be overwritten by the next batch."""


def evaluate(
    network: Sequential, loss: Loss, batches: BatchSource, team: Team | None = None
) -> tuple[float, ConfusionMatrix]:
    """Test a network.

    Parameters
    ----------
    network : Sequential
        The network.
    loss : Loss
        The loss to report.
    batches : BatchSource
        The samples; the order does not matter.
    team : Team, optional
        The processes that share the samples, each of which calls this; by default this one tests on all of them.

    Returns
    -------
    loss : float
        Mean over the samples.
    confusion : ConfusionMatrix
        Of all samples.
    """
    tally = Tally(network.backend, network.output_shape[0])
    with network.computing(), network.backend.non_finite_allowed():
        for x, labels in fed(network, batches, 0):
            rows = slice(None) if team is None else Share.of(team, len(x)).rows
            if len(labels[rows]):
                logits = network.forward(x[rows], train=False)
                tally.add(logits, loss(logits, labels[rows]))
        if team is not None:
            tally.gather(team)
        return tally.loss, tally.confusion()


def fed(network: Sequential, batches: BatchSource, epoch: int) -> Iterator[tuple[Array, Array]]:
    """Yield an epoch's batches on the network's backend; labels are checked while they are on the host."""

    def checked() -> Iterator[tuple[Array, Array]]:
        for x, labels in batches.epoch(epoch):
            check_labels(labels, len(x), network.output_shape[0])
            yield x, labels

    return network.backend.feed(checked())
