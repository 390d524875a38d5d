"""What pictures of images and weights are put together from."""
