import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actlab.measurement import Claim, Curve, Evaluation, Measurement
from actlab.report import Results, ResultsError, RunInfo, SystemResults, write_report
from actlab.report.claims import WIDTH, finding, tally
from actlab.report.page import render

NOISE = np.array([-0.02, -0.01, 0.0, 0.01, 0.02])


def accuracy(mean: float, who: str = "relu") -> Measurement:
    return Measurement("test accuracy", who, mean + NOISE, better="higher", seeds=(3, 4, 5, 6, 7))


CLAIMS = (
    Claim("nets learn <digits>", "arXiv:1502.01852, table 3", accuracy(0.97, "tanh"), at_least=0.95),
    Claim("the loss is small", "none", accuracy(0.97), at_most=0.5),
    Claim("it is near", "none", accuracy(0.95), at_least=0.945),
    Claim("nothing is known", "none", Measurement("one", "a", np.array([1.0])), at_most=2.0),
)


@pytest.fixture(scope="module")
def experiment(results: Results) -> Results:
    evaluation = Evaluation(
        (accuracy(0.97, "tanh"), accuracy(0.95), accuracy(0.90, "HuberRegressor")),
        tuple(Curve("loss", who, np.arange(3.0), np.ones((2, 3)), "step", "nats") for who in ("tanh", "relu")),
    )
    run = RunInfo(
        "actlab run configs/digits/deep.toml rate=0.01 --out runs/digits",
        (3, 4, 5, 6, 7),
        results.run.versions,
        results.run.device,
        results.run.date,
        config="configs/digits/deep.toml",
        settings={"activations": ["relu", "tanh"], "optimizer": {"rate": 0.01}},
    )
    system = SystemResults("digits", "Digits", "Do plain nets learn?", "", {}, evaluation, 12.0)
    return Results((), (system,), run, "Digits: deep", CLAIMS)


@pytest.mark.parametrize(
    ("claim", "said", "why"),
    [
        (CLAIMS[0], "at least 0.95", "The whole interval is on the claimed side."),
        (CLAIMS[1], "at most 0.5", "The whole interval is on the other side."),
        (CLAIMS[2], "at least 0.945", "The interval lies on both sides of the bound."),
        (CLAIMS[3], "at most 2", "There is no interval to decide it."),
    ],
)
def test_a_claim_in_words(claim: Claim, said: str, why: str) -> None:
    found = finding(claim)
    assert (found.bound, found.why) == (said, why)
    assert found.statement[0].isupper()


def test_the_gauge_shows_the_interval_where_the_verdict_says() -> None:
    holds, fails, undecided = (finding(c).gauge for c in CLAIMS[:3])
    assert holds.left == holds.bound < holds.low < holds.mean < holds.high < holds.right == WIDTH
    assert 0 == fails.left < fails.right == fails.bound < fails.low
    assert undecided.low < undecided.bound < undecided.high
    assert finding(CLAIMS[3]).gauge is None
    sure = Claim("s", "", Measurement("m", "a", np.ones(3)), at_least=1.0)
    assert finding(sure).gauge.bound == WIDTH / 2


def test_an_interval_that_ends_just_short_of_the_bound_does_not_read_as_reaching_it() -> None:
    near = Claim("s", "", Measurement("m", "a", np.array([0.80, 0.9496, 0.9496, 0.9496])), at_least=0.95)
    assert near.measurement.interval[1] == pytest.approx(0.9496)
    assert near.verdict == "fails"
    assert finding(near).measured.endswith("0.9496]")


def test_the_tally_counts() -> None:
    assert tally(CLAIMS) == "Of 4 claims, 1 holds, 1 fails and 2 are undecided."
    assert tally(()) == ""


def test_an_experiment_survives_in_its_file(experiment: Results) -> None:
    restored = Results.from_json(experiment.to_json())
    assert restored.to_json() == experiment.to_json()
    assert (restored.title, restored.run) == (experiment.title, experiment.run)
    assert [c.verdict for c in restored.claims] == ["holds", "fails", "undecided", "undecided"]
    np.testing.assert_array_equal(restored.claims[0].measurement.values, CLAIMS[0].measurement.values)
    first = json.loads(experiment.to_json())["claims"][0]
    assert (first["verdict"], first["at_least"], first["at_most"]) == ("holds", 0.95, None)
    assert first["measurement"]["seeds"] == [3, 4, 5, 6, 7]


def test_a_file_without_claims_is_read(results: Results) -> None:
    record = json.loads(results.to_json())
    for key in ("claims", "title"):
        del record[key]
    assert Results.from_json(json.dumps(record)).to_json() == results.to_json()


def test_a_claim_without_a_bound_is_refused(experiment: Results) -> None:
    record = json.loads(experiment.to_json())
    record["claims"][0]["at_least"] = None
    with pytest.raises(ResultsError, match="exactly one of at_least, at_most"):
        Results.from_json(json.dumps(record))


def test_the_page_of_an_experiment(experiment: Results) -> None:
    page = render(experiment)
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "Digits: deep Do plain nets learn?" in text
    assert "Nets learn &lt;digits&gt;" in text
    assert re.search(r"test accuracy, tanh: 0\.970 \[0\.9\d+, 0\.9\d+\] over 5 seeds; claimed at least 0\.95", text)
    assert "Source of the claim: arXiv:1502.01852, table 3." in text
    assert page.index('id="claims"') < page.index('id="measured"') < page.index('id="reproduce"')
    for verdict in ("holds", "fails", "undecided"):
        assert re.search(rf'class="badge"><svg class="icon".*?</svg>{verdict}', page)
    assert "configs/digits/deep.toml" in text
    assert "optimizer.rate = 0.01" in text
    assert "It took 12 s" in text
    assert "nothing" not in text.replace("Nothing is known", "").lower()
    assert "in 1 system" not in text


def test_an_experiment_without_claims_or_time(experiment: Results) -> None:
    (system,) = experiment.systems
    page = render(replace(experiment, claims=(), systems=(replace(system, seconds=math.nan),)))
    assert 'id="claims"' not in page
    assert "It took" not in page


def test_the_page_of_an_experiment_in_a_browser(browser, check_layout, experiment: Results, tmp_path: Path) -> None:
    check_layout(browser, write_report(experiment, tmp_path))
