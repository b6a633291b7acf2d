"""wsmfactl report: its figures against the views, and the page as a browser sees it."""
import html
import html.parser
import json
import os
import re
import shutil
import stat
import subprocess
import tarfile

import pytest

from place import BUILD, WSMFACTL

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
AXE = "4.10.2"
# What an organization, a person and a packet may be called at worst.
WORST = '<script>alert("1")</script> & \'sons\' ' + "W" * 60


@pytest.fixture(scope="module")
def world(place):
    """An organization with every kind of person, and one with a long name full of markup."""
    number = place.organization(name=f"Report {next(place.numbers)}")
    name = place.value("select name from wsmfa.organization where id = %s", number)
    for i in range(30):
        place.person(organization=number, region=("EMEA", "AMER", "APAC")[i % 3], totp=i % 2 == 0, push=i % 5 == 0,
                     sms="+358401234567" if i % 7 == 0 else None, services=("community",) if i == 29 else ("elements",))
    bad = place.organization(name=WORST)
    place.person(organization=bad, name="a.person.with.a.name.that.nobody.would.want.to.type.into.a.narrow.field@" + "x" * 60)
    place.person(organization=bad, name='<img src=x onerror="x">' + str(bad))
    place.sql("update wsmfa.authenticator set confirmed_at = now() - random() * interval '300 days' where confirmed_at is not null")
    return name


@pytest.fixture
def page(place, tmp_path):
    def make(*words):
        path = tmp_path / "report.html"
        place.wsmfactl("report", "--html", path, *words)
        assert not path.with_name("report.html.new").exists()
        return path
    return make


def row_of(text, name):
    """The figures of the row that a name begins."""
    found = re.search(rf'<tr><th scope="row">{re.escape(html.escape(name))}( <span.*?)?</th>(.*?)</tr>', text)
    return re.findall(r">([\d.]+)(?: %)?<", found.group(2)) if found else None


def test_figures_are_those_of_the_views(place, world, page):
    text = page("--org", world).read_text()
    view = place.sql("select in_scope, compliant, percent from wsmfa.org_compliance where organization = %s", world)[0]
    assert row_of(text, world) == [str(v) for v in view]
    tiles = re.findall(r"<li><b>(.+?)</b> <span>(.+?)</span>", text)
    assert tiles[0] == (str(view[0]), "accounts in scope") and tiles[1] == (f"{view[2]} %", "of them ready")
    missing = [n for n, in place.sql("select account from wsmfa.mfa_status where organization = %s and in_scope and not compliant", world)]
    listed = re.findall(r'<tr><th scope="row">([^<]+)</th><td>[^<]*</td><td>(?:EMEA|AMER|APAC)</td>', text)
    assert sorted(listed) == sorted(missing) and len(missing) > 5
    whole = page().read_text()
    for region, scope, ready in place.sql("select region, in_scope, compliant from wsmfa.region_compliance where in_scope > 0"):
        assert re.search(rf'<th scope="row">{region} <span.*?</th>.*?data-of="in scope">{scope}<.*?data-of="ready">{ready}<', whole)


def test_another_time_and_a_region(world, page):
    text = page("--org", world, "--region", "APAC", "--at", "2024-07-30T00:00Z").read_text()
    assert "As it will be on 2024-07-30 00:00 UTC" in text and ">EMEA " not in text and "2024-07-31" in text
    assert re.search(r'data-of="days left">0<', text) and ">told<" in text


def test_names_are_text_and_nothing_is_loaded(place, world, page):
    text = page().read_text()

    class Reader(html.parser.HTMLParser):
        tags, sources = set(), []

        def handle_starttag(self, tag, attrs):
            self.tags.add(tag)
            self.sources += [v for k, v in attrs if k in ("src", "href", "srcset", "data", "action")]
    reader = Reader()
    reader.feed(text)
    assert not reader.tags & {"script", "img", "iframe", "object", "link", "form"} and reader.sources == []
    assert "url(" not in text and "@import" not in text and "{{" not in text
    assert html.escape(WORST, quote=True).replace("&#x27;", "&#39;") in text


