"""The site: `make docs` builds it into site/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from actlab import __version__

project, author, release = "actlab", "The actlab developers", __version__
copyright = "the actlab developers, Apache-2.0"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"actlab {release}"
mathjax_path = ""  # formulas are text: the site asks for nothing from elsewhere
exclude_patterns = ["images/README.md"]
autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
nitpicky = False
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure"]

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
        text = f"# {title}\n\n```{{automodule}} {title}\n:members:\n:imported-members:\n```\n"
        _write(folder / f"{name}.md", text)
    contents = "\n".join(["# Reference", "", "```{toctree}", ":maxdepth: 1", "", *names, "```", ""])
    _write(folder / "index.md", contents)


def _write(path: Path, text: str) -> None:
    """Leaves a file that says the same as it is, so that it is not read again."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("builder-inited", reference)
