"""The independent checker: what it accepts, what it rejects, and that it shares nothing with the prover."""

import ast
import copy
import functools
import json
from pathlib import Path

import pytest

from actlab.activations import ZOO
from actlab.proofs import UnsupportedPrimitiveError, prove
from actlab.proofs.checker import Malformed, check
from actlab.proofs.checker.verdict import digest

FOLDER = Path(__file__).parents[2] / "actlab" / "proofs" / "checker"
ALLOWED = {"mpmath", "jax", "numpy", "actlab.proofs.checker", "actlab.activations.zoo"}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda p: p.name)
def test_the_checker_shares_no_code_with_the_prover(path: Path) -> None:
    import sys

    for node in ast.walk(ast.parse(path.read_text())):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [str(node.module)]
        for name in names:
            known = name.split(".")[0] in sys.stdlib_module_names
            assert known or any(name == a or name.startswith(f"{a}.") for a in ALLOWED), name


def test_jax_is_imported_to_retrace_alone() -> None:
    users = {p.name for p in FOLDER.glob("*.py") if "jax" in p.read_text().replace("jax documents", "")}
    assert users <= {"retrace.py", "__init__.py"}


@functools.cache
def certificate(name: str) -> str:
    return json.dumps(prove(name, tier="fast").as_json())


def loaded(name: str) -> dict:
    return json.loads(certificate(name))


SLOW = pytest.mark.exhaustive


@pytest.mark.parametrize(
    "name",
    ["relu", "tanh", "elu", "heaviside", "swish", *(pytest.param(n, marks=SLOW) for n in ("softsign", "hard_swish"))],
)
def test_accepts_what_the_prover_proves(name: str) -> None:
    verdict = check(certificate(name))
    assert verdict, str(verdict)
    assert verdict.boxes >= len(loaded(name)["cover"]) - 1
    assert "traced anew" in verdict.reason


@pytest.mark.exhaustive
def test_accepts_the_whole_zoo() -> None:
    refused = {}
    for name in ZOO:
        try:
            verdict = check(certificate(name))
        except UnsupportedPrimitiveError as error:
            refused[name] = str(error)
            continue
        if not verdict:
            refused[name] = str(verdict)
    assert set(refused) <= set(), refused


@pytest.mark.parametrize("name", ["half_log", *(pytest.param(n, marks=SLOW) for n in ("slow_step", "wavelet"))])
def test_accepts_the_certificates_of_the_documentation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    verdict = check((root / "docs" / "certificates" / f"{name}.json").read_text())
    assert verdict, str(verdict)
    assert "traced anew" in verdict.reason


def moved(bound: str, by: float) -> str:
    return (float.fromhex(bound) + by).hex()


def claim(data: dict, **changes) -> None:
    data["claims"].update(changes)


def inward(what: str, end: int, by: float = 1e-6):
    def tamper(data: dict) -> None:
        data["claims"][what][end] = moved(data["claims"][what][end], by if end == 0 else -by)

    return tamper


def edited(op: str, new: str):
    def tamper(data: dict) -> None:
        next(e for e in data["program"]["equations"] if e["op"] == op)["op"] = new

    return tamper


def constant_changed(data: dict) -> None:
    for equation in data["program"]["equations"]:
        for k, argument in enumerate(equation["args"]):
            if argument.startswith(("0x", "-0x")) and float.fromhex(argument):
                equation["args"][k] = (float.fromhex(argument) * (1 + 2**-52)).hex()
                return
    raise AssertionError("no constant")


def edge(action):
    def tamper(data: dict) -> None:
        data["cover"] = action(data["cover"])

    return tamper


