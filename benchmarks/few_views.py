"""Few views beside ODL's TV: the Shepp-Logan head of `configs/tomography/sparse.toml` by ours and by ODL's PDHG.

OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/few_views.py --peer-python PYTHON

PYTHON has odl, astra-toolbox and scipy. Both see the same counts: the same line integrals, the same weights, the same
tuning phantom, the same measure on the pixels of the truth. The peer's program is that of ODL's examples: least squares
of line integrals and an L1 norm of `odl.Gradient` by `odl.solvers.pdhg`, pixels not below 0, ASTRA's projector on the
CPU. It is tuned more widely than our TV: over strengths, both norms of the gradient, squares weighted by the counts or
not, and pixels as wide as the bins or half as wide. What it reaches when tuned on the head itself is printed too.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

PEER = r"""
import sys
import numpy as np, odl, astra
from odl.applications import tomo

file, out, field, edge, width, steps = sys.argv[1:7]
field, edge, width, steps = float(field), int(edge), float(width), int(steps)
data = np.load(file)
angles, strengths, integrals, counts = (data[k] for k in ("angles", "strengths", "integrals", "counts"))
views, bins = integrals.shape[1:]
assert np.allclose(angles, np.arange(views) * np.pi / views)  # uniform_partition: cells' centres
step = np.pi / views
scan = tomo.Parallel2dGeometry(
    odl.uniform_partition(-step / 2, np.pi - step / 2, views),
    odl.uniform_partition(-bins * width / 2, bins * width / 2, bins),
)

def solver(finer):
    n = edge * finer
    space = odl.uniform_discr([-field / 2] * 2, [field / 2] * 2, [n, n], dtype="float32")
    rays = tomo.RayTransform(space, scan, impl="astra_cpu")
    gradient = odl.Gradient(space)
    nonnegative = odl.functionals.IndicatorNonnegativity(space)
    # One norm for both operators, as Sidky, Jorgensen & Pan do it: PDHG converges sooner.
    scale = odl.power_method_opnorm(rays, maxiter=30) / odl.power_method_opnorm(gradient, maxiter=30)
    both = odl.BroadcastOperator(rays, scale * gradient)
    size = 1.0 / (1.05 * odl.power_method_opnorm(both, maxiter=50))

    def image(integrals, weight, strength, norm):
        # The integral over the detector of weight (A x - p)^2 / 2, as ODL weights its spaces.
        root = rays.range.element(np.sqrt(weight))
        misfit = 0.5 * odl.functionals.L2NormSquared(rays.range).translated(root * rays.range.element(integrals))
        operator = odl.BroadcastOperator(odl.MultiplyOperator(root) * rays, scale * gradient)
        length = size
        if np.ptp(weight):
            length = 1.0 / (1.05 * odl.power_method_opnorm(operator, maxiter=50))
        kind = odl.functionals.L1Norm if norm == "L1" else odl.functionals.GroupL1Norm
        terms = odl.functionals.SeparableSum(misfit, (float(strength) / scale) * kind(gradient.range))
        x = space.zero()
        odl.solvers.pdhg(x, nonnegative, terms, operator, niter=steps, tau=length, sigma=length)
        fine = np.asarray(x.data).reshape(edge, finer, edge, finer).mean(axis=(1, 3))
        return fine.T[::-1]  # x right, y up

    fine = np.kron(truth[::-1].T, np.ones((finer, finer)))
    seen = np.asarray(rays(space.element(fine)).data)
    print("error of the projector on the truth", np.linalg.norm(seen - data["exact"]) / np.linalg.norm(data["exact"]))
    return image

def weights_of(kind, counts):  # 1 over the variance of a line integral is its count
    return counts / counts.mean() if kind == "counts as weights" else np.ones_like(counts)

truth = data["truth"]

def psnr(image, truth):
    return 10 * np.log10((truth.max() - truth.min()) ** 2 / np.mean((image - truth) ** 2))

