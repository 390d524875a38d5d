"""What files take up by their formats, whatever they hold: one of another size is refused before it is read."""

_IMAGE = 28 * 28


def idx_sizes(counts: tuple[int, int], *, bytes_per_label: int = 1) -> tuple[int, int, int, int]:
    """Return the sizes in bytes of four IDX files: training images, their labels, test images, their labels.

    A header is a magic number and the length of each dimension, of four bytes each.

    Parameters
    ----------
    counts : tuple of int
        The numbers of training and of test images, of 28 x 28 bytes.
    bytes_per_label : int, default 1
        The size of a label; one of several numbers has a dimension more.
    """
    header = 8 if bytes_per_label == 1 else 12
    (train_images, train_labels), (test_images, test_labels) = (
        (16 + count * _IMAGE, header + count * bytes_per_label) for count in counts
    )
    return train_images, train_labels, test_images, test_labels
