"""Each method against its closed form, on steps small enough to write down; and what each does to a stream."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import actlab.activations as al
from actlab.systems.continual import (
    Batch,
    Classifier,
    ContinualError,
    Heads,
    Labelled,
    Network,
    Schedule,
    Step,
    a_gem,
    continual_backprop,
    cross_entropy,
    diagonal_fisher,
    dot,
    ewc,
    gradient_products,
    l2_init,
    learn,
    learning_without_forgetting,
    naive,
    old_outputs_loss,
    opened,
    replay,
    shrink_and_perturb,
    split,
    synaptic_intelligence,
    transfer,
    without_conflict,
)

HEADS = Heads("class", 3, 2)
CLASSIFIER = Classifier(Network.of((4, 5, 6), "tanh"), HEADS)


def batch(key: int, task: int = 1, rows: int = 7) -> Batch:
    of_x, of_y = jax.random.split(jax.random.key(key))
    label = jax.random.randint(of_y, (rows,), 0, 2)
    tasks = jnp.full(rows, task)
    return Batch(jax.random.normal(of_x, (rows, 4)), HEADS.target(tasks, label), tasks)


def normal_like(tree, key: int):
    leaves, form = jax.tree.flatten(tree)
    keys = jax.random.split(jax.random.key(key), len(leaves))
    return form.unflatten([jax.random.normal(k, v.shape, v.dtype) for k, v in zip(keys, leaves, strict=True)])


def assert_close(found, expected, **tolerance) -> None:
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, **({"rtol": 2e-5, "atol": 1e-6} | tolerance))


def test_the_fisher_information_is_that_of_brute_force_gradients() -> None:
    @jax.jit
    def both(parameters, examples):
        def log_likelihood(parameters, x, c):
            logits = opened(CLASSIFIER.logits(parameters, x[None]), HEADS.open(jnp.array([1]), 1))
            return jax.nn.log_softmax(logits)[0, c]

        def one(x, c):
            value, gradient = jax.value_and_grad(log_likelihood)(parameters, x, c)
            return jax.tree.map(lambda g: jnp.exp(value) * g**2, gradient)

        labels = jnp.arange(4)  # the outputs of tasks 0 and 1: those that count
        each = jax.vmap(jax.vmap(one, (None, 0)), (0, None))(examples.x, labels)
        brute = jax.tree.map(lambda v: v.sum(1).mean(0), each)
        return diagonal_fisher(CLASSIFIER, parameters, examples, 1), brute

    found, brute = both(CLASSIFIER.network.start(jax.random.key(0)), batch(1))
    assert_close(found, brute)
    assert float(found[-1].kernel[:, :4].min()) > 0
    np.testing.assert_array_equal(found[-1].kernel[:, 4:], 0)


def test_penalties_are_the_gradients_of_their_quadratics() -> None:
    """EWC after two tasks against the sum of two penalties; L2-init against its penalty."""

    @jax.jit
    def both(parameters):
        first, second = (jax.tree.map(jnp.add, parameters, normal_like(parameters, k)) for k in (1, 2))
        examples = batch(3), batch(4, task=0)
        method, strength = ewc(0.7, samples=7), 0.7
        memory = method.start(CLASSIFIER, parameters)
        for at, given in zip((first, second), examples, strict=True):
            _, memory = method.after_task(CLASSIFIER, at, memory, lambda key, count, b=given: b, 1, jax.random.key(0))
        fishers = [diagonal_fisher(CLASSIFIER, at, b, 1) for at, b in zip((first, second), examples, strict=True)]

        def total(p):
            held = 0.0
            for at, fisher in zip((first, second), fishers, strict=True):
                apart = jax.tree.map(jnp.subtract, p, at)
                held += strength / 2 * dot(fisher, jax.tree.map(jnp.square, apart))
            return CLASSIFIER.see(p, batch(5), 1).loss + held

        def nearby(p):
            return CLASSIFIER.see(p, batch(5), 1).loss + 0.3 * sum(jnp.sum((a - b) ** 2) for a, b in pairs(p, first))

        def pairs(a, b):
            return zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)

        seen = CLASSIFIER.see(parameters, batch(5), 1)
        rest = (CLASSIFIER, parameters)
        return (
            (method.gradient(*rest, memory, seen, batch(5), 1, None), jax.grad(total)(parameters)),
            (l2_init(0.3).gradient(*rest, first, seen, batch(5), 1, None), jax.grad(nearby)(parameters)),
        )

    for found, expected in both(CLASSIFIER.network.start(jax.random.key(0))):
        assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_path_integral_on_a_quadratic_is_its_decrease() -> None:
    """Loss a/2 (p - c)^2 in each parameter, many small steps: -integral of the gradient is what the loss fell by."""
    parameters = CLASSIFIER.network.start(jax.random.key(0))
    curvature = jax.tree.map(lambda v: jnp.exp(v), normal_like(parameters, 1))
    unused = jax.random.key(0)
    centre, method, rate = normal_like(parameters, 2), synaptic_intelligence(0.4), 1e-3

    @jax.jit
    def run(parameters):
        def step(carry, _):
            now_at, memory = carry
            gradient = jax.tree.map(lambda a, p, c: a * (p - c), curvature, now_at, centre)
            seen = CLASSIFIER.see(now_at, batch(0), 1)._replace(gradient=gradient)
            after = jax.tree.map(lambda p, g: p - rate * g, now_at, gradient)
            renewed = method.after_step(CLASSIFIER, Step(now_at, after, seen), memory, unused)
            return (renewed.parameters, renewed.memory), None

        memory = method.start(CLASSIFIER, parameters)
        (end, memory), _ = jax.lax.scan(step, (parameters, memory), length=2000)
        _, kept = method.after_task(CLASSIFIER, end, memory, None, 0, unused)
        seen = CLASSIFIER.see(parameters, batch(0), 1)
        return end, memory[0], kept, seen.gradient, method.gradient(CLASSIFIER, parameters, kept, seen, None, 1, unused)

    end, path, (new_path, importance, reference), plain, held = run(parameters)
    fell = jax.tree.map(lambda a, b, e, c: a / 2 * ((b - c) ** 2 - (e - c) ** 2), curvature, parameters, end, centre)
    assert_close(path, fell, rtol=0.02, atol=2e-4)
    omega = jax.tree.map(lambda w, b, e: w / ((e - b) ** 2 + 1e-3), path, parameters, end)
    assert_close(importance, omega, rtol=1e-4)
    assert_close(reference, end)
    assert float(sum(jnp.abs(v).sum() for v in jax.tree.leaves(new_path))) == 0
    expected = jax.tree.map(lambda g, o, b, e: g + 0.8 * o * (b - e), plain, omega, parameters, end)
    assert_close(held, expected, rtol=1e-4, atol=1e-5)


def test_distance_from_the_old_net_by_hand() -> None:
    rng = np.random.default_rng(0)
    found, wanted = (rng.normal(size=(3, 6)).astype(np.float32) for _ in range(2))

    def by_hand(columns):
        old, new = (np.exp(v[:, columns] / 2) for v in (wanted, found))
        old, new = old / old.sum(1, keepdims=True), new / new.sum(1, keepdims=True)
        return -4 * np.mean(np.sum(old * np.log(new), 1))

    of = lambda heads, now: float(old_outputs_loss(jnp.asarray(found), jnp.asarray(wanted), heads, now))  # noqa: E731
    np.testing.assert_allclose(of(HEADS, 2), by_hand([0, 1, 2, 3]), rtol=1e-5)
    task = Heads("task", 3, 2)
    np.testing.assert_allclose(of(task, 2), (by_hand([0, 1]) + by_hand([2, 3])) / 2, rtol=1e-5)
    assert of(task, 0) == 0


def test_a_projected_gradient_never_conflicts_and_is_the_nearest() -> None:
    a = CLASSIFIER.network.start(jax.random.key(0))
    for k in range(6):
        g, r = normal_like(a, k), normal_like(a, 10 + k)
        g = jax.tree.map(lambda g, r, k=k: g + (k - 2.5) * r, g, r)
        found = without_conflict(g, r)
        inner, size = float(dot(g, r)), float(dot(r, r))
        if inner >= 0:
            assert_close(found, g, rtol=0)
        else:
            assert_close(found, jax.tree.map(lambda g, r, c=inner / size: g - c * r, g, r))
            assert abs(float(dot(found, r))) < 1e-3 * abs(inner)
    assert_close(without_conflict(a, jax.tree.map(jnp.zeros_like, a)), a, rtol=0)


def test_a_renewed_unit_is_the_least_useful_and_the_net_goes_on_as_before() -> None:
    """A unit that is constant, of small weights, is replaced once mature: outputs stay, its moments are forgotten."""
    method = continual_backprop(rate=0.2, maturity=3, decay=0.5)
    layers = list(CLASSIFIER.network.start(jax.random.key(0)))
    first, last = layers
    first = first._replace(kernel=first.kernel.at[:, 2].set(0), bias=first.bias.at[2].set(0.5))
    parameters = (first, last._replace(kernel=last.kernel.at[2].set(1e-3)))
    seen = CLASSIFIER.see(parameters, batch(0), 1)

    @jax.jit
    def four_steps(parameters):
        memory, changes = method.start(CLASSIFIER, parameters), []
        for _ in range(5):
            renewed = method.after_step(CLASSIFIER, Step(parameters, parameters, seen), memory, jax.random.key(1))
            parameters, memory = renewed.parameters, renewed.memory
            changes.append((parameters, renewed.fresh, memory[0].age))
        return changes

    changes = four_steps(parameters)
    assert_close(changes[2][0], parameters, rtol=0)  # nobody is mature: nothing changes
    after, fresh, age = changes[3]  # 0.2 of 5 mature units: one is due
    np.testing.assert_array_equal(fresh[0].bias, [False, False, True, False, False])
    np.testing.assert_array_equal(fresh[0].kernel.sum(0), [0, 0, 4, 0, 0])
    np.testing.assert_array_equal(fresh[1].kernel.sum(1), [0, 0, 6, 0, 0])
    assert not np.any(fresh[1].bias)
    np.testing.assert_array_equal(after[1].kernel[2], 0)
    assert np.all(np.asarray(after[0].kernel[:, 2]) != 0)
    np.testing.assert_array_equal(age, [4, 4, 0, 4, 4])
    np.testing.assert_allclose(
        CLASSIFIER.logits(after, batch(0).x), CLASSIFIER.logits(parameters, batch(0).x), atol=1e-6
    )
    assert not np.any(changes[4][1][0].bias) or not bool(changes[4][1][0].bias[2])  # the new one is spared


METHODS = {
    "naive": lambda: naive(),
    "ewc": lambda: ewc(50.0, samples=32),
    "si": lambda: synaptic_intelligence(0.5),
    "lwf": lambda: learning_without_forgetting(),
    "replay": lambda: replay(20, 16),
    "a_gem": lambda: a_gem(20, 16),
    "l2_init": lambda: l2_init(1e-3),
    "shrink_and_perturb": lambda: shrink_and_perturb(0.8, 0.1),
    "continual_backprop": lambda: continual_backprop(0.01, 10),
}


def blobs() -> Labelled:
    """Six classes around six corners of a cube, far apart."""
    corners = 2.0 * np.array([[1, 1, 1, 1], [-1, 1, 1, 1], [1, -1, 1, 1], [1, 1, -1, 1], [-1, -1, 1, 1], [1, 1, 1, -1]])
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat(np.arange(6, dtype=np.int32), 40))
    x = jnp.asarray(corners[y] + 0.5 * rng.normal(size=(240, 4)), jnp.float32)
    return Labelled(x[60:], y[60:], x[:60], y[:60])


def test_every_method_on_a_small_stream_of_classes() -> None:
    """One program: naive forgets all but the last task's classes, rehearsal keeps them; the others are finite."""
    data = blobs()
    schedule = Schedule(steps=60, batch_size=16, parts=2)

    @jax.jit
    def run(key, data_x, data_x_test):
        stream = split(key, Labelled(data_x, data.y, data_x_test, data.y_test), 3, 2, 40, 10)
        classifier = Classifier(Network.of((4, 16, 6), al.tanh), HEADS)
        arguments = key, stream, classifier
        observe = gradient_products(classifier, stream, 10)
        return {
            name: learn(*arguments, make(), optax.adam(0.02), schedule, observe if name == "naive" else None)
            for name, make in METHODS.items()
        }

    runs = run(jax.random.key(0), data.x, data.x_test)
    found = {name: transfer(np.asarray(r.accuracy)) for name, r in runs.items()}
    accuracy = np.asarray(runs["naive"].accuracy)
    np.testing.assert_array_equal(accuracy[1, 1:], 0)  # classes not met yet are not open
    assert np.all(np.diag(accuracy[1:]) > 0.8)
    assert found["naive"].average < 0.5
    assert found["replay"].average > 0.85
    assert dot(runs["a_gem"].parameters, runs["naive"].parameters) != dot(*2 * [runs["naive"].parameters])
    assert runs["naive"].observed.shape == (3, 2, 3, 3)
    products = np.asarray(runs["naive"].observed)
    np.testing.assert_allclose(products, np.swapaxes(products, -1, -2), rtol=1e-5)
    for name, one in runs.items():
        assert np.all(np.isfinite(one.accuracy)), name
        assert one.online.shape == (3,)
        assert all(np.all(np.isfinite(v)) for v in jax.tree.leaves(one.parameters)), name


