"""Compiled kernels for spiking layers on a CPU, and the differentiable functions made of them."""
