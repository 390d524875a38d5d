"""Published tables as studies that come with the package."""
