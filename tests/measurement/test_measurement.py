import math

import numpy as np
import pytest

from actlab.measurement import Claim, Curve, Measurement, bootstrap_interval


def measured(values, **changes) -> Measurement:
    return Measurement(**{"name": "RMSE", "activation": "relu", "values": np.array(values), "unit": "sd", **changes})


def test_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = [low <= 0 <= high for low, high in (bootstrap_interval(rng.normal(size=40)) for _ in range(300))]
    assert 0.90 <= np.mean(hits) <= 0.98


def test_interval_is_reproducible_and_honest_where_there_is_none() -> None:
    assert bootstrap_interval(np.arange(5.0)) == bootstrap_interval(np.arange(5.0))
    assert all(map(math.isnan, bootstrap_interval(np.array([1.0]))))
    assert all(map(math.isnan, bootstrap_interval(np.array([1.0, np.nan]))))
    assert bootstrap_interval(np.full(5, 2.0)) == (2.0, 2.0)


def test_differences_are_paired_over_shared_seeds() -> None:
    noise = np.random.default_rng(1).normal(size=6) * 10
    a, b = measured(noise + 0.5), measured(noise, activation="tanh")
    low, high = a.minus(b).interval
    assert low == pytest.approx(0.5)
    assert high == pytest.approx(0.5)
    later = measured(noise[2:4], seeds=(2, 3), activation="gelu")
    assert a.minus(later).seeds == (2, 3)
    with pytest.raises(ValueError, match="share no seed"):
        a.minus(measured([1.0], seeds=(99,)))
    with pytest.raises(ValueError, match="cannot compare 'RMSE'"):
        a.minus(measured(noise, name="NLL"))


def test_json_names_what_json_cannot_hold() -> None:
    record = measured([1.0, math.inf]).as_json()
    assert record["mean"] == "inf"
    assert record["low"] == "nan"
    assert set(record) == {"name", "activation", "mean", "low", "high", "seeds", "unit", "better"}


@pytest.mark.parametrize(
    ("values", "bounds", "verdict"),
    [
        ([1.0, 1.1, 0.9], {"at_most": 1.5}, "holds"),
        ([1.0, 1.1, 0.9], {"at_most": 0.5}, "fails"),
        ([1.0, 1.1, 0.9], {"at_most": 1.0}, "undecided"),
        ([1.0, 1.1, 0.9], {"at_least": 0.5}, "holds"),
        ([1.0, 1.1, 0.9], {"at_least": 1.5}, "fails"),
        ([1.0, 1.1, 0.9], {"at_least": 1.0}, "undecided"),
        ([1.0, math.nan], {"at_most": 5.0}, "undecided"),
    ],
)
def test_verdicts(values, bounds, verdict) -> None:
    assert Claim("s", "source", measured(values), **bounds).verdict == verdict


def test_refuses_malformed_values() -> None:
    with pytest.raises(ValueError, match="exactly one of"):
        Claim("s", "source", measured([1.0]))
    with pytest.raises(ValueError, match="must have shape"):
        measured(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="2 values for 1 seeds"):
        measured([1.0, 2.0], seeds=(0,))
    with pytest.raises(ValueError, match="x has shape"):
        Curve("c", "relu", np.arange(3), np.zeros((2, 4)), "x", "y")


def test_bands_are_the_intervals_point_by_point() -> None:
    values = np.random.default_rng(2).normal(size=(5, 3))
    low, high = Curve("c", "relu", np.arange(3), values, "x", "y").band
    assert (low[1], high[1]) == bootstrap_interval(values[:, 1])


def test_a_difference_in_the_last_bits_is_none():
    a, b = measured([0.1 + 0.2, 0.5]), measured([0.3, 0.25])
    assert a.values[0] != b.values[0]
    np.testing.assert_array_equal(a.minus(b).values, [0.0, 0.25])
    assert measured([0.3 + 1e-9, 0.5]).minus(b).values[0] > 0
    np.testing.assert_array_equal(measured([np.inf, 0.0]).minus(measured([1.0, 0.0])).values, [np.inf, 0.0])
