"""Skipping is exact: values and gradients are bitwise those of the same kernel that visits every visible block."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.systems.attention import Gate, dense_attention, gated_attention, score_bounds, visited_blocks
from actlab.systems.attention.block_bounds import largest_scores

BLOCK = 8
GELU_AT_HALF = 0.6683959705
"""x with gelu(x) = 0.5, solved in mpmath."""


def clustered(rng: np.random.Generator, noise: float, length: int = 40, d: int = 4) -> tuple:
    """Queries, keys and values whose blocks point in a few directions, so that bounds prove something."""
    centres = rng.normal(size=(5, d)) * 3
    places = centres[(np.arange(length) // BLOCK) % 5]
    q, k = (places[None, :, None] + noise * rng.normal(size=(2, length, h, d)) for h in (4, 2))
    return tuple(x.astype(np.float32) for x in (q, k, rng.normal(size=(2, length, 2, d))))


def value_and_gradients(gate, q, k, v, keys, *, skip, causal, scale, window):
    def loss(gate, q, k, v):
        out = gated_attention(
            q, k, v, gate, skip=skip, causal=causal, scale=scale, window=window, keys=keys, block=BLOCK
        )
        return jnp.sum(jnp.sin(out)), out

    return jax.grad(loss, argnums=(0, 1, 2, 3), has_aux=True)(gate, q, k, v)


def bits(tree) -> list[bytes]:
    return [np.asarray(x).tobytes() for x in jax.tree.leaves(tree)]


def different_words(a, b):
    """How many float32 numbers of two trees differ, as bits: -0 is not 0."""

    def words(x):
        return jax.lax.bitcast_convert_type(x, jnp.uint32)

    return sum(jnp.sum(words(x) != words(y)) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


CASES = [
    (False, "length", None, False),
    (True, "sum", 13, True),
    (True, "length", None, True),
    (False, "sum", None, True),
    (True, "sum", None, False),
    (False, "length", 13, True),
]
EACH = [
    pytest.param(*case, 48 if i < 2 else 240, marks=pytest.mark.exhaustive if i >= 2 else ())
    for i, case in enumerate(CASES)
]


@pytest.mark.parametrize(("causal", "scale", "window", "continuous", "number"), EACH)
def test_bitwise_equal_in_random_cases_near_the_threshold_too(causal, scale, window, continuous, number):
    """Over a thousand cases in all, of which 96 in every run."""
    rng = np.random.default_rng(len(CASES) * causal + 7 * (scale == "sum") + 3 * (window or 0) + continuous)
    crossings, arrays = [], []
    for case in range(number):
        q, k, v = clustered(rng, noise=[0.1, 0.5, 1.0][case % 3])
        crossing = float(rng.uniform(0.05, 8.0))
        if case % 2:  # a threshold that is a computed score, or a neighbour of one
            scores = np.einsum("bihd,bjhd->bhij", q / 2, np.repeat(k, 2, axis=2))
            crossing = np.float32(rng.choice(np.ravel(scores)))
            crossing = abs(float(np.nextafter(crossing, np.float32([-np.inf, np.inf][case % 4 // 2]))))
        crossings.append(crossing)
        arrays.append((q, k, v, rng.random((2, 40)) < 0.8))
    stacked = (jnp.asarray(crossings, jnp.float32), *(jnp.asarray(np.stack(x)) for x in zip(*arrays, strict=True)))

    def compared(case):
        crossing, q, k, v, keys = case
        gate = Gate(al.gelu, jnp.float32(1.0), jnp.float32(0.5), crossing, continuous)
        run = functools.partial(value_and_gradients, gate, q, k, v, keys, causal=causal, scale=scale, window=window)
        whole = run(skip="none")
        visible, visited = (
            jnp.sum(visited_blocks(q, k, gate, causal=causal, window=window, keys=keys, skip=skip, block=BLOCK))
            for skip in ("none", "bounds")
        )
        changed = [different_words(run(skip=skip), whole) for skip in ("bounds", "scores")]
        return jnp.stack(changed), 1 - visited / visible

    changed, skipped = jax.jit(lambda cases: jax.lax.map(compared, cases))(stacked)
    assert np.asarray(changed).tolist() == [[0, 0]] * number
    assert float(skipped.mean()) > 0.1, "the bounds must prove something, or the test says nothing"


def test_programs_of_their_own_agree_in_every_bit_and_a_bound_that_is_too_small_is_seen(monkeypatch):
    """The test above can fail: half the bound skips blocks that hold kept pairs."""
    from actlab.systems.attention import attention

    q, k, v = (jnp.asarray(x) for x in clustered(np.random.default_rng(0), 0.5))
    gate = Gate(al.gelu, jnp.float32(1.0), jnp.float32(0.5), jnp.float32(2.0))

    def run(skip):
        compiled = jax.jit(lambda q, k, v: gated_attention(q, k, v, gate, skip=skip, block=BLOCK))
        return bits(compiled(q, k, v))

    exact = run("none")
    assert run("bounds") == exact
    monkeypatch.setattr(attention, "score_bounds", lambda q, k, block: score_bounds(q, k, block) - 2.0)
    assert run("bounds") != exact


@jax.jit
def bounds_and_scores(q, k):
    return score_bounds(q, k, BLOCK), largest_scores(q, k, lambda i: True, BLOCK)


@pytest.mark.parametrize("d", [1, 3, 64])
@pytest.mark.parametrize("size", [1e-30, 1e-18, 1.0, 1e12, 1e18])
def test_bounds_are_above_every_score_in_real_arithmetic_and_as_computed(d, size):
    rng = np.random.default_rng(d)
    q = (rng.normal(size=(4, 32, d)) * size).astype(np.float32)
    k = (rng.normal(size=(2, 32, d)) * rng.choice([1e-3, 1.0, 1e3], size=(2, 32, 1))).astype(np.float32)
    q[:, 8:16] = q[:, 8:9]  # a block without extent: the bound is as tight as it gets
    k[:, 16:24] = k[:, 16:17]
    bounds, scores = (np.asarray(x, np.float64) for x in bounds_and_scores(q, k))
    exact = np.einsum("hid,hjd->hij", q.astype(np.longdouble), np.repeat(k, 2, axis=0).astype(np.longdouble))
    in_float = np.asarray(jnp.einsum("hid,hjd->hij", q, np.repeat(k, 2, axis=0)), np.float64)
    blocked = lambda s: s.reshape(4, 4, BLOCK, 4, BLOCK).max(axis=(2, 4))  # noqa: E731
    assert (bounds >= blocked(exact)).all()
    assert (bounds >= blocked(in_float)).all()
    single = bounds[:, 1, 2] - blocked(exact)[:, 1, 2]
    assert (single <= 1e-3 * np.abs(q[:, 8]).max() * np.abs(np.repeat(k, 2, axis=0)[:, 16]).max() * d + 1e-30).all()
    assert (scores >= blocked(exact)).all()


@pytest.mark.usefixtures("float64")
def test_equals_the_dense_einsum():
    rng = np.random.default_rng(3)
    q, k, v = (jnp.asarray(x, jnp.float64) for x in clustered(rng, 1.0, length=37))
    keys = jnp.asarray(rng.random((2, 37)) < 0.5)
    options: dict[str, dict] = {
        "plain": {},
        "causal and padded": {"causal": True, "keys": keys},
        "window and sum": {"window": 11, "causal": True, "scale": "sum"},
    }
    gate = Gate(al.gelu, jnp.asarray([0.5, 1.0, 2.0, 4.0]), jnp.float64(0.5), jnp.float64(GELU_AT_HALF), True)

    @jax.jit
    def both(gate, q, k, v):
        def gradients(attention, **options):
            def loss(gate, q, k, v):
                out = attention(q, k, v, gate, **options)
                return jnp.sum(jnp.cos(out)), out

            return jax.grad(loss, argnums=(0, 1, 2, 3), has_aux=True)(gate, q, k, v)

        return {
            kind: (gradients(gated_attention, block=BLOCK, **given), gradients(dense_attention, **given))
            for kind, given in options.items()
        }

    for ours, dense in both(gate, q, k, v).values():
        chex.assert_trees_all_close(ours, dense, rtol=1e-9, atol=1e-10)


def test_density_falls_with_the_threshold_and_rises_with_the_temperature():
    q, k, _ = clustered(np.random.default_rng(5), 2.0)
    scores = jnp.einsum("bihd,bjhd->bhij", q / 2, np.repeat(k, 2, axis=2))
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
