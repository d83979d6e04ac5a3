"""What the page shows of a figure: one drawing, or several side by side with the scale that they share."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Tile:
    """One of several drawings side by side.

    Attributes:
        caption: whose it is; may be empty.
        svg: the drawing.
        scale: the scale of its colours, where it has one of its own.
    """

    caption: str
    svg: Markup
    scale: Markup | None = None


@dataclass(frozen=True)
class Picture:
    """A figure of the page.

    Attributes:
        title: its caption.
        svg: the drawing; None where there are tiles.
        labels: whose curves it shows, for the legend of the card.
        gaps: what is not drawn, what is marked and what lies over it, in words; empty where nothing is.
        tiles: drawings side by side, instead of one.
        scale: the scale of colours that the tiles share.
    """

    title: str
    svg: Markup | None
    labels: tuple[str, ...] = ()
    gaps: str = ""
    tiles: tuple[Tile, ...] = ()
    scale: Markup | None = None
