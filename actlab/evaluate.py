"""Runs the systems' evaluations of activations, in order and resumably, and gathers their results."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import numpy as np

from actlab import systems
from actlab.activations import Activation, FactError
from actlab.config import ConfigError
from actlab.kept_evaluations import KeptEvaluations, evaluation_key, identity_of
from actlab.measurement import Evaluation, System
from actlab.proved_facts import ProvedFacts, prove_facts
from actlab.report import Profile, Results, RunInfo, SystemResults, describe
from actlab.signal import QuadratureError

NOTHING_KEPT = KeptEvaluations()
THREADS = "evaluation"
"""What the names of the threads begin with in which systems are evaluated."""


@dataclass(frozen=True)
class Step:
    """One evaluation finished or reused: what a progress display needs.

    Attributes:
        done: evaluations finished so far, this one included.
        total: evaluations in all.
        system: the system's name.
        subject: the activation's name, or "references".
        seconds: how long this one took; 0 where it was reused.
        remaining: expected seconds to the end; None until an evaluation has been timed.
    """

    done: int
    total: int
    system: str
    subject: str
    seconds: float
    remaining: float | None


def evaluate(
    subjects: Sequence[Activation],
    baselines: Sequence[Activation],
    *,
    names: Sequence[str] = systems.NAMES,
    seeds: Sequence[int],
    run: RunInfo,
    kept: KeptEvaluations = NOTHING_KEPT,
    certificates: Path | None = None,
    keep_going: bool = True,
    workers: int = 1,
    started: Callable[[str, str], None] = lambda system, subject: None,
    finished: Callable[[Step], None] = lambda step: None,
) -> Results:
    """Proves the facts of every activation and evaluates it in every system.

    An activation of which nothing can be proved is evaluated all the same, with the facts that it states. One that a
    system refuses is recorded as refused with the reason. Where an evaluation breaks off for another reason, it is
    recorded as failed, not kept, and the others go on.

    Args:
        subjects: the activations in question.
        baselines: those that they are compared with.
        names: the systems.
        seeds: the seeds of every evaluation; equal seeds pair the measurements.
        run: how the results came about.
        kept: where each finished evaluation is kept and from where it is reused; by default nothing is kept.
        certificates: folder into which the certificate of every proof is written; None keeps none.
        keep_going: False raises what makes an evaluation fail.
        workers: systems evaluated at the same time, each in a thread: a small evaluation is mostly compilation, which
            one core does. Where there are several devices the systems take turns on them. The numbers do not depend on
            it where the devices are alike.
        started: called before each evaluation with system and activation, before a proof with "proof" and activation.
        finished: called after each. Neither is called twice at the same time.

    Raises:
        ValueError: no such system, two activations of one name, or fewer than one worker.
        ContradictionError: a declared fact is not so.
    """
    if workers < 1:
        raise ValueError(f"evaluate: workers = {workers} must be at least 1")
    refuse_namesakes([*subjects, *baselines])
    activations, profiles = [], []
    for number, activation in enumerate((*subjects, *baselines)):
        started("proof", activation.name)
        known = prove_facts(activation)
        activations.append(known.activation)
        profiles.append(_profile(activation, known, number < len(subjects), certificates))
    plan = [systems.load(name) for name in names]
    course = _Course(plan, activations, tuple(seeds), kept, keep_going, started, finished, workers)
    if workers == 1:
        for system in plan:
            course.run(system)
    else:
        pool = ThreadPoolExecutor(workers, THREADS)
        try:
            for done in as_completed([pool.submit(course.run, system) for system in plan]):
                done.result()
        finally:
            course.stop()  # no evaluation is begun after an error or Ctrl-C
            pool.shutdown(wait=False, cancel_futures=True)
    return Results(tuple(profiles), tuple(course.results(system) for system in plan), run)


def refuse_namesakes(activations: Sequence[Activation]) -> None:
    """Before anything is proved or evaluated: results could not tell them apart.

    Raises:
        ConfigError: two activations of one name.
    """
    names = [a.name for a in activations]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ConfigError(f"two activations are called {twice[0]!r}; give each a name of its own")


class _Course:
    """The evaluations of all systems: what is found, how long it took, and what is said of it meanwhile."""

    def __init__(
        self,
        plan: Sequence[System],
        activations: Sequence[Activation],
        seeds: tuple[int, ...],
        kept: KeptEvaluations,
        keep_going: bool,
        started: Callable[[str, str], None],
        finished: Callable[[Step], None],
        workers: int,
    ):
        self.found: dict[tuple[str, str | None], Evaluation] = {}
        self.spent = {system.name: 0.0 for system in plan}
        self.reused: dict[str, tuple[str, ...]] = {system.name: () for system in plan}
        self._subjects = (None, *activations)
        self._seeds, self._kept, self._keep_going = seeds, kept, keep_going
        self._started, self._finished, self._workers = started, finished, workers
        # Once an activation, not once a system; never where nothing is kept.
        identities = {a.name: identity_of(a) for a in activations} if kept != NOTHING_KEPT else {}
        self._identities = {"references": "", **identities}
        devices = jax.local_devices() if workers > 1 else []
        devices = devices if len(devices) > 1 else [None]  # None: JAX's own choice
        self._device = {system.name: devices[i % len(devices)] for i, system in enumerate(plan)}
        self._left = {system.name: len(self._subjects) for system in plan}
        self._total = sum(self._left.values())
        self._timed: dict[str, list[float]] = {}
        self._lock, self._stopped = threading.Lock(), threading.Event()

    def run(self, system: System) -> None:
        """Evaluates the references, then every activation, in one system."""
        for activation in self._subjects:
            if self._stopped.is_set():
                return
            label = "references" if activation is None else activation.name
            with self._lock:
                self._started(system.name, label)
            begin = time.perf_counter()
            with jax.default_device(self._device[system.name]):
                key = evaluation_key(system, self._identities.get(label, ""), self._seeds)
                evaluation, reused = _reuse_or_run(system, activation, self._seeds, self._kept, key, self._keep_going)
            seconds = time.perf_counter() - begin
            with self._lock:
                if not reused and activation is not None:
                    self._timed.setdefault(system.name, []).append(seconds)
                if reused:
                    self.reused[system.name] += (label,)
                else:
                    self.spent[system.name] += seconds
                self.found[system.name, label if activation is not None else None] = evaluation
                self._left[system.name] -= 1
                done = self._total - sum(self._left.values())
                took = 0.0 if reused else seconds
                self._finished(Step(done, self._total, system.name, label, took, self._remaining()))

    def results(self, system: System) -> SystemResults:
        """What was found in one system."""
        name = system.name
        evaluations = {a.name: self.found[name, a.name] for a in self._subjects if a is not None}
        return SystemResults.of(system, evaluations, self.found[name, None], self.spent[name], self.reused[name])

    def stop(self) -> None:
        """Begins no further evaluation."""
        self._stopped.set()

    def _remaining(self) -> float | None:
        """From what was timed so far, system by system; one not yet timed counts as the mean of those that are.

        References are not counted, the first evaluation of each system compiles and counts in full.
        """
        if not self._timed:
            return None
        mean = {name: float(np.mean(s)) for name, s in self._timed.items()}
        unseen = float(np.mean(list(mean.values())))
        counted = {name: min(left, len(self._subjects) - 1) for name, left in self._left.items()}
        at_once = min(self._workers, max(sum(n > 0 for n in counted.values()), 1))
        return sum((n * mean.get(name, unseen) for name, n in counted.items()), 0.0) / at_once


def _profile(activation: Activation, known: ProvedFacts, subject: bool, certificates: Path | None) -> Profile:
    """The profile of an activation as its author describes it, with what is proved of it; writes the certificate."""
    profile = describe(activation, "subject" if subject else "baseline")
    facts = describe(known.activation, portrait=False).facts
    profile = replace(profile, facts={**facts, "standing": known.facts.standing}, remark=known.remark)
    if certificates is None or known.certificate is None:
        return profile
    certificates.mkdir(parents=True, exist_ok=True)
    file = certificates / f"{file_name(profile.name)}-{known.certificate.digest[:8]}.json"
    known.certificate.save(file)
    return replace(profile, certificate=f"{certificates.name}/{file.name}")


def file_name(name: str) -> str:
    """An activation's name, every character that a file name may not hold replaced by "-"."""
    return "".join(c if c.isalnum() or c in "_-" else "-" for c in name)


def _reuse_or_run(
    system: System,
    activation: Activation | None,
    seeds: tuple[int, ...],
    kept: KeptEvaluations,
    key: str,
    keep_going: bool,
) -> tuple[Evaluation, bool]:
    if (found := kept.find(key)) is not None:
        return found, True
    try:
        evaluation = _run(system, activation, seeds)
    except Exception as error:
        if not keep_going:
            raise
        return Evaluation(failed=f"{type(error).__name__}: {error}"), False
    kept.keep(key, evaluation)
    return evaluation, False


def _run(system: System, activation: Activation | None, seeds: tuple[int, ...]) -> Evaluation:
    if activation is None:
        return system.references(seeds)
    try:
        return system.evaluate(activation, seeds)
    except (FactError, QuadratureError) as error:  # a fact is missing, or no gain exists to initialize a net with
        return Evaluation(refused=str(error))
