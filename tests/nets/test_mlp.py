"""The MLP: shapes, variance at depth, traces, trained activation parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import actlab.activations as al
from actlab.nets import MLP
from actlab.training import ensemble, fit


@al.activation(domains={"beta": al.POSITIVE})
def swish(x, *, beta=1.0):
    return x * jax.nn.sigmoid(beta * x)


SIX = {
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "gelu": jax.nn.gelu,
    "swish": swish.bind(beta=2.0),
    "sin": jnp.sin,
    "leaky": lambda x: jax.nn.leaky_relu(x, 0.3),
}


def preactivations(model, x):
    """The output of every linear layer."""
    found = []
    for layer in list(model.layers)[:-1]:
        found.append(layer(x))
        x = model.nonlinearity(found[-1])
    return found


def test_a_net_of_one_layer_is_linear() -> None:
    model = MLP((3, 2), "relu", rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(0), (4, 3))
    np.testing.assert_allclose(model(-x), -model(x), rtol=1e-6)


@pytest.mark.parametrize("name", SIX)
def test_preactivation_variance_is_preserved_at_depth(name) -> None:
    width, depth = 256, 12
    model = MLP((width,) + (width,) * depth + (1,), SIX[name], rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(1), (64, width))
    variances = [float(jnp.mean(h**2)) for h in preactivations(model, x)]
    # A layer adds a relative spread of about sqrt(5 / width) at most; twelve of them random-walk.
    np.testing.assert_allclose(variances, 1.0, atol=0.45)


def test_traced_and_concrete_parameters_initialize_alike() -> None:
    def kernels(act):
        return nnx.state(MLP((3, 4, 4, 1), act, rngs=nnx.Rngs(jax.random.key(0))), nnx.Param)

    betas = jnp.array([0.5, 2.0])
    both = jax.jit(jax.vmap(lambda b: kernels(swish.bind(beta=b))))(betas)
    one = kernels(swish.bind(beta=2.0))
    jax.tree.map(lambda b, o: np.testing.assert_allclose(b[1], o, atol=1e-5), both, one)


def test_rebuilt_models_with_other_parameters_share_one_trace() -> None:
    traces = []

    @nnx.jit
    def apply(model, x):
        traces.append(1)
        return model(x)

    outputs = [apply(MLP((2, 3, 1), swish.bind(beta=b), rngs=nnx.Rngs(0)), jnp.ones((1, 2))) for b in (0.5, 1.0, 2.0)]
    assert len(traces) == 1
    assert len({float(y[0, 0]) for y in outputs}) == 3


def test_trained_parameters_move_and_stay_in_their_domain() -> None:
    model = MLP((1, 8, 1), swish.bind(beta=0.1), rngs=nnx.Rngs(0), trainable=True)
    np.testing.assert_allclose(model.nonlinearity.activation.parameters["beta"], 0.1, rtol=1e-5)
    x = jnp.linspace(-2, 2, 16)[:, None]

    def loss(model, batch, key):
        return jnp.mean((model(batch) - jnp.abs(batch)) ** 2)

    fitted = jax.jit(lambda s: fit(graphdef, s, x, jax.random.key(0), loss=loss, optimizer=optax.adam(0.1), steps=30))
    graphdef, state = nnx.split(model)
    beta = fitted(state).model().nonlinearity.activation.parameters["beta"]
    assert float(beta) > 0
    assert abs(float(beta) - 0.1) > 1e-3


def test_an_ensemble_over_seeds_and_activation_parameters_is_one_program() -> None:
    x = jnp.linspace(-2, 2, 16)[:, None]

    def run(key, act):
        model = MLP((1, 8, 1), act, rngs=nnx.Rngs(key))
        graphdef, state = nnx.split(model)
        return fit(graphdef, state, x, key, loss=_mse, optimizer=optax.adam(1e-2), steps=5)

    keys = jax.random.split(jax.random.key(0), 3)
    members = ensemble(run)(keys, swish.bind(beta=jnp.array([0.5, 1.0, 2.0])))
    solo = jax.jit(run)(keys[2], swish.bind(beta=2.0))
    jax.tree.map(lambda m, s: np.testing.assert_allclose(m[2], s, atol=1e-5), members.state.params, solo.state.params)
    np.testing.assert_allclose(members.state.rest["nonlinearity"]["held"]["parameters"]["beta"], [0.5, 1.0, 2.0])


def _mse(model, batch, key):
    return jnp.mean((model(batch) - jnp.abs(batch)) ** 2)


def test_output_activation() -> None:
    model = MLP((2, 3, 4), jnp.tanh, rngs=nnx.Rngs(0), output=jax.nn.sigmoid)
    y = model(5 * jnp.ones((7, 2)))
    assert y.shape == (7, 4)
    assert bool(jnp.all((y > 0) & (y < 1)))


@pytest.mark.parametrize("sizes", [(3,), (), (3, 0, 1)])
def test_bad_sizes_are_refused(sizes) -> None:
    with pytest.raises(ValueError, match="sizes"):
        MLP(sizes, jnp.tanh, rngs=nnx.Rngs(0))


def test_what_is_not_an_activation_is_refused() -> None:
    with pytest.raises(TypeError):
        MLP((2, 3, 1), 3.0, rngs=nnx.Rngs(0))
