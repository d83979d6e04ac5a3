"""Encodings, filters, delays, losses and the generator against their definitions."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.systems.spiking import (
    LIF,
    NEVER,
    AdaptiveLIF,
    Recipe,
    SpikingError,
    SpikingNet,
    accuracy,
    activity_penalty,
    alpha_synapse,
    count_loss,
    delayed,
    exponential_synapse,
    first_spike_loss,
    first_spike_steps,
    leaky_readout,
    linear_latency,
    logarithmic_latency,
    max_over_time_loss,
    mean_leaky_readout,
    randman,
    raster,
    rate_code,
    shuffled_in_time,
    train_classifier,
)
from actlab.systems.spiking.randman import draw_manifold, frequencies, manifold, sine_of_turns, split


def test_latency_codes():
    x = jnp.asarray([0.0, 0.1, 0.5, 1.0])
    np.testing.assert_array_equal(linear_latency(x, 11), [NEVER, 9, 5, 0])
    times = logarithmic_latency(x, 50, time_constant=20.0, threshold=0.2)
    expected = [math.floor(20 * math.log(v / (v - 0.2))) for v in (0.5, 1.0)]
    np.testing.assert_array_equal(times, [NEVER, NEVER, *expected])
    train = raster(linear_latency(x, 11), 11)
    assert train.shape == (11, 4)
    np.testing.assert_array_equal(train.sum(0), [0, 1, 1, 1])
    np.testing.assert_array_equal(jnp.argmax(train, 0)[1:], [9, 5, 0])
    for wrong, message in ((jnp.asarray([2.0]), r"in \[2, 2\]"), (jnp.asarray([jnp.nan]), "not all finite")):
        with pytest.raises(SpikingError, match=message):
            linear_latency(wrong, 5)
    with pytest.raises(SpikingError, match="at least 1"):
        linear_latency(x, 0)
    with pytest.raises(SpikingError, match="threshold = 1.5"):
        logarithmic_latency(x, 5, 2.0, 1.5)


def test_rate_code_and_control():
    x = jnp.asarray([0.0, 0.5, 1.0])
    spikes = rate_code(jax.random.key(0), x, 20_000, largest=0.4)
    np.testing.assert_allclose(spikes.mean(0), [0, 0.2, 0.4], atol=0.012)
    with pytest.raises(SpikingError, match="largest = 2"):
        rate_code(jax.random.key(0), x, 5, 2.0)
    times = jnp.asarray([[3, NEVER, 7]] * 500)
    mixed = shuffled_in_time(jax.random.key(1), times, 10)
    np.testing.assert_array_equal(mixed[:, 1], NEVER)
    assert mixed[:, 0].min() == 0
    assert mixed[:, 0].max() == 9


def test_filters_and_readouts():
    pulse = jnp.zeros((30, 1)).at[2, 0].set(1.0)
    t = np.arange(30) - 2
    np.testing.assert_allclose(
        exponential_synapse(pulse, 0.8)[:, 0], np.where(t >= 0, 0.8 ** np.maximum(t, 0), 0), rtol=1e-5
    )
    alpha = (1 - 0.8) * math.e * np.where(t > 0, t * 0.8 ** (t - 1.0), 0)
    np.testing.assert_allclose(alpha_synapse(pulse, 0.8)[:, 0], alpha, rtol=1e-5)
    spikes = jax.random.bernoulli(jax.random.key(0), 0.3, (25, 4, 6)).astype(jnp.float32)
    weights = jax.random.normal(jax.random.key(1), (6, 3))
    whole = leaky_readout(spikes @ weights, 0.9).mean(0)
    np.testing.assert_allclose(mean_leaky_readout(spikes, weights, 0.9), whole, rtol=1e-4, atol=1e-5)


def test_delays():
    signal = jax.random.normal(jax.random.key(0), (12, 2, 3))
    late = delayed(signal, jnp.asarray([0.0, 2.0, 3.5]))
    np.testing.assert_allclose(late[..., 0], signal[..., 0])
    np.testing.assert_allclose(late[2:, :, 1], signal[:-2, :, 1])
    np.testing.assert_array_equal(late[:2, :, 1], 0)
    np.testing.assert_allclose(late[4:, :, 2], 0.5 * (signal[1:-3, :, 2] + signal[:-4, :, 2]), rtol=1e-6)
    slope = jax.grad(lambda d: jnp.sum(delayed(signal, d)[8]))(jnp.asarray([0.5, 1.25, 2.5]))
    expected = [signal[7 - k, :, i].sum() - signal[8 - k, :, i].sum() for i, k in enumerate((0, 1, 2))]
    np.testing.assert_allclose(slope, expected, rtol=1e-4)
    with pytest.raises(SpikingError, match="must not be negative"):
        delayed(signal, -1.0)


def test_losses():
    spikes = jnp.zeros((6, 2, 3)).at[4, 0, 0].set(1.0).at[1, 0, 1].set(1.0).at[3, 0, 1].set(1.0).at[0, 1, 2].set(1.0)
    labels = jnp.asarray([1, 2])
    np.testing.assert_array_equal(first_spike_steps(spikes), [[4, 1, 6], [6, 6, 0]])
    first = -np.log(np.exp([-1.0, 0.0]) / np.exp(-np.array([[4, 1, 6], [6, 6, 0.0]])).sum(1)).mean()
    np.testing.assert_allclose(first_spike_loss(spikes, labels), first, rtol=1e-6)
    counts = np.array([[1.0, 2, 0], [0, 0, 1]])
    np.testing.assert_allclose(
        count_loss(spikes, labels), -np.log(np.exp([2.0, 1.0]) / np.exp(counts).sum(1)).mean(), rtol=1e-6
    )
    peaks = np.array([[1.0, 1, 0], [0, 0, 1]])
    np.testing.assert_allclose(
        max_over_time_loss(spikes, labels), -np.log(np.exp([1.0, 1.0]) / np.exp(peaks).sum(1)).mean(), rtol=1e-6
    )
    # Before the first spike: minus the steps from there to it; at it: the steps to the second; after it: 0.
    slope = jax.grad(lambda s: first_spike_steps(s)[0, 1])(spikes)[:, 0, 1]
    np.testing.assert_array_equal(slope, [-1, -2, 0, 0, 0, 0])
    # Counts by unit, averaged over the two trials: 0.5, 1, 0.5; by trial, averaged over units: 1, 1/3.
    np.testing.assert_allclose(activity_penalty(spikes, least=1.0), (0.25 + 0 + 0.25) / 3)
    np.testing.assert_allclose(activity_penalty(spikes, most=0.5, over="population"), 0.25 / 2)
    with pytest.raises(ValueError, match="known: 'units'"):
        activity_penalty(spikes, over="layers")


def paper_manifold(theta, x, alpha):
    """The paper's definition, a loop over frequencies in float64."""
    out = np.ones((len(x), len(theta)))
    for i, of_unit in enumerate(theta):
        for k in range(of_unit.shape[0]):
            total = np.zeros(len(x))
            for j in range(of_unit.shape[2]):
                a, stretch, phase = of_unit[k, :, j]
                total += a * (j + 1.0) ** -alpha * np.sin(2 * np.pi * (j * x[:, k] * stretch + phase))
            out[:, i] *= total
    return out


