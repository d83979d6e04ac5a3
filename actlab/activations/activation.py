"""The Activation: a pure elementwise function of one array, with named parameters and facts."""

from __future__ import annotations

import abc
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, overload

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from actlab.activations.domain import REAL_LINE, Domain
from actlab.activations.facts import UNKNOWN, Facts
from actlab.activations.interval import Interval

Function = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Definition:
    """What is fixed about an activation: its formulas, facts and source. Compared and hashed by identity."""

    name: str
    family: str
    derivatives: tuple[Function, ...]
    """f, and in closed form as far as given f', f''; each takes (x, **parameters)."""
    facts: Callable[..., Facts]
    defaults: Mapping[str, Any]
    domains: Mapping[str, Domain]
    source: str
    doc: str


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
        return self.evaluate(floating(x, self.name))

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
            raise ValueError(f"slope_in tries every input of a 16-bit dtype; {jnp.dtype(dtype).name} has too many")
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
        """f(x), elementwise, in the dtype of x; keyword arguments bind parameters; without x, for good.

        Raises:
            TypeError: x is not of a floating dtype, neither x nor a parameter is given, or no such parameter.
        """
        if x is None and not parameters:
            raise TypeError(f"{self.name} takes an array, or keyword parameters alone to bind them")
        bound = self.bind(**parameters) if parameters else self
        return bound if x is None else bound.evaluate(floating(x, self.name))

    def evaluate(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """f(x) for a floating array."""
        domains = self.definition.domains
        parameters = {k: _as_array(v, x, domains.get(k, REAL_LINE)) for k, v in self.parameters.items()}
        return _derivative(self.definition, 0, x, parameters)

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


def _as_array(value: Any, x: Array, domain: Domain) -> Array:
    """A parameter in the dtype that x is computed in: a vector, or of shape (), or aligned with the last axes of x."""
    value = jnp.asarray(value, _compute_dtype(x.dtype))
    if domain.vector:
        if value.ndim != 1:
            raise ValueError(f"a vector of coefficients has the shape {value.shape}; vmap over a stack of activations")
        return value
    return value if value.ndim in (0, x.ndim) else jnp.expand_dims(value, tuple(range(x.ndim - value.ndim)))


def _as_bound(value: Any) -> Any:
    """A parameter as facts compute with it: numbers and numpy arrays in float64, others as they are (NNX unwrapped)."""
    if isinstance(value, (int, float, np.generic)):
        return float(value)
    if isinstance(value, np.ndarray):
        return value.astype(np.float64)
    return jnp.asarray(value)


def _compute_dtype(dtype: Any) -> Any:
    return jnp.float32 if jnp.dtype(dtype).itemsize < 4 else dtype


def _formula(definition: Definition, order: int, x: Array, parameters: dict[str, Array]) -> Array:
    y = definition.derivatives[order](x.astype(_compute_dtype(x.dtype)), **parameters)
    return y.astype(x.dtype)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _derivative(definition: Definition, order: int, x: Array, parameters: dict[str, Array]) -> Array:
    return _formula(definition, order, x, parameters)


def _derivative_jvp(definition: Definition, order: int, primals: Any, tangents: Any) -> tuple[Array, Any]:
    (x, parameters), (dx, dparameters) = primals, tangents
    if order + 1 == len(definition.derivatives):  # no further closed form: autodiff of the last one
        dx, dparameters = jax.tree.map(_instantiate, (dx, dparameters), is_leaf=_is_symbolic_zero)
        return jax.jvp(functools.partial(_formula, definition, order), (x, parameters), (dx, dparameters))
    y = _derivative(definition, order, x, parameters)
    dy = jnp.zeros_like(y)
    if not _is_symbolic_zero(dx):
        dy = _times_slope(definition, order, x, parameters, dx)
    if not all(_is_symbolic_zero(d) for d in dparameters.values()):
        dparameters = jax.tree.map(_instantiate, dparameters, is_leaf=_is_symbolic_zero)
        partial = functools.partial(_formula, definition, order, x)
        dy = dy + jax.jvp(partial, (parameters,), (dparameters,))[1]
    return y, dy


_derivative.defjvp(_derivative_jvp, symbolic_zeros=True)


# Rematerialized, so that reverse mode keeps x itself: 4 bytes an element in float32, and usually alive anyway.
@functools.partial(jax.checkpoint, static_argnums=(0, 1), prevent_cse=False)
def _times_slope(definition: Definition, order: int, x: Array, parameters: dict[str, Array], dx: Array) -> Array:
    return _derivative(definition, order + 1, x, parameters) * dx


def _is_symbolic_zero(value: Any) -> bool:
    return isinstance(value, jax.custom_derivatives.SymbolicZero)


def _instantiate(tangent: Any) -> Any:
    return jnp.zeros(tangent.shape, tangent.dtype) if _is_symbolic_zero(tangent) else tangent


@overload
def activation(function: Function, /) -> Elementary: ...
@overload
def activation(
    *,
    family: str = ...,
    facts: Callable[..., Facts] | Facts = ...,
    slope: Function | None = ...,
    curvature: Function | None = ...,
    domains: Mapping[str, Domain] | None = ...,
    source: str = ...,
    name: str | None = ...,
) -> Callable[[Function], Elementary]: ...


def activation(
    function: Function | None = None,
    /,
    *,
    family: str = "user",
    facts: Callable[..., Facts] | Facts = UNKNOWN,
    slope: Function | None = None,
    curvature: Function | None = None,
    domains: Mapping[str, Domain] | None = None,
    source: str = "",
    name: str | None = None,
) -> Any:
    """Makes an activation of a pure elementwise function of one array; as a call or as a decorator.

    Args:
        function: `f(x, *, parameter=default, ...)`; every keyword-only argument with a number as default
            is a parameter, and every other argument with a float; the rest keep their defaults.
        family: the family of the zoo that `actlab list --family` filters by.
        facts: `Facts`, or a function of the parameters that returns them. Without it they are unknown.
        slope: closed form of f', called as f is; must be in [f'(x-), f'(x+)] at a kink. Autodiff without it.
        curvature: closed form of f'', likewise.
        domains: the admissible values of each parameter, the real line where not given.
        source: paper and equation.
        name: the function's name where not given.

    Raises:
        TypeError: not a callable of one positional array and keyword parameters with numeric defaults.
    """
    if function is None:
        return functools.partial(
            activation,
            family=family,
            facts=facts,
            slope=slope,
            curvature=curvature,
            domains=domains,
            source=source,
            name=name,
        )
    if isinstance(function, Activation):
        return function
    if curvature is not None and slope is None:
        raise TypeError("activation: curvature is given without slope; give slope too")
    known = facts
    definition = Definition(
        name=name or getattr(function, "__name__", type(function).__name__),
        family=family,
        derivatives=tuple(f for f in (function, slope, curvature) if f is not None),
        facts=known if callable(known) else lambda **_: known,
        defaults=_parameters_of(function),
        domains=dict(domains or {}),
        source=source,
        doc=inspect.getdoc(function) or "",
    )
    return Elementary(parameters=dict(definition.defaults), definition=definition)


def _parameters_of(function: Function) -> dict[str, Any]:
    """The keyword parameters of a function, with their defaults.

    Raises:
        TypeError: a second required argument, or a default that is not a number or an array.
    """
    if not callable(function):
        raise TypeError(f"an activation is made from a function of one array; got {function!r}")
    try:
        signature = list(inspect.signature(function).parameters.values())
    except ValueError:  # a ufunc or builtin without a signature has no parameters to offer
        return {}
    name = getattr(function, "__name__", repr(function))
    if signature and signature[0].kind is inspect.Parameter.KEYWORD_ONLY or not signature:
        raise TypeError(f"{name} takes no positional array; an activation is a function of one array")
    parameters: dict[str, Any] = {}
    for p in signature[1:]:
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            continue
        if p.default is p.empty:
            raise TypeError(
                f"{name}: argument {p.name!r} has no default; give it one, or wrap it in a lambda of x alone"
            )
        if not _is_parameter(p):
            if p.kind is p.KEYWORD_ONLY:
                raise TypeError(
                    f"{name}: parameter {p.name!r} has the default {p.default!r}, which is not a number; "
                    "fix it in a lambda of x alone"
                )
            continue
        parameters[p.name] = float(p.default) if isinstance(p.default, int) else p.default
    return parameters


def _is_parameter(argument: inspect.Parameter) -> bool:
    """Numbers and arrays are; flags are not, nor whole numbers that may be passed by position (softmax's `axis=-1`)."""
    kinds = (
        (float, np.ndarray, jax.Array)
        if argument.kind is not argument.KEYWORD_ONLY
        else (int, float, np.ndarray, jax.Array)
    )
    return isinstance(argument.default, kinds) and not isinstance(argument.default, bool)
