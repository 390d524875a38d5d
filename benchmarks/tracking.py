"""What measuring a net costs beside training it: ``python benchmarks/tracking.py``.

Nets are trained on MNIST for a few epochs as ``bdfa train`` does, and measured after each one on 256 images. Training
is timed without measuring, and measuring as the run times it, in one and the same run: a busy machine slows both. For
each net it prints the seconds of an epoch, those of the first measurement, which may compile, the mean of the later
ones, of writing them, and the share of these two.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from bdfa_np import Config
from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.options.tracking import GROUPS
from bdfa_np.runs.events import Listener
from bdfa_np.runs.session import Session
from bdfa_np.runs.starting import start_run
from bdfa_np.trainer import EpochRecord

NETS = {
    "mlp 1x400": {"network": "mlp", "num_layers": 1, "num_hidden": 400},
    "mlp 2x800": {"network": "mlp", "num_layers": 2, "num_hidden": 800},
    "lenet": {"network": "lenet", "resize": 32},
}


class Times(Listener):
    """Keeps what each epoch took.

    Attributes
    ----------
    epochs : list of float
        Seconds of each epoch, trained and tested on.
    """

    def __init__(self) -> None:
        self.epochs: list[float] = []

    def epoch_ends(self, record: EpochRecord) -> None:
        """Keep an epoch's seconds."""
        self.epochs.append(record.seconds)


def trained(net: str, folder: Path, arguments: argparse.Namespace, track: str) -> tuple[list[float], Session]:
    """Train a net, and return the seconds of its epochs, and the sitting."""
    options = {"dataset": "mnist", "gradient": arguments.gradient, "lr": 1e-3, "threads": arguments.threads}
    config = Config(**NETS[net], **options, epochs=arguments.epochs, track=track, backend=arguments.backend)
    times = Times()
    return times.epochs, start_run(config, folder / f"{net} {track}".replace(" ", "-"), listener=times)


def writing(session: Session, folder: Path) -> float:
    """Return the seconds that writing a run's diagnostics takes, as they are at its end."""
    found: Diagnostics | None = session.folder.read_diagnostics()
    assert found is not None
    start = perf_counter()
    found.write(folder / "diagnostics.h5")
    return perf_counter() - start


def main() -> None:
    """Print a row a net and group."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--gradient", default="dfa")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--backend", default="numpy")
    parser.add_argument("--only", choices=NETS, action="append", help="this net; may be given again")
    parser.add_argument("--groups", action="store_true", help="each group by itself too")
    arguments = parser.parse_args()
    print(f"{'net':10} {'measured':10} {'epoch':>9} {'first':>9} {'measuring':>10} {'writing':>9} {'share':>7}")
    for net in arguments.only or NETS:
        for track in ("all", *(GROUPS if arguments.groups else ())):
            with tempfile.TemporaryDirectory() as folder:
                epochs, session = trained(net, Path(folder), arguments, track)
                assert session.tracker is not None
                epoch, first = median(epochs), session.tracker.first_seconds
                once = (session.tracker.seconds - first) / (session.tracker.measured - 1)
                wrote = writing(session, Path(folder))
            share = (once + wrote) / epoch
            took = f"{epoch:7.2f} s {first:7.2f} s {once:8.3f} s {wrote:7.3f} s"
            print(f"{net:10} {track:10} {took} {share:7.1%}", flush=True)


if __name__ == "__main__":
    main()
