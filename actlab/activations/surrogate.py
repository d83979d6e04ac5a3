"""An activation whose derivative is declared instead of derived: exact forward, a surrogate slope backward."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from actlab.activations.activation import Activation
from actlab.activations.facts import Facts


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class WithSurrogate(Activation):
    """`forward(x)` whose derivative is `surrogate(x)`, in forward and reverse mode and in every higher order.

    Facts are those of `forward`, marked `gradient="surrogate"`: its slope is not what autodiff returns.
    Differentiable in the parameters of the surrogate only through derivatives, where they act.

    Source: Neftci, Mostafa & Zenke 2019, IEEE Signal Processing Magazine 36(6), eq. 5.
    """

    forward: Activation
    surrogate: Activation

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Forward and surrogate."""
        return f"{self.forward.name} with surrogate {self.surrogate.name}"

    family = "surrogate"

    def constrained(self) -> WithSurrogate:
        """Both parts at the admissible values that their leaves stand for."""
        return WithSurrogate(self.forward.constrained(), self.surrogate.constrained())

    def unconstrained(self) -> WithSurrogate:
        """Both parts with their leaves as unconstrained reals."""
        return WithSurrogate(self.forward.unconstrained(), self.surrogate.unconstrained())

    def evaluate(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """f(x) for a floating array."""
        return _with_surrogate(self.forward, self.surrogate, x)

    @property
    def facts(self) -> Facts:
        """Those of the forward function, with the gradient marked."""
        return self.forward.facts.replace(gradient="surrogate")


@jax.custom_jvp
def _with_surrogate(forward: Activation, surrogate: Activation, x: Array) -> Array:
    del surrogate
    return forward.evaluate(x)


def _with_surrogate_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    forward, surrogate, x = primals
    dforward, _, dx = tangents
    y = _with_surrogate(forward, surrogate, x)  # not the forward function's: y is differentiated again in a Hessian
    dy = jax.jvp(lambda f: f.evaluate(x), (forward,), (dforward,))[1]  # the forward function's own parameters, exactly
    return y, dy + surrogate.evaluate(x) * jnp.asarray(dx, x.dtype)


_with_surrogate.defjvp(_with_surrogate_jvp)
