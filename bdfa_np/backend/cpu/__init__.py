"""The backend on NumPy: its kernels, and how they share the processor's cores."""
