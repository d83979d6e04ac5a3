"""The attack: inside its ball, and exact on linear nets, whose robust radius is known in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.systems.robustness import Attack, attacked, margin, project
from actlab.systems.robustness.attack import Norm

R = np.random.default_rng(0)
KERNEL = jnp.asarray(R.normal(size=(12, 4)), jnp.float32)
X = jnp.asarray(R.uniform(0.4, 0.6, (40, 12)), jnp.float32)
Y = jnp.argmax(X @ KERNEL, axis=1)


def linear(x):
    return x @ KERNEL


def exact_radii(norm: str) -> np.ndarray:
    """Margin over the dual norm of the difference of weights, least over the other classes."""
    weights, logits, y = np.asarray(KERNEL, float), np.asarray(X @ KERNEL, float), np.asarray(Y)
    dual = 2 if norm == "l2" else 1
    found = []
    for i, label in enumerate(y):
        others = [j for j in range(4) if j != label]
        found.append(
            min(
                (logits[i, label] - logits[i, j]) / np.linalg.norm(weights[:, label] - weights[:, j], dual)
                for j in others
            )
        )
    return np.array(found)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_on_a_linear_net_it_breaks_just_outside_the_exact_radius_and_never_inside(norm: Norm) -> None:
    exact = exact_radii(norm)
    assert norm == "l2" or np.quantile(exact, 0.4) < 0.4  # the boxes lie within [0, 1]
    attack = jax.jit(lambda r: attacked(linear, X, Y, r, norm, jax.random.key(0), Attack(steps=30, restarts=1)))
    for radius in np.quantile(exact, [0.1, 0.25, 0.4]):
        found, broken = attack(jnp.float32(radius))
        change = np.asarray(found - X, float)
        length = np.abs(change).max(1) if norm == "linf" else np.linalg.norm(change, axis=1)
        assert np.all(length <= radius * (1 + 1e-6) + 1e-7)
        assert not np.any(np.asarray(broken) & (exact > radius * (1 + 1e-3)))
        # Between several classes the margin is concave and has local minima: not all are found.
        assert np.mean(np.asarray(broken)[exact < radius * (1 - 2e-2)]) >= 0.4
        np.testing.assert_array_equal(broken, np.asarray(margin(linear(found), Y)) <= 0)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_between_two_classes_it_always_finds_the_way(norm: Norm) -> None:
    pair = KERNEL[:, :2]
    weights = np.asarray(pair[:, 0] - pair[:, 1], float)
    exact = np.abs(np.asarray(X, float) @ weights) / np.linalg.norm(weights, 2 if norm == "l2" else 1)
    y, radius = jnp.argmax(X @ pair, axis=1), float(np.median(exact))
    _, broken = attacked(lambda x: x @ pair, X, y, radius, norm, jax.random.key(0), Attack(steps=20, restarts=0))
    np.testing.assert_array_equal(np.asarray(broken)[exact < 0.98 * radius], True)
    np.testing.assert_array_equal(np.asarray(broken)[exact > 1.001 * radius], False)


def test_projections_are_nearest_points() -> None:
    change = jnp.asarray(R.normal(size=(6, 2, 3)), jnp.float32)
    norms: tuple[tuple[Norm, float], ...] = (("l2", 2), ("linf", np.inf))
    for norm, order in norms:
        inside = np.asarray(project(change, 0.5, norm)).reshape(6, -1)
        lengths = np.linalg.norm(np.asarray(change).reshape(6, -1), order, axis=1)
        np.testing.assert_allclose(np.linalg.norm(inside, order, axis=1), np.minimum(lengths, 0.5), rtol=2e-6)
    np.testing.assert_array_equal(project(0.01 * change, 10.0, "l2"), 0.01 * change)


def test_candidates_stay_in_the_unit_cube_and_the_clean_input_is_one() -> None:
    x = jnp.where(X > 0.5, 1.0, 0.0)
    found, broken = attacked(linear, x, Y, 0.3, "l2", jax.random.key(1), Attack(5, 1))
    assert jnp.all((found >= 0) & (found <= 1))
    assert jnp.all(margin(linear(found), Y) <= margin(linear(x), Y))
    wrong = margin(linear(x), Y) <= 0
    assert jnp.any(wrong)
    assert jnp.all(broken[wrong])
