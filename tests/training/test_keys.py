"""Keys go to integers and come back as what they were; everything else stays as it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.training.keys import as_key_of, is_key, without_key


@pytest.mark.parametrize("implementation", ["threefry2x32", "rbg"])
def test_keys_come_back_with_their_generator(implementation):
    keys = jax.random.split(jax.random.key(3, impl=implementation), 4)
    plain = np.asarray(without_key(keys))
    assert plain.dtype == np.uint32
    assert not is_key(plain)
    assert is_key(as_key_of(keys, jnp.asarray(plain)))
    again = as_key_of(keys, jnp.asarray(plain))
    assert jax.random.key_impl(again) == jax.random.key_impl(keys)
    np.testing.assert_array_equal(jax.random.normal(again[2]), jax.random.normal(keys[2]))


@pytest.mark.parametrize("leaf", [1.5, np.arange(3), jnp.zeros((2, 2), jnp.uint32), jnp.ones(2, jnp.bfloat16)])
def test_other_leaves_stay(leaf):
    assert without_key(leaf) is leaf
    assert as_key_of(leaf, leaf) is leaf
