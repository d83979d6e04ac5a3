"""The zoo's proved enclosures beside the truth, and how long they take; a user's function in both tiers.

python benchmarks/proofs.py [--tier proved] [--samples 1000000] [NAME ...]

The truth is the declared fact: a closed form, or a constant found in high precision. Of each finite end of range, slope
and curvature the excess is how much farther out the proved one lies, relative to max(1, |truth|); a negative excess
beyond the rounding of the declaration would be a wrong proof, and so would an executed value, in float64, outside.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np

import actlab.activations as al
from actlab.proofs import Certificate, prove
from actlab.proofs.executed import value_and_slope

QUANTITIES = ("range", "slope", "curvature")
ROUNDING = 1e-13
"""Declared bounds are float64 numbers of formulas."""
EXECUTED = 1e-9
"""Relative: what float64 execution may add of its own."""


def excess(certificate: Certificate, declared: al.Facts) -> dict[str, float]:
    """By quantity, how much farther out than the truth the worse end is; NaN where no truth is declared."""
    found = {}
    for what in QUANTITIES:
        truth, proved = getattr(declared, what), getattr(certificate.claims, what)
        if truth is None:
            found[what] = math.nan
            continue
        ends = []
        for sign, side in ((-1.0, "lower"), (1.0, "upper")):
            t, p = float(getattr(truth, side)), float(getattr(proved, side))
            ends.append(0.0 if t == p else sign * (p - t) / max(1.0, abs(t)) if math.isfinite(t) else math.inf)
        found[what] = min(ends) if min(ends) < -ROUNDING else max(ends)
    return found


def outside(certificate: Certificate, act: al.Activation, count: int) -> int:
    """Samples whose executed value or slope leaves the proved range or slope by more than rounding."""
    generator = np.random.default_rng(0)
    powers = 10.0 ** generator.uniform(-12, 12, count // 4)
    x = np.concatenate([generator.uniform(-20, 20, count // 2), powers, -powers])
    with jax.enable_x64(True):
        value, slope = map(np.asarray, jax.jit(value_and_slope(act))(jnp.asarray(x)))
    wrong = 0
    for bounds, v in ((certificate.claims.range, value), (certificate.claims.slope, slope)):
        slack = EXECUTED * np.maximum(1.0, np.abs(v))
        wrong += int(((v < bounds.lower - slack) | (v > bounds.upper + slack)).sum())
    return wrong


def users_function(x):
    """A gate that nobody has declared anything of."""
    return jnp.where(x > 0, x * jnp.tanh(jnp.log1p(jnp.exp(x))), jnp.sin(x) * jnp.exp(x))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(al.ZOO))
    parser.add_argument("--tier", choices=("fast", "proved"), default="fast")
    parser.add_argument("--samples", type=int, default=1_000_000)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)
    within = undeclared = wrong = 0
    total = used = 0.0
    print(
        f"{'activation':20}{'s':>7}{'boxes':>7}  {'excess of range':>16}{'slope':>10}{'curvature':>11}  samples outside"
    )
    for name in arguments.names:
        act = al.ZOO[name]
        begin, cpu = time.perf_counter(), time.process_time()
        certificate = prove(name, tier=arguments.tier)
        seconds = time.perf_counter() - begin
        total, used = total + seconds, used + time.process_time() - cpu
        e, out = excess(certificate, act.facts), outside(certificate, act, arguments.samples)
        worst = max(e.values())
        undeclared += math.isnan(sum(e.values()))
        within += worst <= 1e-9
        wrong += min(e.values()) < -ROUNDING or (out > 0 and act.facts.gradient == "exact")
        cells = f"{e['range']:16.1e}{e['slope']:10.1e}{e['curvature']:11.1e}"
        print(f"{name:20}{seconds:7.2f}{len(certificate.cover) - 1:7d}  {cells}  {out}", flush=True)
    print(
        f"{len(arguments.names)} activations, {arguments.tier} tier: {within} within 1e-9 of the truth, {wrong} wrong, "
        f"{undeclared} without a declared truth; {total:.1f} s of proofs ({used:.1f} s of CPU)"
    )
    for tier in ("fast", "proved"):
        begin, cpu = time.perf_counter(), time.process_time()
        boxes = len(prove(users_function, tier=tier).cover) - 1
        seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
        print(f"a user's function, {tier}: {seconds:.2f} s ({cpu:.2f} s of CPU), {boxes} boxes")


if __name__ == "__main__":
    main()
