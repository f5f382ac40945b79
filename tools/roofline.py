"""The roofline of docs/performance.md: GFLOP/s of kernels over operations per byte, under what the machine can do."""

import math
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 760, 440, 64, 52, 40, 16
GROUPS = [("block forward", "#0072b2", "circle"), ("block backward", "#d55e00", "square"), ("product", "#009e73", "diamond"),
          ("sum", "#666666", "triangle")]  # told apart by shape as well as by colour


def group_of(kernel):
    return next((group for group in reversed(GROUPS) if group[0] in kernel), None)  # "sums of products" are sums


def mark(shape, x, y, colour, title):
    body = f'<title>{escape(title)}</title>'
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}">{body}</circle>'
    points = {"square": [(-5, -5), (5, -5), (5, 5), (-5, 5)], "diamond": [(0, -7), (7, 0), (0, 7), (-7, 0)],
              "triangle": [(0, -6), (6, 5), (-6, 5)]}[shape]
    return f'<polygon points="{" ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in points)}" fill="{colour}">{body}</polygon>'


def roofline_svg(machine):
    peak, bandwidth = machine["fma_gflops_one_thread"], machine["bandwidth_gbytes_one_thread"]
    kernels = [(k, k["gflops"] / k["gbytes"]) for k in machine["kernels"] if k["gflops"] > 0 and group_of(k["kernel"])]
    low_x, high_x = 0.25, max(64.0, 2 * max(intensity for _, intensity in kernels))
    low_y, high_y = peak / 64, peak * 1.6
    x_of = lambda v: LEFT + (WIDTH - LEFT - RIGHT) * math.log(v / low_x) / math.log(high_x / low_x)
    y_of = lambda v: HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * math.log(max(v, low_y) / low_y) / math.log(high_y / low_y)
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for power in range(-2, 10):
        value = 2.0 ** power
        if low_x <= value <= high_x:
            svg.append(f'<line x1="{x_of(value):.1f}" x2="{x_of(value):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#e5e5e5"/>'
                       f'<text x="{x_of(value):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value:g}</text>')
        if low_y <= value <= high_y:
            svg.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y_of(value):.1f}" y2="{y_of(value):.1f}" stroke="#e5e5e5"/>'
                       f'<text x="{LEFT - 8}" y="{y_of(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
    knee = peak / bandwidth
    svg.append(f'<polyline points="{x_of(low_x):.1f},{y_of(low_x * bandwidth):.1f} {x_of(knee):.1f},{y_of(peak):.1f} '
               f'{x_of(high_x):.1f},{y_of(peak):.1f}" fill="none" stroke="black" stroke-width="2"/>')
    svg.append(f'<text x="{x_of(high_x) - 4:.1f}" y="{y_of(peak) - 8:.1f}" text-anchor="end">{peak:.0f} GFLOP/s of multiply-adds</text>')
    svg.append(f'<text x="{x_of(low_x) + 8:.1f}" y="{y_of(low_x * bandwidth) + 18:.1f}">{bandwidth:.0f} GB/s from memory</text>')
    for kernel, intensity in kernels:
        _, colour, shape = group_of(kernel["kernel"])
        svg.append(mark(shape, x_of(intensity), y_of(kernel["gflops"]), colour,
                        f'{kernel["kernel"]}, {kernel["shape"]}: {kernel["gflops"]:.0f} GFLOP/s'))
    for i, (name, colour, shape) in enumerate(GROUPS):
        svg.append(mark(shape, LEFT + 12 + 170 * i, 20, colour, name) + f'<text x="{LEFT + 24 + 170 * i}" y="24">{name}</text>')
    svg.append(f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">operations per byte of inputs and outputs</text>'
               f'<text x="16" y="{HEIGHT / 2:.0f}" text-anchor="middle" transform="rotate(-90 16 {HEIGHT / 2:.0f})">GFLOP/s, one thread</text></svg>')
    return "\n".join(svg) + "\n"
