"""What the tests of the documentation share: TAP, files of the tree, tables of Markdown.

Apart from the tests, so that each of them is only what it compares.
"""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(os.environ.get("WSMFA_SRCDIR") or pathlib.Path(__file__).resolve().parents[2])
DOCS = ROOT / "docs"

_results = []


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def ok(good, name, *details):
    """One case of TAP; details are printed only when it fails."""
    _results.append(bool(good))
    print(f"{'ok' if good else 'not ok'} {len(_results)} - {name}")
    if not good:
        for line in "\n".join(str(d) for d in details).splitlines():
            print(f"# {line}")
    return good


def same(name, documented, real, what="the code"):
    """Two collections hold the same; says which one lacks what."""
    documented, real = set(documented), set(real)
    return ok(documented == real and real, name, *[f"only documented: {x}" for x in sorted(documented - real, key=str)],
              *[f"only in {what}: {x}" for x in sorted(real - documented, key=str)],
              *([] if real else [f"nothing found in {what}: the test reads it wrongly"]))


def done():
    print(f"1..{len(_results)}")
    sys.exit(0 if _results and all(_results) else 1)


def tables(text):
    """All tables of Markdown, each a list of rows, each a list of cells; the line of dashes is left out."""
    found, rows = [], []
    for line in text.splitlines() + [""]:
        if line.startswith("|"):
            cells = [c.replace("\0", "|").strip() for c in line.strip().strip("|").replace("\\|", "\0").split("|")]
            if not all(re.fullmatch(r":?-+:?", c) for c in cells):
                rows.append(cells)
        elif rows:
            found.append(rows)
            rows = []
    return found


def table(text, *header):
    """The rows below the header that begins with these words."""
    for rows in tables(text):
        if rows[0][:len(header)] == list(header):
            return rows[1:]
    raise SystemExit(f"Bail out! no table with the header {header}")


def plain(cell):
    return cell.strip("`* ")


def fenced(text, language):
    """Blocks ```language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)


def sources(*folders, suffixes=(".c", ".h")):
    return sorted(p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in suffixes)


def markdown():
    """Every document of the tree: what git knows, or in an unpacked archive what is there."""
    try:
        out = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "*.md"], capture_output=True,
                             text=True, check=True).stdout.split()
        listed = [ROOT / f for f in out if (ROOT / f).exists()]
    except (OSError, subprocess.CalledProcessError):
        listed = []
    return sorted(listed or list(ROOT.glob("*.md")) + list(DOCS.rglob("*.md")) + list((ROOT / "tests").glob("*.md")))


def strip_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
