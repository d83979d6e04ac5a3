"""Bad events: clear errors where shapes, dtypes or ranges do not fit; NaN stays NaN; the largest floats saturate."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flow_table import flows

from actlab.systems.flows import Copies, EventError, Mixture, Squash, bijector, limit


@pytest.fixture(scope="module")
def flow():
    return flows(3, 2, 2, names=("mixture",))["mixture"]


CASES = {
    "features": (jnp.ones((4, 2)), jnp.ones(2), "events of shape .4, 2.; the last axis must have the 3 features"),
    "scalar": (jnp.ones(()), jnp.ones(2), "3 features"),
    "half precision": (jnp.ones((4, 3), jnp.float16), jnp.ones(2), "float16.*x.astype"),
    "bfloat16": (jnp.ones((4, 3), jnp.bfloat16), jnp.ones(2), "bfloat16.*x.astype"),
    "integers": (jnp.ones((4, 3), jnp.int32), jnp.ones(2), "int32.*x.astype"),
    "no condition": (jnp.ones((4, 3)), None, "needs a condition of 2 numbers"),
    "wrong condition": (jnp.ones((4, 3)), jnp.ones(3), r"condition of shape \(3,\)"),
    "wrong batch of conditions": (jnp.ones((4, 3)), jnp.ones((5, 2)), r"must be \(2,\) or \(4, 2\)"),
    "condition of halves": (jnp.ones((4, 3)), jnp.ones(2, jnp.float16), "conditions of dtype float16"),
}


@pytest.mark.parametrize("name", CASES)
def test_errors_name_argument_value_and_remedy(flow, name):
    x, condition, message = CASES[name]
    for function in (flow.log_prob, flow.bijector.inverse):
        with pytest.raises(EventError, match=message):
            function(x, condition)


def test_a_condition_that_nobody_takes_is_refused():
    with pytest.raises(EventError, match="takes no condition"):
        flows(3, 1, names=("mixture",))["mixture"].log_prob(jnp.ones(3), jnp.ones(2))
    with pytest.raises(EventError, match="takes no condition"):
        bijector("identity").forward(jnp.ones(3), jnp.ones(2))


@pytest.mark.parametrize("transform", [Copies, Mixture])
def test_a_transform_of_no_units_is_refused(transform):
    with pytest.raises(ValueError, match=f"{transform.__name__}: units = 0 must be positive"):
        transform(activation="leaky_relu", units=0)


def test_values_outside_a_bounded_range_are_refused_where_they_can_be_seen():
    with pytest.raises(EventError, match=r"a value of 1.5 is outside \[0.0, 1.0\]; rescale it"):
        Squash().inverse(jnp.array([0.5, 1.5]))
    hidden = jax.jit(Squash().inverse)(jnp.array([0.5, 1.5, -3.0]))  # saturated where jit hides them
    assert jnp.isfinite(hidden).all()


def test_nan_stays_with_its_event_and_the_largest_floats_saturate_with_finite_gradients():
    largest = limit(jnp.float32)
    x = jnp.array(
        [
            [0.1, jnp.nan, 0.3],
            [0.1, 0.2, 0.3],
            [jnp.inf, 1.0, 0.0],
            [3e38, -3e38, 1e-45],
            [largest, 2 * largest, -jnp.inf],
        ],
        jnp.float32,
    )
    run = jax.jit(lambda flow: jax.vmap(jax.value_and_grad(flow.log_prob))(x))
    for name, flow in flows(3, 1, names=("mixture",)).items():
        log_prob, gradient = jax.device_get(run(flow))
        assert np.isnan(log_prob[0]), name
        assert np.isfinite(log_prob[1:]).all(), name
        assert np.isfinite(gradient[1:]).all(), name
        assert (gradient[2, 0] == 0) & (gradient[3, 0] == 0), name
