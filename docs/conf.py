"""The site: `make docs` builds it into site/."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from actlab import __version__

project, author, release = "actlab", "The actlab developers", __version__
copyright = "the actlab developers, Apache-2.0"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"actlab {release}"
exclude_patterns = ["images/README.md"]
autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
default_role = "code"  # docstrings write names in single backticks
napoleon_use_ivar, napoleon_attr_annotations = True, False
suppress_warnings = ["ref.python"]  # slope, range and the like are attributes of several classes

HERE = Path(__file__).parent
PACKAGES = (
    "activations",
    "proofs",
    "signal",
    "bounds",
    "dynamics",
    "nets",
    "nets.graph",
    "training",
    "data",
    "measurement",
    "evaluate",
    "report",
)


def reference(app: Any) -> None:
    """Writes a page for each package, from the docstrings of its public names, and their table of contents."""
    systems = sorted(p.parent.name for p in (HERE.parent / "actlab" / "systems").glob("*/__init__.py"))
    names = [*PACKAGES, *(f"systems.{s}" for s in systems)]
    folder = HERE / "api"
    folder.mkdir(exist_ok=True)
    for name in names:
        title = f"actlab.{name}"
        text = f"{title}\n{'=' * len(title)}\n\n.. automodule:: {title}\n   :members:\n"
        if not (HERE.parent / "actlab" / f"{name}.py").is_file():  # a package: its public names live in its modules
            text += "   :imported-members:\n"
        _write(folder / f"{name}.rst", text)
    contents = ["Reference", "=========", "", ".. toctree::", "   :maxdepth: 1", "", *(f"   {n}" for n in names), ""]
    _write(folder / "index.rst", "\n".join(contents))


def _write(path: Path, text: str) -> None:
    """Leaves a file that says the same as it is, so that it is not read again."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def plain(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Bars and stars of formulas are no markup in our docstrings."""
    lines[:] = [_escaped(line) for line in lines]


def _escaped(line: str) -> str:
    """Outside the names in backticks."""
    return "".join(
        part if k % 2 else re.sub(r"([|*])", r"\\\1", part) for k, part in enumerate(re.split(r"(`[^`]*`)", line))
    )


def elsewhere(app: Any, what: str, name: str, value: Any, skip: bool, options: Any) -> bool | None:
    """Leaves a name that a package passes on to the page of the package that defines it."""
    home, page = getattr(value, "__module__", None) or "", app.env.current_document.docname.removeprefix("api/")
    return True if what == "module" and home.startswith("actlab.") and not home.startswith(f"actlab.{page}") else None


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("builder-inited", reference)
    app.connect("autodoc-skip-member", elsewhere)
    app.connect("autodoc-process-docstring", plain, priority=400)  # before napoleon reads it
