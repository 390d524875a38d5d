"""Convolution on the CPU by filters as large as the images: one matrix product, with nothing laid out anew."""

from bdfa_np.backend.base import Array
from bdfa_np.backend.cpu.convolution import Workspace
from bdfa_np.backend.cpu.products import matmul


def suits(W_shape: tuple[int, ...], x_shape: tuple[int, ...], padding: int) -> bool:
    """Tell whether filters W (k, k, C, K) cover the images x (N, H, W, C), with nothing around them."""
    return W_shape[:3] == x_shape[1:] and not padding


def convolve(x: Array, W: Array, out: Array, stride: int, padding: int, workspace: Workspace) -> Array:
    """See `Backend.convolve`."""
    K = W.shape[3]
    matmul(x.reshape(len(x), -1), W.reshape(-1, K), out.reshape(-1, K))
    return out


def convolve_weight_gradient(
    x: Array, grad_y: Array, out: Array, stride: int, padding: int, accumulate: bool, workspace: Workspace
) -> Array:
    """See `Backend.convolve_weight_gradient`."""
    K = out.shape[3]
    total = out.reshape(-1, K)
    product = workspace("whole_product", total.shape) if accumulate else total
    matmul(x.reshape(len(x), -1).T, grad_y.reshape(-1, K), product)
    if accumulate:
        total += product
    return out


def convolve_input_gradient(
    grad_y: Array, W: Array, out: Array, stride: int, padding: int, workspace: Workspace
) -> Array:
    """See `Backend.convolve_input_gradient`."""
    K = W.shape[3]
    matmul(grad_y.reshape(-1, K), W.reshape(-1, K).T, out.reshape(len(out), -1))
    return out
