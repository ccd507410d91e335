"""The evening as a picture: plain SVG, the same bytes for the same figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

WIDTH: Final = 860
PANEL: Final = 120
LEFT, RIGHT, TOP, GAP = 70, 20, 40, 40
PANELS: Final = (
    ("comments a second", "#b4435a"),
    ("screens a second", "#2f6f9f"),
    ("seconds until a comment of the busiest lane is decided", "#8a6d1f"),
    ("cores of PostgreSQL", "#3d7a4b"),
)


def picture(day: Sequence[tuple[float, float, float, float]]) -> str:
    """One panel per figure; a point is the highest of three minutes."""
    day = [tuple(max(values) for values in zip(*day[n : n + 3], strict=True)) for n in range(0, len(day), 3)]
    height = TOP + len(PANELS) * (PANEL + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" font-size="15" fill="#222222">A Friday of 2.5 million members, by a model</text>',
    ]
    for number, (title, colour) in enumerate(PANELS):
        parts += _panel([values[number] for values in day], title, colour, TOP + number * (PANEL + GAP))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(values: Sequence[float], title: str, colour: str, y: int) -> list[str]:
    top = max(max(values), 1e-9)
    wide = WIDTH - LEFT - RIGHT
    points = " ".join(f"{LEFT + wide * n / (len(values) - 1):.1f},{y + PANEL - PANEL * value / top:.1f}" for n, value in enumerate(values))
    base = y + PANEL
    found = [
        f'<text x="{LEFT}" y="{y - 6}" fill="#444444">{title}</text>',
        f'<line x1="{LEFT}" y1="{base}" x2="{LEFT + wide}" y2="{base}" stroke="#999999"/>',
        f'<text x="{LEFT - 6}" y="{y + 10}" text-anchor="end" fill="#444444">{_shown(top)}</text>',
        f'<text x="{LEFT - 6}" y="{base}" text-anchor="end" fill="#444444">0</text>',
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>',
    ]
    for hour in range(0, 25, 3):
        x = LEFT + wide * hour / 24
        found.append(f'<text x="{x:.1f}" y="{base + 15}" text-anchor="middle" fill="#777777">{hour:02}</text>')
    return found


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
