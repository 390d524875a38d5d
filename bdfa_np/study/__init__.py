"""Many runs as one: sweeps, and published tables beside our own. A run itself is `bdfa_np.runs`'s."""
