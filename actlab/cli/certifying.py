"""`actlab certify`: what can be proved of a function, and what could not."""

from __future__ import annotations

import argparse
import json
import math
import sys
from typing import Any

from actlab.activations import Activation, Facts, Interval, resolve
from actlab.config import ConfigError
from actlab.proofs import Certificate, certify


def main(arguments: argparse.Namespace) -> int:
    """Proves, prints the facts or JSON, and writes the certificate.

    Raises:
        ActivationLookupError, NotElementwiseError: a function that cannot be found or used.
        UnsupportedPrimitiveError, UndefinedError: a function that nothing can be proved of, and why.
        ConfigError: a domain whose ends are not finite or not in order, or --exhaustive without --audit.
        OSError: the file cannot be written.
    """
    domain = None if arguments.domain is None else tuple(arguments.domain)
    if domain is not None and not (all(map(math.isfinite, domain)) and domain[0] < domain[1]):
        raise ConfigError(f"--domain {domain[0]:g} {domain[1]:g}: two finite numbers, the lower first")
    if arguments.exhaustive and not arguments.audit:
        raise ConfigError("--exhaustive says how to audit; add --audit")
    proved = certify(arguments.activation, domain=domain, order=arguments.order, tier=arguments.tier)
    if arguments.out:
        proved.certificate.save(arguments.out)
    audit = _audit(resolve(arguments.activation), proved.facts, arguments.exhaustive) if arguments.audit else None
    if arguments.json:
        print(json.dumps(_object(proved, audit), indent=2))
    else:
        print("\n".join([*_lines(proved.certificate), *(audit["lines"] if audit else [])]))
    if arguments.out:
        print(f"certificate: {arguments.out}", file=sys.stderr)
    return 0


def _object(proved: Any, audit: dict[str, Any] | None) -> dict[str, Any]:
    from actlab.report import describe

    found = describe(proved.inner, portrait=False).as_json()
    return {**found, "facts": proved.facts.as_json()} | ({"audit": audit["data"]} if audit else {})


def _lines(c: Certificate) -> list[str]:
    everywhere = c.domain == (-3.4028234663852886e38, 3.4028234663852886e38)
    where = "every finite float32" if everywhere else f"[{c.domain[0]:g}, {c.domain[1]:g}]"
    how = f"Arb, {c.precision} bits" if c.tier == "proved" else "outward-rounded float64, C library assumed to 8 ulp"
    said = c.claims
    rows = [("range", said.range), ("slope", said.slope), ("curvature", said.curvature)]
    lines = [f"{c.name} on {where}: proved of its {c.of} ({how}; {len(c.cover) - 1} boxes)"]
    lines += [f"  {name:<11}{_interval(bounds)}" for name, bounds in rows if bounds is not None]
    continuous = {True: "yes", False: "no: it jumps", None: "not known"}[said.continuous]
    smooth = "not known" if said.smoothness is None else "all derivatives" if math.isinf(said.smoothness) else None
    lines += [
        f"  {'monotone':<11}{said.monotone}",
        f"  {'continuous':<11}{continuous}",
        f"  {'smoothness':<11}{smooth or (said.smoothness if said.smoothness != -1 else 'jumps')}",
        f"  {'kinks':<11}{'not known' if said.kinks is None else ', '.join(f'{k:.9g}' for k in said.kinks) or 'none'}",
    ]
    return lines + [f"  not proved: {note}" if "holds; attained" in note else f"  note: {note}" for note in c.notes]


def _interval(bounds: Interval) -> str:
    return f"[{float(bounds.lower):.12g}, {float(bounds.upper):.12g}]"


def _audit(activation: Activation, facts: Facts, exhaustive: bool) -> dict[str, Any]:
    """The derivative rule, and the executed function in three dtypes."""
    import jax.numpy as jnp

    from actlab.proofs.derivative_audit import audit_derivative
    from actlab.proofs.float_audit import audit_floats

    rule = audit_derivative(activation)
    data: dict[str, Any] = {"derivative": rule.as_json()}
    lines = [f"  derivative rule: {rule}"]
    for dtype in (jnp.bfloat16, jnp.float16, jnp.float32):
        found = audit_floats(activation, dtype, exhaustive=exhaustive or None)
        data[found.dtype] = found.as_json()
        lines.append(f"  {found.text(facts.slope, facts.monotone)}")
    return {"data": data, "lines": lines}