TAMPERS = {
    "slope's upper bound moved in": ("swish", inward("slope", 1)),
    "slope's lower bound moved in": ("swish", inward("slope", 0)),
    "range's lower bound moved in": ("swish", inward("range", 0)),
    "range's upper bound moved in": ("tanh", inward("range", 1)),
    "curvature's upper bound moved in": ("swish", inward("curvature", 1)),
    "curvature's lower bound moved in": ("tanh", inward("curvature", 0)),
    "an algebraic bound moved in": ("softsign", inward("slope", 1)),
    "an infinite bound made finite": ("relu", lambda d: claim(d, range=[(0.0).hex(), (1e30).hex()])),
    "bounds of a slope exchanged for those of another": ("relu", lambda d: claim(d, slope=[(1.0).hex(), (1.0).hex()])),
    "first box dropped": ("tanh", edge(lambda c: c[1:])),
    "last box dropped": ("tanh", edge(lambda c: c[:-1])),
    "edges out of order": ("tanh", edge(lambda c: [c[0], c[2], c[1], *c[3:]])),
    "an edge repeated": ("tanh", edge(lambda c: [c[0], c[1], c[1], *c[2:]])),
    "no box at all": ("tanh", edge(lambda c: c[:1])),
    "domain widened": ("tanh", lambda d: d.update(domain=[d["domain"][0], (3.5e38).hex()])),
    "the name of another function": ("swish", lambda d: d["activation"].update(reference="sinc")),
    "another function of the zoo": ("relu", lambda d: d["activation"].update(reference="tanh")),
    "a function that is not there": ("relu", lambda d: d["activation"].update(reference="nowhere:nothing")),
    "another parameter": ("swish", lambda d: d["activation"]["parameters"].update(beta=(1.0 + 1e-12).hex())),
    "an operation changed": ("tanh", edited("tanh", "atan")),
    "max made min": ("relu", edited("max", "min")),
    "a constant changed by an ulp": ("quick_gelu", constant_changed),
    "another digest": ("relu", lambda d: d.update(digest="0" * 64)),
    "tier relabelled": ("relu", lambda d: d.update(tier="proved")),
    "precision relabelled": ("relu", lambda d: d.update(precision=200)),
    "nondecreasing made strictly increasing": ("relu", lambda d: claim(d, monotone="strictly increasing")),
    "none made nondecreasing": ("swish", lambda d: claim(d, monotone="nondecreasing")),
    "increasing made decreasing": ("tanh", lambda d: claim(d, monotone="strictly decreasing")),
    "increasing made none": ("tanh", lambda d: claim(d, monotone="none")),
    "a step made strictly increasing": ("heaviside", lambda d: claim(d, monotone="strictly increasing")),
    "a step made nonincreasing": ("heaviside", lambda d: claim(d, monotone="nonincreasing")),
    "a kink removed": ("relu", lambda d: claim(d, kinks=[])),
    "one of two kinks removed": ("hard_swish", lambda d: claim(d, kinks=d["claims"]["kinks"][:1])),
    "a kink moved": ("relu", lambda d: claim(d, kinks=[(1.0).hex()])),
    "a kink invented": ("tanh", lambda d: claim(d, kinks=[(0.0).hex()])),
    "a jump called continuous": ("heaviside", lambda d: claim(d, continuous=True)),
    "a hidden jump called continuous": ("hard_shrink", lambda d: claim(d, continuous=True)),
    "a kink called smooth": ("relu", lambda d: claim(d, smoothness=1)),
    "a jump called C0": ("heaviside", lambda d: claim(d, smoothness=0)),
    "C1 called smooth": ("elu", lambda d: claim(d, smoothness="inf")),
    "smooth called C1": ("tanh", lambda d: claim(d, smoothness=1)),
    "a continuous function said to jump": ("tanh", lambda d: claim(d, continuous=False)),
}


def rejected(what: str, renew: bool) -> bool:
    name, tamper = TAMPERS[what]
    data = copy.deepcopy(loaded(name))
    tamper(data)
    if renew:
        data["digest"] = digest(data)
    try:
        verdict = check(data)
    except Malformed:
        return True
    assert verdict.reason
    return not verdict


QUICK = [what for what, (name, _) in TAMPERS.items() if name in ("relu", "tanh", "heaviside")]


@pytest.mark.parametrize("names", [QUICK, pytest.param([w for w in TAMPERS if w not in QUICK], marks=SLOW)])
def test_rejects_every_tampered_certificate_its_digest_renewed(names: list[str]) -> None:
    accepted = [what for what in names if not rejected(what, renew=what != "another digest")]
    assert accepted == []


@pytest.mark.parametrize(
    "what", ["domain widened", "an operation changed", "max made min", "a constant changed by an ulp"]
)
def test_the_digest_alone_shows_what_was_edited(what: str) -> None:
    name, tamper = TAMPERS[what]
    data = copy.deepcopy(loaded(name))
    tamper(data)
    assert "digest" in check(data).reason