def test_refusals(place, tmp_path):
    for words, code, said in ((["report"], 2, "--html is missing"), (["report", "--html", tmp_path / "no" / "x"], 1, "can't be written"),
                              (["report", "--html", tmp_path / "x", "--org", "Nobody's"], 1, "no organization"),
                              (["report", "--html", tmp_path / "x", "--at", "2024-07-30"], 2, "zone")):
        done = place.wsmfactl(*words, check=False)
        assert done.returncode == code and said in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_page_keeps_its_rights_and_a_pipe_is_one(place, world, tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    path.chmod(0o600)
    place.wsmfactl("report", "--html", path)
    assert path.stat().st_mode & 0o777 == 0o600 and "MFA readiness" in path.read_text()
    link = tmp_path / "link.html"
    link.symlink_to(path)
    path.write_text("old")
    place.wsmfactl("report", "--html", link)
    assert link.is_symlink() and "MFA readiness" in path.read_text()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        place.wsmfactl("report", "--html", pipe)
        assert "MFA readiness" in reader.communicate(timeout=60)[0]
    assert pipe.is_fifo()


@pytest.mark.parametrize("where", ["-", "device"])
def test_a_full_disk_is_said(place, world, tmp_path, where):
    full = tmp_path / "device"
    os.mknod(full, 0o600 | stat.S_IFCHR, os.makedev(1, 7))
    env = {**os.environ, **place.cluster.env(database=place.database)}
    with open(full, "w") as out:
        done = subprocess.run([WSMFACTL, "report", "--html", full if where == "device" else "-"], env=env, stdout=out,
                              stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "can't be written: No space left on device" in done.stderr
    assert full.is_char_device() and list(tmp_path.iterdir()) == [full]


def test_an_auditor_and_an_organization_see_their_page(place, world):
    number = place.value("select id from wsmfa.organization where name = %s", world)
    place.sql("insert into wsmfa.organization_admin values ('wsmfa_org_admin', %s)", number)
    pages = {}
    try:
        for role in ("wsmfa_auditor", "wsmfa_org_admin"):
            place.sql(f"alter role {role} login")
            env = {**os.environ, **place.cluster.env(user=role, database=place.database)}
            done = subprocess.run([WSMFACTL, "report", "--html", "-"], env=env, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            pages[role] = done.stdout
    finally:
        for role in ("wsmfa_auditor", "wsmfa_org_admin"):
            place.sql(f"alter role {role} nologin")
        place.sql("delete from wsmfa.organization_admin where role = 'wsmfa_org_admin'")
    worst = html.escape(WORST, quote=True).replace("&#x27;", "&#39;")
    assert worst in pages["wsmfa_auditor"] and worst not in pages["wsmfa_org_admin"]
    enrolled = place.value("select enrolled from wsmfa.org_compliance where organization = %s", world)
    assert enrolled and re.search(rf", {enrolled} on [0-9-]+, of \d+ in scope", pages["wsmfa_org_admin"])


@pytest.fixture(scope="module")
def browser():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert found, "a Chromium is installed (tests/packages)"
    return found


@pytest.fixture(scope="module")
def axe():
    """axe-core, fetched by npm once a build folder."""
    folder = BUILD / "axe-core"
    script = folder / f"axe-{AXE}.js"
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm")
        assert npm, "npm is installed (tests/packages)"
        subprocess.run([npm, "pack", "--silent", f"axe-core@{AXE}"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(folder / f"axe-core-{AXE}.tgz") as archive:
            script.write_bytes(archive.extractfile("package/axe.min.js").read())
    return script


def shown(browser, tmp_path, page, script, width):
    """What a script in a frame around the page finds, the page being as wide as that."""
    frame = tmp_path / "frame.html"
    frame.write_text(f"""<!DOCTYPE html><html lang="en"><title>frame</title><body><iframe id="f" src="{page.name}"
        style="width:{width}px;height:3000px;border:0"></iframe><script>{script}</script></body></html>""")
    done = subprocess.run([browser, "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--virtual-time-budget=60000",
                           "--hide-scrollbars", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", frame.as_uri()],
                          capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "HOME": str(tmp_path)})
    found = re.search(r'<body data-found="([^"]*)"', done.stdout)
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(html.unescape(found.group(1)))


OVERFLOWING = """
        document.getElementById("f").onload = e => {
            const d = e.target.contentDocument, found = [];
            for (const x of d.querySelectorAll("body, body *")) {
                const r = x.getBoundingClientRect();
                if (r.right > d.documentElement.clientWidth + 1 || (x.scrollWidth > x.clientWidth + 1 && x.clientWidth > 1))
                    found.push(x.tagName + " " + x.className + " " + x.textContent.slice(0, 40));
            }
            const body = e.target.contentWindow.getComputedStyle(d.body);
            document.body.dataset.found = JSON.stringify({width: d.documentElement.scrollWidth, rows: d.querySelectorAll("tr").length,
                paper: body.backgroundColor, ink: body.color, found: found.slice(0, 10)});
        };"""


@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_overflows(browser, tmp_path, world, page, width):
    wide = shown(browser, tmp_path, page(), OVERFLOWING, width)
    assert wide["rows"] > 20 and wide["width"] == width and wide["found"] == []


def test_it_prints_black_on_white(browser, tmp_path, world, page):
    """On A4 between margins, from a screen that is dark."""
    path = page()
    text = path.read_text()
    assert text.count("@media print") == 1
    path.write_text(text.replace("@media (prefers-color-scheme: dark)", "@media all"))
    assert shown(browser, tmp_path, path, OVERFLOWING, 718)["paper"] != "rgb(255, 255, 255)", "control: it is dark"
    path.write_text(path.read_text().replace("@media print", "@media all"))
    sheet = shown(browser, tmp_path, path, OVERFLOWING, 718)
    assert (sheet["paper"], sheet["ink"], sheet["width"], sheet["found"]) == ("rgb(255, 255, 255)", "rgb(0, 0, 0)", 718, [])


def test_an_overflow_would_be_seen(browser, tmp_path, world, page):
    path = page()
    path.write_text(path.read_text().replace("<footer>", '<footer><p style="width:2000px">x</p>'))
    assert shown(browser, tmp_path, path, """document.getElementById("f").onload = e => {
        document.body.dataset.found = e.target.contentDocument.documentElement.scrollWidth; };""", 400) > 2000


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_axe_finds_no_violation(browser, axe, tmp_path, world, page, scheme, width):
    path = page("--org", world)
    text = path.read_text()
    assert text.count("(prefers-color-scheme: dark)") == 1
    if scheme == "dark":
        text = text.replace("@media (prefers-color-scheme: dark)", "@media all")
    path.write_text(text.replace("</body>", f"<script>{axe.read_text()}</script></body>"))
    found = shown(browser, tmp_path, path, """
        document.getElementById("f").onload = e => e.target.contentWindow.axe.run().then(r => {
            document.body.dataset.found = JSON.stringify({passes: r.passes.length, violations: r.violations.map(v =>
                v.id + ": " + v.nodes.slice(0, 3).map(n => n.html.slice(0, 120)).join(" | "))}); });""", width)
    assert found["violations"] == [] and found["passes"] > 10


def test_axe_would_find_one(browser, axe, tmp_path, world, page):
    path = page("--org", world)
    path.write_text(path.read_text().replace('<html lang="en">', "<html>").replace("</body>", f"<script>{axe.read_text()}</script></body>"))
    found = shown(browser, tmp_path, path, """
        document.getElementById("f").onload = e => e.target.contentWindow.axe.run().then(r => {
            document.body.dataset.found = JSON.stringify(r.violations.map(v => v.id)); });""", 1400)
    assert "html-has-lang" in found
