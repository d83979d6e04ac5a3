"""Three activations that nobody has published, to be certified."""

import jax.numpy as jnp


def half_log(x):
    """Half a line, half a logarithm: a kink at 0."""
    return jnp.where(x > 0, jnp.log1p(jnp.maximum(x, 0)), 0.5 * x)


def slow_step(x):
    """A step whose tails are algebraic: 1 - f(x) falls like 1/x."""
    return x / (1 + jnp.sqrt(1 + x * x))


def wavelet(x):
    """Up, down and up again."""
    return x * jnp.exp(-x * x / 2) + 0.1 * jnp.sin(x)
