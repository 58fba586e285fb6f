"""Vector registers as values that kernels compute with."""
