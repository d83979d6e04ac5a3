"""What floating point makes of the zoo: finite everywhere, monotone as the function is, a few ulp where most used."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from zoo_table import overflows, stride

import actlab.activations as al

ZOO = {name: act for name, act in al.ZOO.items() if act.facts.gradient == "exact"}
ORDERS = ("value", "slope", "curvature")
HALVES = (jnp.bfloat16, jnp.float16)
each = pytest.mark.parametrize("name", ZOO)
each_half = pytest.mark.parametrize(
    "dtype", [HALVES[0], pytest.param(HALVES[1], marks=pytest.mark.exhaustive)], ids=["bfloat16", "float16"]
)


def jet(act, x):
    return {"value": act(x), "slope": act.slope(x), "curvature": act.curvature(x)}


@jax.jit
def jets(x):
    """Everything at one array, in one program."""
    return {name: jet(act, x) for name, act in ZOO.items()}


@functools.cache
def every(dtype) -> np.ndarray:
    """Every finite number of a 16-bit dtype, in increasing order."""
    numbers = np.arange(2**16, dtype=np.uint16).view(jnp.dtype(dtype))
    numbers = numbers[np.isfinite(numbers.astype(np.float32))]
    return numbers[np.argsort(numbers.astype(np.float64), kind="stable")]


@functools.cache
def computed(dtype) -> dict:
    return jax.tree.map(lambda y: np.asarray(y, np.float64), jets(jnp.asarray(every(dtype))))


def in_float64(x) -> dict:
    with jax.enable_x64(True):
        return jax.device_get(jets(jnp.asarray(np.asarray(x, np.float64))))


@functools.cache
def exact(dtype) -> dict:
    return in_float64(every(dtype))


@each_half
@each
def test_finite_at_every_16_bit_number(name, dtype):
    for order in ORDERS:
        y, reference = computed(dtype)[name][order], exact(dtype)[name][order]
        assert not np.isnan(y).any(), (order, every(dtype)[np.isnan(y)][:5])
        assert not np.isnan(reference).any(), order
        stray = np.isinf(y) & ~overflows(reference, dtype)
        assert not stray.any(), (order, every(dtype)[stray][:5])


@each_half
@each
def test_monotone_at_every_16_bit_number(name, dtype):
    order, steps = ZOO[name].facts.monotone, computed(dtype)[name]["value"]
    steps = np.diff(np.clip(steps, -1e300, 1e300))
    if order in ("nondecreasing", "strictly increasing"):
        assert (steps >= 0).all(), every(dtype)[1:][steps < 0][:5]
    if order in ("nonincreasing", "strictly decreasing"):
        assert (steps <= 0).all(), every(dtype)[1:][steps > 0][:5]


@each_half
@each
def test_slopes_and_curvatures_keep_their_sign(name, dtype):
    facts = ZOO[name].facts
    for order, bounds in (("slope", facts.slope), ("curvature", facts.curvature)):
        y = computed(dtype)[name][order]
        assert not wrong_sign(bounds, y.min(), y.max()), order


def test_parameter_derivatives_are_numbers_at_every_bfloat16():
    x = jnp.asarray(every(jnp.bfloat16)).astype(jnp.float32)

    @jax.jit
    def derivatives(x):
        acts = {n: jax.tree.map(jnp.asarray, act) for n, act in ZOO.items() if act.parameters}
        return {n: jax.jvp(lambda a: a(x), (a,), (jax.tree.map(jnp.ones_like, a),))[1] for n, a in acts.items()}

    stray = {name: x[np.isnan(d)][:5] for name, d in derivatives(x).items() if np.isnan(d).any()}
    assert not stray


@jax.jit
def oddities(x):
    """Where a result is not finite, whether any is not a number, and the least and largest slope."""
    found = jets(x)
    bad = jax.tree.map(lambda y: ~jnp.isfinite(y), found)
    slopes = {name: (jet["slope"].min(), jet["slope"].max()) for name, jet in found.items()}
    return bad, jax.tree.map(lambda y: jnp.isnan(y).any(), found), slopes


def wrong_sign(bounds, low, high) -> bool:
    return bounds is not None and bool((bounds.lower >= 0 > low) | (bounds.upper <= 0 < high))


def check_float32(numbers: np.ndarray) -> None:
    stray = {}
    for x in np.split(numbers, np.arange(2**18, numbers.size, 2**18)):
        x = np.resize(x, 2**18)
        bad, nan, slopes = jax.device_get(oddities(x))
        named = [(n, o) for n in ZOO for o in ORDERS if nan[n][o]]
        assert not named, named
        unsound = [n for n, (low, high) in slopes.items() if wrong_sign(ZOO[n].facts.slope, low, high)]
        assert not unsound, unsound
        for name in ZOO:
            for order in ORDERS:
                stray.setdefault((name, order), []).append(x[bad[name][order]][::97])
    for (name, order), parts in stray.items():
        where = np.concatenate(parts)
        if where.size:
            where = np.resize(where[:: max(1, where.size // 1024)], 1024)
            reference = in_float64(where)[name][order]
            assert overflows(reference, np.float32).all(), (name, order, where[~overflows(reference, np.float32)][:5])


def test_finite_over_a_stride_of_float32():
    check_float32(stride(16411))


@pytest.mark.exhaustive
@pytest.mark.slow
def test_finite_over_sixteen_million_float32():
    check_float32(stride(257))
