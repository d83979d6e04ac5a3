"""One activation trained, certified and attacked over seeds: what the evaluation and the experiment measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from actlab.data import Images
from actlab.data.embedded import digits
from actlab.nets import Architecture, Chain
from actlab.nets.chain import Linear
from actlab.systems.robustness.attack import Attack, Norm
from actlab.systems.robustness.certificates import Bounds, certified
from actlab.systems.robustness.falsification import spared
from actlab.systems.robustness.model import Recipe, certified_activation, train_net, trained_net
from actlab.training import seed_keys

PerSeed = Float64[np.ndarray, " seeds"]
PerRadius = Float64[np.ndarray, "seeds radii"]


@dataclass(frozen=True)
class Arm:
    """A way to train, and the balls in which the trained net is certified and attacked.

    Attributes:
        recipe: of the training.
        norm: of the balls.
        radii: of the balls, ascending from 0.
        hidden: widths of the net.
        linear: free kernels, or orthogonal ones.
        bounds: behind linf certificates.
    """

    recipe: Recipe
    norm: Norm
    radii: tuple[float, ...]
    hidden: tuple[int, ...] = (64, 64)
    linear: Linear = "free"
    bounds: Bounds = "interval"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one arm came to, seed by seed, on test images.

    Attributes:
        certified: share of the images certified at each radius.
        attacked: share that the attack leaves right at each radius.
        refuted: certificates, of all images and radii, that the attack refutes: any is an error of the bounds.
        clean: share classified right.
        radius: mean certified radius, wrong images counted as 0.
        margin: mean margin of the logits over the images classified right.
        lipschitz: the sound bound of the net's Lipschitz constant.
    """

    certified: PerRadius
    attacked: PerRadius
    refuted: PerSeed
    clean: PerSeed
    radius: PerSeed
    margin: PerSeed
    lipschitz: PerSeed


def outcome_of(activation: Any, arm: Arm, seeds: Sequence[int], attack: Attack) -> Outcome:
    """Trains one net a seed, all in one program, on the digits; certifies and attacks each on its test images.

    Args:
        activation: as for `certified_activation`.
        arm: the way to train.
        seeds: of the split, the initial weights, the order of the batches and the attack.
        attack: the falsifier.

    Raises:
        FactError: as `certified_activation`.
    """
    activation = certified_activation(activation)
    splits = [digit_images(seed) for seed in seeds]
    architecture = Architecture(splits[0].x_train.shape[1:], hidden=arm.hidden, linear=arm.linear)
    x, y = (jnp.stack([getattr(s, f"{name}_train") for s in splits]) for name in ("x", "y"))

    @jax.jit
    @jax.vmap
    def trained(key: Any, x: Any, y: Any) -> Chain:
        return trained_net(train_net(key, architecture, activation, arm.recipe, x, y))

    # Sliced on the host: on a device each slice is a program.
    host = jax.tree.map(np.asarray, trained(seed_keys(seeds), x, y))
    nets = [jax.tree.map(lambda leaf, i=i: jnp.asarray(leaf[i]), host) for i in range(len(splits))]
    rows = [_measured(n, s, arm, seed, attack) for n, s, seed in zip(nets, splits, seeds, strict=True)]
    return Outcome(*(np.array(column, np.float64) for column in zip(*rows, strict=True)))


def _measured(net: Chain, images: Images, arm: Arm, seed: int, attack: Attack) -> tuple[Any, ...]:
    x, y = images.x_test.astype(np.float32) / np.float32(255), images.y_test
    found = certified(net, x, y, arm.norm, arm.radii, arm.bounds)
    stands = spared(net, x, y, arm.norm, arm.radii, jax.random.fold_in(jax.random.key(seed), 1), attack)
    right = found.margin > 0
    margin = found.margin[right].mean() if right.any() else 0.0
    refuted = np.sum(found.holds & ~stands)
    return found.accuracy, stands.mean(axis=0), refuted, found.clean, found.mean_radius, margin, found.lipschitz


def digit_images(seed: int) -> Images:
    """The embedded digits as images of bytes, a fifth of them, drawn by the seed, held out."""
    table = digits()
    order = np.random.default_rng(seed).permutation(len(table.y))
    x = np.round(table.X * 255).astype(np.uint8).reshape(-1, 8, 8, 1)
    held, kept = np.split(order, [len(order) // 5])
    return Images("digits", x[kept], table.y[kept], x[held], table.y[held])
