"""Long runs: chunked equals unchunked, resumed equals uninterrupted, and what goes wrong is named."""

import functools
import gc
import io
import os
import resource
import shutil
import signal
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from actlab.training import (
    CheckpointError,
    NotFiniteError,
    Preempted,
    RunFolderError,
    fit,
    make_mesh,
    read_metrics,
    run_folder,
    train,
)
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
EVERY_CHUNK = {"chunk": 3, "save_seconds": 0.0}
long_run = functools.partial(train, graphdef=GRAPHDEF, state=STATE, data=X, key=KEY, steps=10, **EVERY_CHUNK, **OPTIONS)


def raw(tree):
    return [
        jax.random.key_data(v) if jnp.issubdtype(v.dtype, jax.dtypes.prng_key) else v for v in jax.tree.leaves(tree)
    ]


def assert_same_bits(a, b) -> None:
    jax.tree.map(np.testing.assert_array_equal, raw(a), raw(b))


class Killed(Exception):
    pass


def flip(path):
    """Changes one bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


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


def test_the_best_checkpoint_is_kept_too(tmp_path) -> None:
    result = long_run(tmp_path, keep=1, best="loss")
    means = {end: result.metrics["loss"][start:end].mean() for start, end in ((0, 3), (3, 6), (6, 9), (9, 10))}
    kept = {10, min(means, key=means.get)}
    assert {int(p.name) for p in (tmp_path / "checkpoints").iterdir()} == kept


def test_a_best_metric_that_is_not_reported_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="best = 'accuracy' is none of the metrics: loss"):
        long_run(tmp_path, best="accuracy")


def test_keeping_no_checkpoint_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="keep = 0 must be at least 1"):
        Checkpoints(tmp_path, keep=0)


members = functools.partial(train, graphdef=GRAPHDEF, state=STATES, data=X, key=KEYS, steps=6, chunk=3, **OPTIONS)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    return members(tmp_path_factory.mktemp("both"))


def test_an_ensemble_survives_a_kill(both, tmp_path) -> None:
    with pytest.raises(Killed):
        members(tmp_path, progress=kill_at(3))
    assert_same_bits(members(tmp_path, resume=True).state, both.state)
    assert both.metrics["loss"].shape == (6, 2)
    solo = jax.jit(lambda k: fit(GRAPHDEF, STATE, X, k, steps=6, **OPTIONS))(KEYS[1])
    np.testing.assert_allclose(both.metrics["loss"][:, 1], solo.metrics["loss"], atol=1e-5)


def test_a_run_moves_to_other_devices_and_agrees_to_rounding(both, tmp_path, quick_compilation) -> None:
    """Killed on 2 x 2 devices, resumed on 1 x 4: equal to one device all along, the optimizer's state too."""
    with pytest.raises(Killed):
        members(tmp_path, mesh=make_mesh(2, 2), progress=kill_at(3))
    moved = members(tmp_path, mesh=make_mesh(1, 4), resume=True)
    assert len(jax.tree.leaves(moved.state.params)[0].sharding.device_set) == 4
    np.testing.assert_allclose(moved.metrics["loss"], both.metrics["loss"], atol=1e-6)
    for part in ("params", "opt_state"):
        a, b = getattr(moved.state, part), getattr(both.state, part)
        jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-5), a, b)
    with pytest.raises(ValueError, match="2 members cannot be divided among the 4 devices"):
        members(tmp_path, mesh=make_mesh(4))


def poisoned(model, batch, key):
    """Member 1 (it is marked) has an infinite loss, gradient and metric from its fifth step on."""
    late = (model.calls[...] >= 4) & (model.mark[...] > 0)
    value = loss(model, batch, key) * jnp.where(late, jnp.inf, 1.0)
    return value, {"noise": jnp.where(late, jnp.inf, 0.0)}


class Marked(Net):
    def __init__(self, rngs):
        super().__init__(rngs)
        self.mark = nnx.BatchStat(jnp.zeros(()))


def poisoned_run(folder, marks=(0.0, 1.0), **options):
    graphdef, state = nnx.split(Marked(nnx.Rngs(0)))
    states = jax.tree.map(lambda v: jnp.stack([v, v]), state)
    states["mark"][...] = jnp.array(marks)
    options = {**OPTIONS, "loss": poisoned, "steps": 9, **EVERY_CHUNK, "seeds": (11, 12), **options}
    return train(folder, graphdef, states, X, KEYS, **options)


