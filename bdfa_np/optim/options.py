"""The options of optimizers; each optimizer has those that its constructor takes."""

from bdfa_np.declaration import Option, fraction, not_negative

OPTIONS = (
    Option(
        "lr_decay",
        0.0,
        "Rate is lr / (1 + steps · X); {owners}.",
        check=not_negative,
        torch="-LRDecay",
    ),
    Option("weight_decay", 0.0, "L2 penalty.", check=not_negative, torch="-weightDecay"),
    Option("momentum", 0.0, "Momentum; {owners}.", check=fraction, torch="-momentum"),
)
