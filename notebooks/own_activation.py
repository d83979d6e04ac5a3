# %% [markdown]
# # An activation of your own, from the formula to a trained net
#
# A notebook kept as text: JupyterLab (with the jupytext extension) and VS Code open it as cells, `python` runs it.
# Everything here takes half a minute on a laptop.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from flax import nnx

import actlab.activations as al
from actlab.nets import MLP
from actlab.proofs import certify
from actlab.systems.flows import bijector
from actlab.training import ensemble, fit, seed_keys


def ripple(x, *, depth=0.3):
    """A line with a ripple."""
    return x + depth * jnp.sin(3.0 * x)


activation = al.as_activation(ripple)
activation.facts  # unknown: nothing is assumed of a function that nobody described

# %% [markdown]
# ## What can be proved of it
# Over every float32, not on a grid: the ripple's slope stays in [0.1, 1.9], so it can be inverted.

# %%
proved = certify(activation, tier="fast")
print("range", proved.facts.range)
print("slope", proved.facts.slope)
print("curvature", proved.facts.curvature)
print(proved.facts.monotone)

# %%
x = jnp.linspace(-3.0, 3.0, 601)
figure, axes = plt.subplots()
for label, values in {"f": proved(x), "f'": proved.slope(x), "f''": proved.curvature(x)}.items():
    axes.plot(x, values, label=label)
axes.axhspan(proved.facts.slope.lower, proved.facts.slope.upper, alpha=0.15, label="proved range of f'")
axes.set_xlabel("x")
axes.legend()

# %% [markdown]
# ## A part that needs the fact
# A normalizing flow refuses what it cannot invert, and takes what is proved.

# %%
try:
    bijector(activation)
except al.FactError as error:
    print(error)
transform = bijector(proved)
events = jnp.linspace(-2.0, 2.0, 5)
print(transform.inverse(transform.forward(events)), transform.log_det_bounds)

# %% [markdown]
# ## A net of it, over seeds and over its parameter
# Training is a pure function, and the parameter of the activation a leaf: three depths times eight seeds are one
# compiled program.

# %%
data = {"x": x[:, None], "y": jnp.sin(3.0 * x) * jnp.exp(-jnp.square(x) / 4)}


def loss(model, batch, key):
    """Mean square of the residuals."""
    return jnp.mean(jnp.square(model(batch["x"])[:, 0] - batch["y"]))


def run(key, depth):
    """The loss of a net at each step of its training."""
    graphdef, state = nnx.split(MLP((1, 32, 32, 1), activation.bind(depth=depth), rngs=nnx.Rngs(key)))
    optimizer = optax.adam(3e-3)
    return fit(graphdef, state, data, key, loss=loss, optimizer=optimizer, steps=300, batch_size=64).metrics["loss"]


depths = jnp.array([0.0, 0.1, 0.3])  # 0: a line, which cannot learn this
over_depths = jax.vmap(run, in_axes=(None, 0))
losses = ensemble(over_depths, in_axes=(0, None))(seed_keys(range(8)), depths)  # (seeds, depths, steps)
print({f"depth {d:.1f}": f"{v:.4f}" for d, v in zip(depths, np.median(losses[..., -20:], axis=(0, 2)), strict=True)})

# %%
figure, axes = plt.subplots()
for i, depth in enumerate(depths):
    axes.semilogy(jnp.median(losses[:, i], axis=0), label=f"depth {depth:.1f}")
axes.set_xlabel("step")
axes.set_ylabel("median loss of eight seeds")
axes.legend()

# %% [markdown]
# Beside the baselines, in every system: `actlab evaluate mine.py:ripple --against relu,gelu,tanh`.
