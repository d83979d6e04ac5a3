"""Networks: what they promise of their output, that they fit, and that the held-out rays choose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import actlab.activations as al
from actlab.systems.tomography.counts import deviance, held_out_rays, simulate
from actlab.systems.tomography.geometry import parallel_beam
from actlab.systems.tomography.model import (
    DeepImagePrior,
    LearnedPrimalDual,
    NetworkRecipe,
    NeuralField,
    fit_network,
)
from actlab.systems.tomography.phantoms import disk
from actlab.systems.tomography.projector import project

GEOMETRY = parallel_beam(16, 12, pixel=4.0)
PHANTOM = disk(0.6, scale=0.01)


@pytest.fixture(scope="module")
def scan():
    return simulate(jax.random.key(0), PHANTOM.integrals(GEOMETRY), 1e4)


def field(key):
    return NeuralField(
        GEOMETRY.shape, al.relu, al.softplus, rngs=nnx.Rngs(key), features=8, bandwidth=1.0, widths=(16,)
    )


def prior(key):
    return DeepImagePrior(GEOMETRY.shape, al.relu, al.squareplus, rngs=nnx.Rngs(key), channels=4, levels=1)


class Pixels(nnx.Module):
    """The plainest network: an image as it is."""

    def __init__(self, key):
        self.image = nnx.Param(jnp.zeros(GEOMETRY.shape) + 0.1 * jax.random.normal(key, ()))

    def __call__(self):
        return al.softplus(self.image[...])


CASES = [
    pytest.param(field, 3e-2, id="neural field"),
    pytest.param(prior, 5e-2, id="deep image prior", marks=pytest.mark.exhaustive),  # for its compilation
]


@pytest.mark.parametrize(("make", "rate"), CASES)
def test_networks_fit_counts_and_stay_positive(make, rate, scan):
    recipe = NetworkRecipe(steps=90, checks=3, learning_rate=rate)
    found = jax.jit(lambda key, e: fit_network(key, make, GEOMETRY, e, 0.01, recipe=recipe))(jax.random.key(1), scan)
    truth, losses = PHANTOM.image(GEOMETRY), np.asarray(found.objective)
    assert losses.shape == (90,)
    assert losses[-1] < 0.5 * losses[0]
    assert float(found.image.min()) >= 0.0
    flat = np.linalg.norm(truth - truth.mean())  # what the best constant image misses
    assert np.linalg.norm(found.image - truth) < 0.7 * flat


def test_the_kept_image_is_that_of_the_best_check(scan):
    wild = NetworkRecipe(steps=20, checks=4, learning_rate=3.0)

    @jax.jit
    def fitted(e):
        found = fit_network(jax.random.key(1), Pixels, GEOMETRY, e, 0.01, recipe=wild)
        _, scored = held_out_rays(jax.random.split(jax.random.key(1), 3)[0], e, wild.share)
        return found, deviance(project(GEOMETRY, found.image), scored)

    found, again = fitted(scan)
    assert float(found.held_out) == pytest.approx(float(again), rel=1e-5)
    assert float(found.objective[-1]) > float(found.objective.min())  # so wild a rate that the last is not the best


def test_deep_image_prior_is_never_negative() -> None:
    image = jax.jit(lambda key: prior(key)())(jax.random.key(0))
    assert image.shape == GEOMETRY.shape
    assert float(image.min()) >= 0.0
    assert float(image.max()) > float(image.min())
    with pytest.raises(ValueError, match="multiples of 8"):
        DeepImagePrior((20, 20), al.relu, al.softplus, rngs=nnx.Rngs(0))


def primal_dual(iterations):
    return LearnedPrimalDual(30.0, al.relu, al.softplus, rngs=nnx.Rngs(0), iterations=iterations, memory=2, channels=4)


DATA = jnp.asarray(PHANTOM.integrals(GEOMETRY).mean(-1), jnp.float32)[None]


def test_learned_primal_dual_is_never_negative_and_sees_its_data():
    run = nnx.jit(lambda net, data: net(GEOMETRY, data))
    net = primal_dual(1)
    image, other = run(net, DATA), run(net, 2.0 * DATA)
    assert image.shape == (1, *GEOMETRY.shape)
    assert np.isfinite(image).all()
    assert float(image.min()) >= 0.0
    assert float(jnp.abs(image - other).max()) > 0.0


@pytest.mark.exhaustive
def test_learned_primal_dual_has_gradients():
    truth = jnp.asarray(PHANTOM.image(GEOMETRY), jnp.float32)[None] / 0.01

    def loss(net):
        return jnp.mean(jnp.square(net(GEOMETRY, DATA) - truth))

    value, gradient = nnx.jit(nnx.value_and_grad(loss))(primal_dual(2))
    assert np.isfinite(value)
    leaves = jax.tree.leaves(gradient)
    assert all(np.isfinite(leaf).all() for leaf in leaves)
    assert sum(float(jnp.abs(leaf).sum()) > 0.0 for leaf in leaves) > len(leaves) // 2
