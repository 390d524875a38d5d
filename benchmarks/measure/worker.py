"""A process that is measured: it answers each line of JSON on its input with one on its output.

What answers is the function ``answer`` of the module that the command line names. An error ends the process; its last
line on standard error is what the parent reports.
"""

import importlib
import json
import os
import sys
from pathlib import Path


def main() -> None:
    """Answer until the input ends."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    sys.path[0] = str(Path(__file__).parents[1])  # modules are named as in the scripts of the folder above
    answer = importlib.import_module(sys.argv[1]).answer
    for line in sys.stdin:
        replies.write(json.dumps(answer(json.loads(line))) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