def test_nan_watch_names_metric_step_member_and_seed(tmp_path) -> None:
    with pytest.raises(NotFiniteError, match=r"loss is not finite at step 4 in member 1 \(seed 12\)") as caught:
        poisoned_run(tmp_path, diverged="stop")
    assert (caught.value.step, caught.value.metric, caught.value.member, caught.value.seed) == (4, "loss", 1, 12)
    assert caught.value.array == "metric loss (step 4)"
    assert len(read_metrics(tmp_path / "metrics.jsonl")["loss"]) == 4
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["3"]


def test_healthy_members_go_on_when_asked_with_the_bits_they_had(tmp_path, caplog) -> None:
    result = poisoned_run(tmp_path / "a", diverged="go on")
    healthy = poisoned_run(tmp_path / "b", (0.0, 0.0))
    np.testing.assert_array_equal(result.metrics["loss"][:, 0], healthy.metrics["loss"][:, 0])
    assert np.isfinite(result.metrics["loss"][:, 0]).all()
    assert np.isnan(result.metrics["loss"][4:, 1]).all()
    assert "loss is not finite at step 4 in member 1 (seed 12); the other members go on" in caplog.text


def test_data_that_is_not_finite_is_named_before_the_first_step(tmp_path) -> None:
    with pytest.raises(NotFiniteError, match=r"data is not finite, first in 0.x, row 3;"):
        long_run(tmp_path, data=({"x": X.at[3].set(jnp.nan)},))


def test_data_without_rows_is_refused_as_such(tmp_path) -> None:
    with pytest.raises(ValueError, match="the same, non-empty leading axis"):
        long_run(tmp_path, data=jnp.zeros((0, 1)))


def test_a_gradient_that_is_not_finite_is_named(tmp_path) -> None:
    """The root's slope at zero is infinite; the loss itself is finite."""

    def steep(model, batch, key):
        return loss(model, batch, key) + jnp.sqrt(jnp.sum(model.last.bias[...]) ** 2)

    with pytest.raises(NotFiniteError, match=r"first in gradient of last.bias \(step 0\);") as caught:
        long_run(tmp_path, loss=steep)
    assert (caught.value.step, caught.value.metric) == (1, "loss")


def test_nan_watch_sees_parameters_that_the_loss_does_not_show_yet(tmp_path) -> None:
    with pytest.raises(NotFiniteError, match="parameters is not finite at step 0, first in first.bias"):
        long_run(tmp_path, steps=1, optimizer=optax.sgd(float("inf")))


def test_a_folder_with_a_run_is_not_overwritten(whole) -> None:
    with pytest.raises(RunFolderError, match="holds a run at step 10; resume it"):
        long_run(whole[0])


def test_a_longer_run_is_not_returned_for_a_shorter_one(whole) -> None:
    before = (whole[0] / "metrics.jsonl").read_bytes()
    with pytest.raises(RunFolderError, match="holds a run at step 10, which is beyond steps = 6.*ask for 10 steps"):
        long_run(whole[0], steps=6, resume=True)
    assert (whole[0] / "metrics.jsonl").read_bytes() == before


def test_arrays_of_one_name_are_refused(tmp_path) -> None:
    from contextlib import closing

    with closing(Checkpoints(tmp_path)) as checkpoints:
        with pytest.raises(CheckpointError, match=r"two arrays .* named 'a.b'"):
            checkpoints.save(1, {"a": {"b": jnp.zeros(2)}, "a.b": jnp.ones(2)})
        assert checkpoints.steps() == []


def test_a_folder_that_cannot_be_written(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match="cannot be written"):
        long_run(tmp_path / "file" / "run")


