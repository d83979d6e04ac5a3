"""The zoo: every activation that actlab ships, by name, found in the modules of its families.

16-bit inputs are computed in float32 and rounded once. XLA takes numbers below the smallest normal one for 0 on a CPU
(1.2e-38 in float32), inputs and results alike: the one place where a small relative error is not promised.
"""

from __future__ import annotations

from importlib import import_module

from actlab.activations.activation import Elementary

FAMILIES = (
    "rectifiers",
    "hard",
    "smooth_rectifiers",
    "sigmoids",
    "logarithms",
    "gated",
    "self_gated",
    "periodic",
    "polynomial",
    "learned",
    "splines",
    "biology",
    "capped",
    "steps",
)
"""The modules that define activations, in the order of `ZOO`."""


def _members(module: str) -> dict[str, Elementary]:
    values = vars(import_module(f"actlab.activations.{module}")).values()
    return {v.name: v for v in values if isinstance(v, Elementary)}


ZOO: dict[str, Elementary] = {name: act for family in FAMILIES for name, act in _members(family).items()}
"""All scalar activations by name."""

ALIASES: dict[str, str] = {
    "abs": "absolute",
    "arcsinh": "asinh",
    "atan": "arctan",
    "b_spline": "cubic_spline",
    "exp": "exponential",
    "gelu_erf": "gelu",
    "gelu_exact": "gelu",
    "gelu_new": "gelu_tanh",
    "hard_silu": "hard_swish",
    "hardshrink": "hard_shrink",
    "hardsigmoid": "hard_sigmoid",
    "hardswish": "hard_swish",
    "hardtanh": "hard_tanh",
    "kan_spline": "cubic_spline",
    "leakyrelu": "leaky_relu",
    "linear": "identity",
    "logistic": "sigmoid",
    "logsigmoid": "log_sigmoid",
    "rational": "pau",
    "rbf": "gaussian",
    "silu": "swish",
    "soft_sign": "softsign",
    "softshrink": "soft_shrink",
    "symlog": "symmetric_log",
    "tanhshrink": "tanh_shrink",
}
"""Other names of the same function in torch, keras, jax and the papers."""
