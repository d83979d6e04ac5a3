import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.data.regression import contaminate, friedman1, friedman1_mean
from actlab.systems.outliers.contest import Arm, contest, friedman_split, rows_of
from actlab.systems.outliers.evaluation import SQUARED, SQUARED_BOUNDED, Settings, evaluate, references
from actlab.systems.outliers.losses import huber, mse
from actlab.systems.outliers.model import Recipe
from actlab.training import seed_keys

TINY = Settings(train_rows=60, test_rows=50, fractions=(0.0, 0.2, 0.4), recipe=Recipe(hidden=(6,), steps=60))


@pytest.fixture(scope="module")
def evaluation():
    return evaluate("tanh", (0, 1), TINY)


def test_evaluation_of_a_bounded_activation(evaluation):
    names = [m.name for m in evaluation.measurements]
    assert names[0] == "test RMSE, 20% wrong labels"
    assert f"test RMSE, 20% wrong labels, {SQUARED_BOUNDED}" in names
    by_name = {m.name: m for m in evaluation.measurements}
    assert all(np.all(np.isfinite(m.values)) and m.seeds == (0, 1) for m in evaluation.measurements)
    assert by_name[names[0]].mean < 0.5 * by_name[f"{names[0]}, {SQUARED}"].mean
    derived, grid = (
        by_name[f"influence of one label, {how}"].mean for how in ("derived from facts", "largest on a grid")
    )
    assert grid == pytest.approx(derived, rel=0.01)
    assert len(evaluation.curves) == 3
    assert any("does not bound the influence of a corrupted label" in note for note in evaluation.notes)
    assert any("unbounded under squared loss" in note for note in evaluation.notes)


def test_a_label_far_off_acts_no_more_than_one_less_far(evaluation):
    (ratio,) = (m for m in evaluation.measurements if m.name.startswith("effect of a label"))
    assert np.all(ratio.values <= 1.05)


@pytest.mark.exhaustive
def test_references_see_the_same_rows_and_measure_the_same():
    small = Settings(train_rows=60, test_rows=50, fractions=(0.0, 0.2))
    measured = references((0,), small).measurements
    assert {m.name for m in measured} == {"test RMSE, 20% wrong labels", "test RMSE, no wrong label"}
    trains, test = rows_of(seed_keys((0,))[0], friedman_split(60, 50), (0.0, 0.2))
    assert int(trains[1].corrupted.sum()) == 12
    line = np.linalg.lstsq(np.c_[np.ones(60), np.asarray(trains[0].x)], np.asarray(trains[0].y), rcond=None)[0]
    error = np.sqrt(np.mean((np.c_[np.ones(50), np.asarray(test.x)] @ line - np.asarray(test.y)) ** 2)) / np.std(test.y)
    (robust,) = (m.mean for m in measured if m.activation == "HuberRegressor" and "no wrong" in m.name)
    assert robust == pytest.approx(float(error), rel=0.1)


@pytest.mark.exhaustive
def test_warm_start_and_median_start_run():
    recipe = Recipe(hidden=(6,), steps=30, warm=huber, start="median")
    run = contest(al.get("relu"), {"a": Arm(recipe), "b": Arm(recipe.with_loss(mse))}, friedman_split(40, 20), (0.1,))
    outcome = jax.jit(jax.vmap(run))(seed_keys((0, 1)))["a"]
    assert outcome.error.shape == (2, 1)
    assert bool(jnp.all(jnp.isfinite(outcome.error)))


def test_friedman1_is_scikit_learns():
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(50, noise=0.0, random_state=0)
    np.testing.assert_allclose(friedman1_mean(jnp.asarray(x, jnp.float32)), y, rtol=1e-5)
    rows = friedman1(jax.random.key(0), 4000, noise=2.0)
    assert float(jnp.std(rows.y - friedman1_mean(rows.x))) == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("kind", ["one-sided", "symmetric", "leverage"])
def test_contamination(kind):
    clean = friedman1(jax.random.key(0), 200)
    few, many = (contaminate(jax.random.key(1), clean, f, kind=kind) for f in (0.1, 0.3))
    assert (int(few.corrupted.sum()), int(many.corrupted.sum())) == (20, 60)
    assert bool(jnp.all(many.corrupted | ~few.corrupted))
    moves = np.asarray((many.y - clean.y) / jnp.std(clean.y))
    changed = np.asarray(many.corrupted)
    assert np.all(moves[~changed] == 0)
    assert np.all((np.abs(moves[changed]) > 9.99) & (np.abs(moves[changed]) < 20.01))
    assert np.all(moves[changed] > 0) == (kind != "symmetric")
    assert bool(jnp.all(many.x == clean.x)) == (kind != "leverage")
