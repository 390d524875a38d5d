"""The options of optimizers; each optimizer has those that its constructor takes."""

from bdfa_np.declaration import Condition, Option, fraction, not_negative

OPTIONS = (
    Option(
        "lr_decay",
        0.0,
        "Rate is lr / (1 + steps · X); {owners}.",
        check=not_negative,
        torch="-LRDecay",
    ),
    Option(
        "weight_decay",
        0.0,
        "L2 penalty; under adamw, share of each weight that a step at rate 1 takes away.",
        check=not_negative,
        torch="-weightDecay",
    ),
    Option("momentum", 0.0, "Momentum; {owners}.", check=fraction, torch="-momentum"),
    Option(
        "dampening",
        None,
        "A gradient's share in the momentum is 1 - X; {owners}. 0: as PyTorch.  [default: the momentum]",
        kind=float,
        check=fraction,
        conditions=(
            Condition(
                "momentum",
                lambda momentum, _: momentum != 0,
                message="{flag} is of the momentum, and there is none: give --momentum too",
            ),
        ),
    ),
)
