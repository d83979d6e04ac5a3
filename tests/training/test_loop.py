"""Long runs: chunked equals unchunked, resumed equals uninterrupted, and what goes wrong is named."""

import functools
import io
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from actlab.training import CheckpointError, NotFiniteError, RunFolderError, fit, read_metrics, train
from actlab.training.checkpoint import Checkpoints
from actlab.training.progress import Pace, Progress, Terminal

X = jnp.linspace(-2, 2, 10)[:, None]
KEY = jax.random.key(2)


class Net(nnx.Module):
    def __init__(self, rngs):
        self.first, self.last = nnx.Linear(1, 4, rngs=rngs), nnx.Linear(4, 1, rngs=rngs)
        self.calls = nnx.BatchStat(jnp.zeros((), jnp.int32))

    def __call__(self, x):
        self.calls[...] += 1
        return self.last(jnp.tanh(self.first(x)))


def loss(model, batch, key):
    return jnp.mean((model(batch + 0.1 * jax.random.normal(key, ())) - jnp.abs(batch)) ** 2)


GRAPHDEF, STATE = nnx.split(Net(nnx.Rngs(0)))
OPTIONS = {"loss": loss, "optimizer": optax.adam(1e-2), "batch_size": 4}
KEYS = jax.random.split(KEY, 2)
STATES = jax.tree.map(lambda v: jnp.stack([v, v]), STATE)
long_run = functools.partial(train, graphdef=GRAPHDEF, state=STATE, data=X, key=KEY, steps=10, chunk=3, **OPTIONS)


def raw(tree):
    return [
        jax.random.key_data(v) if jnp.issubdtype(v.dtype, jax.dtypes.prng_key) else v for v in jax.tree.leaves(tree)
    ]


def assert_same_bits(a, b) -> None:
    jax.tree.map(np.testing.assert_array_equal, raw(a), raw(b))


class Killed(Exception):
    pass


def kill_at(step):
    def progress(p):
        if p.step >= step:
            raise Killed

    return progress


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return folder, long_run(folder)


def test_chunked_equals_unchunked_to_rounding(whole) -> None:
    solo = jax.jit(lambda k: fit(GRAPHDEF, STATE, X, k, steps=10, **OPTIONS))(KEY)
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-7), whole[1].state.params, solo.state.params
    )
    np.testing.assert_allclose(whole[1].metrics["loss"], np.asarray(solo.metrics["loss"], np.float64), rtol=1e-5)
    assert int(whole[1].model().calls[...]) == 10


@pytest.mark.parametrize("step", [3, 6])
def test_resumed_equals_uninterrupted_bit_for_bit(whole, tmp_path, step) -> None:
    with pytest.raises(Killed):
        long_run(tmp_path, progress=kill_at(step))
    with (tmp_path / "metrics.jsonl").open("a") as file:  # written after the last checkpoint, the last line cut off
        file.write('{"step": 7, "loss": 9.0}\n{"step": 8, "lo')
    resumed = long_run(tmp_path, resume=True)
    assert_same_bits(resumed.state, whole[1].state)
    assert (tmp_path / "metrics.jsonl").read_bytes() == (whole[0] / "metrics.jsonl").read_bytes()


def test_the_last_checkpoints_are_kept(whole) -> None:
    assert sorted(int(p.name) for p in (whole[0] / "checkpoints").iterdir()) == [6, 9, 10]


def test_resuming_a_finished_run_returns_it(whole) -> None:
    again = long_run(whole[0], resume=True)
    assert_same_bits(again.state, whole[1].state)
    np.testing.assert_array_equal(again.metrics["loss"], whole[1].metrics["loss"])


def test_an_ensemble_survives_a_kill(tmp_path) -> None:
    run = functools.partial(train, graphdef=GRAPHDEF, state=STATES, data=X, key=KEYS, steps=6, chunk=3, **OPTIONS)
    whole = run(tmp_path / "a")
    with pytest.raises(Killed):
        run(tmp_path / "b", progress=kill_at(3))
    assert_same_bits(run(tmp_path / "b", resume=True).state, whole.state)
    assert whole.metrics["loss"].shape == (6, 2)
    solo = jax.jit(lambda k: fit(GRAPHDEF, STATE, X, k, steps=6, **OPTIONS))(KEYS[1])
    np.testing.assert_allclose(whole.metrics["loss"][:, 1], solo.metrics["loss"], atol=1e-5)


