"""The backend on CuPy: its kernels, its streams and graphs, and whether CUDA works here."""
