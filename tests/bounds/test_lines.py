"""Every activation of the zoo on 1000 random intervals, 1000 points each: lines and ranges contain f, in float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.activations import Interval
from actlab.bounds import bounding_lines
from actlab.bounds.enclosure import range_over
from actlab.bounds.graph import known_facts

KNOWN = {name: act for name, act in al.ZOO.items() if name != "pau"}


def intervals() -> tuple[np.ndarray, np.ndarray]:
    """Wide, narrow, one float wide, of no width, and far out; float32."""
    rng = np.random.default_rng(0)
    centre = np.concatenate(
        [rng.normal(0, 3, 700), rng.normal(0, 100, 150), rng.normal(0, 1e4, 50), rng.normal(0, 1, 100)]
    )
    radius = np.concatenate([10 ** rng.uniform(-6, 1, 850), 10 ** rng.uniform(-1, 5, 50), np.zeros(100)])
    lower, upper = ((centre + s * radius).astype(np.float32) for s in (-1, 1))
    upper[-50:] = np.nextafter(lower[-50:], np.float32(np.inf))
    return lower, np.maximum(lower, upper)


# Each is a program of its own to compile: a third of them every time, all of them among the exhaustive tests.
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.exhaustive) if k % 3 else n for k, n in enumerate(KNOWN)]
)
def test_lines_and_range_contain_the_function(name):
    f = KNOWN[name]
    low, high = intervals()
    if not np.isfinite(f.facts.lipschitz()):  # 1e4 overflows exp and cubes
        low, high = np.clip(low, -50, 50), np.clip(high, -50, 50)
    box = Interval(jnp.asarray(low), jnp.asarray(high))
    lines, values = jax.jit(lambda b: (bounding_lines(f, known_facts(f), b), range_over(f, known_facts(f), b)))(box)
    t = np.concatenate([np.linspace(0, 1, 500), np.random.default_rng(1).uniform(0, 1, 500)])[:, None]
    x = np.clip(low + t * (high.astype(np.float64) - low), low, high)
    with jax.enable_x64(True):
        y = np.asarray(f(jnp.asarray(x, jnp.float64)))
    a, b, c, d = (np.asarray(v, np.float64) for v in jax.tree.leaves(lines))
    assert np.all(a * x + b <= y)
    assert np.all(y <= c * x + d)
    assert np.all((np.asarray(values.lower, np.float64) <= y) & (y <= np.asarray(values.upper, np.float64)))
