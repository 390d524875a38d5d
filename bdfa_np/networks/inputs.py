"""What samples a net takes, said before its layers find out one by one."""

from bdfa_np.layers import Shape


def check_images(shape: Shape, least: int) -> None:
    """Refuse samples that are no images, or smaller ones than the layers leave anything of.

    Parameters
    ----------
    shape : tuple of int
        Of one sample.
    least : int
        The fewest rows and columns that there must be.

    Raises
    ------
    ValueError
        With the cure, for a message that has named the net and the shape.
    """
    if len(shape) != 3:
        raise ValueError("it takes images (H, W, C): --network mlp takes samples of any shape")
    if min(shape[:2]) < least:
        raise ValueError(f"images of {least}x{least} pixels or more are wanted: give --resize {least}")
