"""What captum and quantus find of fixed nets: the script that made `peer_values.json`, and those nets.

    PYTHON tests/systems/saliency/peer_values.py

PYTHON has captum, quantus and torch; numpy alone is needed to import the nets. All is in float64, and every random
point is given to the peers, so that nothing is left to chance.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_suffix(".json")
WIDTHS, ROWS, SIDE, CHANNELS, SAMPLES, BASELINE = (12, 10, 8, 3), 4, 8, (1, 3, 4), 6, 0.1
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)


def dense() -> dict[str, Any]:
    """Kernels and biases of a net of rows, its inputs, the classes explained, and disturbances of the inputs."""
    rng = np.random.default_rng(0)
    pairs = list(zip(WIDTHS[:-1], WIDTHS[1:], strict=True))
    return {
        "kernels": [rng.normal(size=p) / p[0] ** 0.5 for p in pairs],
        "biases": [0.3 * rng.normal(size=p[1]) for p in pairs],
        "x": rng.normal(size=(ROWS, WIDTHS[0])),
        "labels": np.array([0, 1, 2, 0]),
        "disturbances": 0.2 * rng.normal(size=(SAMPLES, ROWS, WIDTHS[0])),
    }


def convolutional() -> dict[str, Any]:
    """Kernels (height, width, in, out) of 3 x 3 convolutions without padding, the last layer, images, classes, maps."""
    rng = np.random.default_rng(1)
    pairs = list(zip(CHANNELS[:-1], CHANNELS[1:], strict=True))
    return {
        "kernels": [rng.normal(size=(3, 3, *p)) / (9 * p[0]) ** 0.5 for p in pairs],
        "biases": [0.3 * rng.normal(size=p[1]) for p in pairs],
        "last": rng.normal(size=(CHANNELS[-1], 3)),
        "x": rng.normal(size=(ROWS, SIDE, SIDE, 1)),
        "labels": np.array([0, 1, 2, 0]),
        "maps": rng.normal(size=(ROWS, SIDE, SIDE, 1)),
    }


def main() -> None:
    """Writes what the peers find."""
    import captum
    import quantus
    import torch

    torch.set_default_dtype(torch.float64)
    found = {"versions": {"captum": captum.__version__, "quantus": quantus.__version__, "torch": torch.__version__}}
    found |= {f"captum, {name}": _by_captum(name) for name in ("relu", "tanh", "softplus")}
    found |= {"captum, places": _places(), "quantus": _by_quantus()}
    lines = [f"{json.dumps(name)}: {json.dumps(found[name], default=_digits)}" for name in found]
    plain = "{\n" + ",\n".join(lines) + "\n}\n"
    FILE.write_text(plain, encoding="utf-8")
    print(f"{FILE}: {len(plain)} bytes")


def _digits(values: Any) -> Any:
    return np.asarray(values).round(9).tolist()


def _torch_dense(name: str) -> Any:
    import torch

    net, layers = dense(), []
    kinds = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "softplus": torch.nn.Softplus}
    for k, (kernel, bias) in enumerate(zip(net["kernels"], net["biases"], strict=True)):
        layer = torch.nn.Linear(*kernel.shape)
        layer.weight.data, layer.bias.data = torch.tensor(kernel.T.copy()), torch.tensor(bias)
        layers += [layer] + ([kinds[name]()] if k < len(net["kernels"]) - 1 else [])
    return torch.nn.Sequential(*layers)


def _by_captum(name: str) -> dict[str, Any]:
    import torch
    from captum.attr import LRP, DeepLift, InputXGradient, IntegratedGradients, Saliency
    from captum.attr._utils.lrp_rules import EpsilonRule, GammaRule
    from captum.metrics import infidelity, sensitivity_max

    net, model = dense(), _torch_dense(name)
    x, labels = torch.tensor(net["x"], requires_grad=True), torch.tensor(net["labels"])
    moved = torch.tensor(net["disturbances"])
    maps = Saliency(model).attribute(x, target=labels, abs=False)

    def disturbed(inputs: Any) -> tuple[Any, Any]:  # captum repeats each row `SAMPLES` times, one after the other
        noise = moved.transpose(0, 1).reshape(inputs.shape)
        return noise, inputs - noise

    def nearby(inputs: Any) -> Any:
        return inputs + moved.transpose(0, 1).reshape(inputs.shape)

    found = {
        "gradient": maps,
        "input times gradient": InputXGradient(model).attribute(x, target=labels),
        "integrated gradients": IntegratedGradients(model).attribute(
            x, torch.full_like(x, BASELINE), target=labels, n_steps=16, method="gausslegendre"
        ),
        "deep lift": DeepLift(model).attribute(x, torch.full_like(x, BASELINE), target=labels),
        "infidelity": infidelity(model, disturbed, x, maps, target=labels, n_perturb_samples=SAMPLES),
        "largest sensitivity": sensitivity_max(
            Saliency(model).attribute, x, nearby, n_perturb_samples=SAMPLES, target=labels, abs=False
        ),
    }
    if name == "relu":
        for rule, title in ((EpsilonRule, "relevance, epsilon"), (GammaRule, "relevance, gamma")):
            for layer in model:
                if isinstance(layer, torch.nn.Linear):
                    layer.rule = rule()
            found[title] = LRP(model).attribute(x, target=labels)
    return {title: values.detach().numpy() for title, values in found.items()}


def _torch_convolutional() -> Any:
    import torch

    net, layers = convolutional(), []
    for kernel, bias in zip(net["kernels"], net["biases"], strict=True):
        layer = torch.nn.Conv2d(kernel.shape[2], kernel.shape[3], 3)
        layer.weight.data = torch.tensor(kernel.transpose(3, 2, 0, 1).copy())
        layer.bias.data = torch.tensor(bias)
        layers += [layer, torch.nn.ReLU()]
    last = torch.nn.Linear(*net["last"].shape, bias=False)
    last.weight.data = torch.tensor(net["last"].T.copy())
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), last)


def _places() -> dict[str, Any]:
    import torch
    from captum.attr import LayerGradCam

    net, model = convolutional(), _torch_convolutional()
    x, labels = torch.tensor(net["x"].transpose(0, 3, 1, 2).copy()), torch.tensor(net["labels"])
    return {
        f"grad-cam {i}": LayerGradCam(model, model[k])
        .attribute(x, target=labels, relu_attributions=True)[:, 0]
        .detach()
        .numpy()
        for i, k in ((1, 1), (2, 3))
    }


def _by_quantus() -> dict[str, Any]:
    import quantus
    import torch
    from quantus.functions.perturb_func import noisy_linear_imputation
    from quantus.functions.similarity_func import correlation_spearman

    net, model = convolutional(), _torch_convolutional().eval()
    x, maps = (net[name].transpose(0, 3, 1, 2).copy() for name in ("x", "maps"))
    batch = {"model": model, "x_batch": x, "y_batch": net["labels"], "a_batch": maps, "device": "cpu"}
    plain = {"normalise": False, "abs": False, "disable_warnings": True, "display_progressbar": False}

    def sizes() -> dict[str, Any]:  # made anew: quantus's complexity divides what it is given in place
        return {**batch, "a_batch": np.abs(maps)}

    moved = iter(nearby_images().transpose(0, 1, 4, 2, 3))  # quantus moves all images at once

    def explain(model: Any, inputs: Any, targets: Any, **_: Any) -> np.ndarray:
        inputs = torch.tensor(np.asarray(inputs), requires_grad=True)
        targets = torch.as_tensor(np.asarray(targets).reshape(-1))
        score = model(inputs).gather(1, targets[:, None]).sum()
        return torch.autograd.grad(score, inputs)[0].numpy()

    def shifted(arr: np.ndarray, **_: Any) -> np.ndarray:
        return arr + next(moved).reshape(arr.shape)

    order = np.argsort(-maps.reshape(ROWS, -1), axis=1)
    imputed = [
        [
            noisy_linear_imputation(image, at[: int(share * SIDE**2)], noise=0.0)
            for image, at in zip(x, order, strict=True)
        ]
        for share in SHARES
    ]
    percentages = [round(100 * share) for share in SHARES]
    return {
        "gini": quantus.Sparseness(**plain)(**sizes()),
        "complexity": quantus.Complexity(**plain)(**sizes()),
        "effective complexity": quantus.EffectiveComplexity(eps=0.5, **plain)(**sizes()),
        "deletion": quantus.PixelFlipping(features_in_step=8, perturb_baseline="black", **plain)(
            **batch, softmax=False
        ),
        "road": list(quantus.ROAD(percentages=percentages, noise=0.0, **plain)(**batch).values()),
        "imputation": np.asarray(imputed).transpose(0, 1, 3, 4, 2),
        "rank correlation": [
            correlation_spearman(np.abs(a).ravel(), np.abs(b).ravel()) for a, b in zip(maps, x, strict=True)
        ],
        "largest sensitivity": quantus.MaxSensitivity(nr_samples=SAMPLES, perturb_func=shifted, **plain)(
            **{**batch, "a_batch": explain(model, x, net["labels"])}, explain_func=explain
        ),
    }


def nearby_images() -> np.ndarray:
    """Disturbances of the images, (SAMPLES, ROWS, SIDE, SIDE, 1)."""
    return 0.1 * np.random.default_rng(2).normal(size=(SAMPLES, ROWS, SIDE, SIDE, 1))


if __name__ == "__main__":
    main()
