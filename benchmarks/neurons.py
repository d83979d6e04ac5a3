"""An f-I sweep beside Brian2's compiled (cython) target, each side one process with one thread on the same core.

python benchmarks/neurons.py --peer-python PYTHON [--core 0] [--rounds 5] [--cells 1000] [--many 100000]
PYTHON has brian2 and cython; with Brian2 2.9 also numpy below 2.4. It may be another environment than actlab's.

Morris-Lecar neurons (the set whose firing starts at a saddle-node), currents from 30 to 130 uA/cm^2, 400 ms, the
classical Runge-Kutta method with steps of 0.05 ms on both sides, from V = -60 mV, w = 0.01; a spike is a rise of V
through 0. The numbers of spikes and of firing cells are printed and must agree. CPU seconds of the run alone, medians
over the rounds, taken in turns; compilation is not counted, and printed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

LOW, HIGH, DURATION, STEP = 30.0, 130.0, 400.0, 0.05

PEER = r"""
import json, sys, time
import numpy as np
cells, low, high, duration, step = json.loads(sys.argv[1])
import brian2 as b2
b2.prefs.codegen.target = "cython"
b2.defaultclock.dt = step * b2.ms
equations = '''
dv/dt = (I - 4.0*m*(v - 120) - 8.0*w*(v + 84) - 2.0*(v + 60))/20.0/ms : 1
m = 0.5*(1 + tanh((v + 1.2)/18.0)) : 1
dw/dt = 0.067*cosh((v - 12.0)/(2*17.4))*(0.5*(1 + tanh((v - 12.0)/17.4)) - w)/ms : 1
I : 1
'''
began = time.perf_counter()
group = b2.NeuronGroup(cells, equations, method="rk4", threshold="v >= 0", refractory="v >= 0")
group.v, group.w, group.I = -60, 0.01, np.linspace(low, high, cells)
monitor = b2.SpikeMonitor(group, record=False)
network = b2.Network(group, monitor)
network.store()
network.run(1 * b2.ms)
print(json.dumps({"version": b2.__version__, "compile": time.perf_counter() - began}), flush=True)
for _ in sys.stdin:
    network.restore()
    used = time.process_time()
    network.run(duration * b2.ms)
    used = time.process_time() - used
    print(json.dumps([used, int(monitor.num_spikes), int(np.sum(monitor.count > 0))]), flush=True)
"""


def main() -> None:
    """Runs both sides in turns and prints the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--peer-python")
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--many", type=int, default=100_000)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {arguments.core})  # inherited by the peer's process
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    peer = _started(arguments.peer_python, arguments.cells) if arguments.peer_python else None
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    sides = {dtype: _ours(arguments.cells, dtype) for dtype in ("float32", "float64")}
    found: dict[str, list[list[float]]] = {name: [] for name in ("peer", *sides)}
    for _ in range(arguments.rounds):
        if peer is not None:
            found["peer"].append(_asked(peer))
        for name, side in sides.items():
            found[name].append(side())
    medians = {name: statistics.median(r[0] for r in rows) for name, rows in found.items() if rows}
    for name, seconds in medians.items():
        _, spikes, firing = found[name][-1]
        ratio = f", peer / ours {medians['peer'] / seconds:.1f}" if peer is not None and name != "peer" else ""
        print(f"{name}: {seconds:.3f} CPU s, {spikes:g} spikes, {firing:g} firing cells{ratio}", flush=True)
    if arguments.many:
        seconds, spikes, firing = _ours(arguments.many, "float32")()
        print(
            f"{arguments.many} cells in one program, float32: {seconds:.1f} CPU s, {spikes:g} spikes, {firing:g} firing"
        )
    if peer is not None:
        peer.terminate()


def _ours(cells: int, dtype: str) -> Any:
    """A sweep that returns CPU seconds, spikes, firing cells; compiled before it is returned."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from actlab.systems.neurons import morris_lecar, spike_count

    neuron = morris_lecar(gCa=4.0, phi=0.067, V3=12.0, V4=17.4)

    @jax.jit
    def sweep(currents: Any) -> Any:
        start = jnp.asarray([-60.0, 0.01], currents.dtype)
        return jax.vmap(lambda i: spike_count(neuron, i, start, duration=DURATION, step=STEP))(currents)

    def measured() -> list[float]:
        with jax.enable_x64(dtype == "float64"):
            currents = jnp.asarray(np.linspace(LOW, HIGH, cells), dtype)
            used = time.process_time()
            counts = np.asarray(sweep(currents))
            return [time.process_time() - used, int(counts.sum()), int((counts > 0).sum())]

    began = time.perf_counter()
    measured()
    print(f"actlab {dtype}, {cells} cells: compiled and run once in {time.perf_counter() - began:.1f} s", flush=True)
    return measured


def _started(python: str, cells: int) -> subprocess.Popen[str]:
    command = [python, "-c", PEER, json.dumps([cells, LOW, HIGH, DURATION, STEP])]
    peer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert peer.stdout is not None
    begun = json.loads(peer.stdout.readline())
    print(f"Brian2 {begun['version']}, cython: {begun['compile']:.1f} s to build and compile", flush=True)
    return peer


def _asked(peer: subprocess.Popen[str]) -> list[float]:
    assert peer.stdin is not None
    assert peer.stdout is not None
    peer.stdin.write("run\n")
    peer.stdin.flush()
    return json.loads(peer.stdout.readline())


if __name__ == "__main__":
    sys.exit(main())