def test_a_run_that_does_not_fit_is_refused() -> None:
    data = blobs()
    stream = split(jax.random.key(0), data, 3, 2, 40, 10)
    ask = lambda classifier, schedule: learn(  # noqa: E731
        jax.random.key(0), stream, classifier, naive(), optax.sgd(0.1), schedule
    )
    for wrong, because in (
        (lambda: Schedule(10, 4, parts=3), "parts = 3"),
        (lambda: ask(CLASSIFIER, Schedule(10, 41)), "batch_size = 41"),
        (
            lambda: ask(Classifier(CLASSIFIER.network, Heads("class", 2, 3)), Schedule(1, 4)),
            "3 tasks, the heads are for 2",
        ),
        (lambda: ask(Classifier(Network.of((4, 3), "relu"), HEADS), Schedule(1, 4)), "4 inputs to 3 outputs"),
        (lambda: gradient_products(CLASSIFIER, stream, 41), "rows = 41"),
    ):
        with pytest.raises(ContinualError, match=because):
            wrong()


def test_loss_and_accuracy_of_a_batch_are_those_of_the_open_outputs() -> None:
    parameters, examples = CLASSIFIER.network.start(jax.random.key(0)), batch(0)
    logits = np.asarray(CLASSIFIER.logits(parameters, examples.x), np.float64)[:, :4]
    chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    seen = CLASSIFIER.see(parameters, examples, 1)
    rows = np.arange(7), np.asarray(examples.target)
    np.testing.assert_allclose(seen.loss, -np.log(chance[rows]).mean(), rtol=1e-5)
    np.testing.assert_allclose(seen.accuracy, np.mean(logits.argmax(1) == examples.target))
    assert np.all(np.asarray(seen.gradient[-1].bias)[4:] == 0)
    assert cross_entropy(jnp.zeros((2, 4)), jnp.array([0, 1])).shape == (2,)
    deviations = [float(layer.kernel.std()) for layer in Network.of((400, 300, 200), "relu").start(jax.random.key(0))]
    np.testing.assert_allclose(deviations, Network.of((400, 300, 200), "relu").deviations, rtol=0.02)
