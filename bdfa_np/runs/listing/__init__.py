"""Several runs: a row each, or side by side; nobody's net or rule is run."""

from bdfa_np.runs.listing.summaries import NOT_COMPARED, RunSummary, find_runs, list_runs, listing

__all__ = ["NOT_COMPARED", "RunSummary", "find_runs", "list_runs", "listing"]
