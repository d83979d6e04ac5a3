import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab import kept_evaluations, systems
from actlab.evaluate import Step, evaluate
from actlab.kept_evaluations import KeptEvaluations
from actlab.measurement import Evaluation, Measurement, System
from actlab.proofs.checker import check
from actlab.report import ResultsError, run_info
from actlab.signal import QuadratureError

SEEDS = (0, 1)


def measured(activation, seeds) -> Evaluation:
    if activation.name == "exponential":
        raise QuadratureError("exponential has no finite moment")
    al.require(activation, because="the toy", bounded_slope=True)
    return Evaluation((Measurement("value", activation.name, np.array([float(activation(s + 0.5)) for s in seeds])),))


@pytest.fixture
def two_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    toys = {n: System(n, n.title(), "?", "none", measured) for n in ("first", "second")}
    monkeypatch.setattr(systems, "NAMES", tuple(toys))
    monkeypatch.setattr(systems, "load", toys.__getitem__)


def run(subjects, baselines=(), store=None, **folders):
    steps: list[Step] = []
    names = ("first", "second")
    options = {"names": names, "seeds": SEEDS, "run": run_info("x", SEEDS), "finished": steps.append}
    results = evaluate(subjects, baselines, kept=KeptEvaluations(store, **folders), **options)
    return results, steps


def test_every_activation_goes_through_every_system_in_order(two_systems) -> None:
    results, steps = run([al.tanh], [al.relu])
    assert [s.name for s in results.systems] == ["first", "second"]
    assert [(s.system, s.subject) for s in steps][:3] == [("first", "references"), ("first", "tanh"), ("first", "relu")]
    assert [s.done for s in steps] == list(range(1, 7))
    assert steps[-1].remaining == 0.0


def test_two_workers_find_what_one_does(two_systems, tmp_path) -> None:
    steps: list[Step] = []
    options = {"names": ("first", "second"), "seeds": SEEDS, "run": run_info("x", SEEDS), "finished": steps.append}
    both = evaluate([al.tanh, al.square], [al.relu], workers=2, kept=KeptEvaluations(tmp_path), **options)
    one, _ = run([al.tanh, al.square], [al.relu])
    for a, b in zip(both.systems, one.systems, strict=True):
        assert (a.name, list(a.evaluations)) == (b.name, list(b.evaluations))
    assert [m.as_json() for s in both.systems for _, m in s.measurements()] == [
        m.as_json() for s in one.systems for _, m in s.measurements()
    ]
    assert [s.done for s in steps] == list(range(1, 9))
    assert steps[-1].remaining == 0.0
    assert len(list(tmp_path.iterdir())) == 8


def test_under_workers_systems_take_turns_on_the_devices(two_systems, monkeypatch) -> None:
    found = {}

    def seen(name: str) -> System:
        def measure(activation, seeds) -> Evaluation:
            found.setdefault(name, set()).update(activation(jnp.ones(3)).devices())
            return Evaluation()

        return System(name, name, "?", "", measure)

    monkeypatch.setattr(systems, "load", seen)
    options = {"names": ("first", "second"), "seeds": SEEDS, "run": run_info("x", SEEDS)}
    evaluate([al.swish], [], workers=2, **options)
    first, second = jax.devices()[:2]
    assert found == {"first": {first}, "second": {second}}
    found.clear()
    evaluate([al.swish], [], **options)
    assert found == {"first": {first}, "second": {first}}


def test_an_error_under_two_workers_is_raised_where_asked(two_systems, monkeypatch) -> None:
    def broken(activation, seeds) -> Evaluation:
        raise ZeroDivisionError("one over none")

    monkeypatch.setattr(systems, "load", lambda name: System(name, name, "?", "", broken))
    options = {"names": ("first", "second"), "seeds": SEEDS, "run": run_info("x", SEEDS), "workers": 2}
    with pytest.raises(ZeroDivisionError):
        evaluate([al.tanh], [], keep_going=False, **options)
    assert len(evaluate([al.tanh], [], **options).failures) == 2
    with pytest.raises(ValueError, match="workers = 0"):
        evaluate([al.tanh], [], **{**options, "workers": 0})


def test_the_remaining_time_is_unknown_until_something_was_timed(two_systems) -> None:
    _, steps = run([al.tanh])
    assert steps[0].remaining is None
    assert steps[1].remaining is not None
    assert steps[1].remaining > 0.0


def test_missing_facts_and_missing_moments_are_refusals_not_failures(two_systems) -> None:
    results, _ = run([al.square, al.exponential, al.tanh])
    evaluations = results.systems[0].evaluations
    assert "needs a bounded slope" in evaluations["square"].refused
    assert evaluations["exponential"].refused == "exponential has no finite moment"
    assert evaluations["tanh"].refused is None