def test_randman_is_the_paper_s():
    assert (frequencies(2.0), frequencies(1.0), frequencies(0.5)) == (32, 1000, 1000)
    turns = jnp.linspace(-3.0, 3.0, 10_001)
    np.testing.assert_allclose(sine_of_turns(turns), np.sin(2 * np.pi * np.asarray(turns, np.float64)), atol=3e-7)
    theta = draw_manifold(jax.random.key(0), 6, 2, 32)
    assert np.all(np.asarray(theta)[:, :, 0, 0] == 0)
    x = jax.random.uniform(jax.random.key(1), (40, 2))
    expected = paper_manifold(np.asarray(theta, np.float64), np.asarray(x, np.float64), 2.0)
    np.testing.assert_allclose(manifold(theta, x, 2.0), expected, atol=2e-5)


def test_randman_spikes_once_and_fills_time():
    data = jax.jit(lambda k: randman(k, classes=3, units=7, samples=50, steps=20, alpha=2.0))(jax.random.key(0))
    times = np.asarray(data.times).reshape(3, 50, 7)
    assert np.all(times.min(1) == 0)  # each coordinate of each class covers all steps
    assert np.all(times.max(1) == 19)
    np.testing.assert_array_equal(raster(data.times, 20).sum(0), 1)  # counts carry nothing
    train, test = split(data, 3, 0.2)
    assert (len(train.labels), len(test.labels)) == (120, 30)
    np.testing.assert_array_equal(np.bincount(test.labels), [10, 10, 10])
    np.testing.assert_array_equal(train.times[:40], data.times[:40])
    assert [len(part.labels) for part in split(data, 3, 0.0)] == [150, 0]
    with pytest.raises(SpikingError, match="samples 1 at least 2"):
        randman(jax.random.key(0), samples=1)


def test_networks():
    spikes = jax.random.bernoulli(jax.random.key(0), 0.1, (20, 4, 8)).astype(jnp.float32)

    def all_of(spikes):
        key = jax.random.key(1)
        leaky = SpikingNet((8, 6, 3), LIF(), key=key, input_rate=0.1)
        recurrent = SpikingNet(
            (8, 6, 5, 3), AdaptiveLIF(), key=key, recurrent=True, synapse_decay=0.8, readout="spikes"
        )
        return leaky(spikes), leaky.mean_output(spikes)[0], recurrent(spikes)

    leaky, mean, recurrent = jax.jit(all_of)(spikes)
    np.testing.assert_allclose(leaky.output.mean(0), mean, rtol=1e-4, atol=1e-5)
    assert recurrent.output.shape == (20, 4, 3)
    assert [h.shape for h in recurrent.hidden] == [(20, 4, 6), (20, 4, 5)]
    assert set(np.unique(recurrent.hidden[0])) <= {0.0, 1.0}
    assert 0.02 < float(leaky.hidden[0].mean()) < 0.3  # potentials fluctuate around the threshold
    with pytest.raises(SpikingError, match="sizes = \\(8,\\)"):
        SpikingNet((8,), LIF(), key=jax.random.key(0))


def test_a_recipe_without_hidden_layers_trains_the_readout():
    times = jax.random.randint(jax.random.key(1), (32, 6), 0, 20)
    data = {"times": times, "y": (times[:, 0] < times[:, 1]).astype(jnp.int32)}
    fitted = train_classifier(jax.random.key(2), data, LIF(), Recipe((), 60, 32, 0.1), times=20, classes=2)
    assert set(fitted.metrics) == {"loss", "accuracy"}
    assert float(fitted.metrics["loss"][-1]) < 0.7 * float(fitted.metrics["loss"][0])
    assert float(accuracy(fitted, data, 20)) > 0.8
