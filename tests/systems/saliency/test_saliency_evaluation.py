"""The standard test in small: what facts foretell of units and pixels is measured."""

import numpy as np
import pytest

import actlab.activations as al
from actlab import systems
from actlab.systems.saliency.contest import Settings
from actlab.systems.saliency.evaluation import evaluate
from actlab.systems.saliency.model import Recipe

SMALL = Settings(Recipe(hidden=(16,), steps=150), explained=32, deletions=8)


def test_relu_has_zero_units_and_hardly_a_zero_pixel():
    found = evaluate("relu", (0, 1), SMALL)
    by_name = {m.name: m.mean for m in found.measurements}
    assert by_name["test accuracy"] > 70
    assert by_name["exact zeros among the units' slopes"] > 10
    assert by_name["exact zeros among pixels"] < 5
    assert by_name["deletion: mean share of the score left"] < 0.5 < by_name["insertion: mean share of the score back"]
    assert all(np.all(np.isfinite(m.values)) and m.seeds == (0, 1) for m in found.measurements)
    assert found.curves[0].values.shape == (2, 9)
    np.testing.assert_allclose(found.curves[0].values[:, [0, -1]], [[1, 0]] * 2, atol=1e-5)
    assert "exact by breakpoints" in found.notes[0]
    assert systems.load("saliency").name == "saliency"


def test_breakpoints_make_nothing_exact_where_the_activation_jumps():
    found = evaluate("hard_shrink", (0,), Settings(Recipe(hidden=(4,), steps=2), explained=4, deletions=2, nodes=2))
    assert not any("exact by breakpoints" in note for note in found.notes)


def test_surrogates_are_refused():
    with pytest.raises(al.FactError, match="surrogates"):
        evaluate(al.heaviside.with_surrogate(al.surrogates.sigmoid), (0,), SMALL)
