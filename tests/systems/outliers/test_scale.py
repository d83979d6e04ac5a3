import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import median_abs_deviation

from actlab.systems.outliers import mad, shorth, spread


def test_agrees_with_scipy_and_is_consistent() -> None:
    values = np.random.default_rng(0).normal(2.0, 3.0, 20001)
    assert float(mad(jnp.asarray(values, jnp.float32))) == pytest.approx(
        median_abs_deviation(values, scale="normal"), rel=1e-4
    )
    assert float(spread(jnp.asarray(values, jnp.float32))) == pytest.approx(3.0, rel=0.03)


def test_a_column_of_two_values_gets_a_scale_of_their_size() -> None:
    column = jnp.where(jnp.arange(100) < 60, -0.04, 0.05)
    assert 0.02 < float(spread(column)) < 0.1
    assert float(spread(jnp.full(10, 7.0))) == 1.0


@pytest.mark.parametrize("far", [10.0, 1e6])
def test_forty_percent_of_wrong_rows_move_neither_scale_nor_start_far(far: float) -> None:
    right = jax.random.normal(jax.random.key(0), (600,))
    values = jnp.concatenate([right, far + right[:400]])
    assert float(mad(values)) < 5.0
    assert abs(float(shorth(values))) < 0.5
