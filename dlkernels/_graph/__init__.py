"""Nodes of computation graphs, and pictures of them."""