best = None
print("ODL", odl.__version__, "ASTRA", astra.__version__, flush=True)
for finer in (1, 2):
    image = solver(finer)
    for kind in ("counts as weights", "equal weights"):
        for norm in ("L1", "group"):
            weight = weights_of(kind, counts[0])
            scores = [psnr(image(integrals[0], weight, s, norm), data["tuning"]) for s in strengths]
            top = int(np.argmax(scores))
            print(f"  pixels / {finer}, {kind}, {norm}: {scores[top]:.2f} dB at {strengths[top]:.3g}"
                  + (" (end of the grid)" if top in (0, len(strengths) - 1) else ""), flush=True)
            if best is None or scores[top] > best[0]:
                best = scores[top], finer, kind, norm, strengths[top]
_, finer, kind, norm, strength = best
image = solver(finer)
scores = [psnr(image(integrals[1], weights_of(kind, counts[1]), s, norm), truth) for s in strengths]
top = int(np.argmax(scores))
print(f"  tuned on the first scan of the head itself: {scores[top]:.2f} dB at {strengths[top]:.3g}", flush=True)
np.save(out, np.stack([image(p, weights_of(kind, w), strength, norm) for p, w in zip(integrals[1:], counts[1:])]))
"""


def main() -> None:
    """Tunes both, prints PSNR of both on every seed, and the difference with its interval."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--views", type=int, nargs="+", default=[30, 60])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=300, help="of the peer's PDHG")
    arguments = parser.parse_args()

    import jax
    import jax.numpy as jnp

    from actlab.measurement import bootstrap_interval
    from actlab.systems.tomography import parallel_beam, psnr, random_ellipses, shepp_logan, simulate
    from experiments import ct_sparse

    for views in arguments.views:
        config = replace(ct_sparse.Config(), views=(views,), seeds=arguments.seeds)
        geometry = parallel_beam(config.edge, views, pixel=config.field / config.edge)
        head, grains = shepp_logan(), random_ellipses(config.tuning_phantom)
        scans = [(grains, config.tuning_phantom), *((head, seed) for seed in range(config.seeds))]
        exposures = [simulate(jax.random.key(s), p.integrals(geometry), config.photons) for p, s in scans]
        truth = jnp.asarray(head.image(geometry), jnp.float32)
        with tempfile.TemporaryDirectory() as folder:
            file, out = Path(folder) / "scans.npz", Path(folder) / "images.npy"
            np.savez(
                file,
                angles=np.asarray(geometry.angles),
                strengths=np.geomspace(0.00125, 0.04, 11),
                integrals=np.stack([np.asarray(e.line_integrals) for e in exposures]),
                counts=np.stack([np.asarray(e.counts) for e in exposures]),
                truth=np.asarray(truth),
                exact=np.asarray(head.integrals(geometry)).reshape(views, geometry.bins, -1).mean(-1),
                tuning=grains.image(geometry),
            )
            sizes = (config.field, config.edge, geometry.bin_width, arguments.steps)
            command = [arguments.peer_python, "-c", PEER, str(file), str(out), *map(str, sizes)]
            print(f"{views} views", flush=True)
            if subprocess.run(command).returncode:
                sys.exit("the peer failed")
            theirs = np.asarray(psnr(jnp.asarray(np.load(out)), truth))
        measured, *_ = ct_sparse.run(config, None, lambda line: print("  ", line, flush=True))
        ours = next(m for m in measured if m.name.startswith("PSNR") and m.activation == ct_sparse.OURS)
        values = np.asarray(ours.values)
        for name, found in (("ODL", theirs), ("ours", values)):
            print(f"  {name:5s}", " ".join(f"{v:.2f}" for v in found), f" mean {found.mean():.2f} dB")
        low, high = bootstrap_interval(values - theirs)
        print(
            f"  ours - ODL: {np.mean(values - theirs):.2f} [{low:.2f}, {high:.2f}] dB, of the same counts", flush=True
        )


if __name__ == "__main__":
    main()
