"""What ``bdfa watch`` shows: a picture in the terminal, or a page in a browser."""
