"""The table of bijectors that the laws of this folder are tested on, with parameters far from their start."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

import actlab.activations as al
from actlab.systems.flows import (
    Affine,
    BoundedSlope,
    Composed,
    Composition,
    Copies,
    Flow,
    Mixture,
    Spline,
    autoregressive_flow,
    bijector,
    coupling_flow,
    elementwise_flow,
    mixing,
    residual,
    stacked,
)

NARROW = al.bounded_slope(al.softplus, lower=0.8, upper=1.25)
WIDE = al.bounded_slope(al.swish, lower=0.1, upper=2.0)

SCALARS = {
    "identity": bijector("identity"),
    "leaky_relu": bijector(al.leaky_relu.bind(negative_slope=0.1)),
    "bent_identity": bijector("bent_identity"),
    "softplus in [0.8, 1.25]": bijector(NARROW),
    "swish in [0.1, 2]": bijector(WIDE),
    "tanh in [0.01, 10]": bijector(al.bounded_slope(al.tanh, lower=0.01, upper=10.0)),
    "sine in [0.05, 3]": bijector(al.bounded_slope(al.sine, lower=0.05, upper=3.0)),
}

TRANSFORMS = {
    "affine": Affine(),
    "bounded slope": BoundedSlope(activation=al.softplus),
    "mixture": Mixture(4),
    "mixture of tanh": Mixture(3, 0.1, 10.0, activation=al.tanh),
    "copies": Copies(WIDE, 3),
    "composition": Composition((Mixture(2, 0.2, 5.0), Mixture(2, 0.2, 5.0))),
    "spline": Spline(5),
}

GENTLE = {
    "affine": Affine(1.25),
    "bounded slope": BoundedSlope(0.8, 1.25),
    "mixture": Mixture(4, 0.8, 1.25),
    "copies": Copies(NARROW, 3),
}
"""Of slopes whose quotient is at most 1.6."""


def shaken(flow: Flow, seed: int = 1, size: float = 0.4) -> Flow:
    """The flow with noise on every real parameter, as training would move them."""
    rng = np.random.default_rng(seed)

    def moved(v):
        if not jnp.issubdtype(v.dtype, jnp.floating):
            return v
        return jnp.asarray(np.asarray(v) + size * rng.normal(size=v.shape) / max(v.shape[-1], 1) ** 0.5, v.dtype)

    return jax.tree.map(moved, flow)


def residual_flow(key: jax.Array, features: int, layers: int, **options) -> Flow:
    def layer(key: jax.Array) -> Composed:
        mixing_key, net_key = jax.random.split(key)
        return Composed((mixing("orthogonal", mixing_key, features), residual(net_key, features, **options)))

    return Flow(stacked(key, layer, layers))


@functools.cache
def flows(features: int, layers: int, conditions: int = 0, names: tuple[str, ...] = ()) -> dict[str, Flow]:
    """Flows of every layer, transform and mixing, or those named."""
    key = jax.random.key(0)
    shape = {"layers": layers, "conditions": conditions}
    couple = functools.partial(coupling_flow, key, features, hidden=(8,), activation="swish", **shape)
    builders = {
        "affine, featurewise": lambda: couple(transform=Affine(), featurewise=Mixture(3), marginals=Mixture(3)),
        "mixture": lambda: couple(transform=TRANSFORMS["mixture"], mixing="permutation"),
        "spline": lambda: couple(transform=TRANSFORMS["spline"], mixing="cayley"),
        "autoregressive": lambda: autoregressive_flow(
            key, features, hidden=(9,), transform=TRANSFORMS["bounded slope"], activation="tanh", **shape
        ),
        "residual": lambda: residual_flow(key, features, layers, hidden=(8,), conditions=conditions, lipschitz=0.7),
    }
    if not conditions:
        builders["elementwise copies"] = lambda: elementwise_flow(
            key, features, layers=layers, transform=TRANSFORMS["copies"]
        )
    chosen = names or tuple(builders)
    with jax.enable_x64(False):  # kept for tests in either precision
        made = jax.jit(lambda: {n: builders[n]() for n in chosen})()
        return {n: shaken(f) for n, f in made.items()}


def widened(flow: Flow) -> Flow:
    """The same parameters in float64, exactly."""
    return jax.tree.map(lambda v: v.astype(jnp.float64) if v.dtype == jnp.float32 else v, flow)
