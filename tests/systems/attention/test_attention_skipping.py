"""Skipping is exact: values and gradients are bitwise those of the same kernel that visits every visible block."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.systems.attention import Gate, dense_attention, gated_attention, score_bounds
from actlab.systems.attention.block_bounds import largest_scores

BLOCK = 8
GELU_AT_HALF = 0.6683959705
"""x with gelu(x) = 0.5, solved in mpmath."""


def clustered(rng: np.random.Generator, noise: float, length: int = 40, d: int = 4) -> tuple:
    """Queries, keys and values whose blocks point in a few directions, so that bounds prove something."""
    centres = rng.normal(size=(5, d)) * 3
    places = centres[(np.arange(length) // BLOCK) % 5]
    q, k = (places[None, :, None] + noise * rng.normal(size=(2, length, h, d)) for h in (4, 2))
    return tuple(jnp.asarray(x, jnp.float32) for x in (q, k, rng.normal(size=(2, length, 2, d))))


@functools.partial(jax.jit, static_argnames=("skip", "causal", "scale", "window"))
def value_and_gradients(gate, q, k, v, keys, *, skip, causal, scale, window):
    def loss(gate, q, k, v):
        out = gated_attention(
            q, k, v, gate, skip=skip, causal=causal, scale=scale, window=window, keys=keys, block=BLOCK
        )
        return jnp.sum(jnp.sin(out)), out

    return jax.grad(loss, argnums=(0, 1, 2, 3), has_aux=True)(gate, q, k, v)


def bits(tree) -> list[bytes]:
    return [np.asarray(x).tobytes() for x in jax.tree.leaves(tree)]


def density(gate: Gate, q, k) -> float:
    by_head = [jnp.moveaxis(x, 2, 1).reshape(-1, x.shape[1], x.shape[3]) for x in (q / np.sqrt(q.shape[-1]), k)]
    return float(jnp.mean(score_bounds(by_head[0], by_head[1], BLOCK) > gate.least_score()))


CASES = [
    (False, "length", None, False),
    (True, "length", None, True),
    (False, "sum", None, True),
    (True, "sum", None, False),
    (False, "length", 13, True),
    (True, "length", 13, False),
]


@pytest.mark.parametrize(("causal", "scale", "window", "continuous"), CASES)
def test_bitwise_equal_in_a_thousand_random_cases_near_the_threshold_too(causal, scale, window, continuous):
    rng = np.random.default_rng(len(CASES) * causal + 7 * (scale == "sum") + 3 * (window or 0) + continuous)
    run = functools.partial(value_and_gradients, causal=causal, scale=scale, window=window)
    skipped = 0.0
    for case in range(168):  # times 6 parametrizations: 1,008
        q, k, v = clustered(rng, noise=[0.1, 0.5, 1.0][case % 3])
        keys = jnp.asarray(rng.random((2, 40)) < 0.8)
        crossing = float(rng.uniform(0.05, 8.0))
        if case % 2:  # a threshold that is a computed score, or a neighbour of one
            scores = jnp.einsum("bihd,bjhd->bhij", q / 2, jnp.repeat(k, 2, axis=2))
            crossing = np.float32(rng.choice(np.ravel(scores)))
            crossing = abs(float(np.nextafter(crossing, np.float32([-np.inf, np.inf][case % 4 // 2]))))
        gate = Gate(al.gelu, jnp.float32(1.0), jnp.float32(0.5), jnp.float32(crossing), continuous)
        skipped += 1 - density(gate, q, k)
        whole = bits(run(gate, q, k, v, keys, skip="none"))
        assert bits(run(gate, q, k, v, keys, skip="bounds")) == whole
        assert bits(run(gate, q, k, v, keys, skip="scores")) == whole
    assert skipped / 168 > 0.1, "the bounds must prove something, or the test says nothing"


def test_a_bound_that_is_too_small_is_seen(monkeypatch):
    """The test above can fail: half the bound skips blocks that hold kept pairs."""
    from actlab.systems.attention import attention

    q, k, v = clustered(np.random.default_rng(0), 0.5)
    gate = Gate(al.gelu, jnp.float32(1.0), jnp.float32(0.5), jnp.float32(2.0))
    exact = gated_attention(q, k, v, gate, skip="none", block=BLOCK)
    monkeypatch.setattr(attention, "score_bounds", lambda q, k, block: score_bounds(q, k, block) - 2.0)
    assert bits(gated_attention(q, k, v, gate, skip="bounds", block=BLOCK)) != bits(exact)


@pytest.mark.parametrize("d", [1, 3, 64])
@pytest.mark.parametrize("size", [1e-30, 1e-18, 1.0, 1e12, 1e18])
def test_bounds_are_above_every_score_in_real_arithmetic_and_as_computed(d, size):
    rng = np.random.default_rng(d)
    q = (rng.normal(size=(4, 32, d)) * size).astype(np.float32)
    k = (rng.normal(size=(2, 32, d)) * rng.choice([1e-3, 1.0, 1e3], size=(2, 32, 1))).astype(np.float32)
    q[:, 8:16] = q[:, 8:9]  # a block without extent: the bound is as tight as it gets
    k[:, 16:24] = k[:, 16:17]
    bounds = np.asarray(score_bounds(jnp.asarray(q), jnp.asarray(k), BLOCK), np.float64)
    exact = np.einsum("hid,hjd->hij", q.astype(np.longdouble), np.repeat(k, 2, axis=0).astype(np.longdouble))
    in_float = np.asarray(jnp.einsum("hid,hjd->hij", q, np.repeat(k, 2, axis=0)), np.float64)
    blocked = lambda s: s.reshape(4, 4, BLOCK, 4, BLOCK).max(axis=(2, 4))  # noqa: E731
    assert (bounds >= blocked(exact)).all()
    assert (bounds >= blocked(in_float)).all()
    single = bounds[:, 1, 2] - blocked(exact)[:, 1, 2]
    assert (single <= 1e-3 * np.abs(q[:, 8]).max() * np.abs(np.repeat(k, 2, axis=0)[:, 16]).max() * d + 1e-30).all()
    scores = np.asarray(largest_scores(jnp.asarray(q), jnp.asarray(k), lambda i: True, BLOCK), np.float64)
    assert (scores >= blocked(exact)).all()


@pytest.mark.parametrize("kind", ["plain", "causal", "window", "padding", "sum"])
@pytest.mark.usefixtures("float64")
def test_equals_the_dense_einsum(kind):
    rng = np.random.default_rng(3)
    q, k, v = (x.astype(jnp.float64) for x in clustered(rng, 1.0, length=37))
    options = {
        "plain": {},
        "causal": {"causal": True},
        "window": {"window": 11, "causal": True},
        "padding": {"keys": jnp.asarray(rng.random((2, 37)) < 0.5)},
        "sum": {"scale": "sum"},
    }[kind]
    gate = Gate(al.gelu, jnp.asarray([0.5, 1.0, 2.0, 4.0]), jnp.float64(0.5), jnp.float64(GELU_AT_HALF), True)

    def gradients(attention, **more):
        def loss(gate, q, k, v):
            out = attention(q, k, v, gate, **options, **more)
            return jnp.sum(jnp.cos(out)), out

        return jax.grad(loss, argnums=(0, 1, 2, 3), has_aux=True)(gate, q, k, v)

    chex.assert_trees_all_close(
        gradients(gated_attention, block=BLOCK), gradients(dense_attention), rtol=1e-9, atol=1e-10
    )


def test_density_falls_with_the_threshold_and_rises_with_the_temperature():
    q, k, _ = clustered(np.random.default_rng(5), 2.0)
    scores = jnp.einsum("bihd,bjhd->bhij", q / 2, jnp.repeat(k, 2, axis=2))
    crossings = [0.0196906624, 0.1755395607, 0.6683959705, 1.1444507184]
    kept = [[float(Gate(al.gelu, t, 0.0, c).keep(scores).mean()) for c in crossings] for t in (0.25, 0.5, 1.0, 4.0)]
    assert (np.diff(kept, axis=1) <= 0).all()
    assert (np.diff(kept, axis=0) >= 0).all()
    assert kept[0][-1] < kept[-1][0]


def test_memory_grows_with_the_length_not_its_square():
    def peak(length: int) -> int:
        x = jax.ShapeDtypeStruct((1, length, 1, 16), jnp.float32)
        gate = Gate(al.gelu, 1.0, 0.5, GELU_AT_HALF)
        loss = lambda q, k, v: jnp.sum(gated_attention(q, k, v, gate, block=64))  # noqa: E731
        compiled = jax.jit(jax.grad(loss, argnums=(0, 1, 2))).lower(x, x, x).compile()
        analysis = compiled.memory_analysis()
        assert analysis is not None
        return analysis.temp_size_in_bytes

    small, large = peak(1024), peak(4096)
    assert large < 8 * small
    assert large < 4096 * 4096  # bytes: a quarter of one score matrix
