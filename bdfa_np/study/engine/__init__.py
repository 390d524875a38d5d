"""What carries the runs of a study out: here one after another, or on Dask's workers."""
