"""Vector activations against slow, independent definitions, and their facts on random pairs."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

import actlab.activations as al

RNG = np.random.default_rng(0)
ALL = {
    "glu": al.glu,
    "reglu": al.reglu,
    "geglu": al.geglu,
    "swiglu": al.swiglu,
    "bilinear": al.bilinear,
    "maxmin": al.maxmin,
    "groupsort": al.groupsort(3),
    "crelu": al.crelu,
    "householder": al.householder([0.3, -2.0, 0.7]),
    "softmax": al.softmax,
    "softmin": al.softmin,
    "log_softmax": al.log_softmax,
    "sparsemax": al.sparsemax,
    "entmax(1.2)": al.entmax(1.2),
    "entmax(1.5)": al.entmax(1.5),
    "entmax(2.5)": al.entmax(2.5),
}
SIMPLEX = [name for name, act in ALL.items() if act.facts.sum_to_one]


@pytest.fixture(scope="module")
def points():
    """Pairs near to and far from each other, of six features, with outputs and Jacobians, in float64."""
    with jax.enable_x64(True):
        x = RNG.normal(size=(400, 6)) * RNG.choice([0.1, 1.0, 5.0], size=(400, 1))
        y = x + RNG.normal(size=x.shape) * RNG.choice([1e-3, 1.0], size=(400, 1))
        run = jax.jit(lambda x: {k: (f(x), jax.vmap(jax.jacobian(f))(x)) for k, f in ALL.items()})
        return x, y, jax.device_get(run(jnp.asarray(x))), jax.device_get(run(jnp.asarray(y)))


@pytest.mark.parametrize("name", ALL)
def test_facts_hold_on_random_pairs(points, name):
    x, y, at_x, at_y = points
    facts, (out, jacobian) = ALL[name].facts, at_x[name]
    assert out.shape[-1] == 6 * facts.outputs_per_input
    assert (out >= facts.range.lower).all()
    assert (out <= facts.range.upper + 1e-12).all()
    ratio = np.linalg.norm(out - at_y[name][0], axis=-1) / np.linalg.norm(x - y, axis=-1)
    norms = np.linalg.norm(jacobian, 2, axis=(-2, -1))
    assert ratio.max() <= facts.lipschitz + 1e-9
    assert norms.max() <= facts.lipschitz + 1e-9
    if facts.lipschitz_on is not None:
        bound = np.array([facts.lipschitz_on(float(r)) for r in np.abs(x).max(axis=-1)])
        assert (norms <= bound).all()
    if facts.sum_to_one:
        np.testing.assert_allclose(out.sum(-1), 1, rtol=1e-12)
    if facts.gradient_norm_preserving:
        identity = np.swapaxes(jacobian, -1, -2) @ jacobian
        np.testing.assert_allclose(identity, np.broadcast_to(np.eye(6), identity.shape), atol=1e-12)
    else:
        assert abs(norms - 1).max() > 1e-3


def test_lipschitz_constants_are_attained():
    for act, x in (
        (al.softmax, [1.0, 1.0, -300.0]),
        (al.sparsemax, [0.1, 0.0, -3.0]),
        (al.entmax(2.0), [0.1, 0.0, -3.0]),
    ):
        norm = np.linalg.norm(jax.jacobian(act)(jnp.asarray(x)), 2)
        np.testing.assert_allclose(norm, act.facts.lipschitz, rtol=1e-6)


def test_units_by_their_definitions():
    x = jnp.asarray(RNG.normal(size=(7, 6)), jnp.float32)
    a, b = x[:, :3], x[:, 3:]
    np.testing.assert_allclose(al.glu(x), jax.nn.glu(x), rtol=1e-6)
    np.testing.assert_allclose(al.reglu(x), a * jax.nn.relu(b), rtol=1e-6)
    np.testing.assert_allclose(al.geglu(x), a * jax.nn.gelu(b, approximate=False), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(al.swiglu(x), a * jax.nn.silu(b), rtol=1e-6)
    np.testing.assert_allclose(al.bilinear(x), a * b, rtol=1e-6)
    np.testing.assert_allclose(al.softmin(x), jax.nn.softmax(-x), rtol=1e-6)
    np.testing.assert_allclose(al.log_softmax(x), jax.nn.log_softmax(x), rtol=1e-6)
    np.testing.assert_array_equal(al.groupsort(3)(x), np.sort(x.reshape(7, 2, 3), -1).reshape(7, 6))
    np.testing.assert_array_equal(al.maxmin(x), -np.sort(-x.reshape(7, 3, 2), -1).reshape(7, 6))
    np.testing.assert_allclose(al.householder([1.0, -1.0])(x), al.maxmin(x), atol=1e-6)
    np.testing.assert_array_equal(al.crelu(x), np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)], -1))


def projection_by_brute_force(z):
    """The nearest point of the simplex: of all supports, the one whose candidate is feasible and nearest."""
    best = None
    for size in range(1, len(z) + 1):
        for support in itertools.combinations(range(len(z)), size):
            p = np.zeros(len(z))
            p[list(support)] = z[list(support)] + (1 - z[list(support)].sum()) / size
            if (p >= 0).all() and (best is None or ((p - z) ** 2).sum() < ((best - z) ** 2).sum()):
                best = p
    return best


def entmax_by_roots(z, alpha):
    """The threshold by Brent's method, in float64."""

    def masses(threshold):
        return np.maximum((alpha - 1) * z - threshold, 0) ** (1 / (alpha - 1))

    top = (alpha - 1) * z.max()
    return masses(brentq(lambda t: masses(t).sum() - 1, top - 1, top, xtol=1e-16, rtol=8.9e-16))


