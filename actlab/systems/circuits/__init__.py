"""Gene circuits: promoters composed of regulation curves, the pulses they make, their noise, and what slopes prove."""

from actlab.systems.circuits.certificates import Verdict, no_oscillation, reachable
from actlab.systems.circuits.circuit import Circuit, CircuitError, Gene, Regulation, circuit
from actlab.systems.circuits.design import Design, design_pulse, design_times, infer, least_squares, random_start
from actlab.systems.circuits.hill import (
    hill_of_log,
    log_sensitivity,
    log_sensitivity_bounds,
    steepest,
    steepest_between,
)
from actlab.systems.circuits.laws import (
    Hopf,
    delay_hopf,
    loop_log_gain,
    loop_log_gain_bounds,
    ring_hopf,
    toggle_threshold,
)
from actlab.systems.circuits.measures import (
    Adaptation,
    Pulse,
    adaptation,
    half_way_time,
    log_sensitivities,
    pulse,
)
from actlab.systems.circuits.motifs import (
    LOOPS,
    autoregulation,
    feed_forward_loop,
    hill_curve,
    kind,
    loop_of,
    repressilator,
    ring,
    simple_regulation,
    toggle_switch,
)
from actlab.systems.circuits.response import Response, logistic_curve, response
from actlab.systems.circuits.sbml import to_sbml
from actlab.systems.circuits.simulation import (
    Trajectory,
    log_gain,
    simulate,
    simulate_delayed,
    steady_state,
)
from actlab.systems.circuits.stochastic import (
    birth_death,
    birth_death_law,
    burst_fano,
    fano,
    reactions_of,
    transcription_translation,
)
from actlab.systems.circuits.stripe import Stripe, stripe
from actlab.systems.circuits.sweep import Pulses, sweep

__all__ = [
    "LOOPS",
    "Adaptation",
    "Circuit",
    "CircuitError",
    "Design",
    "Gene",
    "Hopf",
    "Pulse",
    "Pulses",
    "Regulation",
    "Response",
    "Stripe",
    "Trajectory",
    "Verdict",
    "adaptation",
    "autoregulation",
    "birth_death",
    "birth_death_law",
    "burst_fano",
    "circuit",
    "delay_hopf",
    "design_pulse",
    "design_times",
    "fano",
    "feed_forward_loop",
    "half_way_time",
    "hill_curve",
    "hill_of_log",
    "infer",
    "kind",
    "least_squares",
    "log_gain",
    "log_sensitivities",
    "log_sensitivity",
    "log_sensitivity_bounds",
    "loop_log_gain",
    "loop_log_gain_bounds",
    "loop_of",
    "logistic_curve",
    "no_oscillation",
    "pulse",
    "random_start",
    "reachable",
    "reactions_of",
    "repressilator",
    "response",
    "ring",
    "ring_hopf",
    "simple_regulation",
    "simulate",
    "simulate_delayed",
    "steady_state",
    "steepest",
    "steepest_between",
    "stripe",
    "sweep",
    "to_sbml",
    "toggle_switch",
    "toggle_threshold",
    "transcription_translation",
]
