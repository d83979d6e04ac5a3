"""Gene circuits beside libRoadRunner and GillesPy2, each side one process with one thread on one and the same core.

python benchmarks/circuits.py --peer-python PYTHON [--core 0] [--rounds 3] [--large 1000000]
PYTHON has libroadrunner, gillespy2 and scons, which with a C++ compiler builds the latter's compiled solver; it may be
another environment than actlab's.

Sweep: 10,000 incoherent feed-forward loops, K uniform in [0.05, 1] and n uniform in [1.2, 4] (not whole), t in [0, 20],
Z at 201 outputs. The peer reads the SBML text that actlab exports, sets four parameters and simulates, in a loop, at
its relative tolerance 1e-6. Our step is the largest whose error is not above the peer's; both errors are against a grid
16 times finer in float64 and are printed. Stochastic: a birth-death gene of mean 50 over 20 lifetimes at 21 outputs,
and a toggle switch of Hill coefficient 2; means and variances of both sides are printed. CPU seconds, medians over the
rounds, taken in turns; compilation of either side is not counted, and printed for ours.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

SETS, PEER_SETS, CHECKED = 10_000, 1_000, 300
OUTPUTS, END = 201, 20.0
GOALS = {"sweep": 50.0, "ssa": 20.0, "large, seconds": 60.0}

PEER = r"""
import json, resource, sys
import numpy as np

END, OUTPUTS = json.loads(sys.argv[1])

def cpu():
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in used)

def roadrunner_sweep(text):
    import roadrunner
    rr = roadrunner.RoadRunner(text)
    rr.integrator.relative_tolerance, rr.integrator.absolute_tolerance = 1e-6, 1e-9
    rr.timeCourseSelections = ["time", "Z"]
    ids = list(rr.model.getGlobalParameterIds())
    names = ["K_X_Y", "K_X_Z", "K_Y_Z", "n_X_Y", "n_X_Z", "n_Y_Z", "Y", "Z"]
    index = [ids.index(name) for name in names]
    def run(rows):
        out = []
        for a, b, c, n in rows:
            rr.reset()
            rr.model.setGlobalParameterValues(index, [a, b, c, n, n, n, 0.0, 0.0])
            out.append(np.array(rr.simulate(0, END, OUTPUTS)[:, 1]))
        return np.array(out)
    return run, roadrunner.__version__

def gillespy(which, solver, runs):
    import gillespy2 as g
    model = g.Model(name=which)
    if which == "birth-death":
        model.add_species([g.Species("P", initial_value=0)])
        model.add_parameter([g.Parameter("b", 50.0), g.Parameter("d", 1.0)])
        model.add_reaction([
            g.Reaction(name="birth", reactants={}, products={"P": 1}, rate="b"),
            g.Reaction(name="death", reactants={"P": 1}, products={}, rate="d"),
        ])
        model.timespan(g.TimeSpan.linspace(t=20, num_points=21))
    else:
        model.add_species([g.Species("U", initial_value=10), g.Species("V", initial_value=10)])
        model.add_parameter([g.Parameter("a", 40.0), g.Parameter("K", 10.0), g.Parameter("d", 1.0)])
        for me, other in (("U", "V"), ("V", "U")):
            model.add_reaction([
                g.Reaction(name="make" + me, reactants={}, products={me: 1},
                           propensity_function=f"a/(1 + ({other}/K)*({other}/K))"),
                g.Reaction(name="lose" + me, reactants={me: 1}, products={}, rate="d"),
            ])
        model.timespan(g.TimeSpan.linspace(t=20, num_points=21))
    kind = g.SSACSolver if solver == "compiled" else g.NumPySSASolver
    made = kind(model=model)
    species = "P" if which == "birth-death" else "U"
    def run(seed):
        found = model.run(solver=made, number_of_trajectories=runs, seed=seed)
        return np.array([r[species] for r in found])
    return run, g.__version__

for line in sys.stdin:
    ask = json.loads(line)
    if ask["what"] == "sweep":
        run, version = roadrunner_sweep(ask["text"])
        rows, checked = ask["rows"], ask["checked"]
        def call(): return run(rows)
        def answer(z): return z[:checked].tolist()
    elif ask["what"] == "ssa":
        run, version = gillespy(ask["which"], ask["solver"], ask["runs"])
        run(1)  # compiles
        count = iter(range(2, 10**6))
        def call(): return run(next(count))
        def answer(z): return [float(z[:, -1].mean()), float(z[:, -1].var())]
    else:
        begin = cpu()
        z = call()
        print(json.dumps({"seconds": cpu() - begin, "answer": answer(z), "version": version}), flush=True)
        continue
    print(json.dumps({"version": version}), flush=True)
