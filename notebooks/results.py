# %% [markdown]
# # Reading results
#
# `actlab evaluate` and `actlab run` write `results.json` beside the page. It holds every value of every seed and every
# curve: here it is read back, compared seed by seed, and drawn for a paper. A notebook kept as text: JupyterLab (with
# the jupytext extension) and VS Code open it as cells, `python` runs it.

# %%
from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

import actlab.activations as al
from actlab.evaluate import evaluate
from actlab.report import Results, run_info, write_report

# %% [markdown]
# In place of a run of yours: two activations in one system, five seeds, a quarter of a minute. The same function is
# behind the command.

# %%
folder = Path(mkdtemp())
seeds = (0, 1, 2, 3, 4)
found = evaluate([al.sin], [al.relu], names=("continual",), seeds=seeds, run=run_info("notebooks/results.py", seeds))
print(write_report(found, folder))

# %%
results = Results.from_json((folder / "results.json").read_text())
print(results.run.date, results.run.device, results.run.versions["jax"])
(system,) = results.systems
print(system.question)
for name, evaluation in system.evaluations.items():
    for m in evaluation.measurements:
        print(f"{name:8s} {m.name:60s} {m.values.round(3)} {m.unit}")

# %% [markdown]
# ## Seed by seed
# Seeds are shared, so differences are paired; the interval is scipy's bootstrap.

# %%
measured = {name: {m.name: m for m in e.measurements} for name, e in system.evaluations.items()}
shared = [name for name in measured["sin"] if name in measured["relu"] and measured["sin"][name].better != "neither"]
for name in shared:
    gap = measured["sin"][name].values - measured["relu"][name].values
    if np.ptp(gap) > 0:
        ends = stats.bootstrap((gap,), np.mean, rng=0, method="percentile").confidence_interval
        print(f"sin - relu, {name}: {gap.mean():+.3f} [{ends.low:+.3f}, {ends.high:+.3f}]")

# %% [markdown]
# ## The figure, in matplotlib
# A curve is an abscissa and one row of values a seed.

# %%
figure, axes = plt.subplots()
for evaluation in system.evaluations.values():
    curve = evaluation.curves[0]
    axes.plot(curve.x, np.mean(curve.values, axis=0), marker="o", label=curve.activation)
    axes.fill_between(curve.x, np.min(curve.values, axis=0), np.max(curve.values, axis=0), alpha=0.2)
axes.set_xlabel(curve.x_label)
axes.set_ylabel(curve.y_label)
axes.set_title(curve.name)
axes.legend()
