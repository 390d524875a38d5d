"""The epoch loop. It knows no layer, no rule and no terminal."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from time import perf_counter
from typing import Any, Protocol

from bdfa_np.backend import maths
from bdfa_np.backend.base import Array
from bdfa_np.backend.formula import formula
from bdfa_np.batches import BatchSource, evaluate, fed
from bdfa_np.constraints import MaxNorm
from bdfa_np.errors import TrainingError
from bdfa_np.losses import Loss, check_labels
from bdfa_np.metrics import ConfusionMatrix, Tally
from bdfa_np.network import Sequential
from bdfa_np.optim import Optimizer
from bdfa_np.parallel.commands import BEGIN, EPOCH, check_alike, together
from bdfa_np.parallel.share import WHOLE, Share, Team
from bdfa_np.representation import one_line
from bdfa_np.rules.base import Rule
from bdfa_np.schedules import Schedule
from bdfa_np.system.text import counted

STOP_AT_MEAN_ERROR = 1e-4
"""Training ends once the running mean of the training error is at most this."""
HALVINGS = 8
"""With ``epoch_step`` 0, training ends one epoch after this many halvings."""


class Augment(Protocol):
    """What changes training images at random: `bdfa_np.data.Augmentation`, or any function that is called the same."""

    def __call__(self, x: Array, epoch: int, step: int, /) -> Array:
        """Return a batch to learn in place of ``x``; it may be overwritten by the next call.

        What is drawn should depend on the epoch and the step alone (both from 1, the step within its epoch), so
        that a resumed run draws the same.
        """


@dataclass(frozen=True)
class EpochRecord:
    """The figures of one epoch; errors are fractions, losses means over samples.

    A run with ``validate`` tests on the images held out. The fields keep their names; a run's files, lines and pictures
    then say validation (`bdfa_np.runs.store.figures.columns`).

    Attributes
    ----------
    epoch : int
        Counted from 1.
    lr : float
        The learning rate at the epoch's first step.
    train_loss, train_error : float
        Over the epoch's training samples, each as it was just before its own update.
    train_error_mean : float
        The running mean ``m = 0.75 m + 0.25 train_error``, from 1.
    test_loss, test_error : float
        Over the samples tested on, after the epoch.
    seconds : float
        Wall time of training and testing.
    """

    epoch: int
    lr: float
    train_loss: float
    train_error: float
    train_error_mean: float
    test_loss: float
    test_error: float
    seconds: float

    def __repr__(self) -> str:
        """Return the epoch with its errors and losses."""
        train = f"train error {self.train_error:.2%} loss {self.train_loss:.4g}"
        test = f"tested: error {self.test_error:.2%} loss {self.test_loss:.4g}"  # on which part, a record does not know
        return one_line(self, [f"epoch {self.epoch}: {train}", test, f"{self.seconds:.1f} s"])


@dataclass
class Progress:
    """Where training stands: everything besides parameters and optimizer state that the next epoch depends on.

    Attributes
    ----------
    epoch : int
        Whole epochs done.
    train_error_mean : float
        The running mean of the training error.
    halvings : int
        How often ``epoch_step`` 0 has halved the learning rate.
    stop_reason : str
        Why training has ended by itself; empty while it has not.
    """

    epoch: int = 0
    train_error_mean: float = 1.0
    halvings: int = 0
    stop_reason: str = ""

    def __repr__(self) -> str:
        """Return the epochs done, and why there will be no more."""
        mean = f"mean training error {self.train_error_mean:.2%}"
        halvings = counted(self.halvings, "halving") if self.halvings else ""
        return one_line(self, [counted(self.epoch, "epoch") + " done", mean, halvings, self.stop_reason])


class Trainer:
    """Trains a network, epoch by epoch.

    Parameters
    ----------
    network, rule, loss, optimizer
        What is trained, by which rule, against which loss, with which optimizer; they belong together.
    train : BatchSource
        The training samples.
    test : BatchSource or None
        The test samples; None: nothing is tested on, and the figures of testing are NaN.
    epoch_step : int, default -1
        Halve the learning rate every k epochs (k > 0), or whenever an epoch's training error reaches or
        exceeds its running mean (0), or never (-1).
    schedule : callable, optional
        Takes the whole epochs done; what it returns multiplies the rate of every optimizer, the rule's own among
        them, for the epoch that follows. See `bdfa_np.schedules`.
    eps : float, default 0
        Magnitude of the adversarial regularisation; see `step`.
    acc_gradient : bool, default False
        Whether the clean pass's exact parameter gradients are kept and added to.
    clip_norm : float, optional
        The largest norm of a batch's gradient, of all weights and biases as one vector and before weight decay; a
        larger one is scaled back to it (Pascanu, Mikolov and Bengio, arXiv 1211.5063, algorithm 1), and what the rule
        trains on the same gradient, `Rule.clipped`, by the same factor.
    constraint : MaxNorm, optional
        Applied before every training step.
    augment : Augment, optional
        Applied to every training batch, never to a test batch.
    on_batch : callable, optional
        Called after every training step with the number of steps done in this epoch.
    tested_on : str, default "test"
        What messages call the samples tested on.
    suspects : sequence of str, default ("--lr",)
        What messages advise to make smaller where the loss stops being a finite number.
    team : Team, optional
        The processes that cut every batch into shares and train together, each with a trainer of the same; all of them
        call `begin` and `run` alike. By default this one trains alone.

    Attributes
    ----------
    progress : Progress
        Where training stands; to be saved and restored with the parameters.
    confusion : ConfusionMatrix
        Of the last test pass.
    tally : Tally
        Of the training steps since the epoch began, each batch as it was before its own update.
    """

    def __init__(
        self,
        *,
        network: Sequential,
        rule: Rule,
        loss: Loss,
        optimizer: Optimizer,
        train: BatchSource,
        test: BatchSource | None,
        epoch_step: int = -1,
        schedule: Schedule | None = None,
        eps: float = 0.0,
        acc_gradient: bool = False,
        clip_norm: float | None = None,
        constraint: MaxNorm | None = None,
        augment: Augment | None = None,
        on_batch: Callable[[int], None] | None = None,
        tested_on: str = "test",
        suspects: Sequence[str] = ("--lr",),
        team: Team | None = None,
    ) -> None:
        self.network = network
        self.rule = rule
        self.loss = loss
        self.optimizer = optimizer
        self.train = train
        self.test = test
        self.epoch_step = epoch_step
        self.schedule = schedule
        self.eps = eps
        self.acc_gradient = acc_gradient
        self.clip_norm = clip_norm
        self.constraint = constraint
        self.augment = augment
        self.on_batch = on_batch
        self.tested_on = tested_on
        self.suspects = suspects
        self.team = team
        self.progress = Progress()
        self._has_begun = False
        self.confusion = ConfusionMatrix(network.output_shape[0])
        self.tally = Tally(network.backend, network.output_shape[0])
        self._learn_batch = network.backend.recorded(self._learn, network)

    def __repr__(self) -> str:
        """Return the epochs done, and what is trained how."""
        kinds = [type(part).__name__ for part in (self.rule, self.loss, self.optimizer)]
        return one_line(self, [counted(self.progress.epoch, "epoch") + " done", *kinds])

    def run(self, epochs: int) -> Iterator[EpochRecord]:
        """Train until ``epochs`` epochs are done in all, and yield each one's figures as it ends.

        Parameters
        ----------
        epochs : int
            Counted from the run's beginning, not from a resume; -1 sets no bound.

        Raises
        ------
        TrainingError
            If the loss or a weight stops being a finite number.
        """
        self.begin()
        while self.goes_on(epochs):
            yield self.run_epoch()

    def begin(self) -> None:
        """Let the rule see the training samples before the first step, once; `run` does that too."""
        if self.progress.epoch == 0 and not self._has_begun:
            with together(self.team, BEGIN), self.network.computing():
                self.rule.before_training(self._fed(0))
                if self.team is not None:
                    self.team.rest()
        self._has_begun = True

    def goes_on(self, epochs: int) -> bool:
        """Return whether there is another epoch to train, of ``epochs`` in all."""
        return not self.progress.stop_reason and (epochs == -1 or self.progress.epoch < epochs)

    def so_far(self) -> tuple[float, float]:
        """Return the mean loss and the error over the training steps since the epoch began; this waits for a device."""
        return self.tally.loss, self.tally.confusion().error_rate

    def step(self, x: Array, labels: Array) -> None:
        """Train on one batch; its loss and predictions before the update are added to ``tally``.

        With ``eps`` > 0 the batch is first moved to where the loss grows fastest, ``x + eps · sign(dE/dx)`` (fast
        gradient sign, Goodfellow et al., arXiv 1412.6572), by one exact backward pass whatever the rule; what is
        learnt and reported is then of the moved batch. Each of the two passes draws its own dropout masks and
        updates running statistics.
        """
        backend = self.network.backend
        if not backend.on_device(labels):
            check_labels(labels, len(x), self.network.output_shape[0])
        self.rule.batch_size = len(x)
        share = self._share(len(x))
        with self.network.computing(), backend.sharing(share):
            for optimizer in self.optimizers:
                optimizer.look_ahead()
            if self.constraint is not None:
                self.constraint.apply()
            self._learn_batch(backend.asarray(x)[share.rows], backend.asarray(labels)[share.rows])
            for optimizer in self.optimizers:
                optimizer.step()
            self.rule.after_step()

    @property
    def optimizers(self) -> list[Optimizer]:
        """The optimizer, and those of the rule's own."""
        return [self.optimizer, *self.rule.optimizers]

    def _share(self, samples: int) -> Share:
        """Return what this process has of a batch of N samples."""
        return WHOLE if self.team is None else Share.of(self.team, samples)

    def _halve(self) -> None:
        for optimizer in self.optimizers:
            optimizer.learning_rate /= 2

    def _follow(self, scale: float) -> None:
        for optimizer in self.optimizers:
            optimizer.scale = scale

    def _learn(self, x: Array, labels: Array) -> None:
        """Leave a batch's gradients for the optimizer, and let the rule train its feedback."""
        backend = self.network.backend
        self.network.forget_gradients()
        if self.eps:
            x = self._adversarial(x, labels)
        logits = self.network.forward(x)
        result = self.loss(logits, labels)
        self.tally.add(logits, result)
        self.rule.backward(result)
        self.network.weights.sum_gradients()
        self.rule.train_feedback(result)
        if self.clip_norm is not None:
            gradients = [vector.gradients for vector in self.rule.clipped if vector.gradients is not None]
            backend.clip_norm(gradients, self.clip_norm)

    def _adversarial(self, x: Array, labels: Array) -> Array:
        """Return the batch moved along the sign of its exact gradient, not clipped."""
        backend = self.network.backend
        gradient = self.network.input_gradient(self.loss(self.network.forward(x), labels).error)
        if not self.acc_gradient:
            self.network.forget_gradients()
        moved: Array = backend.xp.empty_like(x)
        backend.elementwise(moved_by_sign, (x, gradient), (moved,), eps=self.eps)
        return moved

    def run_epoch(self) -> EpochRecord:
        """Train for one epoch more, and test; raises as `run` does."""
        with together(self.team, EPOCH):
            return self._run_epoch()

    def _run_epoch(self) -> EpochRecord:
        start = perf_counter()
        progress = self.progress
        if self.schedule is not None:
            self._follow(self.schedule(progress.epoch))
        epoch, rate = progress.epoch + 1, self.optimizer.rate
        train_loss, train_error = self._train_epoch(epoch)
        test_loss, confusion = nan, ConfusionMatrix(self.network.output_shape[0])
        if self.test is not None:
            test_loss, confusion = evaluate(self.network, self.loss, self.test, self.team)
        usable = self.test is None or isfinite(test_loss)
        if not (usable and self.network.all_finite() and self.rule.all_finite()):
            of_loss = f"the {self.tested_on} loss is {test_loss}"
            what = "a weight is no longer a finite number" if usable else of_loss
            raise TrainingError(
                f"{what} after epoch {epoch} (step {self.optimizer.steps} of the run): {self._advice()}"
            )
        if self.team is not None:
            check_alike(self.team, self.network.backend.to_host(self.network.weights.values), epoch)
        self.confusion = confusion
        progress.epoch = epoch
        progress.train_error_mean = 0.75 * progress.train_error_mean + 0.25 * train_error
        self._adapt(train_error)
        return EpochRecord(
            epoch=epoch,
            lr=rate,
            train_loss=train_loss,
            train_error=train_error,
            train_error_mean=progress.train_error_mean,
            test_loss=test_loss,
            test_error=confusion.error_rate,
            seconds=perf_counter() - start,
        )

    def _train_epoch(self, epoch: int) -> tuple[float, float]:
        backend, before = self.network.backend, self.optimizer.steps
        self.tally.clear()
        with self.network.computing(), backend.non_finite_allowed():
            for step, (x, labels) in enumerate(self._fed(epoch), start=1):
                self.step(self._augmented(x, epoch, step), labels)
                if backend.waits and self.team is None:
                    self._check_loss(epoch, before)
                if self.on_batch is not None:
                    self.on_batch(step)
            if self.team is not None:
                self.tally.gather(self.team)
                self.team.rest()
                for layer in self.network.tree():
                    layer.agree(self.team)
            self._check_loss(epoch, before)
            return self.so_far()

    def _fed(self, epoch: int) -> Iterator[tuple[Array, Array]]:
        for batch in fed(self.network, self.train, epoch):
            if self.team is not None:
                self.team.keep_pace()
            yield batch

    def _check_loss(self, epoch: int, steps_before: int) -> None:
        if self.tally.first_bad is not None:
            step, value = self.tally.first_bad
            raise TrainingError(
                f"the loss is {value} at step {step} of epoch {epoch} "
                f"(step {steps_before + step} of the run): {self._advice()}"
            )

    def _advice(self) -> str:
        return f"try a smaller {' or '.join(self.suspects)}"

    def _augmented(self, x: Array, epoch: int, step: int) -> Array:
        return x if self.augment is None else self.augment(self.network.backend.asarray(x), epoch, step)

    def _adapt(self, train_error: float) -> None:
        """Halve the learning rate or end training, where the epoch just done asks for it."""
        progress = self.progress
        if progress.train_error_mean <= STOP_AT_MEAN_ERROR:
            progress.stop_reason = f"the running mean of the training error is at most {STOP_AT_MEAN_ERROR:g}"
        elif progress.halvings == HALVINGS:
            progress.stop_reason = f"the learning rate was halved {HALVINGS} times"
        elif self.epoch_step == 0 and train_error >= progress.train_error_mean:
            self._halve()
            progress.halvings += 1
        elif self.epoch_step > 0 and progress.epoch % self.epoch_step == 0:
            self._halve()


@formula
def moved_by_sign(x: Any, g: Any, *, eps: float) -> Any:
    """``x + eps · sign(g)``."""
    return x + eps * maths.sign(g)
