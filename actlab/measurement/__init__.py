"""Measurements, figures and claims: the one currency between systems, report and experiments."""

from actlab.measurement.bootstrap import RESAMPLES, bootstrap_interval, stratified_interval
from actlab.measurement.claim import Claim, Verdict
from actlab.measurement.cloud import Cloud, Region
from actlab.measurement.curve import Curve
from actlab.measurement.evaluation import Evaluation, Figure, System
from actlab.measurement.heatmap import Heatmap, Line
from actlab.measurement.measurement import ROUNDING, Better, Measurement

__all__ = [
    "RESAMPLES",
    "ROUNDING",
    "Better",
    "Claim",
    "Cloud",
    "Curve",
    "Evaluation",
    "Figure",
    "Heatmap",
    "Line",
    "Measurement",
    "Region",
    "System",
    "Verdict",
    "bootstrap_interval",
    "stratified_interval",
]