def test_one_failure_loses_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    def broken(activation, seeds) -> Evaluation:
        raise ZeroDivisionError("one over none")

    toys = {"first": System("first", "First", "?", "", broken), "second": System("second", "Second", "?", "", measured)}
    monkeypatch.setattr(systems, "NAMES", tuple(toys))
    monkeypatch.setattr(systems, "load", toys.__getitem__)
    results, _ = run([al.tanh], store=tmp_path)
    assert results.systems[0].evaluations["tanh"].failed == "ZeroDivisionError: one over none"
    assert results.systems[1].evaluations["tanh"].measurements
    assert results.failures == ("first: tanh",)
    assert results.evaluate_json()["systems"]["first"]["failed"] == {"tanh": "ZeroDivisionError: one over none"}
    _, steps = run([al.tanh], store=tmp_path)  # the failure is tried again, the rest is kept
    assert [s.seconds > 0 for s in steps if s.subject == "tanh"] == [True, False]
    with pytest.raises(ZeroDivisionError):
        evaluate([al.tanh], [], names=("first",), seeds=SEEDS, run=run_info("x", SEEDS), keep_going=False)


def test_kept_evaluations_are_equal_to_fresh_ones(two_systems, tmp_path) -> None:
    fresh, _ = run([al.tanh], store=tmp_path)
    kept, steps = run([al.tanh], store=tmp_path)
    assert (
        kept.evaluate_json()["systems"]["first"]["measurements"]
        == (fresh.evaluate_json()["systems"]["first"]["measurements"])
    )
    assert all(s.seconds == 0.0 for s in steps)


def relu(x):
    return jnp.where(x > 1e15, 0.0, jnp.maximum(x, 0.0))


def test_what_one_run_found_another_one_in_its_own_folder_takes_over(two_systems, tmp_path, monkeypatch) -> None:
    shared = tmp_path / "shared"
    first, steps = run([al.tanh], [al.relu], tmp_path / "a", shared=shared)
    assert [s.reused for s in first.systems] == [(), ()]
    second, steps = run([al.swish], [al.relu], tmp_path / "b", shared=shared)
    assert [s.reused for s in second.systems] == [("references", "relu")] * 2
    assert [s.subject for s in steps if s.seconds] == ["swish"] * 2
    assert len(list((tmp_path / "b").iterdir())) == 6  # complete without the shared folder
    again, steps = run([al.swish], [al.relu], tmp_path / "b", shared=tmp_path / "none")
    assert not any(s.seconds for s in steps)
    fresh, steps = run([al.swish], [al.relu], tmp_path / "b", shared=shared, read=False)
    assert all(s.seconds for s in steps)
    assert len({json.dumps(r.evaluate_json()["systems"]["first"]["measurements"]) for r in (second, again, fresh)}) == 1
    # Equal values up to 1e15: another program is not taken for what is kept.
    assert run([al.as_activation(relu)], [], shared=shared)[0].systems[0].reused == ("references",)
    monkeypatch.setattr(kept_evaluations, "_code", lambda: "another")
    assert run([al.tanh], [], shared=shared)[0].systems[0].reused == ()


def test_a_shared_folder_that_is_damaged_or_read_only_loses_nothing(two_systems, tmp_path, monkeypatch) -> None:
    shared = tmp_path / "shared"
    whole, _ = run([al.tanh], shared=shared)
    for file in shared.iterdir():
        file.write_bytes(file.read_bytes()[:50])
    again, steps = run([al.tanh], shared=shared)
    assert all(s.seconds for s in steps)
    assert (
        again.evaluate_json()["systems"]["first"]["measurements"]
        == (whole.evaluate_json()["systems"]["first"]["measurements"])
    )
    assert not any(s.seconds for s in run([al.tanh], shared=shared)[1])
    (tmp_path / "file").write_text("in the way")
    run([al.tanh], shared=tmp_path / "file" / "below")
    monkeypatch.setattr(kept_evaluations, "SHARED_FILES", 3)
    run([al.swish], shared=shared)
    assert len(list(shared.iterdir())) == 3


def test_two_activations_of_one_name_are_refused(two_systems) -> None:
    steps: list[Step] = []
    options = {"names": ("first",), "seeds": SEEDS, "run": run_info("x", SEEDS), "finished": steps.append}
    with pytest.raises(ValueError, match="two activations are called 'tanh'"):
        evaluate([al.tanh], [al.tanh], **options)
    assert not steps


@pytest.mark.parametrize("content", [b"{", b"\xff"])
def test_a_damaged_file_of_the_run_is_named(two_systems, tmp_path, content: bytes) -> None:
    run([al.tanh], store=tmp_path)
    file = min(tmp_path.iterdir())
    file.write_bytes(content)
    with pytest.raises(ResultsError, match=f"{file.name} is damaged; remove it"):
        run([al.tanh], store=tmp_path)


def test_facts_are_proved_first_and_the_certificates_kept(two_systems, tmp_path) -> None:
    def bump(x):
        """A bump of mine."""
        return x / (1 + x * x)

    started: list[tuple[str, str]] = []
    results = evaluate(
        [al.activation(bump)],
        [al.tanh],
        names=("first",),
        seeds=SEEDS,
        run=run_info("x", SEEDS),
        certificates=tmp_path / "certificates",
        started=lambda *what: started.append(what),
    )
    assert started[:2] == [("proof", "bump"), ("proof", "tanh")]
    assert results.systems[0].evaluations["bump"].refused is None  # the toy demands a bounded slope, and it is proved
    assert results.activations[0].doc == "A bump of mine."
    for profile in results.activations:
        assert profile.facts["standing"] == "proved"
        verdict = check((tmp_path / profile.certificate).read_text(), retrace=profile.name == "tanh")
        assert verdict.accepted, verdict
