"""The projector pair beside ASTRA's and scikit-image's: closed form of a disk, adjoint, and seconds in turns.

OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/tomography.py --peer-python PYTHON

PYTHON has astra-toolbox and scikit-image. One core each, in turns, the median of the rounds; the peer's process times
itself. Errors are checked before anything is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

PEER = r"""
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import numpy as np, astra
from skimage.transform import radon, iradon

def kernel(name, n, views, bins):
    angles = np.arange(views) * np.pi / views
    if name == "scikit-image":
        degrees = np.degrees(angles)
        forward = lambda x: radon(x, degrees, circle=False).T
        back = lambda y: iradon(y.T, degrees, circle=False, filter_name=None, output_size=n) * 2 * views / np.pi
        return forward, back
    beam = "fanflat" if name.endswith("fan") else "parallel"
    far = (4.0 * n, 4.0 * n) if beam == "fanflat" else ()
    width = 2.0 if far else 1.0
    turn = 2.0 if far else 1.0
    volume = astra.create_vol_geom(n, n)
    scan = astra.create_proj_geom(beam, width, bins, turn * angles, *far)
    projector = astra.create_projector(name.replace(" fan", "_fanflat"), scan, volume)
    operator = astra.OpTomo(projector)
    return (lambda x: operator.FP(x)), (lambda y: operator.BP(y))

for line in sys.stdin:
    job = json.loads(line)
    data = np.load(job["file"])
    forward, back = kernel(job["name"], data["x"].shape[0], job["views"], data["y"].shape[1])
    if job["save"]:
        np.savez(job["save"], forward=forward(data["x"]), back=back(data["y"]))
    start = time.perf_counter()
    for _ in range(job["repeats"]):
        forward(data["x"])
        back(data["y"])
    print(json.dumps((time.perf_counter() - start) / max(job["repeats"], 1)), flush=True)
"""
KERNELS = ("strip", "linear", "line", "scikit-image")


def main() -> None:
    """Errors, then times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--edge", type=int, default=256)
    parser.add_argument("--views", type=int, default=180)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["OMP_NUM_THREADS"] = "1"
    command = [arguments.peer_python, "-c", PEER]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer,
    ):
        errors(peer, Path(folder))
        times(peer, Path(folder), arguments)


def errors(peer: subprocess.Popen[str], folder: Path) -> None:
    """A disk of radius 0.6 at 128 x 128, 60 views, against its closed form; adjoints on zero-mean vectors."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from actlab.systems.tomography import backproject, disk, fan_beam, parallel_beam, project

    parallel = parallel_beam(128, 60)
    fan = fan_beam(128, np.arange(60) * 2 * np.pi / 60, source_to_axis=512.0, source_to_detector=1024.0)
    print(f"{'128 x 128, 60 views':24s} {'disk, rel. L2':>14s} {'adjoint error':>14s}")
    for title, geometry, peers in (("parallel", parallel, KERNELS), ("fan", fan, ("line fan", "strip fan"))):
        phantom = disk(0.6, scale=1.0)
        image = phantom.image(geometry).astype(np.float32)
        wanted = phantom.integrals(geometry, 64).mean(-1)
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=geometry.shape), rng.normal(size=geometry.sinogram_shape)

        def adjoint(forward, back, x=x, y=y) -> float:
            forward, back = np.asarray(forward, np.float64), np.asarray(back, np.float64)
            return abs(np.sum(forward * y) - np.sum(x * back)) / np.linalg.norm(forward) / np.linalg.norm(y)

        found = project(geometry, image)
        for dtype, name in ((jnp.float32, "float32"), (jnp.float64, "float64")):
            with jax.enable_x64(dtype == jnp.float64):
                pair = project(geometry, jnp.asarray(x, dtype)), backproject(geometry, jnp.asarray(y, dtype))
            disk_error = np.linalg.norm(np.asarray(found) - wanted) / np.linalg.norm(wanted)
            print(f"{f'actlab {title}, {name}':24s} {disk_error:14.2e} {adjoint(*pair):14.1e}")
        for name in peers:
            files = [folder / f"{k}.npz" for k in ("in", "disk", "noise")]
            np.savez(files[0], x=image, y=np.zeros(geometry.sinogram_shape, np.float32))
            ask(peer, name, geometry.views, files[0], save=files[1])
            np.savez(files[0], x=x.astype(np.float32), y=y.astype(np.float32))
            ask(peer, name, geometry.views, files[0], save=files[2])
            seen, noise = np.load(files[1])["forward"], np.load(files[2])
            if name == "scikit-image":  # turns about pixel n // 2, which we see half a pixel off the middle
                about = replace(geometry, centre=float(seen.shape[1] // 2), bins=seen.shape[1])
                shifts = [(sx / 128, sy / 128) for sx in (-1, 1) for sy in (-1, 1)]
                wants = [disk(0.6, x=x, y=y, scale=1.0).integrals(about, 64).mean(-1) for x, y in shifts]
            else:
                wants = [wanted, wanted[:, ::-1]]
            error = min(np.linalg.norm(seen - w) / np.linalg.norm(w) for w in wants)  # its convention is not ours
            print(f"{name:24s} {error:14.2e} {adjoint(noise['forward'], noise['back']):14.1e}")


def times(peer: subprocess.Popen[str], folder: Path, arguments: argparse.Namespace) -> None:
    """Forward and back once, median of the rounds, ours and each peer's in turns."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from actlab.systems.tomography import backproject, parallel_beam, project

    geometry = parallel_beam(arguments.edge, arguments.views)
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.uniform(size=geometry.shape), jnp.float32)
    y = jnp.asarray(rng.uniform(size=geometry.sinogram_shape), jnp.float32)
    file = folder / "timed.npz"
    np.savez(file, x=x, y=y)
    pair = jax.jit(lambda x, y: (project(geometry, x), backproject(geometry, y)))
    jax.block_until_ready(pair(x, y))
    peers = [k for k in KERNELS if k != "scikit-image"]
    ours, theirs = [], {name: [] for name in peers}
    for _ in range(arguments.rounds):
        for name in peers:
            theirs[name].append(ask(peer, name, geometry.views, file, repeats=1))
            start = time.perf_counter()
            jax.block_until_ready(pair(x, y))
            ours.append(time.perf_counter() - start)
    mine = float(np.median(ours))
    print(
        f"\nforward + back, {arguments.edge} x {arguments.edge}, {arguments.views} views, one core: actlab {mine:.3f} s"
    )
    for name, seconds in theirs.items():
        paired = np.asarray(seconds) / np.asarray(ours[peers.index(name) :: len(peers)])
        print(
            f"ASTRA {name:8s} {np.median(seconds):.3f} s, {np.median(paired):.2f} times ours (median of paired ratios)"
        )


def ask(
    peer: subprocess.Popen[str], name: str, views: int, file: Path, *, save: Path | None = None, repeats: int = 0
) -> float:
    """Lets the peer run and returns its seconds."""
    assert peer.stdin is not None
    assert peer.stdout is not None
    job = {"name": name, "views": views, "file": str(file), "save": str(save or ""), "repeats": repeats}
    peer.stdin.write(json.dumps(job) + "\n")
    peer.stdin.flush()
    line = peer.stdout.readline()
    if not line:
        sys.exit(f"the peer's process ended on {name}")
    return json.loads(line)


if __name__ == "__main__":
    main()
