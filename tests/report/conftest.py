import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab.activations as al
from actlab.measurement import Curve, Evaluation, Measurement
from actlab.report import Results, RunInfo, SystemResults, describe

ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
# The smallest contrast of any visible text with what lies behind it, by WCAG 2's formula.
CONTRAST = """() => {
  const parse = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
                       return .2126 * r + .7152 * g + .0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
                        if (c.length < 4 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
  let worst = [99, ''];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const style = getComputedStyle(e), colour = e.closest('svg') ? style.fill : style.color;
    const [a, b] = [light(parse(colour).slice(0, 3)), light(behind(e))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < worst[0]) worst = [ratio, e.outerHTML.slice(0, 120)];
  }
  return worst;
}"""

SEEDS = (0, 1, 2, 3, 4)
X = np.linspace(0.0, 0.4, 9)

wave = al.activation(lambda x, *, beta=1.5: x * jax.nn.sigmoid(beta * x) + 0.1 * jnp.sin(3.0 * x), name="wave")
ramp = al.activation(
    facts=al.Facts(
        range=al.Interval(0.0, np.inf),
        slope=al.Interval(0.0, 1.0),
        curvature=al.Interval(0.0, 0.0),
        kinks=(0.0,),
        smoothness=0,
        monotone="nondecreasing",
    ),
    source="a ramp",
    family="rectifiers",
    name="ramp",
)(lambda x: jnp.maximum(x, 0.0))
bend = al.activation(
    facts=al.Facts(al.Interval(-1.0, 1.0), al.Interval(0.0, 1.0), kinks=(), smoothness=al.SMOOTH, standing="proved"),
    family="sigmoids",
    name="bend",
)(jnp.tanh)


def measured(name: str, who: str, mean: float, spread: float = 0.02, **more) -> Measurement:
    noise = np.random.default_rng(sum(map(ord, name))).normal(size=5) * spread  # shared by seed, so pairs are tight
    own = np.random.default_rng(sum(map(ord, who + name))).normal(size=5) * spread * 0.3
    return Measurement(name, who, mean + noise + own, seeds=SEEDS, **more)


def curve(name: str, who: str, level: float, growth: float, **more) -> Curve:
    rng = np.random.default_rng(sum(map(ord, who)))
    values = level + growth * X**2 + rng.normal(size=(5, X.size)) * 0.03 * (1 + 8 * X)
    return Curve(name, who, X, values, "fraction of contaminated labels", "test RMSE / sd", **more)


def evaluation(who: str, shift: float) -> Evaluation:
    rmse = measured("RMSE at 30 % contamination", who, 0.52 + shift, unit="sd")
    other = (
        measured("RMSE on clean data", who, 0.36 + shift / 5, unit="sd"),
        measured("largest influence of one label", who, 3.1e7 * (1 + shift), 2e6),
        measured("coverage of the 90 % interval", who, 0.9 - shift, 0.01, unit="", better="neither"),
    )
    curves = (curve("Breakdown", who, 0.36, 3 + 20 * shift), curve("Influence", who, 1.0, 40 * shift, log_y=True))
    note = "The head is bounded, so targets outside its range are predicted with a bias."
    return Evaluation((rmse, *other), curves, (note,))


@pytest.fixture(scope="session")
def results() -> Results:
    shifts = {"wave": 0.0, "ramp": 0.06, "bend": 0.003}
    references = Evaluation(
        (
            measured("RMSE at 30 % contamination", "HuberRegressor", 0.747, unit="sd"),
            measured("RMSE at 30 % contamination", "RANSAC", 5.3, unit="sd"),
        ),
        (curve("Breakdown", "HuberRegressor", 0.52, 4.0),),
    )
    outliers = SystemResults(
        "outliers",
        "Outliers",
        "How far can a few corrupted labels pull the whole fit?",
        "friedman1, 600 rows, one-sided label outliers of 10 to 20 sd (scikit-learn)",
        {name: evaluation(name, shift) for name, shift in shifts.items()},
        references,
        48.2,
    )
    nll = [
        Evaluation((measured("test NLL", "wave", 1.31, unit="nats"),), (), ("Calibrated on the training folds.",)),
        Evaluation(
            refused="uncertainty: a variance head needs a positive range; ramp has range [0, inf). Try al.softplus."
        ),
        Evaluation((Measurement("test NLL", "bend", np.array([1.2, np.inf, np.nan, 1.3, 1.4]), "nats"),)),
    ]
    uncertainty = SystemResults(
        "uncertainty",
        "Uncertainty",
        "Does the net know what it does not know?",
        "diabetes, 442 rows (scikit-learn)",
        dict(zip(shifts, nll, strict=True)),
        seconds=131.0,
    )
    profiles = (describe(wave), describe(ramp, "baseline"), describe(bend, "baseline"))
    run = RunInfo(
        "actlab evaluate wave.py:wave --against ramp,bend --seeds 5",
        SEEDS,
        {"python": "3.11.9", "actlab": "0.1.0", "jax": "0.10.2", "flax": "0.12.8"},
        "cpu (Linux x86_64, 2 CPU cores)",
        "2026-01-02T03:04:05+00:00",
        "0123456789abcdef0123456789abcdef01234567",
    )
    return Results(profiles, (outliers, uncertainty), run)


@pytest.fixture(scope="session")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs chromium on the PATH to open the report in a browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=chromium, args=ARGUMENTS.split())
        yield running
        running.close()


@pytest.fixture(scope="session")
def check_layout():
    """Opens a page at two widths and in both modes: nothing overflows, fails, is loaded, or is hard to read."""
    return _check_layout


def _check_layout(browser, path: Path) -> None:
    for width in (1280, 390):
        for scheme in ("light", "dark"):
            view = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            said, requests = [], []
            view.on("console", lambda message, said=said: said.append(message.text))
            view.on("pageerror", lambda error, said=said: said.append(str(error)))
            view.on("request", lambda request, requests=requests: requests.append(request.url))
            view.goto(path.as_uri())
            assert said == []
            assert [r for r in requests if not r.startswith("data:")] == [path.as_uri()]
            assert view.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), (width, scheme)
            assert view.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
            sizes = view.evaluate(
                "[...document.querySelectorAll('figure svg')].map(s => s.getBoundingClientRect().width)"
            )
            assert sizes
            assert min(sizes) > 250
            ratio, where = view.evaluate(CONTRAST)
            assert ratio >= 4.5, (width, scheme, where)
            view.close()
