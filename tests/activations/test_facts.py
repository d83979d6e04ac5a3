import jax
import jax.numpy as jnp
import numpy as np

import actlab.activations as al
from actlab.activations.facts import certain


def test_a_condition_is_certain_only_if_known_and_true_everywhere():
    assert certain(1.0 > 0)
    assert certain(jnp.asarray([1.0, 2.0]) > 0)
    assert not certain(jnp.asarray([1.0, -2.0]) > 0)
    found = []
    jax.jit(lambda b: found.append(certain(b > 0)))(1.0)
    assert found == [False]


def test_rounded_widens_by_roundings_and_keeps_zero_and_infinity():
    interval = al.Interval(0.0, 1 / 3).rounded()
    assert interval.lower == 0
    assert 1 / 3 < interval.upper < 1 / 3 + 1e-15
    assert al.REALS.rounded() == al.REALS
    single = al.Interval(jnp.float32(-1.0), jnp.float32(2.0)).rounded(1)
    np.testing.assert_array_less(single.lower, -1)
    assert single.lower.dtype == jnp.float32


def test_facts_change_with_the_sign_of_a_parameter():
    assert al.leaky_relu.bind(negative_slope=-0.5).facts.range.lower == 0
    assert al.leaky_relu.bind(negative_slope=-0.5).facts.monotone == "none"
    assert al.leaky_relu.bind(negative_slope=1.0).facts.smoothness == al.SMOOTH
    assert al.elu.bind(alpha=2.0).facts.smoothness == 0
    assert al.elu.bind(alpha=-1.0).facts.inverse is None
    assert np.isclose(al.swish.bind(beta=-2.0).facts.range.upper, 0.139232271)
    assert al.threshold.bind(threshold=0.0, value=0.0).facts.smoothness == 0
