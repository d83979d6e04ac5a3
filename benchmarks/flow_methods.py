"""What `benchmarks/flows.py` compares: the data, the flows of every side, and their training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SETS = ("power", "concrete", "protein", "energy", "digits")
ZUKO = {"zuko": None, "zuko-coupling": 2}
"""Passes of the inverse of zuko's NSF: as many as features for the autoregressive flow that it is by default."""
LAYERS, HIDDEN, BATCH, RATE, CLIP, EVERY = 5, 64, 256, 2e-3, 5.0, 100


def table(folder: str, name: str) -> np.ndarray:
    """All rows [x, y], float64, dequantized."""
    rng = np.random.default_rng(0)
    if name == "digits":
        from sklearn.datasets import load_digits

        pixels = load_digits().data + rng.uniform(-0.5, 0.5, (1797, 64))
        pixels -= pixels.mean(0)
        return pixels @ np.linalg.svd(pixels, full_matrices=False)[2][:10].T
    with np.load(Path(folder) / f"{name}.npz", allow_pickle=False) as arrays:
        rows = np.c_[arrays["X"], arrays["y"]].astype(np.float64)
    for column in rows.T:
        column += rng.uniform(-0.5, 0.5, len(column)) * np.diff(np.unique(column)).min()
    return rows


def split(rows: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training, validation and test rows of one of the benchmark's splits, standardized, float32."""
    stream = np.random.RandomState(1)
    for _ in range(number + 1):
        order = stream.choice(range(len(rows)), len(rows), replace=False)
    cut = round(0.9 * len(rows))
    inner = round(0.9 * cut)
    rows = (rows - rows[order[:cut]].mean(0)) / rows[order[:cut]].std(0)
    rows = rows.astype(np.float32)
    return rows[order[:inner]], rows[order[inner:cut]], rows[order[cut:]]


def batches(n: int, steps: int, seed: int) -> np.ndarray:
    """Indices of every step, the same for all methods."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.choice(n, min(BATCH, n), replace=False) for _ in range(steps)])


CHOSEN = {
    "power": "autoregressive",
    "concrete": "coupling",
    "protein": "coupling",
    "energy": "autoregressive-gentle-permuted",
    "digits": "autoregressive-gentle-permuted-plain",
}
"""The best of `settings` on validation rows; see `choose` in flows.py."""


def settings() -> dict[str, dict[str, Any]]:
    """Of ours: coupling or masked autoregression, slopes in [0.02, 50] or [0.3, 3] ("gentle"), LU or permutations.

    With a function of 16 units for each feature before all layers, or ("plain") without.
    """
    from actlab.systems.flows import Mixture

    marginals, gentle = {"marginals": Mixture(16, 0.01, 1e3)}, {"transform": Mixture(8, 0.3, 3.0)}
    autoregressive = {"autoregressive": True, "layers": 3}
    permuted = autoregressive | gentle | {"mixing": "permutation"}
    return {
        "coupling": marginals,
        "coupling-gentle-plain": gentle,
        "autoregressive": autoregressive | marginals,
        "autoregressive-gentle": autoregressive | gentle | marginals,
        "autoregressive-gentle-permuted": permuted | marginals,
        "autoregressive-gentle-permuted-plain": permuted,
    }


# A method: (features, seed) -> (parameters, loss(parameters, x), number of parameters); the loss is a mean over rows.
def ours(
    features: int,
    seed: int,
    budget: int | None = None,
    hidden: int = HIDDEN,
    layers: int = LAYERS,
    autoregressive: bool = False,
    **options: Any,
) -> tuple:
    """`coupling_flow` or `autoregressive_flow`; with a budget, as wide as it allows."""
    import jax
    import jax.numpy as jnp

    from actlab.systems.flows import Mixture, autoregressive_flow, coupling_flow

    build = autoregressive_flow if autoregressive else coupling_flow
    options = {"transform": Mixture(8)} | options

    def made(key: Any, width: int) -> Any:
        return build(key, features, layers=layers, hidden=(width, width), **options)

    def size(width: int) -> int:
        flow = jax.eval_shape(lambda key: made(key, width), jax.random.key(0))
        return sum(v.size for v in jax.tree.leaves(flow) if jnp.issubdtype(v.dtype, jnp.floating))

    if budget is not None:
        hidden = max(w for w in range(8, 257, 4) if size(w) <= budget)
    flow = jax.jit(lambda key: made(key, hidden))(jax.random.key(seed))
    leaves, structure = jax.tree.flatten(flow)
    real = [jnp.issubdtype(v.dtype, jnp.floating) for v in leaves]

    def loss(parameters: list[Any], x: Any) -> Any:
        rest = iter(parameters)
        whole = jax.tree.unflatten(structure, [next(rest) if r else v for v, r in zip(leaves, real, strict=True)])
        return -whole.log_prob(x).mean()

    return [v for v, r in zip(leaves, real, strict=True) if r], loss, size(hidden)


def flowjax(features: int, seed: int, spline: bool = True) -> tuple:
    """Flowjax's coupling flow."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import paramax
    from flowjax.bijections import RationalQuadraticSpline
    from flowjax.distributions import Normal
    from flowjax.flows import coupling_flow

    flow = coupling_flow(
        jax.random.key(seed),
        base_dist=Normal(jnp.zeros(features)),
        transformer=RationalQuadraticSpline(knots=8, interval=4) if spline else None,
        flow_layers=LAYERS,
        nn_width=HIDDEN,
        nn_depth=2,
    )
    fixed = lambda leaf: isinstance(leaf, paramax.NonTrainable)  # noqa: E731
    parameters, static = eqx.partition(flow, eqx.is_inexact_array, is_leaf=fixed)

    def loss(parameters: Any, x: Any) -> Any:
        return -paramax.unwrap(eqx.combine(parameters, static)).log_prob(x).mean()

    return parameters, loss, sum(v.size for v in jax.tree.leaves(parameters))


def optimizer(steps: int, rate: float) -> Any:
    """The same for every JAX method."""
    import optax

    return optax.chain(optax.clip_by_global_norm(CLIP), optax.adam(optax.cosine_decay_schedule(rate, steps)))


def train_step(loss: Callable[..., Any], steps: int, rate: float = RATE) -> Callable[..., Any]:
    """(parameters, state, x) -> (parameters, state, loss)."""
    import jax
    import optax

    rule = optimizer(steps, rate)

    def step(parameters: Any, state: Any, x: Any) -> tuple[Any, Any, Any]:
        value, gradient = jax.value_and_grad(loss)(parameters, x)
        updates, state = rule.update(gradient, state, parameters)
        return optax.apply_updates(parameters, updates), state, value

    return step


@dataclass(frozen=True)
class Fit:
    """Nats of the parameters with the best validation, and how many parameters there are."""

    validation: float
    test: float
    parameters: int


def fit_jax(method: Callable[..., tuple], parts: tuple, steps: int, rate: float, seed: int, compiled: dict) -> Fit:
    """Training of a JAX method; `compiled` keeps its programs from split to split."""
    import jax
    import jax.numpy as jnp

    x, validation, test = map(jnp.asarray, parts)
    parameters, loss, count = method(x.shape[1], seed)
    state = optimizer(steps, rate).init(parameters)
    if not compiled:
        compiled["step"], compiled["loss"] = jax.jit(train_step(loss, steps, rate)), jax.jit(loss)
    best, kept = np.inf, parameters
    for i, rows in enumerate(batches(len(x), steps, seed)):
        parameters, state, _ = compiled["step"](parameters, state, x[rows])
        if (i + 1) % EVERY == 0:
            value = float(compiled["loss"](parameters, validation))
            best, kept = (value, parameters) if value < best else (best, kept)
    return Fit(-best, -float(compiled["loss"](kept, test)), count)


def fit_zuko(parts: tuple, steps: int, rate: float, seed: int, budget: int, passes: int | None) -> Fit:
    """Zuko's NSF, eager; masked entries of its nets count among its parameters."""
    import copy

    import torch
    import zuko

    torch.set_num_threads(1)

    def build(width: int) -> Any:
        torch.manual_seed(seed)
        features, hidden = parts[0].shape[1], (width, width)
        return zuko.flows.NSF(features, transforms=LAYERS, bins=8, passes=passes, hidden_features=hidden)

    def size(flow: Any) -> int:
        return sum(p.numel() for p in flow.parameters())

    width = max(w for w in range(8, 129, 4) if size(build(w)) <= budget)
    flow = build(width)
    x, validation, test = (torch.from_numpy(p) for p in parts)
    rule = torch.optim.Adam(flow.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(rule, steps)
    best, kept = np.inf, copy.deepcopy(flow.state_dict())
    for i, rows in enumerate(batches(len(x), steps, seed)):
        rule.zero_grad()
        (-flow().log_prob(x[torch.from_numpy(rows)]).mean()).backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), CLIP)
        rule.step()
        schedule.step()
        if (i + 1) % EVERY == 0:
            with torch.no_grad():
                value = float(-flow().log_prob(validation).mean())
            if value < best:
                best, kept = value, copy.deepcopy(flow.state_dict())
    flow.load_state_dict(kept)
    with torch.no_grad():
        return Fit(-best, float(flow().log_prob(test).mean()), size(flow))
