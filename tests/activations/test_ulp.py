"""Values within the stated units in the last place of float64 formulas, and those of 60 digits: 26 of the most used."""

import functools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.special as sc
from zoo_table import overflows, stride

import actlab.activations as al


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def gelu_tanh(x):
    return x * sc.expit(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))


def mish(x):
    e = np.exp(-np.abs(x))
    return x * np.where(x > 0, (1 + 2 * e) / (1 + 2 * e + 2 * e * e), e * (e + 2) / (e * e + 2 * e + 2))


def squareplus(x):
    half = (np.abs(x) + np.sqrt(x * x + 4)) / 2
    return np.where(x > 0, half, 1 / half)


def tanh_shrink(x):
    series = x**3 / 3 - 2 * x**5 / 15 + 17 * x**7 / 315 - 62 * x**9 / 2835
    return np.where(np.abs(x) < 0.02, series, x - np.tanh(x))


f32 = np.float32
REFERENCES = {  # name: float64 formula, mpmath formula, bound in ulp
    "relu": (lambda x: np.maximum(x, 0), lambda x: max(x, 0), 0),
    "relu6": (lambda x: np.clip(x, 0, 6), lambda x: min(max(x, 0), 6), 0),
    "leaky_relu": (
        lambda x: np.where(x > 0, x, float(f32(0.01)) * x),
        lambda x: x if x > 0 else mpmath.mpf(float(f32(0.01))) * x,
        0.5,
    ),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), lambda x: x if x > 0 else mpmath.expm1(x), 4),
    "selu": (
        lambda x: np.where(x > 0, 1.0507009873554805 * x, 1.7580993408473768 * np.expm1(np.minimum(x, 0))),
        lambda x: 1.0507009873554805 * x if x > 0 else 1.7580993408473768 * mpmath.expm1(x),
        4,
    ),
    "gelu": (lambda x: x * sc.ndtr(x), lambda x: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2, 4),
    "gelu_tanh": (gelu_tanh, lambda x: x / (1 + mpmath.exp(-mpmath.sqrt(8 / mpmath.pi) * (x + 0.044715 * x**3))), 4),
    "quick_gelu": (
        lambda x: x * sc.expit(float(f32(1.702)) * x),
        lambda x: x / (1 + mpmath.exp(-mpmath.mpf(float(f32(1.702))) * x)),
        4,
    ),
    "swish": (lambda x: x * sc.expit(x), lambda x: x / (1 + mpmath.exp(-x)), 4),
    "mish": (mish, lambda x: x * mpmath.tanh(mpmath.log1p(mpmath.exp(x))), 4),
    "hard_swish": (lambda x: x * np.clip(x + 3, 0, 6) / 6, lambda x: x * min(max(x + 3, 0), 6) / 6, 4),
    "hard_sigmoid": (lambda x: np.clip(x + 3, 0, 6) / 6, lambda x: min(max(x + 3, 0), 6) / 6, 4),
    "hard_tanh": (lambda x: np.clip(x, -1, 1), lambda x: min(max(x, -1), 1), 0),
    "sigmoid": (sc.expit, lambda x: 1 / (1 + mpmath.exp(-x)), 4),
    "tanh": (np.tanh, mpmath.tanh, 4),
    "softplus": (softplus, lambda x: mpmath.log1p(mpmath.exp(x)), 4),
    "log_sigmoid": (lambda x: -softplus(-x), lambda x: -mpmath.log1p(mpmath.exp(-x)), 4),
    "softsign": (lambda x: x / (1 + np.abs(x)), lambda x: x / (1 + abs(x)), 4),
    "squareplus": (squareplus, lambda x: (x + mpmath.sqrt(x * x + 4)) / 2, 4),
    "squared_relu": (lambda x: np.maximum(x, 0) ** 2, lambda x: max(x, 0) ** 2, 0.5),
    "tanh_shrink": (tanh_shrink, lambda x: x - mpmath.tanh(x), 5),
    "exponential": (np.exp, mpmath.exp, 5),
    "erf": (sc.erf, mpmath.erf, 4),
    "arctan": (np.arctan, mpmath.atan, 6),
    "asinh": (np.arcsinh, mpmath.asinh, 4),
    "symmetric_log": (lambda x: np.sign(x) * np.log1p(np.abs(x)), lambda x: mpmath.sign(x) * mpmath.log1p(abs(x)), 4),
}
SMALLEST = float(np.finfo(np.float32).tiny)


def ulps(y, reference) -> np.ndarray:
    """The error in units of the last place of the reference; a subnormal result may be flushed to 0."""
    reference = np.asarray(reference, np.float64)
    unit = np.spacing(np.maximum(np.abs(reference), SMALLEST).astype(np.float32)).astype(np.float64)
    error = np.abs(np.asarray(y, np.float64) - reference) / unit
    flushed = (np.abs(reference) < 2 * SMALLEST) & (np.abs(y) < 2 * SMALLEST)
    return np.where(flushed, 0.0, error)


@functools.cache
def points() -> np.ndarray:
    """A stride of all float32, and a dense part where the functions bend."""
    dense = [np.linspace(-a, a, 300_001).astype(np.float32) for a in (0.1, 1.0, 8.0, 110.0)]
    return np.concatenate([stride(8209, 7), *dense])


@functools.cache
def values() -> dict:
    run = jax.jit(lambda x: {name: al.ZOO[name](x) for name in REFERENCES})
    return jax.device_get(run(points()))


@pytest.mark.parametrize("name", REFERENCES)
def test_within_the_stated_ulp_of_float64(name):
    formula, _, bound = REFERENCES[name]
    x = points().astype(np.float64)
    with np.errstate(all="ignore"):
        reference = formula(x)
        error = ulps(values()[name], reference)
    fits = ~overflows(reference, np.float32) & np.isfinite(reference)
    worst = np.argmax(np.where(fits, error, 0))
    assert error[worst] <= bound, (error[worst], x[worst], values()[name][worst], reference[worst])
    assert np.isinf(values()[name][~fits & (np.abs(reference) > 1e39)]).all()


@functools.cache
def samples() -> dict:
    """Float64 formula, ours in float64, and the truth of 60 digits, at the same points."""
    x = np.concatenate([np.linspace(-25, 25, 41), np.geomspace(1e-8, 80, 20), -np.geomspace(1e-8, 80, 20)])
    with jax.enable_x64(True):
        ours = jax.device_get(jax.jit(lambda x: {name: al.ZOO[name](x) for name in REFERENCES})(jnp.asarray(x)))
    with mpmath.workdps(60), np.errstate(all="ignore"):
        truth = {n: np.asarray([float(f(mpmath.mpf(float(v)))) for v in x]) for n, (_, f, _) in REFERENCES.items()}
        return {n: (formula(x), ours[n], truth[n]) for n, (formula, _, _) in REFERENCES.items()}


@pytest.mark.parametrize("name", REFERENCES)
def test_the_float64_references_are_right(name):
    formula, ours, truth = samples()[name]
    np.testing.assert_allclose(formula, truth, rtol=2e-12, atol=1e-300)
    if name not in ("leaky_relu", "quick_gelu"):  # whose constants those references take rounded to float32
        np.testing.assert_allclose(ours, truth, rtol=2e-12, atol=1e-300)
