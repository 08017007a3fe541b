"""Small pictures without a library for them: learning curves and confusion matrices as SVG."""

from xml.sax.saxutils import escape


def confusion(matrix, classes):
    cell, left, top = 60, 140, 40
    size = len(classes)
    most = max(max(row) for row in matrix) or 1
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + cell * size + 20}" '
           f'height="{top + cell * size + 20}" font-family="sans-serif" font-size="12">']
    for i, name in enumerate(classes):
        out.append(f'<text x="{left - 8}" y="{top + cell * i + cell / 2 + 4}" '
                   f'text-anchor="end">{escape(name[:18])}</text>')
        out.append(f'<text x="{left + cell * i + cell / 2}" y="{top - 8}" '
                   f'text-anchor="middle">{escape(name[:9])}</text>')
        for j in range(size):
            share = matrix[i][j] / most
            out.append(f'<rect x="{left + cell * j}" y="{top + cell * i}" width="{cell}" '
                       f'height="{cell}" fill="rgb(40,90,160)" fill-opacity="{share:.3f}" '
                       'stroke="#ccc"/>')
            middle = f'x="{left + cell * j + cell / 2}" y="{top + cell * i + cell / 2 + 4}"'
            out.append(f'<text {middle} '
                       f'text-anchor="middle">{matrix[i][j]}</text>')
    return "\n".join(out) + "\n</svg>\n"


def curves(series):
    width, height, edge = 480, 280, 40
    longest = max(len(values) for values in series.values())
    most = max(max(values) for values in series.values()) or 1
    colours = ["#285aa0", "#c04040", "#408040"]
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect x="{edge}" y="10" width="{width - edge - 10}" height="{height - edge - 10}" '
           'fill="none" stroke="#ccc"/>']
    for n, (name, values) in enumerate(sorted(series.items())):
        points = " ".join(
            f"{edge + (width - edge - 10) * i / max(longest - 1, 1):.1f},"
            f"{10 + (height - edge - 10) * (1 - value / most):.1f}"
            for i, value in enumerate(values))
        colour = colours[n % len(colours)]
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out.append(f'<text x="{width - 120}" y="{30 + 16 * n}" fill="{colour}">'
                   f'{escape(name)}</text>')
    out.append(f'<text x="{edge}" y="{height - 12}">steps 1 to {longest}, up to {most:.4g}</text>')
    return "\n".join(out) + "\n</svg>\n"
