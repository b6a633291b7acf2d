"""Pictures of benchmarks, as SVG without script, readable on light and dark; and where they go in docs/.

Apart from the benchmarks, which know nothing of pixels.
"""
import html
import re
import shutil

from ground import TOP

STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #222 }
.quiet { fill: #666 }
.peer { fill: #9aa7b5 }
.ours { fill: #2f6fb3 }
.line { stroke: #222; stroke-width: 1.5 }
.grid { stroke: #ddd }
@media (prefers-color-scheme: dark) {
	text { fill: #ddd } .quiet { fill: #999 } .peer { fill: #6b7885 } .ours { fill: #5b9be0 } .line { stroke: #ddd } .grid { stroke: #444 }
}
</style>"""


def nice(most):
    """A round number not below, and the distance of the grid's lines."""
    step = 10 ** (len(str(int(most))) - 1)
    for factor in (0.2, 0.5, 1, 2):
        if most / (step * factor) <= 8:
            step *= factor
            break
    return -(-most // step) * step, step


def bars(title, rows, unit, note=""):
    """rows: label, value, least, most, is_ours."""
    top, step = nice(max(most for _, _, _, most, _ in rows))
    left, width, height = 290, 420, 30
    bottom = 44 + height * len(rows)
    x = lambda value: left + width * value / top # noqa: E731
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 80} {bottom + 44}" role="img" '
           f'aria-label="{html.escape(title, quote=True)}">', STYLE, f'<text x="12" y="24" font-weight="bold">{html.escape(title)}</text>']
    value = 0
    while value <= top:
        out.append(f'<line class="grid" x1="{x(value):.1f}" x2="{x(value):.1f}" y1="40" y2="{bottom}"/>'
                   f'<text class="quiet" x="{x(value):.1f}" y="{bottom + 16}" text-anchor="middle">{value:,.0f}</text>')
        value += step
    for i, (label, value, least, most, ours) in enumerate(rows):
        y = 44 + i * height
        middle = y + 11
        out.append(f'<text x="{left - 10}" y="{y + 16}" text-anchor="end">{html.escape(label)}</text>'
                   f'<rect class="{"ours" if ours else "peer"}" x="{left}" y="{y}" width="{x(value) - left:.1f}" height="22"/>'
                   f'<line class="line" x1="{x(least):.1f}" x2="{x(most):.1f}" y1="{middle}" y2="{middle}"/>'
                   f'<text x="{x(most) + 6:.1f}" y="{y + 16}">{value:,.0f}</text>')
    out.append(f'<text class="quiet" x="12" y="{bottom + 36}">{html.escape(unit)}. {html.escape(note)}</text></svg>')
    return "\n".join(out) + "\n"


def logins(result):
    rows = [(f"({letter}) {side['name']}", side["per_second"], side["least"], side["most"], letter in "defg")
            for letter, side in result["sides"].items()]
    return bars("Logins a second, one machine, one run", rows, "Logins a second; the thin line goes from the least round to the most",
                "Blue: ours.")


def published(name):
    """Where the result of the last published run is."""
    return TOP / "docs" / "benchmarks" / f"{name}.json"


def publish(name, path, text):
    """Puts a result into docs/: JSON and picture beside, the table between its two marks."""
    to = published(name)
    to.parent.mkdir(parents=True, exist_ok=True)
    for suffix in (".json", ".svg"):
        if path.with_suffix(suffix).exists():
            shutil.copyfile(path.with_suffix(suffix), to.with_suffix(suffix))
    page = TOP / "docs" / "benchmarks.md"
    marked = re.compile(rf"(<!-- {name} begins -->\n).*?(<!-- {name} ends -->)", re.S)
    new, n = marked.subn(lambda m: f"{m[1]}\n{text}\n\n{m[2]}", page.read_text())
    if n != 1:
        raise SystemExit(f"docs/benchmarks.md has no place for {name}")
    page.write_text(new)
