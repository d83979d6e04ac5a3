"""The table of bijectors that the laws of this folder are tested on, with parameters far from their start."""

import jax
import jax.numpy as jnp

import actlab.activations as al
from actlab.systems.flows import (
    Affine,
    BoundedSlope,
    Composed,
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
    leaves, structure = jax.tree.flatten(flow)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    moved = [
        v + size * jax.random.normal(k, v.shape, v.dtype) / max(v.shape[-1], 1) ** 0.5
        if jnp.issubdtype(v.dtype, jnp.floating)
        else v
        for k, v in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, moved)


def residual_flow(key: jax.Array, features: int, layers: int, **options) -> Flow:
    def layer(key: jax.Array) -> Composed:
        mixing_key, net_key = jax.random.split(key)
        return Composed((mixing("orthogonal", mixing_key, features), residual(net_key, features, **options)))

    return Flow(stacked(key, layer, layers))


def flows(features: int, layers: int, conditions: int = 0) -> dict[str, Flow]:
    """One flow of every layer, transform and mixing."""
    key = jax.random.key(0)
    found = {
        f"coupling, {name}": coupling_flow(
            key, features, layers=layers, hidden=(8,), transform=t, conditions=conditions, activation="swish"
        )
        for name, t in TRANSFORMS.items()
    }
    found["autoregressive"] = autoregressive_flow(
        key, features, layers=layers, hidden=(9,), transform=Mixture(3), conditions=conditions, activation="tanh"
    )
    found["featurewise, cayley"] = coupling_flow(
        key,
        features,
        layers=layers,
        hidden=(8,),
        transform=Affine(),
        featurewise=Mixture(3),
        conditions=conditions,
        mixing="cayley",
        activation="swish",
    )
    if conditions == 0:
        found["elementwise"] = elementwise_flow(key, features, layers=layers)
        found["permuted"] = coupling_flow(key, features, layers=layers, hidden=(8,), mixing="permutation")
    found["residual"] = residual_flow(key, features, layers, hidden=(8,), conditions=conditions, lipschitz=0.7)
    return {name: shaken(flow) for name, flow in found.items()}


def widened(flow: Flow) -> Flow:
    """The same parameters in float64, exactly."""
    return jax.tree.map(lambda v: v.astype(jnp.float64) if v.dtype == jnp.float32 else v, flow)
