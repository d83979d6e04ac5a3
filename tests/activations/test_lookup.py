from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

import actlab.activations as al

FILE = """
import jax.numpy as jnp

def bump(x):
    return x * jnp.exp(-x * x)

def total(x):
    return jnp.cumsum(x.ravel()).reshape(x.shape)

constant = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def test_finds_names_modules_and_files(file: Path) -> None:
    assert al.resolve("gelu") is al.gelu
    assert al.resolve("GELU ") is al.gelu
    assert al.resolve("jax.nn:soft_sign").facts.standing == "unknown"
    mine = al.resolve(f"{file}:bump")
    assert mine.name == "bump"
    assert float(mine(1.0)) == pytest.approx(float(jnp.exp(-1.0)))
    assert al.resolve("actlab.activations:relu") is al.relu


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("gleu", "no activation named 'gleu' .did you mean .*gelu"),
        ("no_module_of_mine:f", "no module 'no_module_of_mine'"),
        ("jax.nn:rleu", "jax.nn has no function 'rleu' .did you mean .*relu"),
        ("nowhere.py:f", "no file nowhere.py"),
        ("{file}:bumb", "did you mean 'bump'"),
        ("{file}:constant", "is int, not a function"),
    ],
)
def test_says_what_is_there_instead(file: Path, what: str, message: str) -> None:
    with pytest.raises(al.ActivationLookupError, match=message):
        al.resolve(what.format(file=file))


def test_a_broken_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken_of_mine.py"
    broken.write_text("def f(x) return x")
    with pytest.raises(al.ActivationLookupError, match="broken_of_mine.py cannot be loaded: SyntaxError"):
        al.resolve(f"{broken}:f")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(al.ActivationLookupError, match="broken_of_mine cannot be loaded: SyntaxError"):
        al.resolve("broken_of_mine:f")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.sum(), "maps float32 .3, 4. to float32 .."),
        (jax.nn.softmax, "alone, .* in an array"),
        (lambda x: x - x.mean(), "alone, .* in an array"),
        (lambda x: x.astype(jnp.bfloat16), "to bfloat16"),
        (lambda x: x @ x, "fails on a float32 array"),
        (lambda x: x[0, 0] + 0 * x, "elementwise|fails"),
    ],
)
def test_refuses_what_is_not_elementwise(function, message: str) -> None:
    with pytest.raises(al.NotElementwiseError, match=message):
        al.as_activation(function)


def test_refuses_a_file_function_that_is_not_elementwise(file: Path) -> None:
    with pytest.raises(al.NotElementwiseError, match="total is not elementwise"):
        al.resolve(f"{file}:total")


def test_accepts_activations_functions_and_names() -> None:
    assert al.as_activation("relu") is al.relu
    assert al.as_activation(al.relu) is al.relu
    assert al.as_activation(jnp.sin).name == "sin"
    assert al.as_activation(jax.nn.gelu).name == "gelu"