def test_sparsemax_is_the_projection(points):
    x, _, at_x, _ = points
    np.testing.assert_allclose(at_x["sparsemax"][0][:60], [projection_by_brute_force(z) for z in x[:60]], atol=1e-12)
    exact = al.sparsemax(jnp.asarray([0.5, 0.2, 0.1, -0.9]))
    np.testing.assert_allclose(exact, [0.5 + 0.2 / 3, 0.2 + 0.2 / 3, 0.1 + 0.2 / 3, 0.0], rtol=1e-6)
    assert exact[3] == 0


@pytest.mark.parametrize("alpha", [1.2, 1.5, 2.5])
def test_entmax_solves_its_equation(points, alpha):
    x, _, at_x, _ = points
    slow = np.array([entmax_by_roots(z, alpha) for z in x[:100]])
    np.testing.assert_allclose(at_x[f"entmax({alpha})"][0][:100], slow, atol=1e-11)


def test_entmax_joins_softmax_and_sparsemax(float64):
    x = jnp.asarray(RNG.normal(size=(50, 6)))
    np.testing.assert_allclose(al.entmax(2.0)(x), al.sparsemax(x), atol=1e-12)
    np.testing.assert_allclose(al.entmax(1.0001)(x), al.softmax(x), atol=1e-3)


@pytest.mark.parametrize("name", ["sparsemax", "entmax(1.2)", "entmax(1.5)", "entmax(2.5)"])
def test_closed_form_derivatives_match_differences(points, name, float64):
    x, _, at_x, _ = points
    smooth = np.array([v for v in range(60) if (at_x[name][0][v][at_x[name][0][v] > 0] > 1e-2).all()])
    x, step, act = x[smooth], 1e-6, jax.jit(ALL[name])
    for i in range(6):
        e = step * np.eye(6)[i]
        numeric = (act(jnp.asarray(x + e)) - act(jnp.asarray(x - e))) / (2 * step)
        inside = np.abs(numeric - at_x[name][1][smooth][..., i]).max(axis=-1) < 1e-6
        assert inside.mean() > 0.9  # save where the step crosses into another support


def test_entmax_differentiates_in_alpha_and_twice(float64):
    x = jnp.asarray([0.3, 0.1, -0.2, -3.0])
    f = jax.jit(lambda alpha: al.entmax(alpha)(x))
    step = 1e-6
    numeric = (f(1.6 + step) - f(1.6 - step)) / (2 * step)
    np.testing.assert_allclose(jax.jacobian(f)(jnp.asarray(1.6)), numeric, rtol=1e-6, atol=1e-8)
    slope = jax.jit(jax.jacobian(al.entmax(1.5)))
    hessian = jax.jit(jax.jacobian(jax.jacobian(al.entmax(1.5))))(x)
    numeric = np.stack([(slope(x + e) - slope(x - e)) / 2e-6 for e in 1e-6 * np.eye(4)], -1)
    np.testing.assert_allclose(hessian, numeric, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_finite_for_any_finite_logits(dtype):
    big = float(jnp.finfo(dtype).max)
    rows = [[big, -big, 0, 1, big, -big], [-big] * 6, [big] * 6, [0.0] * 6, [big, 0, 0, 0, 0, 0], [1, 2, 3, 4, 5, 6]]
    x = jnp.asarray(rows, dtype)
    run = jax.jit(lambda x: {k: (ALL[k](x), jax.grad(lambda v, k=k: jnp.sum(ALL[k](v)[:, 0]))(x)) for k in SIMPLEX})
    for name, (p, gradient) in run(x).items():
        assert p.dtype == dtype
        assert np.isfinite(np.asarray(p, np.float32)).all(), name
        assert np.isfinite(np.asarray(gradient, np.float32)).all(), name
        total = np.asarray(p, np.float32).sum(-1)
        np.testing.assert_allclose(total, 1, atol=6 * float(jnp.finfo(dtype).eps), err_msg=name)


def test_axis_and_batched_parameters():
    x = jnp.asarray(RNG.normal(size=(6, 4, 2)), jnp.float32)
    np.testing.assert_allclose(
        al.sparsemax.along(0)(x), jnp.moveaxis(al.sparsemax(jnp.moveaxis(x, 0, -1)), -1, 0), rtol=1e-6
    )
    alphas = jnp.array([1.3, 1.7])
    batched = jax.vmap(lambda alpha: al.entmax(alpha)(x))(alphas)
    np.testing.assert_allclose(batched[1], al.entmax(1.7)(x), atol=1e-6)
    learned = jax.grad(lambda v: jnp.sum(al.householder(v)(x.reshape(8, 6)) ** 3))(jnp.array([0.3, 1.0, -0.5]))
    assert np.isfinite(learned).all()
    assert np.abs(learned).max() > 0


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: al.glu(jnp.ones((2, 3))), ValueError, "even number"),
        (lambda: al.groupsort(4)(jnp.ones((2, 6))), ValueError, "groups of 4"),
        (lambda: al.groupsort(1), ValueError, "size = 1"),
        (lambda: al.softmax(jnp.arange(3)), TypeError, "floating"),
        (lambda: al.softmax.along(2)(jnp.ones(3)), ValueError, "axis 2"),
        (lambda: al.entmax(1.0), ValueError, "softmax"),
        (lambda: al.householder([0.0, 0.0]), ValueError, "other than 0"),
        (lambda: al.householder([1.0]), ValueError, "at least 2"),
    ],
)
def test_refusals(call, error, says):
    with pytest.raises(error, match=says):
        call()
