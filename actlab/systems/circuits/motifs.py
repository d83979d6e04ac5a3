"""Network motifs: simple regulation, feed-forward loops, autoregulation, toggle switch, rings of repressors."""

from __future__ import annotations

from typing import Any, Literal

import actlab.activations as al
from actlab.activations import Activation
from actlab.systems.circuits.circuit import Circuit, Gate, Gene, Regulation, circuit

Loop = Literal["C1", "C2", "C3", "C4", "I1", "I2", "I3", "I4"]
LOOPS: dict[str, tuple[int, int, int]] = {
    "C1": (1, 1, 1),
    "C2": (-1, 1, -1),
    "C3": (1, -1, -1),
    "C4": (-1, -1, 1),
    "I1": (1, -1, 1),
    "I2": (-1, -1, -1),
    "I3": (1, 1, -1),
    "I4": (-1, 1, 1),
}
"""The signs of X -> Y, Y -> Z and X -> Z (Mangan & Alon 2003, figure 1). Coherent where the third is the product of the
first two."""


def hill_curve(sign: int, n: Any = 2.0, K: Any = 1.0) -> Activation:
    """Hill activation (+1) or repression (-1)."""
    return (al.hill if sign > 0 else al.hill_repression).bind(n=n, K=K)


def feed_forward_loop(
    loop: Loop,
    *,
    gate: Gate = "and",
    n: Any = 2.0,
    K_xy: Any = 1.0,
    K_xz: Any = 1.0,
    K_yz: Any = 1.0,
    production: Any = 1.0,
    basal: Any = 0.0,
    removal: Any = 1.0,
) -> Circuit:
    """X regulates Y and Z, and Y regulates Z.

    Args:
        loop: "C1" to "C4" coherent, "I1" to "I4" incoherent.
        gate: how Z's promoter joins X and Y.
        n: Hill coefficient of all three arrows.
        K_xy: half-saturation of X -> Y, in X's concentration.
        K_xz: of X -> Z, likewise.
        K_yz: of Y -> Z, in Y's concentration.
        production: largest rate of Y and of Z.
        basal: rate of Y and of Z with an inactive promoter.
        removal: of Y and of Z.

    Raises:
        ValueError: no such loop.
    """
    if loop not in LOOPS:
        raise ValueError(f"no feed-forward loop {loop!r}; the loops are: {', '.join(LOOPS)}")
    xy, yz, xz = (hill_curve(s, n, K) for s, K in zip(LOOPS[loop], (K_xy, K_yz, K_xz), strict=True))
    return loop_of(xy, yz, xz, gate=gate, production=production, basal=basal, removal=removal)


def loop_of(
    xy: Activation,
    yz: Activation,
    xz: Activation,
    *,
    gate: Gate = "and",
    production: Any = 1.0,
    basal: Any = 0.0,
    removal: Any = 1.0,
) -> Circuit:
    """A feed-forward loop of any three regulation curves; their directions make its kind."""
    rates = {"production": production, "basal": basal, "removal": removal}
    y = Gene("Y", (Regulation("X", xy),), **rates)
    z = Gene("Z", (Regulation("X", xz), Regulation("Y", yz)), gate, **rates)
    return circuit(y, z, inputs=("X",))


def kind(loop: Circuit) -> str:
    """Which of the eight a feed-forward loop of X, Y and Z is, by the signs of its curves."""
    signs = loop.signs
    return {v: k for k, v in LOOPS.items()}[signs["X", "Y"], signs["Y", "Z"], signs["X", "Z"]]


def simple_regulation(n: Any = 2.0, K: Any = 1.0, production: Any = 1.0, removal: Any = 1.0) -> Circuit:
    """X activates Z: half-way in ln 2 / removal after a step of X."""
    z = Gene("Z", (Regulation("X", hill_curve(1, n, K)),), production=production, removal=removal)
    return circuit(z, inputs=("X",))


def autoregulation(
    curve: Activation, production: Any = 1.0, basal: Any = 0.0, removal: Any = 1.0, delay: float = 0.0
) -> Circuit:
    """A gene Y that regulates itself: negative (faster, quieter; with a delay it may oscillate) or positive."""
    y = Gene("Y", (Regulation("Y", curve, delay),), production=production, basal=basal, removal=removal)
    return circuit(y)


def toggle_switch(
    n: Any = 2.0, K: Any = 1.0, production: Any = 4.0, removal: Any = 1.0, curve: Activation | None = None
) -> Circuit:
    """U and V repress each other (Gardner, Cantor & Collins 2000).

    Symmetric with n = 2, K = 1 and removal 1 it has two stable states above production 2; see `toggle_threshold`.

    Args:
        n: Hill coefficient.
        K: half-saturation.
        production: largest rate of either.
        removal: of either.
        curve: in place of the Hill repression of n and K.
    """
    curve = hill_curve(-1, n, K) if curve is None else curve
    rates = {"production": production, "removal": removal}
    return circuit(Gene("U", (Regulation("V", curve),), **rates), Gene("V", (Regulation("U", curve),), **rates))


def ring(curve: Activation, genes: int = 3, production: Any = 1.0, basal: Any = 0.0, removal: Any = 1.0) -> Circuit:
    """Genes R1, R2, ... of which each is regulated by the one before, the first by the last; proteins only."""
    names = [f"R{i + 1}" for i in range(genes)]
    rates = {"production": production, "basal": basal, "removal": removal}
    return circuit(*(Gene(name, (Regulation(names[i - 1], curve),), **rates) for i, name in enumerate(names)))


def repressilator(n: Any = 2.0, production: Any = 216.0, leak: Any = 0.216, protein_rate: Any = 5.0) -> Circuit:
    """Three repressors with mRNA: m' = -m + production/(1 + p^n) + leak, p' = -protein_rate (p - m).

    Time in mRNA lifetimes, concentrations in K (Elowitz & Leibler 2000, box 1).
    """
    names, curve = ("lacI", "tetR", "cI"), hill_curve(-1, n)
    rates = {"production": production, "basal": leak, "removal": protein_rate, "translation": protein_rate}
    return circuit(*(Gene(name, (Regulation(names[i - 1], curve),), **rates) for i, name in enumerate(names)))
