"""Time: integration of differential equations, events along trajectories, delays, reactions that fire at random."""

from actlab.dynamics.cycles import Cycle, CycleError, Shooting, flow
from actlab.dynamics.delayed import DelayError, rk4_delayed
from actlab.dynamics.equilibrium import equilibrium
from actlab.dynamics.events import Event, crossing, extreme
from actlab.dynamics.fixed_step import Field, rk4, rk4_fold, rk4_step
from actlab.dynamics.leaping import langevin, tau_leaping
from actlab.dynamics.least_squares import Fit, least_squares
from actlab.dynamics.linear_noise import LinearNoise, linear_noise
from actlab.dynamics.ode import Solution, integrate
from actlab.dynamics.reactions import Counts, Reactions
from actlab.dynamics.recurrence import linear_recurrence, unrolling
from actlab.dynamics.roots import RootError, Roots, all_roots
from actlab.dynamics.ssa import Runs, ssa

__all__ = [
    "Counts",
    "Cycle",
    "CycleError",
    "DelayError",
    "Event",
    "Field",
    "Fit",
    "LinearNoise",
    "Reactions",
    "RootError",
    "Roots",
    "Runs",
    "Shooting",
    "Solution",
    "all_roots",
    "crossing",
    "equilibrium",
    "extreme",
    "flow",
    "integrate",
    "langevin",
    "least_squares",
    "linear_noise",
    "linear_recurrence",
    "rk4",
    "rk4_delayed",
    "rk4_fold",
    "rk4_step",
    "ssa",
    "tau_leaping",
    "unrolling",
]
