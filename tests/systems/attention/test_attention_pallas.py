"""The Pallas kernel, interpreted: the loop's numbers, skipping without changing a bit, and lowering for a GPU."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.systems.attention import Gate, gated_attention, pallas_kernel
from actlab.systems.attention.visibility import Visibility

GATE = Gate(al.gelu, jnp.asarray([0.5, 1.0, 2.0, 4.0]), jnp.float32(0.5), jnp.float32(0.6683959705), True)


@functools.partial(jax.jit, static_argnames=("kernel", "skip", "causal", "scale"))
def gradients(q, k, v, keys, *, kernel, skip, causal=False, scale="length"):
    def loss(gate, q, k, v):
        options = {"causal": causal, "keys": keys, "scale": scale, "skip": skip, "kernel": kernel}
        out = gated_attention(q, k, v, gate, block=16, **options)
        return jnp.sum(jnp.cos(out)), out

    return jax.grad(loss, argnums=(0, 1, 2, 3), has_aux=True)(GATE, q, k, v)


@pytest.mark.parametrize(
    ("causal", "scale"), [(True, "sum"), pytest.param(False, "length", marks=pytest.mark.exhaustive)]
)
def test_same_numbers_as_the_loop_and_skipping_changes_no_bit(causal, scale):
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(4, 8)) * 3
    places = centres[(np.arange(60) // 16) % 4]
    q, k = (jnp.asarray(places[None, :, None] + 0.3 * rng.normal(size=(2, 60, h, 8)), jnp.float32) for h in (4, 2))
    v = jnp.asarray(rng.normal(size=(2, 60, 2, 8)), jnp.float32)
    keys = jnp.asarray(rng.random((2, 60)) < 0.8)
    run = functools.partial(gradients, q, k, v, keys, causal=causal, scale=scale)
    skipping, whole = (run(kernel="pallas", skip=skip) for skip in ("bounds", "none"))
    chex.assert_trees_all_close(skipping, run(kernel="loop", skip="bounds"), rtol=1e-4, atol=1e-4)
    for a, b in zip(jax.tree.leaves(skipping), jax.tree.leaves(whole), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.mark.parametrize("name", ["gelu_tanh", "relu", "softplus"])
def test_forward_and_backward_lower_to_triton_without_a_gpu(name):
    shape = jax.ShapeDtypeStruct
    gate = jax.tree.map(lambda _: shape((), jnp.float32), Gate(al.ZOO[name], 1.0, 0.5, 0.7)).at(
        shape((4,), jnp.float32)
    )
    q, k = shape((4, 256, 64), jnp.float32), shape((2, 256, 64), jnp.float32)

    def loss(gate, q, k, v, seen, visit):
        return jnp.sum(jnp.square(jnp.asarray(pallas_kernel.attend(64, False, gate, q, k, v, seen, visit))))

    seen = Visibility(shape((2, 256), jnp.bool_), True, 100)
    traced = jax.jit(jax.grad(loss, argnums=(0, 1, 2, 3))).trace(gate, q, k, k, seen, shape((4, 4, 4), jnp.bool_))
    assert "triton" in traced.lower(lowering_platforms=("cuda",)).as_text()
