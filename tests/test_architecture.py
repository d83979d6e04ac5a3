"""The dependency rule of the design: a package imports from lower floors only, a system never from another system."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FLOORS = (
    ("activations", "training", "data", "measurement", "config"),
    ("proofs", "signal", "report"),
    ("bounds", "dynamics"),
    ("nets",),
    ("systems",),
    ("evaluate", "kept_evaluations", "proved_facts"),
    ("cli", "__main__"),
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
# What a floor needs beside its own and lower ones: floor 1 has no order inside, save that these stay apart.
APART = {"activations": {"training", "data", "measurement"}, "training": {"activations"}}
FLAX_ALLOWED = ("nets/", "training/")
PLOTTING = {"matplotlib"}
ACTIVATIONS_MAY_IMPORT = {"jax", "jaxtyping", "numpy", "actlab"}


def imports(tree: ast.AST) -> list[tuple[int, str]]:
    """Every absolute module imported anywhere in the file, with its line; `from a import b` gives `a` and `a.b`."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def violations(path: str, source: str) -> list[str]:
    """What the file at `path` (relative to the root) imports against the rule."""
    parts = Path(path).with_suffix("").parts
    found = []
    for line, module in imports(ast.parse(source)):
        where = f"{path}:{line} imports {module}"
        target = module.split(".")
        if parts[0] == "actlab" and len(parts) > 1:
            me = parts[1]
            if target[0] in ("experiments", "benchmarks", "tests"):
                found.append(f"{where}: the library does not import what stands on its roof")
            if target[0] == "actlab" and len(target) > 1 and me in FLOOR and target[1] in FLOOR:
                if FLOOR[target[1]] > FLOOR[me]:
                    found.append(f"{where}: floor {FLOOR[me] + 1} imports floor {FLOOR[target[1]] + 1}")
                if target[1] in APART.get(me, ()):
                    found.append(f"{where}: {me} knows nothing of {target[1]}")
                if me == target[1] == "systems" and len(parts) > 3 and len(target) > 2 and target[2] != parts[2]:
                    found.append(f"{where}: a system imports another system")
            if me == "activations" and target[0] not in ACTIVATIONS_MAY_IMPORT | set(STANDARD):
                found.append(f"{where}: activations cost a user nothing but jax")
            inside = "/".join(parts[1:])
            if target[0] == "flax" and not inside.startswith(FLAX_ALLOWED) and not inside.endswith("/model"):
                found.append(f"{where}: flax only in nets, training and a system's model.py")
            if target[0] in PLOTTING and me != "report":
                found.append(f"{where}: plotting only in report and experiments")
    return found


STANDARD = __import__("sys").stdlib_module_names


def files() -> list[str]:
    return sorted(
        str(p.relative_to(ROOT)) for folder in ("actlab", "experiments") for p in (ROOT / folder).rglob("*.py")
    )


@pytest.mark.parametrize("path", files())
def test_imports_from_lower_floors_only(path: str) -> None:
    assert violations(path, (ROOT / path).read_text()) == []


def test_every_package_has_a_floor() -> None:
    names = {Path(p).parts[1].removesuffix(".py") for p in files() if p.startswith("actlab/")}
    assert names - {"__init__"} <= set(FLOOR)


@pytest.mark.parametrize(
    ("path", "source", "because"),
    [
        ("actlab/activations/gated.py", "from actlab.nets import MLP", "floor 1 imports floor 4"),
        ("actlab/signal/moments.py", "def f():\n    import actlab.systems.outliers", "floor 2 imports floor 5"),
        ("actlab/systems/outliers/model.py", "from actlab.systems.uncertainty import heads", "another system"),
        ("actlab/systems/outliers/model.py", "from actlab.systems import uncertainty", "another system"),
        ("actlab/training/fit.py", "import actlab.activations as al", "knows nothing of activations"),
        ("actlab/systems/outliers/measure.py", "from flax import nnx", "flax only"),
        ("actlab/systems/outliers/measure.py", "import matplotlib.pyplot", "plotting only"),
        ("actlab/activations/gated.py", "import scipy", "nothing but jax"),
        ("actlab/nets/mlp.py", "from experiments import uci", "roof"),
    ],
)
def test_planted_violations_are_caught(path: str, source: str, because: str) -> None:
    assert any(because in v for v in violations(path, source))


def test_allowed_imports_pass() -> None:
    assert violations("actlab/systems/outliers/model.py", "from flax import nnx\nfrom actlab.nets import MLP") == []
    assert violations("actlab/systems/outliers/model.py", "from actlab.systems.outliers import losses") == []
