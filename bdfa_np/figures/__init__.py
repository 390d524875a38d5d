"""Pictures of runs and studies, as axes of matplotlib's; needs the extra ``plot``."""
