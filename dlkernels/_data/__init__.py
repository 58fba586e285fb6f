"""Read, convert, scale and split data sets."""
