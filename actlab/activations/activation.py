"""The Activation: a pure elementwise function of one array, with named parameters and facts."""

from __future__ import annotations

import abc
import contextlib
import contextvars
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, overload

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from actlab.activations.definition import Definition, Function, compute_dtype, formula
from actlab.activations.domain import REAL_LINE, Domain
from actlab.activations.facts import Facts
from actlab.activations.interval import Interval

_INTERCEPTOR: contextvars.ContextVar[Function | None] = contextvars.ContextVar("interceptor", default=None)


@contextlib.contextmanager
def intercepted(application: Function) -> Iterator[None]:
    """While inside, calling an activation calls `application(activation, x)`: how a tracer keeps it in one piece.

    Holds for scalar and vector activations, in this thread.
    """
    token = _INTERCEPTOR.set(application)
    try:
        yield
    finally:
        _INTERCEPTOR.reset(token)


def apply(activation: Any, x: Array) -> Array:
    """`activation.evaluate(x)`, or what stands in its place inside `intercepted`."""
    application = _INTERCEPTOR.get()
    return activation.evaluate(x) if application is None else application(activation, x)


class Activation(abc.ABC):
    """A pure elementwise function of one array, with named parameters and facts.

    A pytree whose leaves are the parameters: bind, vmap, shard or train them. Everything else is static, so a rebuilt
    activation does not retrace. 16-bit inputs are computed in float32 and rounded once; wider ones as they are.
    """

    name: str
    family: str

    @abc.abstractmethod
    def evaluate(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """f(x) for a floating array; `__call__` checks the input first."""

    @property
    @abc.abstractmethod
    def facts(self) -> Facts:
        """What is known of f at the present parameters."""

    def __call__(self, x: Any) -> Float[Array, "*shape"]:
        """f(x), elementwise, in the dtype of x.

        Raises:
            TypeError: x is not of a floating dtype (nothing is silently cast).
        """
        return apply(self, floating(x, self.name))

    def slope(self, x: Any) -> Float[Array, "*shape"]:
        """f'(x), elementwise: the derivative that autodiff uses, the declared choice at a kink."""
        x = floating(x, self.name)
        return jax.jvp(self.evaluate, (x,), (jnp.ones_like(x),))[1]

    def curvature(self, x: Any) -> Float[Array, "*shape"]:
        """f''(x), elementwise."""
        x = floating(x, self.name)
        return jax.jvp(self.slope, (x,), (jnp.ones_like(x),))[1]

    def slope_in(self, dtype: Any) -> Interval:
        """The bounds of the slope as executed in a 16-bit dtype, rounding included: every finite input is tried.

        `facts.slope` speaks of the real formula; rounding reaches further (swish: 1.0998, 1.1016 in bfloat16).

        Raises:
            ValueError: the dtype has too many values to try them all.
        """
        if jnp.finfo(dtype).bits != 16:
            raise ValueError(
                f"slope_in tries every input of a 16-bit dtype; {jnp.dtype(dtype).name} has too many: for float32 ask "
                "actlab.proofs.float_audit.audit_floats, or `actlab certify NAME --audit --exhaustive`"
            )
        patterns = jnp.arange(2**16, dtype=jnp.uint16)
        inputs = jax.lax.bitcast_convert_type(patterns, dtype)
        slopes = np.asarray(self.slope(inputs[jnp.isfinite(inputs)]), np.float64)
        return Interval(float(slopes.min()), float(slopes.max()))

    def constrained(self) -> Activation:
        """The activation at the admissible values that its leaves, read as unconstrained reals, stand for."""
        return self

    def unconstrained(self) -> Activation:
        """The inverse of `constrained`: the leaves as unconstrained reals."""
        return self

    def with_surrogate(self, surrogate: Activation) -> Activation:
        """This function forward; `surrogate(x)` in place of f'(x) in every derivative."""
        from actlab.activations.surrogate import WithSurrogate

        return WithSurrogate(self, surrogate)

    def __repr__(self) -> str:
        return self.name


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Elementary(Activation):
    """An activation given by formulas, as the `activation` decorator makes it."""

    parameters: dict[str, Any]
    definition: Definition = field(metadata={"static": True})

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The name that `actlab list` shows."""
        return self.definition.name

    @property
    def family(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The family of the zoo that it belongs to."""
        return self.definition.family

    @property
    def __doc__(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.definition.doc

    @overload
    def __call__(self, x: ArrayLike, **parameters: Any) -> Array: ...
    @overload
    def __call__(self, **parameters: Any) -> Elementary: ...
    def __call__(self, x: Any = None, **parameters: Any) -> Any:
        """f(x), elementwise, in the dtype of x, with these parameters; without x the activation with them bound.

        Raises:
            TypeError: x is not of a floating dtype, neither x nor a parameter is given, or no such parameter.
            ValueError: a concrete value outside the parameter's domain.
        """
        if x is None and not parameters:
            raise TypeError(f"{self.name} takes an array, or keyword parameters alone to bind them")
        bound = self.bind(**parameters) if parameters else self
        return bound if x is None else apply(bound, floating(x, self.name))

    def evaluate(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """f(x) for a floating array."""
        domains = self.definition.domains
        parameters = {
            k: _as_array(f"{self.name}: {k}", v, x, domains.get(k, REAL_LINE)) for k, v in self.parameters.items()
        }
        return formula(self.definition, x, parameters)

    @property
    def facts(self) -> Facts:
        """What is known of f at the present parameters."""
        return self.definition.facts(**{k: _as_bound(v) for k, v in self.parameters.items()})

    def bind(self, **parameters: Any) -> Elementary:
        """A copy with these parameters; facts follow.

        Raises:
            TypeError: no such parameter.
            ValueError: a concrete value outside the parameter's domain.
        """
        for name, value in parameters.items():
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                raise TypeError(f"{self.name} has no parameter {name!r}; its parameters are: {known}")
            self.definition.domains.get(name, REAL_LINE).check(f"{self.name}: {name}", value)
        values = {k: float(v) if isinstance(v, int) else v for k, v in parameters.items()}
        return replace(self, parameters={**self.parameters, **values})

    def constrained(self) -> Elementary:
        """Leaves read as unconstrained reals, mapped into each parameter's domain."""
        domains = self.definition.domains
        mapped = {k: domains[k].from_real(v) if k in domains else v for k, v in self.parameters.items()}
        return replace(self, parameters=mapped)

    def unconstrained(self) -> Elementary:
        """Leaves as the unconstrained reals that `constrained` maps back."""
        domains = self.definition.domains
        mapped = {k: domains[k].to_real(v) if k in domains else v for k, v in self.parameters.items()}
        return replace(self, parameters=mapped)

    def __repr__(self) -> str:
        changed = {k: v for k, v in self.parameters.items() if v is not self.definition.defaults[k]}
        return self.name + (f"({', '.join(f'{k}={v}' for k, v in changed.items())})" if changed else "")


def floating(x: Any, name: str) -> Array:
    """`x` as a jax array, if its dtype is floating.

    Raises:
        TypeError: the dtype is not floating; names the function and the remedy.
    """
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(f"{name} needs a floating input, got dtype {x.dtype}; convert it first: x.astype(jnp.float32)")
    return x


def _as_array(what: str, value: Any, x: Array, domain: Domain) -> Array:
    """A parameter in the dtype that x is computed in: a vector, or of shape (), or aligned with the last axes of x."""
    value = jnp.asarray(value, compute_dtype(x.dtype))
    if domain.vector:
        if value.ndim != 1:
            raise ValueError(
                f"{what}, a vector of coefficients, has the shape {value.shape}; vmap over a stack of activations"
            )
        return value
    return value if value.ndim in (0, x.ndim) else jnp.expand_dims(value, tuple(range(x.ndim - value.ndim)))


def _as_bound(value: Any) -> Any:
    """A parameter as facts compute with it: numbers and numpy arrays in float64, others as they are (NNX unwrapped)."""
    if isinstance(value, (int, float, np.generic)):
        return float(value)
    if isinstance(value, np.ndarray):
        return value.astype(np.float64)
    return jnp.asarray(value)
