"""Trained nets in the formats of other programs: ONNX, PyTorch, plain arrays."""

from bdfa_np.export.writing import SUFFIXES, export_model

__all__ = ["SUFFIXES", "export_model"]
