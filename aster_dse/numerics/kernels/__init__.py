"""Compiled kernels of layers on arrays."""