"""


class Peer:
    """The peer's process."""

    def __init__(self, python: str, core: int) -> None:
        command = ["taskset", "-c", str(core), python, "-c", PEER, json.dumps([END, OUTPUTS])]
        # GillesPy2 builds with the interpreter behind a virtual environment, which does not know its packages.
        where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
        packages = subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip()
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": packages}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr, text=True, env=environment
        )

    def ask(self, **question: Any) -> Any:
        """One question, one answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(question), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """Ends it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of this process, and the result."""
    import jax

    begin = time.process_time()
    found = jax.block_until_ready(call())
    return time.process_time() - begin, found


def rows_of(count: int, seed: int = 0) -> Any:
    """Random (K_xy, K_xz, K_yz, n), shape (count, 4)."""
    import numpy as np

    draws = np.random.default_rng(seed)
    return np.concatenate([draws.uniform(0.05, 1, (count, 3)), draws.uniform(1.2, 4, (count, 1))], axis=1)


def outputs(parameters: Any, finer: int, block: int) -> Any:
    """Z at the outputs for each set, shape (sets, outputs): small steps early, where the loops are fast."""
    import jax
    import jax.numpy as jnp

    from actlab.dynamics import rk4_fold
    from actlab.systems.circuits.simulation import start
    from actlab.systems.circuits.sweep import fast_loop

    dtype, every = parameters["n"].dtype, END / (OUTPUTS - 1)

    def one(row: Any) -> Any:
        circuit = fast_loop("I1", **row)
        field, y = circuit.field({"X": jnp.ones((), dtype)}), start(circuit, None, dtype)

        def span(y: Any, _: None, shares: Any = None) -> Any:
            y, _ = rk4_fold(field, y, every * shares, lambda c, t, y, rate: c, None)  # the field knows no time
            return y, y["Z"]

        found = [jnp.zeros(1, dtype)]
        for spans, shares in phases(finer):
            y, z = jax.lax.scan(functools.partial(span, shares=jnp.asarray(shares, dtype)), y, length=spans)
            found.append(z)
        return jnp.concatenate(found)

    return jax.lax.map(one, parameters, batch_size=block)


def phases(finer: int) -> Any:
    """(outputs, shares of the interval between two outputs at which steps end): the first graded, then ever longer."""
    import numpy as np

    graded = np.linspace(0, 1, 12 * finer + 1) ** 2
    return [(1, graded)] + [
        (spans, np.linspace(0, 1, per_output * finer + 1)) for spans, per_output in ((4, 4), (15, 2), (180, 1))
    ]


def sweep_benchmark(peer: Peer, rounds: int, large: int) -> None:
    """10,000 loops against libRoadRunner, then many more."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from actlab.systems.circuits import feed_forward_loop, sweep, to_sbml

    rows = rows_of(SETS)
    text = to_sbml(feed_forward_loop("I1", n=2.0), {"X": 1.0})
    version = peer.ask(what="sweep", text=text, rows=rows[:PEER_SETS].tolist(), checked=CHECKED)["version"]
    first = peer.ask(what="go")

    def parameters(dtype: Any, rows: Any) -> dict[str, Any]:
        return dict(zip(("K_xy", "K_xz", "K_yz", "n"), jnp.asarray(rows.T, dtype), strict=True))

    with jax.enable_x64(True):
        truth = np.asarray(jax.jit(lambda p: outputs(p, 16, CHECKED))(parameters(jnp.float64, rows[:CHECKED])))
    theirs = np.abs(np.asarray(first["answer"]) - truth).max()
    print(f"libRoadRunner {version}: largest error of Z at {OUTPUTS} outputs {theirs:.1e} (its tolerance 1e-6)")
    for dtype in (jnp.float32, jnp.float64):
        with jax.enable_x64(dtype == jnp.float64):
            p = parameters(dtype, rows)
            for finer in (1, 2, 4):
                begin = time.process_time()
                made = functools.partial(jax.jit(functools.partial(outputs, finer=finer, block=2048)), p)
                error = np.abs(np.asarray(made())[:CHECKED] - truth).max()
                compiled = time.process_time() - begin
                if error <= theirs:
                    break
            steps = sum(spans * (len(shares) - 1) for spans, shares in phases(finer))
            pulses = functools.partial(sweep, p, steps=200 * finer, block=2048)
            jax.block_until_ready(pulses())
            seconds = {"kept": [], "pulses": [], "peer": []}
            for _ in range(rounds):
                seconds["peer"].append(peer.ask(what="go")["seconds"] * SETS / PEER_SETS)
                seconds["kept"].append(timed(made)[0])
                seconds["pulses"].append(timed(pulses)[0])
            kept, alone, theirs_s = (statistics.median(v) for v in seconds.values())
            print(f"{jnp.dtype(dtype).name}, {steps} steps, error {error:.1e}, first call {compiled:.1f} s")
            print(
                f"  {SETS} sets, {OUTPUTS} outputs kept: {kept:.3f} s against {theirs_s:.2f} s: "
                f"{theirs_s / kept:.0f} x (goal {GOALS['sweep']:.0f})"
            )
            print(f"  {SETS} sets, pulses alone: {alone:.3f} s: {theirs_s / alone:.0f} x", flush=True)
            if dtype == jnp.float32 and large:
                many = functools.partial(sweep, parameters(dtype, rows_of(large, 1)), steps=200 * finer, block=2048)
                begin = time.perf_counter()
                spent, _ = timed(many)
                print(
                    f"  {large} sets, pulses alone: {spent:.1f} s of one core, {time.perf_counter() - begin:.1f} s by "
                    f"the wall, compilation included (goal {GOALS['large, seconds']:.0f})",
                    flush=True,
                )


