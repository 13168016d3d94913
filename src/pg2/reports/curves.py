"""Curves as SVG inside a page: no plotting library, nothing beside the file."""

from collections.abc import Mapping, Sequence
from html import escape

# Told apart by those, too, who do not tell red from green (Okabe and Ito).
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
_DASHES = ("", "6 4", "2 3")

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 240, 64, 12, 12, 28


def chart(title: str, curves: Mapping[str, Sequence[tuple[float, float]]], unit: str) -> str:
    """A figure of some curves and a legend, as HTML.

    Args:
        title: what is drawn upwards.
        curves: name -> (x, y), finite; at least one point in all.
        unit: what is drawn to the right.
    """
    points = [point for curve in curves.values() for point in curve]
    (low_x, high_x), (low_y, high_y) = ((min(values), max(values)) for values in zip(*points, strict=True))
    wide, high = (high_x - low_x) or 1.0, (high_y - low_y) or 1.0

    def place(x: float, y: float) -> str:
        right = _LEFT + (x - low_x) / wide * (_WIDTH - _LEFT - _RIGHT)
        down = _HEIGHT - _BOTTOM - (y - low_y) / high * (_HEIGHT - _TOP - _BOTTOM)
        return f"{right:.1f},{down:.1f}"

    lines, legend = [], []
    for number, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        dash = _DASHES[number // len(_COLOURS) % len(_DASHES)]
        path = " ".join(place(*point) for point in curve)
        lines.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" '
            f'stroke-dasharray="{dash}" stroke-linejoin="round"/>'
        )
        legend.append(f'<span style="color:{colour}">&#9632;</span> {escape(name)}')
    texts = [
        (_LEFT - 6, _TOP + 8, "end", f"{high_y:.4g}"),
        (_LEFT - 6, _HEIGHT - _BOTTOM, "end", f"{low_y:.4g}"),
        (_LEFT, _HEIGHT - 8, "start", f"{low_x:,.0f}"),
        (_WIDTH - _RIGHT, _HEIGHT - 8, "end", f"{high_x:,.0f} {unit}"),
    ]
    labels = "".join(
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="12" fill="currentColor">'
        f"{escape(text)}</text>"
        for x, y, anchor, text in texts
    )
    axes = (
        f'<path d="M{_LEFT},{_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}" fill="none" stroke="currentColor" '
        'stroke-opacity=".4"/>'
    )
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" style="max-width:100%" '
        f'aria-label="{escape(title)}">{axes}{"".join(lines)}{labels}</svg>'
        f"<figcaption>{escape(title)}: {', '.join(legend)}</figcaption></figure>"
    )