def poisoned(model, batch, key):
    """Member 1 (its noise key differs) reports infinity from its fifth step on."""
    value = loss(model, batch, key)
    late = model.calls[...] > 4
    return value, {"noise": jnp.where(late & (model.mark[...] > 0), jnp.inf, 0.0)}


class Marked(Net):
    def __init__(self, rngs):
        super().__init__(rngs)
        self.mark = nnx.BatchStat(jnp.zeros(()))


def test_nan_watch_names_metric_step_member_and_seed(tmp_path) -> None:
    graphdef, state = nnx.split(Marked(nnx.Rngs(0)))
    states = jax.tree.map(lambda v: jnp.stack([v, v]), state)
    states["mark"][...] = jnp.array([0.0, 1.0])
    with pytest.raises(NotFiniteError, match=r"noise is not finite at step 4 in member 1 \(seed 12\)") as caught:
        train(tmp_path, graphdef, states, X, KEYS, steps=9, chunk=3, seeds=(11, 12), **{**OPTIONS, "loss": poisoned})
    assert (caught.value.step, caught.value.metric, caught.value.member, caught.value.seed) == (4, "noise", 1, 12)
    assert len(read_metrics(tmp_path / "metrics.jsonl")["loss"]) == 4
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["3"]


def test_nan_watch_sees_parameters_that_the_loss_does_not_show_yet(tmp_path) -> None:
    with pytest.raises(NotFiniteError, match="parameters is not finite at step 0;"):
        long_run(tmp_path, steps=1, optimizer=optax.sgd(float("inf")))


def test_a_folder_with_a_run_is_not_overwritten(whole) -> None:
    with pytest.raises(RunFolderError, match="holds a run at step 10; resume it"):
        long_run(whole[0])


def test_a_folder_that_cannot_be_written(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match="cannot be written"):
        long_run(tmp_path / "file" / "run")


def test_a_damaged_checkpoint_is_one_clear_error(whole, tmp_path) -> None:
    shutil.copytree(whole[0], tmp_path / "run")
    for file in (tmp_path / "run" / "checkpoints" / "10").rglob("*"):
        if file.is_file() and "d" in file.parent.name:
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(CheckpointError, match=r"checkpoints/10 cannot be read .* go on from step 9") as caught:
        long_run(tmp_path / "run", resume=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("saved", "wanted", "message"),
    [
        ({"a": jnp.zeros(2)}, {"a": jnp.zeros(2, jnp.bfloat16)}, r"a is float32\(2,\), the run has bfloat16\(2,\)"),
        ({"a": jnp.zeros(2)}, {"a": jnp.zeros(3)}, r"a is float32\(2,\), the run has float32\(3,\)"),
        ({"a": jnp.zeros(2)}, {"b": jnp.zeros(2)}, "a is unknown to the run; b is missing"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, saved, wanted, message) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, saved)
    with pytest.raises(CheckpointError, match=message):
        checkpoints.restore(wanted)
    checkpoints.close()


def test_no_checkpoint(tmp_path) -> None:
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        Checkpoints(tmp_path).restore({})


def test_bad_chunk(tmp_path) -> None:
    with pytest.raises(ValueError, match="chunk = 0"):
        long_run(tmp_path, chunk=0)


def test_remaining_time_leaves_the_compilation_out(monkeypatch) -> None:
    clock = iter([100.0, 101.0, 103.0])  # the first chunk took 100 s
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    pace = Pace(50)
    assert [pace.seconds_left(s) for s in (10, 20, 40)] == [None, 3.0, 1.0]


def test_plain_lines_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    show = Terminal(stream, interval=1000.0)
    for step in (10, 20, 30):
        show(Progress(step, 30, None if step == 10 else 1.0, {"loss": 0.25}))
    assert stream.getvalue().splitlines() == [
        "step 10/30, time left not yet known, loss 0.25",
        "step 30/30, 1 s left, loss 0.25",
    ]


def test_a_bar_in_a_terminal() -> None:
    stream = io.StringIO()
    stream.isatty = lambda: True
    show = Terminal(stream)
    for step in (10, 30):
        show(Progress(step, 30, 1.0, {"loss": 0.25}))
    assert "step 30/30" in stream.getvalue()
