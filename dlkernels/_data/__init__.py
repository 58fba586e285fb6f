"""Reading, converting, scaling and splitting of data sets."""