@pytest.mark.parametrize(
    "weaken",
    [
        lambda d: claim(d, slope=[moved(d["claims"]["slope"][0], -1e-6), moved(d["claims"]["slope"][1], 1e-6)]),
        lambda d: claim(d, monotone="nondecreasing"),
        lambda d: claim(d, monotone="unknown", kinks=None, smoothness=None, continuous=None, curvature=None),
        lambda d: d["cover"].insert(1, (-3e38).hex()),
    ],
)
def test_weaker_claims_are_true_and_accepted(weaken) -> None:
    data = loaded("tanh")
    weaken(data)
    assert check(data), str(check(data))


def test_without_a_reference_the_program_alone_is_verified() -> None:
    data = loaded("tanh")
    data["activation"]["reference"] = None
    assert "program alone" in check(data).reason
    inward("slope", 1)(data)
    assert not check(data)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": "actlab-certificate/9"}', '{"format": "actlab-certificate/1"}']
)
def test_what_is_no_certificate_is_said_to_be_none(text: str) -> None:
    with pytest.raises(Malformed):
        check(text)


def test_a_program_that_cannot_be_read_is_malformed() -> None:
    data = loaded("tanh")
    data["program"]["equations"][0]["args"] = ["nobody"]
    data["digest"] = digest(data)
    with pytest.raises(Malformed, match="nobody"):
        check(data)


def test_the_users_function_that_changed_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import jax.numpy as jnp\n\ndef f(x):\n    return x * jnp.exp(-x * x)\n")
    data = prove(f"{path}:f", domain=(-3.0, 3.0), tier="fast").as_json()
    assert check(data), str(check(data))
    path.write_text("import jax.numpy as jnp\n\ndef f(x):\n    return 1.0000001 * x * jnp.exp(-x * x)\n")
    assert "another one" in check(data).reason


def written(path: Path, formula: str) -> str:
    path.write_text(f"import jax\nimport jax.numpy as jnp\n\n\ndef f(x):\n    return {formula}\n")
    return f"{path}:f"


@pytest.mark.parametrize(
    "formula",
    [
        "jnp.where(x.astype(bool), x + 1.0, 1.0)",
        "jax.lax.round(x)",
        "jnp.maximum(x, -jnp.inf)",
        "jnp.floor(x)",
        "jax.lax.rem(x, 0.75)",
        "jnp.remainder(x, -0.5)",
        "jnp.sin(6.0 * (x % 1.0))",
    ],
)
def test_accepts_a_users_function_on_a_domain(formula: str, tmp_path: Path) -> None:
    data = prove(written(tmp_path / "mine.py", formula), domain=(-1.0, 1.5), tier="fast").as_json()
    assert check(data), str(check(data))


def test_a_selection_among_three_is_rejected_by_name(tmp_path: Path) -> None:
    formula = "jax.lax.select_n(jnp.floor(jnp.clip(x, 0.0, 2.0)).astype(jnp.int32), x, 2 * x, 3 * x)"
    data = prove(written(tmp_path / "mine.py", formula), domain=(-1.0, 1.5), tier="fast").as_json()
    assert "more than two cases" in check(data).reason


AT_AN_END = {
    "jnp.where(x >= 1, 0.0, x)": "strictly increasing",
    "jnp.where(x <= 0, 5.0, x)": "nondecreasing",
    "jnp.where(x >= 1, 5.0, -x)": "strictly decreasing",
    "jnp.where(x <= 0, -5.0, -x)": "nonincreasing",
}


@pytest.mark.parametrize("formula", AT_AN_END)
def test_a_jump_against_the_order_at_the_end_of_the_domain_is_rejected(formula: str, tmp_path: Path) -> None:
    data = prove(written(tmp_path / "mine.py", formula), domain=(0.0, 1.0), tier="fast").as_json()
    assert check(data, retrace=False), str(check(data, retrace=False))
    claim(data, monotone=AT_AN_END[formula])
    assert "jumps the other way" in check(data, retrace=False).reason
    claim(data, monotone="none")
    assert check(data, retrace=False), "the slope goes one way, the jump the other"
    claim(data, monotone="unknown", continuous=True, smoothness="inf", kinks=[])
    assert "continuity is claimed, and the function jumps" in check(data, retrace=False).reason


def test_a_false_slope_of_the_cube_root_is_rejected_on_one_box(tmp_path: Path) -> None:
    data = prove(written(tmp_path / "mine.py", "jnp.cbrt(x)"), domain=(-1.0, 1.0), tier="fast").as_json()
    data["cover"] = data["domain"]
    claim(data, slope=[(0.33).hex(), (0.34).hex()], curvature=None, kinks=None, smoothness=None)
    assert not check(data)
