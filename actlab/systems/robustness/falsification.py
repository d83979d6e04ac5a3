"""Certificates put to the test: no more inputs can be certified than an attack leaves right."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Float64, Int, Key

from actlab.nets import Chain, logits_by_products
from actlab.nets.form import Form, parted
from actlab.systems.robustness.attack import USUAL, Attack, Norm, attacked
from actlab.systems.robustness.certificates import clean_margins, parts


def attacked_accuracy(
    net: Chain,
    x: Float32[np.ndarray, "inputs *shape"],
    y: Int[np.ndarray, " inputs"],
    norm: Norm,
    radii: Any,
    key: Key[Array, ""],
    attack: Attack = USUAL,
) -> Float64[np.ndarray, " radii"]:
    """The share of inputs that the attack leaves right, at each radius."""
    return spared(net, x, y, norm, radii, key, attack).mean(axis=0)


def spared(
    net: Chain,
    x: Float32[np.ndarray, "inputs *shape"],
    y: Int[np.ndarray, " inputs"],
    norm: Norm,
    radii: Any,
    key: Key[Array, ""],
    attack: Attack = USUAL,
) -> Bool[np.ndarray, "inputs radii"]:
    """Which inputs stay right under attack in each ball; one that falls in a smaller ball has fallen in larger ones."""
    form, weights = parted(net)
    columns, standing = [], np.ones(len(x), bool)
    for order, radius in sorted(enumerate(np.asarray(radii, float)), key=lambda pair: pair[1]):
        broken = []
        for part in parts(len(x)):
            use = jax.random.fold_in(jax.random.fold_in(key, order), part.start)
            if radius == 0:
                broken.append(clean_margins(net, x[part], y[part]) <= 0)
            else:
                broken.append(np.asarray(_broken(form, weights, x[part], y[part], radius, use, norm, attack)))
        standing = standing & ~np.concatenate(broken)
        columns.append((order, standing))
    return np.stack([column for _, column in sorted(columns, key=lambda pair: pair[0])], axis=1)


@functools.partial(jax.jit, static_argnames=("form", "norm", "attack"))
def _broken(form: Form, weights: Any, x: Any, y: Any, radius: Any, key: Any, norm: Norm, attack: Attack) -> Array:
    radius = jnp.asarray(radius, jnp.float32)
    net = form.net(weights)
    return attacked(lambda v: logits_by_products(net, v), x, y, radius, norm, key, attack)[1]
