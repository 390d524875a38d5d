"""What the files of a run folder are called, and what each holds."""

from bdfa_np.diagnostics.quantities import FILE as DIAGNOSTICS
from bdfa_np.trust.names import NETWORK_COPY, RULE_COPY

HISTORY = "history.bin"
RESULT = "result.toml"
DIAGNOSIS = "diagnosis.json"
HOLDS = {
    "config.toml": "Every option as resolved, versions, and checksums of the data.",
    "metrics.csv": "A row an epoch: errors, as fractions, losses, the rate, seconds, and main quantities of --track.",
    "ErrorRate.log": "Training and test error after each epoch, as the Torch program wrote them.",
    "checkpoint.h5": "The net, its feedback and its optimizer after the last whole epoch: --resume goes on from it.",
    "confusion.csv": "How often samples of each class were taken for which, in the last test pass.",
    "Log.txt": "What was printed.",
    "curves.png": "The error curves, with --visualize.",
    "preprocessing.h5": "What is done to a raw sample: the folder alone is enough to predict.",
    "best.h5": "The net of the lowest validation error, with --keep-best.",
    HISTORY: "The figures of all epochs, to the last bit.",
    RESULT: "Last and lowest error, seconds and threads, once all epochs are done.",
    DIAGNOSTICS: "All that --track has measured, by layer.",
    DIAGNOSIS: "What bdfa diagnose has found last.",
    NETWORK_COPY: "A copy of the file of a net of your own.",
    RULE_COPY: "A copy of the file of a rule of your own.",
}
"""All files that a run may have; TensorBoard's are in a folder of their own."""
