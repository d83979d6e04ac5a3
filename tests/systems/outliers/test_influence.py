import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.systems.outliers import (
    LOSSES,
    bounded_head,
    concrete,
    grid_supremum,
    huber,
    influence_bound,
    last_layer_bound,
    linear_head,
    mse,
    range_note,
    require_bounded_influence,
    tukey,
)

TARGETS = jnp.array([-1.0, 0.0, 0.5, 2.0, 1e6])
HEADS = {
    "linear": lambda: linear_head(TARGETS),
    "tanh": lambda: bounded_head(TARGETS, al.get("tanh")),
    "sigmoid": lambda: bounded_head(TARGETS, al.get("sigmoid")),
    "softsign": lambda: bounded_head(TARGETS, al.get("softsign")),
    "hard_tanh": lambda: bounded_head(TARGETS, al.get("hardtanh")),
    "relu": lambda: al.get("relu"),
    "swish": lambda: al.get("swish"),
    "gelu": lambda: al.get("gelu"),
    "softplus": lambda: al.get("softplus"),
}


@pytest.mark.parametrize("name", HEADS)
def test_derived_bound_is_the_supremum_on_a_grid(name):
    head = concrete(HEADS[name]())
    for loss in (huber, tukey):
        bound = influence_bound(head, loss, 0.7)
        grid = grid_supremum(head, loss, 0.7)
        assert bound.value is not None
        assert grid <= bound.value * (1 + 1e-5)
        assert grid >= 0.99 * bound.value


def test_squared_loss_under_a_bounded_head_is_unbounded_in_words():
    head = concrete(bounded_head(TARGETS, al.get("tanh")))
    bound = influence_bound(head, mse)
    assert (bound.kind, bound.value, str(bound)) == ("unbounded", None, "unbounded")
    assert grid_supremum(head, mse, largest_label=1e8) > 1e4 * grid_supremum(head, mse, largest_label=1e3)
    with pytest.raises(al.FactError, match="bounded influence"):
        require_bounded_influence(head, mse)
    require_bounded_influence(head, huber)


def test_unknown_is_not_a_number():
    head = al.activation(lambda x: jnp.sin(3 * x))
    assert influence_bound(head, huber).kind == "unknown"
    assert last_layer_bound(head, 8, linear_head(TARGETS), huber).kind == "unknown"


def test_last_layer_is_bounded_in_the_inputs_with_a_bounded_hidden_activation_only():
    head = concrete(linear_head(TARGETS))
    assert last_layer_bound(al.get("relu"), 8, head, huber).kind == "unbounded"
    bound = last_layer_bound(al.get("tanh"), 8, head, huber)
    assert bound.value == pytest.approx(influence_bound(head, huber).value * 3.0)


def test_range_comes_from_median_and_mad():
    small, large = (concrete(bounded_head(TARGETS.at[4].set(v), al.get("tanh"))) for v in (1e3, 1e6))
    assert float(small.facts.range.upper) == float(large.facts.range.upper) < 20
    head = large
    assert "20.0%" in range_note(bounded_head(TARGETS, al.get("tanh")), TARGETS)
    assert range_note(head, TARGETS[:4]) is None
    z = jnp.linspace(-200.0, 200.0, 4001)
    np.testing.assert_allclose(float(jnp.max(head(z))), head.facts.range.upper, rtol=1e-5)
    with pytest.raises(al.FactError, match="a bounded head"):
        bounded_head(TARGETS, al.get("relu"))


def test_weights_find_the_wrong_row():
    r = jnp.array([0.1, -0.5, 1.0, 40.0])
    for name, loss in LOSSES.items():
        weights = np.asarray(loss.weight(r))
        assert (weights[3] < 0.1 * weights[0]) == (name != "mse")
