"""What callers hand over: arrays, single values, shapes."""
