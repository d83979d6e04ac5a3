"""The float audit against counts by hand, and against failures that are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.activations import Interval
from actlab.proofs.float_audit import STRIDE, audit_floats

SIXTEEN = [jnp.bfloat16, jnp.float16]


@pytest.mark.parametrize("dtype", SIXTEEN)
def test_every_finite_input_is_tried_once(dtype) -> None:
    patterns = np.arange(2**16, dtype=np.uint16)
    finite = np.isfinite(patterns.view(dtype).astype(np.float32)).sum()
    assert audit_floats(al.relu, dtype).tried == finite - 1  # 0 and -0 are one number


@pytest.mark.parametrize("dtype", SIXTEEN)
@pytest.mark.parametrize("name", ["swish", "softsign"])
def test_agrees_with_slope_in(dtype, name: str) -> None:
    assert audit_floats(al.ZOO[name], dtype).slope == al.ZOO[name].slope_in(dtype)


def test_swish_exceeds_its_real_slope_in_bfloat16() -> None:
    found = audit_floats(al.swish, jnp.bfloat16)
    assert found.slope.upper == 1.1015625
    assert found.excess(al.swish.facts.slope) == pytest.approx(1.1015625 - al.swish.facts.slope.upper)
    assert found.nan_at is None
    assert "outside the real slope" in found.text(al.swish.facts.slope)


def test_the_audit_finds_the_nan_in_the_gradient_of_jax_gelu() -> None:
    half = audit_floats(jax.nn.gelu, jnp.float16)
    assert 148 <= abs(half.nan_at) <= 256  # 148 operation by operation; fused, fewer roundings overflow
    assert np.isnan(jax.grad(jax.nn.gelu)(jnp.float16(148)))
    assert "NaN" in half.text()
    assert 1e19 < abs(audit_floats(jax.nn.gelu, jnp.bfloat16).nan_at) < 1.9e19
    assert 1e19 < abs(audit_floats(jax.nn.gelu, jnp.float32).nan_at) < 1.9e19


@pytest.mark.parametrize(
    "name",
    ["gelu_tanh", *(pytest.param(n, marks=pytest.mark.exhaustive) for n in "gelu swish mish tanh squareplus".split())],
)
def test_ours_have_none(name: str) -> None:
    for dtype in (*SIXTEEN, jnp.float32):
        found = audit_floats(al.ZOO[name], dtype)
        assert found.nan_at is None, str(found)
        assert found.keeps(al.ZOO[name].facts.monotone), str(found)


def test_the_worst_inputs_are_where_it_says() -> None:
    found = audit_floats(al.swish, jnp.float16)
    assert float(al.swish.slope(jnp.float16(found.most_at))) == found.slope.upper
    assert float(al.swish.slope(jnp.float16(found.least_at))) == found.slope.lower


def test_a_fall_of_one_step_is_seen_also_between_chunks() -> None:
    def dented(x):
        return jnp.where(x == 2.5, x - 1, x)

    found = audit_floats(dented, jnp.float16)
    assert found.falls_at == np.nextafter(np.float16(2.5), np.float16(0))
    assert not found.keeps("nondecreasing")
    assert found.keeps("none")


def test_a_stride_of_float32_covers_the_line() -> None:
    found = audit_floats(al.identity, jnp.float32)
    assert not found.exhaustive
    assert found.tried == 2 * 0x7F7FFFFF // STRIDE + 1
    assert found.slope == Interval(1.0, 1.0)


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(ValueError, match="float64"):
        audit_floats(al.relu, jnp.float64)


def test_a_broken_order_is_told_with_the_place_where_it_breaks() -> None:
    found = audit_floats(lambda x: jnp.where(x == 2.5, x - 1, x), jnp.float16)
    before = np.nextafter(np.float16(2.5), np.float16(0))
    for order in ("nondecreasing", "strictly increasing"):
        assert f"not {order}: breaks at {before:.9g}" in found.text(monotone=order)
    for order in ("nonincreasing", "strictly decreasing"):
        assert f"not {order}: breaks at {found.rises_at:.9g}" in found.text(monotone=order)
