"""Computed tomography from photon counts: exact projectors, Poisson statistics, outputs that cannot be negative."""

from actlab.systems.tomography.algebraic import mlem, sart, sirt
from actlab.systems.tomography.counts import (
    WATER,
    Exposure,
    attenuation,
    deviance,
    expected,
    held_out_rays,
    hounsfield,
    negative_log_likelihood,
    score,
    simulate,
)
from actlab.systems.tomography.filtered import WINDOWS, filtered_backprojection
from actlab.systems.tomography.geometry import Geometry, GeometryError, fan_beam, parallel_beam
from actlab.systems.tomography.image_quality import bias_where, negative_share, psnr, ssim
from actlab.systems.tomography.likelihood import transmission_ml
from actlab.systems.tomography.phantoms import Phantom, disk, random_ellipses, shepp_logan
from actlab.systems.tomography.positivity import bounded, parameter_for, require_nonnegative
from actlab.systems.tomography.posterior import Found, Recipe, maximum_a_posteriori, tuned, typical_attenuation
from actlab.systems.tomography.priors import log_tv, quadratic, smoothed_tv
from actlab.systems.tomography.projector import backproject, project
from actlab.systems.tomography.total_variation import total_variation, tv_pdhg

__all__ = [
    "WATER",
    "WINDOWS",
    "Exposure",
    "Found",
    "Geometry",
    "GeometryError",
    "Phantom",
    "Recipe",
    "attenuation",
    "backproject",
    "bias_where",
    "bounded",
    "deviance",
    "disk",
    "expected",
    "fan_beam",
    "filtered_backprojection",
    "held_out_rays",
    "hounsfield",
    "log_tv",
    "maximum_a_posteriori",
    "mlem",
    "negative_log_likelihood",
    "negative_share",
    "parallel_beam",
    "parameter_for",
    "project",
    "psnr",
    "quadratic",
    "random_ellipses",
    "require_nonnegative",
    "sart",
    "score",
    "shepp_logan",
    "simulate",
    "sirt",
    "smoothed_tv",
    "ssim",
    "total_variation",
    "transmission_ml",
    "tuned",
    "tv_pdhg",
    "typical_attenuation",
]
