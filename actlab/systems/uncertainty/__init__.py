"""Uncertainty: heads that turn raw outputs into distributions, and the measures that say whether to believe them."""

from actlab.nets.head import Head
from actlab.systems.uncertainty.calibration import (
    calibration_curve,
    coverage,
    expected_calibration_error,
    interval_score,
    pit_counts,
    pit_gaussian,
    regression_calibration_error,
    width,
)
from actlab.systems.uncertainty.conformal import (
    absolute_score,
    conformal_interval,
    conformal_quantile,
    normalized_score,
)
from actlab.systems.uncertainty.crps import (
    crps_ensemble,
    crps_gamma,
    crps_gaussian,
    crps_log_normal,
    crps_mixture,
    crps_poisson,
    crps_student_t,
)
from actlab.systems.uncertainty.gaussian import (
    Gaussian,
    NaturalGaussian,
    beta_nll,
    bounded_gaussian,
    gaussian_nll,
    gaussian_of,
    usual_exponential,
    usual_softplus,
)
from actlab.systems.uncertainty.heads import Beta, Dirichlet, Gamma, LogNormal, NegativeBinomial, Poisson, StudentT
from actlab.systems.uncertainty.mixture import (
    mixture_cdf,
    mixture_moments,
    mixture_nll,
    mixture_quantile,
    moment_matched_nll,
)
from actlab.systems.uncertainty.positive import EXPONENTIAL, SOFTPLUS, Positive, bounded, positive
from actlab.systems.uncertainty.simplex import Simplex

__all__ = [
    "EXPONENTIAL",
    "SOFTPLUS",
    "Beta",
    "Dirichlet",
    "Gamma",
    "Gaussian",
    "Head",
    "LogNormal",
    "NaturalGaussian",
    "NegativeBinomial",
    "Poisson",
    "Positive",
    "Simplex",
    "StudentT",
    "absolute_score",
    "beta_nll",
    "bounded",
    "bounded_gaussian",
    "calibration_curve",
    "conformal_interval",
    "conformal_quantile",
    "coverage",
    "crps_ensemble",
    "crps_gamma",
    "crps_gaussian",
    "crps_log_normal",
    "crps_mixture",
    "crps_poisson",
    "crps_student_t",
    "expected_calibration_error",
    "gaussian_nll",
    "gaussian_of",
    "interval_score",
    "mixture_cdf",
    "mixture_moments",
    "mixture_nll",
    "mixture_quantile",
    "moment_matched_nll",
    "normalized_score",
    "pit_counts",
    "pit_gaussian",
    "positive",
    "regression_calibration_error",
    "usual_exponential",
    "usual_softplus",
    "width",
]
