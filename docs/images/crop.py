"""The picture in the README: the head of a system's card, from a report opened in a browser.

Command: python docs/images/crop.py runs/picture/report.html docs/images/report.png
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, MARGIN = 1200, 12


def crop(page: Path, picture: Path, system: int = 1) -> None:
    """Saves the card of a system, from its heading to the end of its figure, in light mode."""
    with sync_playwright() as play:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")  # None: the one that playwright installs
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
        view.goto(page.resolve().as_uri())
        card, figure = (view.locator(f"#system-{system}{part}").bounding_box() for part in ("", " .panels"))
        assert card is not None
        assert figure is not None
        bottom = figure["y"] + figure["height"] + MARGIN
        clip = {
            "x": card["x"] - MARGIN,
            "y": card["y"] - MARGIN,
            "width": card["width"] + 2 * MARGIN,
            "height": bottom - card["y"] + MARGIN,
        }
        view.screenshot(path=picture, full_page=True, clip=clip)
        browser.close()


if __name__ == "__main__":
    crop(Path(sys.argv[1]), Path(sys.argv[2]))
