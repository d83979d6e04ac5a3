"""The convolutional net: shapes, variance, training, and an ensemble's retracing."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import actlab.activations as al
from actlab.nets import ConvNet
from actlab.training import fit


@pytest.mark.parametrize("size", [28, 8])
def test_images_of_digits(size) -> None:
    model = ConvNet((1, 4, 8), 10, "relu", rngs=nnx.Rngs(0))
    assert model(jnp.ones((3, size, size, 1))).shape == (3, 10)


def test_variance_is_preserved_away_from_the_border() -> None:
    model = ConvNet((32, 64, 64, 64), 1, al.relu, rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(1), (8, 32, 32, 32))
    for convolution in model.convolutions:
        h = convolution(x)
        np.testing.assert_allclose(jnp.mean(h[:, 1:-1, 1:-1] ** 2), 1.0, atol=0.3)
        x = model.nonlinearity(h)


def test_it_learns_a_bright_half() -> None:
    x = jax.random.normal(jax.random.key(0), (32, 8, 8, 1))
    label = jnp.arange(32) % 2
    x = x + 2.0 * label[:, None, None, None] * (jnp.arange(8) < 4)[None, :, None, None]
    graphdef, state = nnx.split(ConvNet((1, 4, 8), 2, al.gelu, rngs=nnx.Rngs(0), trainable=True))

    def loss(model, batch, key):
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(model(batch[0]), batch[1]))

    run = jax.jit(
        lambda s: fit(graphdef, s, (x, label), jax.random.key(1), loss=loss, optimizer=optax.adam(0.02), steps=60)
    )
    losses = run(state).metrics["loss"]
    assert float(losses[-1]) < 0.3 * float(losses[0])


@pytest.mark.parametrize(("channels", "outputs"), [((1,), 2), ((1, 0), 2), ((1, 4), 0)])
def test_bad_sizes_are_refused(channels, outputs) -> None:
    with pytest.raises(ValueError, match="channels"):
        ConvNet(channels, outputs, "relu", rngs=nnx.Rngs(0))
