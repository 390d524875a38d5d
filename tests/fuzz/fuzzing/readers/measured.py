"""What was measured of a run, as Python reads it."""

from bdfa_np import Diagnostics
from fuzzing.readers.runs import Checkpoint
from fuzzing.readers.shared import digest


class Measured(Checkpoint):
    """``diagnostics.h5``, sealed as a checkpoint is."""

    name, file = "diagnostics.h5", "diagnostics.h5"
    options = (*Checkpoint.options, "--track", "all")

    def read(self, content: bytes) -> str:
        """Read all of it, and what follows from it."""
        self.put(content)
        found = Diagnostics.read(self.run)
        repr(found), found.rows(), found.table()
        arrays = [one for of in (found.values, found.snapshots) for pair in sorted(of.items()) for one in pair]
        settings = sorted((name, repr(value)) for name, value in found.settings.items())
        return digest([found.layers, settings, found.epochs, found.steps, found.snapshot_rows, *arrays])


READERS = (Measured,)
