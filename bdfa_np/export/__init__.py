"""Trained nets in the formats of other programs: ONNX, PyTorch, plain arrays."""

from bdfa_np.export.writing import SUFFIXES, Exported, export_model

__all__ = ["SUFFIXES", "Exported", "export_model"]
