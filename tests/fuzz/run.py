"""Fuzz the readers: ``python tests/fuzz/run.py --inputs 10000 --only png``; a row a reader."""

import argparse
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

from fuzzing.engine import HEADINGS, fuzz
from fuzzing.readers import READERS


def main() -> int:
    """Fuzz the readers that are named, or rerun an input, and return the exit code: 1 after faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1000, help="how many a reader [1000]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", choices=list(READERS), help="this reader; may be given again")
    parser.add_argument("--number", type=int, help="this input alone, and say what it comes to")
    parser.add_argument("--keep", type=Path, help="write that input to this file")
    asked = parser.parse_args()
    warnings.simplefilter("error")
    if asked.number is not None:
        return rerun(asked.only[0], asked.seed, asked.number, asked.keep)
    print("| " + " | ".join(HEADINGS) + " |\n|" + "---|" * len(HEADINGS), flush=True)
    faults = 0
    for name in asked.only or READERS:
        report = fuzz(READERS[name], range(asked.inputs), asked.seed)
        print("| " + " | ".join(report.row()) + " |", flush=True)
        alike = Counter((kind, detail.rpartition(" (")[2]) for _, kind, detail in report.faults)
        for (kind, place), count in alike.most_common(20):
            number, _, detail = next(f for f in report.faults if (f[1], f[2].rpartition(" (")[2]) == (kind, place))
            print(f"  {count} {kind}, such as number {number}: {detail}", file=sys.stderr, flush=True)
        faults += len(report.faults)
    return int(faults > 0)


def rerun(name: str, seed: int, number: int, keep: Path | None) -> int:
    """Read one input again, in this process; raise what it raises."""
    with tempfile.TemporaryDirectory() as folder:
        reader = READERS[name](Path(folder))
        place, made = reader.input(seed, number)
        if keep is not None:
            keep.write_bytes(made.content)
        found = reader.read(made.content)
        print("the same" if found == reader.expected[place] else "another", "resealed" if made.resealed else "")
    return 0


if __name__ == "__main__":
    sys.exit(main())
