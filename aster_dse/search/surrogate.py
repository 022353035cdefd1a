"""A Gaussian process whose many outputs share one kernel: what is known of networks that nobody trained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular  # type: ignore[import-untyped]
from scipy.optimize import minimize  # type: ignore[import-untyped]

__all__ = ["GaussianProcess"]

Array = NDArray[np.float64]

_JITTER = 1e-8
_LENGTH = (np.log(0.05), np.log(20.0))
"""Bounds of the logarithm of a length scale; inputs lie in [0, 1]."""
_NOISE = (np.log(1e-5), np.log(1.0))
"""Bounds of the logarithm of the noise's variance, relative to the signal's."""
_FITTED = 64
"""Points on which the kernel is fitted: its time grows with their cube."""


class GaussianProcess:
    """Matern 5/2 with a length scale per input, one noise level, and a variance per output.

    The variances are those of greatest likelihood given the rest; length scales and noise maximise the
    likelihood of all outputs together, times weak priors: length scales around the size of the cube (more in
    more dimensions, as the distances between points grow), noise around 1 % of the variance.

    Source: Rasmussen and Williams, Gaussian Processes for Machine Learning, MIT Press 2006, chapters 2 and 5.
    """

    def __init__(self, inputs: Array, outputs: Array) -> None:
        """Fit to ``inputs`` ``[n, d]`` and ``outputs`` ``[n, D]``."""
        self._x = inputs
        self._mean = outputs.mean(axis=0)
        self._z = outputs - self._mean
        dimensions = inputs.shape[1]
        centre = np.append(np.full(dimensions, np.log(0.5 * np.sqrt(max(dimensions, 1)))), np.log(1e-2))
        few = slice(max(len(inputs) - _FITTED, 0), None)
        bounds = [_LENGTH] * dimensions + [_NOISE]
        found = minimize(
            _surprise,
            centre,
            args=(inputs[few], self._z[few], centre),
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": 40},
        )
        self._lengths, noise = np.exp(found.x[:-1]), float(np.exp(found.x[-1]))
        kernel = _matern(inputs, inputs, self._lengths)
        kernel[np.diag_indices_from(kernel)] += noise + _JITTER
        self._factor = cho_factor(kernel, lower=True)
        self._weights = cho_solve(self._factor, self._z)
        self._variance = np.einsum("nd,nd->d", self._z, self._weights) / len(inputs)

    def predict(self, inputs: Array) -> tuple[Array, Array]:
        """Mean ``[k, D]`` and standard deviation ``[k, D]`` of the outputs, without noise, at ``[k, d]``."""
        cross = _matern(inputs, self._x, self._lengths)
        mean = self._mean + cross @ self._weights
        solved = solve_triangular(self._factor[0], cross.T, lower=True)
        left = np.maximum(1.0 - np.square(solved).sum(axis=0), 1e-12)
        return mean, np.sqrt(left[:, None] * np.maximum(self._variance, 0.0)[None])


def _matern(one: Array, other: Array, lengths: Array) -> Array:
    scaled, others = one / lengths, other / lengths
    square = np.square(scaled).sum(1)[:, None] + np.square(others).sum(1)[None] - 2.0 * scaled @ others.T
    distance = np.sqrt(5.0 * np.maximum(square, 0.0))
    return np.asarray((1.0 + distance + distance**2 / 3.0) * np.exp(-distance))


def _surprise(logs: Array, x: Array, z: Array, centre: Array) -> float:
    """Minus the logarithm of likelihood times prior."""
    kernel = _matern(x, x, np.exp(logs[:-1]))
    kernel[np.diag_indices_from(kernel)] += float(np.exp(logs[-1])) + _JITTER
    lower = np.linalg.cholesky(kernel)
    solved = solve_triangular(lower, z, lower=True)
    fit = np.square(solved).sum(axis=0) / len(x)
    outputs = z.shape[1]
    likelihood = np.log(np.diag(lower)).sum() + 0.5 * len(x) * np.log(np.maximum(fit, 1e-300)).mean()
    # One vote for all outputs: they are views of the same fronts, far from independent.
    prior = 0.5 * np.square((logs[:-1] - centre[:-1]) / 0.75).sum()
    prior += 0.5 * np.square((logs[-1] - centre[-1]) / 1.5)
    return float(likelihood + prior) if outputs else 0.0