def test_a_damaged_checkpoint_costs_a_chunk_and_changes_no_bit(whole, tmp_path, caplog) -> None:
    shutil.copytree(whole[0], tmp_path / "run")
    newest = tmp_path / "run" / "checkpoints" / "10"
    largest = max((p for p in newest.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    flip(largest)
    (tmp_path / "run" / "checkpoints" / "12").mkdir()
    resumed = long_run(tmp_path / "run", resume=True)
    assert_same_bits(resumed.state, whole[1].state)
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == (whole[0] / "metrics.jsonl").read_bytes()
    assert sorted(p.name for p in (tmp_path / "run" / "damaged").iterdir()) == ["10", "12"]
    name = largest.relative_to(newest).as_posix()
    assert f"checkpoints/10 is damaged ({name} has other bytes than were written)" in caplog.text
    assert "going on from step 9" in caplog.text
    assert "checkpoints/12 is no checkpoint" in caplog.text


def test_nothing_sound_is_an_error_that_names_every_step(whole, tmp_path) -> None:
    shutil.copytree(whole[0], tmp_path / "run")
    for step in ("6", "9", "10"):
        (tmp_path / "run" / "checkpoints" / step / "manifest.json").unlink()
    with pytest.raises(CheckpointError, match=r"no sound checkpoint \(step 10: manifest.json is missing; step 9"):
        long_run(tmp_path / "run", resume=True)
    assert not (tmp_path / "run" / "damaged").exists()


# TensorStore's threads report to an event loop that Orbax closed when the save failed.
abandoned = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def collected():
    """What a failed save left behind is collected in the test that it belongs to, not in the next one."""
    yield
    gc.collect()


@abandoned
@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize("gone", ["run", "run/checkpoints"])
def test_a_folder_that_disappears_during_the_run(tmp_path, gone) -> None:
    def delete(p):
        time.sleep(0.5)  # the save under way ends first
        shutil.rmtree(tmp_path / gone)

    with pytest.raises(RunFolderError, match="was deleted"):
        long_run(tmp_path / "run", progress=delete)


@abandoned
@pytest.mark.usefixtures("collected")
def test_a_full_disk_leaves_the_earlier_checkpoints(whole, tmp_path) -> None:
    """A limit on the size of files stands for the disk: writing fails in the same place."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(p):
        if p.step == 6:  # lets the save of this step, which is under way, end first
            while not (tmp_path / "checkpoints/6").exists():
                time.sleep(0.01)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1200, limits[1]))

    try:
        with pytest.raises((CheckpointError, RunFolderError), match="intact") as caught:
            long_run(tmp_path, progress=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value)
    rest = tmp_path / "checkpoints/9.orbax-checkpoint-tmp"
    rest.mkdir(exist_ok=True)  # is left where the thread of Orbax that would remove it is late: here always
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["3", "6", rest.name]
    assert_same_bits(long_run(tmp_path, resume=True).state, whole[1].state)
    assert not rest.exists()


def test_the_second_writer_refuses(whole, tmp_path) -> None:
    def second(p):
        with pytest.raises(RunFolderError, match=f"in use by process {os.getpid()} on"):
            long_run(tmp_path, resume=True)
        raise Killed

    with pytest.raises(Killed):
        long_run(tmp_path, progress=second)
    assert_same_bits(long_run(tmp_path, resume=True).state, whole[1].state)


def test_sigterm_saves_and_asks_to_be_started_again(whole, tmp_path, caplog) -> None:
    def told(p):
        if p.step == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Preempted) as caught:
        long_run(tmp_path, progress=told)
    assert (caught.value.step, caught.value.code) == (9, 75)  # the chunk that was under way
    assert "saved at step 9; resume to go on" in caplog.text
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert Checkpoints(tmp_path / "checkpoints").latest() == 9
    assert_same_bits(long_run(tmp_path, resume=True).state, whole[1].state)


def test_a_chunk_that_takes_too_long_is_given_up(tmp_path, monkeypatch) -> None:
    left = []
    monkeypatch.setattr("actlab.training.preemption.GRACE", 0.05)
    monkeypatch.setattr("os._exit", left.append)

    def told(p):
        if p.step == 6:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.5)

    with pytest.raises(Preempted):
        long_run(tmp_path, progress=told)
    assert left == [75]


def test_a_handler_of_the_users_own_stays(tmp_path) -> None:
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append(1))
    try:
        long_run(tmp_path, steps=3, progress=lambda p: os.kill(os.getpid(), signal.SIGTERM))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [1]


@abandoned
@pytest.mark.usefixtures("collected")
def test_a_folder_deleted_under_a_save(tmp_path) -> None:
    checkpoints = Checkpoints(run_folder(tmp_path / "c"))
    checkpoints.save(1, {"a": jnp.zeros(1000)})
    (tmp_path / "c").rename(tmp_path / "gone")
    with pytest.raises((RunFolderError, CheckpointError), match="was deleted|could not be written"):
        checkpoints.close()


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
