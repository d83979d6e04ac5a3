"""The table of all activations that the laws are tested on, evaluated once, as one compiled program, in float64."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

import actlab.activations as al

VARIANTS = {
    "leaky_relu": [{"negative_slope": 0.2}, {"negative_slope": -0.5}, {"negative_slope": 0.0}, {"negative_slope": 1.0}],
    "prelu": [{"alpha": 1.5}],
    "threshold": [{"threshold": 0.5, "value": 2.0}, {"threshold": -1.0, "value": -1.0}],
    "hard_tanh": [{"lower": -2.0, "upper": 0.5}],
    "elu": [{"alpha": 2.0}, {"alpha": -0.5}],
    "celu": [{"alpha": 0.3}],
    "softplus": [{"beta": 3.0}],
    "squareplus": [{"b": 0.3}],
    "isru": [{"alpha": 3.0}],
    "isrlu": [{"alpha": 0.2}],
    "swish": [{"beta": 2.5}, {"beta": -1.5}, {"beta": 0.0}],
    "aptx": [{"beta": 0.7, "gamma": 1.3}],
    "plu": [{"alpha": 0.4, "c": 2.0}],
    "natural_log_relu": [{"beta": 1.7}],
    "sine": [{"omega": 1.7}],
    "snake": [{"a": 0.4}],
    "hill": [{"n": 1.0, "K": 2.0}, {"n": 1.5, "K": 0.5}, {"n": 0.7}, {"n": 3.0, "K": 0.6}, {"n": 8.0}],
    "hill_repression": [{"n": 4.0, "K": 1.5}],
    "naka_rushton": [{"R_max": 50.0, "n": 2.6, "sigma": 0.3}],
    "boltzmann": [{"V_half": -2.0, "k": 0.6}],
    "smooth_step": [{"gamma": 3.0}],
    "pau": [
        {"numerator": np.array([0.03, 0.62, 2.38, 3.07, 1.52, 0.25]), "denominator": np.array([1.19, 4.41, 0.91, 0.35])}
    ],
    "xielu": [{"alpha_p": 0.3, "alpha_n": 0.2}, {"alpha_n": 1.6, "beta": -0.4}, {"alpha_n": 0.5}],
    "linear_spline": [
        {"coefficients": np.array([-1.5, -1.2, 0.3, 0.1, 2.0, 2.0]), "radius": 2.0},
        {"coefficients": np.array([-2.0, -1.0, -0.9, 0.1, 2.0])},
    ],
    "cubic_spline": [
        {"coefficients": np.array([0.5, 0.5, -1.0, 0.1, 2.0, -0.4, -0.4]), "radius": 4.0},
        {"coefficients": np.array([-2.0, -1.0, -0.9, 0.1, 2.0, 2.1])},
    ],
    "soft_cap": [{"width": 4.0}, {"width": 0.3}],
}

CASES = dict(al.ZOO)
for _name, _bindings in VARIANTS.items():
    for _binding in _bindings:
        CASES[f"{_name}({', '.join(f'{k}={v}' for k, v in _binding.items())})"] = al.ZOO[_name].bind(**_binding)

EXACT = {name: act for name, act in CASES.items() if act.facts.gradient == "exact"}


def kinks(act: al.Activation) -> np.ndarray:
    return np.asarray([float(k) for k in act.facts.kinks or ()])


def grid() -> np.ndarray:
    """Dense on [-12, 12], geometric up to 1e8, and every kink of any activation with its two neighbours."""
    far = np.geomspace(1e-12, 1e8, 401)
    special = np.unique(np.concatenate([kinks(a) for a in CASES.values()]))
    gap = 1e-13 * np.maximum(1, np.abs(special))  # not the next float: next to 0 it is subnormal, which reads as 0
    near = [special, special + gap, special - gap]
    return np.unique(np.concatenate([np.linspace(-12, 12, 48001), far, -far, *near]))


GRID = grid()


def away(act: al.Activation, distance: float) -> np.ndarray:
    """The points of the grid at least so far from every kink."""
    gap = np.min([np.abs(GRID - k) for k in kinks(act)], axis=0, initial=math.inf) if kinks(act).size else np.inf
    return np.broadcast_to(np.asarray(gap) > distance, GRID.shape)


def raw(act: al.Elementary):
    """The formula of f itself, without its closed-form derivatives."""
    parameters = {k: jnp.asarray(v, jnp.float64) for k, v in act.parameters.items()}
    return functools.partial(act.definition.derivatives[0], **parameters)


def derivative(f, x):
    return jax.jvp(f, (x,), (jnp.ones_like(x),))[1]


STEP = 1e-5


def portrait(act: al.Elementary, x) -> dict:
    """f, f', f'', f''', the autodiff of the raw formula, and central differences."""
    near = jnp.stack([x, x + STEP, x - STEP])  # each formula once, at all three: a third of the program to compile
    found = {"range": act(near), "slope": act.slope(near), "curvature": act.curvature(near)}
    differences = {name: (after - before) / (2 * STEP) for name, (_, after, before) in found.items()}
    return {
        **{name: values[0] for name, values in found.items()},
        "third": derivative(act.curvature, x),
        "autodiff": derivative(raw(act), x),
        "slope by differences": differences["range"],
        "curvature by differences": differences["slope"],
        "third by differences": differences["curvature"],
    }


@functools.cache
def portraits() -> dict[str, dict[str, np.ndarray]]:
    """One compiled program for the whole table."""
    with jax.enable_x64(True):
        run = jax.jit(lambda x: {name: portrait(act, x) for name, act in CASES.items()})
        return jax.device_get(run(jnp.asarray(GRID)))


def overflows(reference, dtype):
    """Where the real result, rounded, exceeds the dtype."""
    return np.abs(reference) > float(jnp.finfo(dtype).max) * (1 - float(jnp.finfo(dtype).eps))


def stride(step: int, start: int = 0) -> np.ndarray:
    """Every step-th float32 by bit pattern, the finite ones."""
    numbers = np.arange(start, 2**32, step, dtype=np.int64).astype(np.uint32).view(np.float32)
    return numbers[np.isfinite(numbers)]