def ssa_benchmark(peer: Peer, rounds: int) -> None:
    """Exact stochastic runs against GillesPy2's compiled and numpy solvers, per run on one core."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from actlab.dynamics import ssa
    from actlab.systems.circuits import birth_death, reactions_of, toggle_switch

    cases = {
        "birth-death": (birth_death(50.0), {"P": 0}, "P"),
        "toggle": (
            reactions_of(toggle_switch(production=4.0), volume=10.0),
            {"U": 10, "V": 10},
            "U",
        ),
    }
    runs, times = 8192, jnp.linspace(0.0, 20.0, 21)  # in groups of 1024
    for which, (reactions, counts, species) in cases.items():

        def simulate(key: Any, r: Any = reactions, c: Any = counts) -> Any:
            return jax.lax.map(lambda k: ssa(k, r, c, times, 1024), jax.random.split(key, runs // 1024))

        # Vectors as wide as the machine's: without it XLA stays at 256 bits.
        made = jax.jit(simulate, compiler_options={"xla_cpu_prefer_vector_width": 512})
        begin = time.process_time()
        found = jax.block_until_ready(made(jax.random.key(0)))
        print(
            f"{which}: first call {time.process_time() - begin:.1f} s, {float(found.firings.mean()):.0f} firings a run"
        )
        last = np.asarray(found.counts[species][:, -1], np.float64)
        for solver, theirs in (("compiled", 2000), ("numpy", 20)):
            version = peer.ask(what="ssa", which=which, solver=solver, runs=theirs)["version"]
            first = peer.ask(what="go")
            mean, variance = first["answer"]
            ours, peers = [], []
            for i in range(rounds):
                peers.append(peer.ask(what="go")["seconds"] / theirs)
                ours.append(timed(functools.partial(made, jax.random.key(i)))[0] / runs)
            mine, peers_time = statistics.median(ours), statistics.median(peers)
            print(
                f"  GillesPy2 {version}, {solver}: {1e6 * mine:.1f} us a run against {1e6 * peers_time:.0f} us: "
                f"{peers_time / mine:.1f} x (goal {GOALS['ssa']:.0f}); mean {last.mean():.2f} and {mean:.2f}, "
                f"variance {last.var():.1f} and {variance:.1f}"
            )


def main() -> None:
    """Runs both parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", type=int, default=1_000_000, help="sets of the large sweep; 0 leaves it out")
    parser.add_argument("--parts", nargs="+", choices=("sweep", "ssa"), default=["sweep", "ssa"])
    options = parser.parse_args()
    os.sched_setaffinity(0, {options.core})
    os.environ["OMP_NUM_THREADS"] = "1"
    peer = Peer(options.peer_python, options.core)
    try:
        if "sweep" in options.parts:
            sweep_benchmark(peer, options.rounds, options.large)
        if "ssa" in options.parts:
            ssa_benchmark(peer, options.rounds)
    finally:
        peer.close()


if __name__ == "__main__":
    main()
