"""Curves as SVG by hand: a logarithmic axis upwards, recall across, every series labelled at its end, readable on light and dark."""

import math
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 420, 70, 130, 50, 50
COLOURS = ["#d9480f", "#1c7ed6", "#2f9e44", "#9c36b5", "#b08800", "#0c8599"]
LEAST = 0.8  # recall below which a setting is of no use
STYLE = (
    "text{font:12px sans-serif;fill:#333}.grid{stroke:#8888;stroke-width:.5}.line{fill:none;stroke-width:2}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}}"
)


def chart(title, below, across, upwards, series):
    """`series`: (name, points of recall and speed). Points of recall under 0.8 are left out."""
    kept = [(name, sorted(p for p in points if p[0] >= LEAST and p[1] > 0)) for name, points in series]
    speeds = [y for _, points in kept for _, y in points]
    low, high = (math.floor(math.log10(min(speeds))), math.ceil(math.log10(max(speeds)))) if speeds else (0, 1)
    high = max(high, low + 1)
    x = lambda v: LEFT + (v - LEAST) / (1 - LEAST) * (WIDTH - LEFT - RIGHT)
    y = lambda v: HEIGHT - BOTTOM - (math.log10(v) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{escape(title)}</title><style>{STYLE}</style>',
        f'<text x="{LEFT}" y="22" style="font-size:15px;font-weight:bold">{escape(title)}</text><text x="{LEFT}" y="40">{escape(below)}</text>',
    ]
    for power in range(low, high + 1):
        at = y(10**power)
        out.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/><text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{10**power:,}</text>')
    for percent in range(80, 101, 5):
        at = x(percent / 100)
        out.append(f'<path class="grid" d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}"/><text x="{at:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{percent / 100:g}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(across)}</text>')
    out.append(f'<text transform="translate(14 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">{escape(upwards)}</text>')
    ends = []
    for colour, (name, points) in zip(COLOURS, kept):
        if not points:
            continue
        path = "L".join(f"{x(a):.1f} {y(b):.1f}" for a, b in points)
        dots = "".join(f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="3" fill="{colour}"/>' for a, b in points)
        out.append(f'<path class="line" stroke="{colour}" d="M{path}"/>{dots}')
        ends.append([y(points[-1][1]), x(points[-1][0]), colour, name])
    above, column = TOP - 15.0, WIDTH - RIGHT + 22
    for at, right, colour, name in sorted(ends):
        above = max(at, above + 15)  # labels keep clear of each other
        out.append(f'<path d="M{right + 4:.1f} {at:.1f}L{column - 4} {above:.1f}" fill="none" stroke="{colour}" stroke-width=".7" stroke-dasharray="2 2"/>')
        out.append(f'<text x="{column}" y="{above + 4:.1f}" style="fill:{colour}">{escape(name)}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"
