"""Checks of what callers pass: arrays, single values, shapes."""
