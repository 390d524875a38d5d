"""Runs as a film: features, angles and errors, epoch by epoch, as GIF, WebP or MP4."""

from bdfa_np.figures.film.making import Film, film

__all__ = ["Film", "film"]
