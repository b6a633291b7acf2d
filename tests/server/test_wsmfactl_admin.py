"""wsmfactl for those who run it: import, keys, doctor, events, metrics, erasing, roles."""
import base64
import datetime
import json
import os
import re
import subprocess
import time

import pytest

from place import MODULE, TOP, WSMFACTL, totp, wait_for

HEADER = "name,organization,region,services,password,phone,totp_secret,push_provider,push_device"


@pytest.fixture
def ctl(place):
    def run(*words, stdin=None, code=0):
        done = place.wsmfactl(*words, stdin=stdin, check=False)
        assert "Sanitizer" not in done.stderr, done.stderr
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return done
    return run


@pytest.fixture
def js(ctl):
    return lambda *words, stdin=None: json.loads(ctl(*words, "--json", stdin=stdin).stdout)


@pytest.fixture
def name(place):
    return f"adm{next(place.numbers)}"


@pytest.fixture
def csv(tmp_path):
    def write(text, header=HEADER, encoding="utf-8", newline="\n"):
        path = tmp_path / "people.csv"
        path.write_bytes((header + "\n" + text).replace("\n", newline).encode(encoding))
        return path
    return write


def accounts(place, prefix):
    return [n for n, in place.sql("select name from wsmfa.account where name like %s order by name", prefix + "%")]


# import

def test_import_takes_everything_the_header_names(place, js, csv, name):
    path = csv(f'{name}A,"Import, Ltd",EMEA,elements;community,{{clear}}x,+358401234567,JBSWY3DPEHPK3PXP,,\n'
               f'"{name}""b""",New {name},APAC,elements,hello,,,local,phone 1\n')
    assert js("account", "import", path, "--iterations", 1000) == [{"added": 2, "updated": 0, "authenticators": 2}]
    assert accounts(place, name) == [f'{name}"b"', f"{name}a"]
    shown = js("account", "show", f"{name}a")
    assert shown["organization"] == "Import, Ltd" and shown["services"] == ["community", "elements"]
    assert shown["phone"] == "+358401234567" and shown["methods"] == ["totp"] and shown["next_login"] == "challenge"
    assert js("account", "show", f'{name}"b"')["methods"] == ["push"]
    passwords = dict(place.sql("select name, password from wsmfa.account where name like %s", name + "%"))
    assert passwords[f"{name}a"] == "{clear}x"
    assert passwords[f'{name}"b"'].startswith("{x-pbkdf2}HMACSHA2+256:AAAD6A==:")


def test_imported_people_log_in(client, ctl, csv, name):
    ctl("account", "import", csv(f"{name},Acme,EMEA,elements,open sesame,,JBSWY3DPEHPK3PXP,,\n"))
    asked = client.ask(name, "open sesame")
    assert asked.code == "challenge"
    code = totp(base64.b32decode("JBSWY3DPEHPK3PXP"), int(time.time()) // 30)
    assert client.ask(name, code, asked.state).code == "accept"


@pytest.mark.parametrize("variant", [{"newline": "\r\n"}, {"encoding": "utf-8-sig"},
                                     {"header": HEADER.replace("name,organization", "organization,name"), "swap": True}])
def test_import_takes_line_ends_marks_and_orders(place, ctl, csv, name, variant):
    swap = variant.pop("swap", False)
    row = f"Acme,{name}" if swap else f"{name},Acme"
    ctl("account", "import", csv(row + ",EMEA,elements,,,,,\n", **variant))
    assert accounts(place, name) == [name]


def test_import_needs_four_columns_only(place, ctl, csv, name):
    ctl("account", "import", csv(f"{name},Acme,EMEA,elements\n", header="name,organization,region,services"))
    assert place.value("select password from wsmfa.account where name = %s", name) is None


def test_import_tells_every_bad_line_and_imports_none(place, ctl, csv, name):
    lines = [
        (f"{name}1,Acme,EMEA,elements,x,,,,", None),
        (f"{name.upper()}1,Acme,EMEA,elements,x,,,,", "line 2"),
        (f"{name}2,Acme,NOWHERE,elements,x,,,,", "no region NOWHERE"),
        (f"{name}3,Acme,EMEA,elements;nothing,x,,,,", "no service nothing"),
        (f"{name}4,Acme,EMEA,elements;,x,,,,", "service is empty"),
        (f"{name}5,Acme,EMEA,elements,x,12345,,,", "no number"),
        (f"{name}6,Acme,EMEA,elements,x,,AB1,,", "no base32"),
        (f"{name}7,Acme,EMEA,elements,x,,,local,", "go together"),
        (f",Acme,EMEA,elements,x,,,,", "name is empty"),
        (f"{name}8,,EMEA,elements,x,,,,", "organization"),
        (f"{name}9,Acme,,elements,x,,,,", "region is empty"),
        (f"{name}10,Acme,EMEA,,x,,,,", "no service"),
        (f"{name}11,Acme,EMEA,elements,{'x' * 129},,,,", "128 octets"),
        (f"{name}12,Acme,EMEA", "3 fields where the header has 9"),
        (f"{name}13,Acme,EMEA,elements,x,,,,,", "more fields"),
        (f'{name}"14,Acme,EMEA,elements,x,,,,', "quote"),
        (f'" {name}15",Acme,EMEA,elements,x,,,,', "name begins or ends with a blank"),
        (f'{name}15,"Acme ",EMEA,elements,x,,,,', "organization begins or ends"),
        (f'{name}15,Acme,EMEA ,elements,x,,,,', "region begins or ends"),
        (f"{name}\x0115,Acme,EMEA,elements,x,,,,", "control character"),
        (f'"{name}\n16",Acme,EMEA,elements,x,,,,', "control character"),
    ]
    path = csv("\n".join(line for line, _ in lines) + "\n")
    place.person(name=f"{name}17")
    said = ctl("account", "import", path, code=1).stderr
    number = 2
    for line, reason in lines:
        told = [t for t in said.splitlines() if t.startswith(f"{path}:{number}: ")]
        assert bool(told) == (reason is not None), (number, said)
        assert reason is None or any(reason in t for t in told), (number, reason, told)
        number += 1 + line.count("\n")
    assert f"{len(lines) - 1} lines of the file are wrong" in said
    assert accounts(place, name) == [f"{name}17"]
    assert "\x01" not in said


def test_import_of_broken_utf8_and_nul(place, ctl, tmp_path, name):
    path = tmp_path / "people.csv"
    path.write_bytes(HEADER.encode() + b"\n" + name.encode() + b"\xff,Acme,EMEA,elements,x,,,,\n" + name.encode() +
                     b"\0,Acme,EMEA,elements,x,,,,\n")
    said = ctl("account", "import", path, code=1).stderr
    assert f"{path}:2: name is not UTF-8" in said and f"{path}:3: a NUL octet" in said


@pytest.mark.parametrize("text, said", [
    (b"", "no header"), (b"name,organization\n", "lacks the column region"), (b"name,name,region,services\n", "twice"),
    (b"name,organization,region,services,shoe\n", "unknown column")])
def test_import_judges_the_header(ctl, tmp_path, text, said):
    path = tmp_path / "people.csv"
    path.write_bytes(text)
    assert said in ctl("account", "import", path, code=1).stderr
    assert "can't be read" in ctl("account", "import", tmp_path / "nothing.csv", code=1).stderr


def test_import_of_nobody(js, csv):
    assert js("account", "import", csv("")) == [{"added": 0, "updated": 0, "authenticators": 0}]


def test_import_updates_when_told(place, js, ctl, csv, name):
    row = f"{name},Acme,EMEA,elements,{{clear}}x,,JBSWY3DPEHPK3PXP,local,phone 1\n"
    ctl("account", "import", csv(row))
    assert "--update" in ctl("account", "import", csv(row), code=1).stderr
    assert js("account", "import", csv(row), "--update") == [{"added": 0, "updated": 0, "authenticators": 0}], "all is there"
    changed = f"{name},Other {name},APAC,community,,+358401234567,KRSXG5BAKRSXG5BA,local,phone 2\n"
    assert js("account", "import", csv(changed), "--update") == [{"added": 0, "updated": 1, "authenticators": 2}]
    shown = js("account", "show", name)
    assert (shown["organization"], shown["region"], shown["services"]) == (f"Other {name}", "APAC", ["community"])
    assert place.value("select password from wsmfa.account where name = %s", name) == "{clear}x", "an empty one changes none"
    assert len(js("method", "list", name)) == 4


def test_one_bad_row_in_a_hundred_thousand(place, ctl, csv, name):
    rows = [f"{name}x{i},Acme,EMEA,elements,{{clear}}x,,,," for i in range(100_000)]
    rows[77_777] = f"{name}x77777,Acme,EMEA,elements,{{clear}}x,not a phone,,,"
    path = csv("\n".join(rows))
    said = ctl("account", "import", path, code=1).stderr
    assert said.startswith(f"{path}:77779: ") and "1 line of the file is wrong" in said
    assert place.value("select count(*) from wsmfa.account where name like %s", name + "x%") == 0


# keys

@pytest.fixture
def keys(place, tmp_path, monkeypatch):
    """A key file of this test alone: the rows of others do not open with it, so it works on a fresh database."""
    database = f"keys{next(place.numbers)}"
    place.sql(f"create database {database}")
    env = {**os.environ, **place.cluster.env(database=database)}
    subprocess.run([TOP / "sql" / "migrate", "--quiet"], env=env, check=True)
    monkeypatch.setattr(place, "database", database)
    monkeypatch.setattr(place, "key_file", tmp_path / "keys")
    place.wsmfactl("key", "init")
    yield tmp_path / "keys"
    monkeypatch.undo()


def key_ids(path):
    return [line.split()[0] for line in path.read_text().splitlines() if not line.startswith("#")]


def test_rotation_reseals_everything_and_can_be_resumed(place, js, ctl, csv, keys):
    ctl("account", "import", csv("".join(f"k{i},Acme,EMEA,elements,,,{base64.b32encode(os.urandom(20)).decode()},,\n"
                                         for i in range(2500))))
    first = key_ids(keys)[0]
    assert js("key", "list") == [{"id": first, "use": "seals", "rows": 2500}]
    done, = js("key", "rotate")
    second = key_ids(keys)[0]
    assert done == {"key": second, "resealed": 2500} and key_ids(keys) == [second, first]
    assert js("key", "list") == [{"id": second, "use": "seals", "rows": 2500}, {"id": first, "use": "opens", "rows": 0}]
    # An interrupted run: a third key stands first, and only it seals what came since.
    keys.write_text("third " + base64.b64encode(os.urandom(32)).decode() + "\n" + keys.read_text())
    ctl("account", "add", "late", "--org", "Acme", "--region", "EMEA", "--service", "elements")
    js("totp", "add", "late")
    assert js("key", "rotate") == [{"key": "third", "resealed": 2500}]
    assert [k["rows"] for k in js("key", "list")] == [2501, 0, 0]
    assert keys.stat().st_mode & 0o777 == 0o600 and not keys.with_suffix(".new").exists()
    # What is not in the file is said, and harms nothing.
    keys.write_text("".join(line + "\n" for line in keys.read_text().splitlines() if not line.startswith("third ")))
    assert js("key", "list")[-1] == {"id": "third", "use": "missing", "rows": 2501}
    said = ctl("doctor", "--json", code=1)
    assert any(f["check"] == "sealed keys" and f["status"] == "failed" and "third" in f["detail"]
               for f in json.loads(said.stdout))


def test_one_rotation_at_a_time(place, js, ctl, keys):
    """Two would each write a key of their own into the file, and one's rows would open nowhere."""
    ctl("account", "add", "k", "--org", "Acme", "--region", "EMEA", "--service", "elements")
    js("totp", "add", "k")
    before = keys.read_text()
    env = {**os.environ, **place.cluster.env(database=place.database), "WSMFA_KEY_FILE": str(keys)}
    connection = place.connect(place.database)
    with connection.cursor() as cursor:
        cursor.execute("begin")
        cursor.execute("lock table wsmfa.authenticator in access exclusive mode")
        with subprocess.Popen([WSMFACTL, "key", "rotate"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as first:
            wait_for(lambda: place.value("select count(*) from pg_stat_activity where datname = %s and wait_event_type = 'Lock'",
                                         place.database), "the first waits for the table")
            try:
                said = ctl("key", "rotate", code=1).stderr
                assert "another key rotate" in said and keys.read_text() == before
            finally:
                cursor.execute("commit")
            assert first.wait(timeout=60) == 0
    connection.close()
    assert any(f["check"] == "sealed keys" and f["status"] == "ok" for f in json.loads(ctl("doctor", "--json").stdout))


def test_rotation_does_not_mind_what_a_killed_one_left(js, ctl, keys):
    keys.with_suffix(".new").write_text("half a")
    ctl("account", "add", "k", "--org", "Acme", "--region", "EMEA", "--service", "elements")
    js("totp", "add", "k")
    assert js("key", "rotate")[0]["resealed"] == 1 and not keys.with_suffix(".new").exists()


def beat(place, name, keys, engine="running", ago=0):
    """A server's heartbeat: the ids of its keys are an array, or NULL as a server of before says nothing."""
    connection = place.connect(place.database)
    with connection, connection.cursor() as cursor:
        cursor.execute("select wsmfa.heartbeat(%s, '1', now() - interval '1 h', now() - %s * interval '1 s', %s, 0, '{}', '{}', 30, 30, %s)",
                       (name, ago, engine, keys))
    connection.close()


def test_rotation_waits_until_every_server_holds_the_key(place, js, ctl, keys):
    """A restart alone is not enough: a server may have been restarted without the new file."""
    ctl("account", "add", "k", "--org", "Acme", "--region", "EMEA", "--service", "elements")
    js("totp", "add", "k")
    first, = key_ids(keys)
    beat(place, "s", [first])
    beat(place, "old", None)
    beat(place, "off", [first], engine="stopped")
    beat(place, "gone", [first], ago=3600)
    for _ in range(2):
        done = ctl("key", "rotate")
        assert "restart" in done.stdout and [w for w in ("s", "old", "off", "gone") if f"server {w} has not told" in done.stderr] == ["s", "old"]
        assert len(key_ids(keys)) == 2 and key_ids(keys)[0] == first, "the new key opens, and does not seal"
    second = key_ids(keys)[1]
    beat(place, "old", [first])
    place.sql("update wsmfa.server set started_at = now()")
    assert json.loads(ctl("key", "rotate", "--json").stdout) == [{"key": second, "resealed": 0, "servers_behind": 2}], \
        "restarted, and without the key"
    beat(place, "s", [first, second])
    beat(place, "old", [first, second])
    assert js("key", "rotate") == [{"key": second, "resealed": 1}] and key_ids(keys) == [second, first]
    # Whoever puts a key of their own first has to copy it too.
    keys.write_text("third " + base64.b64encode(os.urandom(32)).decode() + "\n" + keys.read_text())
    assert "s has not told that it holds key third" in ctl("key", "rotate").stderr
    assert js("key", "rotate", "--force") == [{"key": "third", "resealed": 1}]


def test_doctor_compares_the_keys_that_servers_hold(place, js, ctl, keys):
    ctl("account", "add", "k", "--org", "Acme", "--region", "EMEA", "--service", "elements")
    js("totp", "add", "k")
    first, = key_ids(keys)

    def held(code):
        return [(f["status"], f["detail"]) for f in json.loads(ctl("doctor", "--json", code=code).stdout) if f["check"] == "held keys"]
    beat(place, "s", None)
    assert held(0) == [], "one that tells nothing is not judged"
    beat(place, "s", [first])
    assert held(0) == [("ok", "1 server can open every row")]
    beat(place, "s", ["another", first])
    (status, said), = held(0)
    assert status == "warning" and "s seals with another" in said
    beat(place, "s", ["another"])
    assert ("failed", f"s can't open 1 of the rows: it lacks key {first}; copy the key file there and restart it") in held(1)


# doctor

def test_doctor_finds_a_healthy_installation_healthy(place, server, js, ctl):
    place.sql("delete from wsmfa.server where at < now() - interval '20 s'")
    place.sql("select wsmfa.heartbeat('doctor', '1', now(), now(), 'running', 0, '{}', '{}', 30, 30)")
    done = place.wsmfactl("doctor", "--json", "--raddb", server.radiusd.raddb, check=False)
    found = json.loads(done.stdout)
    checks = {f["check"]: f for f in found}
    assert {"connection", "TLS", "schema", "role", "clock", "key file", "servers", "events", "module", "server key", "site",
            "timers", "clients"} <= set(checks)
    # Other tests seal rows for the wrong account on purpose, and have clients that send no signature.
    assert [f for f in found if f["status"] == "failed" and f["check"] not in ("sealed keys", "clients")] == []
    assert checks["site"]["detail"] == "1 server behind the gate"


@pytest.mark.parametrize("file, old, new, check, said", [
    ("radiusd.conf", r"max_request_time = \d+", "max_request_time = 20", "timers", "max_request_time = 20"),
    ("radiusd.conf", r"max_requests = \d+", "max_requests = 100", "timers", "raise max_requests"),
    ("radiusd.conf", r"proxy_requests *= yes", "proxy_requests = no", "timers", "proxy_requests"),
    ("sites-enabled/wsmfa", r"post-auth \{", "post-auth {\n\tok", "site", "gate"),
    ("sites-enabled/wsmfa", r"authorize \{\n(.*\n)*?\twsmfa\n", "authorize {\n", "site", "without a second factor"),
    ("clients.conf", r"wsmfa_mode = .*", "wsmfa_mode = maybe", "clients", "not maybe"),
    ("dictionary", r"(?m)^\$INCLUDE dictionary.wsmfa", "# gone", "dictionary", "lacks"),
    ("radiusd.conf", r"\Z", "\nsection {\n", "raddb", "never closed")])
def test_doctor_names_what_is_wrong(place, server, tmp_path, file, old, new, check, said):
    raddb = tmp_path / "raddb"
    subprocess.run(["cp", "-aL", server.radiusd.raddb, raddb], check=True)
    text, n = re.subn(old, new, (raddb / file).read_text(), count=1)
    assert n == 1, "the text to change is there"
    (raddb / file).write_text(text)
    done = place.wsmfactl("doctor", "--json", "--raddb", raddb, check=False)
    assert done.returncode == 1
    assert any(f["check"] == check and f["status"] == "failed" and said in f["detail"] for f in json.loads(done.stdout)), done.stdout


def test_doctor_without_a_database(place, monkeypatch):
    monkeypatch.setattr(place, "database", "nowhere")
    done = place.wsmfactl("doctor", check=False)
    assert done.returncode == 1 and re.search("^failed +connection", done.stdout, re.M)


# events, metrics, sweep

def test_events_are_shown_and_followed(place, client, js, ctl, name):
    person = place.person(name=name, totp=True)
    assert client.ask(name, person.password).code == "challenge"
    place.event(name, "challenged")
    shown = js("events", "--account", name.upper())
    assert shown[0]["account"] == name and shown[0]["outcome"] == "challenged" and "whole" not in shown[0]
    assert js("events", "--account", name, "--outcome", "accepted") == []
    assert js("events", "--account", name, "--since", "2999-01-01T00:00Z") == []
    env = {**os.environ, **place.cluster.env(database=place.database)}
    with subprocess.Popen([WSMFACTL, "events", "-f", "--account", name, "--json"], env=env, stdout=subprocess.PIPE, text=True) as p:
        try:
            assert json.loads(p.stdout.readline())["outcome"] == "challenged"
            assert client.ask(name, "wrong").code == "reject"
            assert json.loads(p.stdout.readline())["outcome"] == "failed_first_factor"
        finally:
            p.terminate()


def test_following_neither_loses_nor_repeats_when_clocks_go_back(place, name):
    """A zone whose summer ends in five minutes: the text of a later time is then the lesser one."""
    back = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5)).replace(microsecond=0)
    summer = back + datetime.timedelta(hours=1)
    julian = summer.timetuple().tm_yday - 1
    zone = f"WIN0SUM-1,{(julian + 180) % 365}/0,{julian}/{summer:%H:%M:%S}"

    def event(second, reason):
        place.sql("insert into wsmfa.event (at, account, outcome, reason) values (%s, %s, 'denied', %s)",
                  back + datetime.timedelta(seconds=second), name, reason)
    env = {**os.environ, **place.cluster.env(database=place.database), "PGTZ": zone}
    event(-1, "one")
    event(1, "two")
    with subprocess.Popen([WSMFACTL, "events", "-f", "--account", name], env=env, stdout=subprocess.PIPE, text=True) as p:
        try:
            lines = [p.stdout.readline() for _ in range(2)]
            assert [w in line for w, line in zip(("one", "two"), lines)] == [True, True]
            assert lines[0][:19] > lines[1][:19], "control: in text the later one is the lesser"
            event(2, "three")
            assert "three" in p.stdout.readline()
            # The first goes, as all do that are a minute old.
            place.sql("delete from wsmfa.event where account = %s and reason = 'one'", name)
            event(0.5, "four")
            assert "four" in p.stdout.readline()
            event(3, "five")
            assert "five" in p.stdout.readline(), "and none comes again"
        finally:
            p.terminate()


def test_metrics_are_prometheus_text(place, ctl, name):
    place.sql("select wsmfa.heartbeat(%s, '1', now(), now(), 'running', 7, '{\"sms\": \"open\"}', '{\"woken\": 5}', 30, 30)",
              'quote"d')
    text = ctl("metrics").stdout
    try:
        for line in text.splitlines():
            assert re.fullmatch(r'# (HELP|TYPE) wsmfa_\w+ .+|wsmfa_\w+\{(\w+="([^"\\\n]|\\.)*",?)*\} (-?[0-9.]+|[+-]Inf)', line), line
        assert 'wsmfa_parked{server="quote\\"d"} 7' in text
        assert 'wsmfa_breaker{server="quote\\"d",provider="sms",state="open"} 1' in text
        assert "wsmfa_accounts{" in text and "wsmfa_accounts{" not in ctl("metrics", "--no-accounts").stdout
    finally:
        place.sql("delete from wsmfa.server where name = 'quote\"d'")


def test_what_never_and_always_are(place, ctl, name):
    place.sql("insert into wsmfa.region (code, name, time_zone, announce_from, enforce_from) values"
              " (%s, 'x', 'UTC', '-infinity', '-infinity'), (%s, 'x', 'UTC', '-infinity', 'infinity')", f"A{name}", f"N{name}")
    try:
        text = ctl("metrics", "--no-accounts").stdout
        assert f'wsmfa_enforce_timestamp_seconds{{region="A{name}"}} -Inf' in text
        assert f'wsmfa_enforce_timestamp_seconds{{region="N{name}"}} +Inf' in text
        assert "enforced since the beginning" in ctl("status", "--region", f"A{name}").stdout
        assert "not to be enforced" in ctl("status", "--region", f"N{name}").stdout
    finally:
        place.sql("delete from wsmfa.region where code in (%s, %s)", f"A{name}", f"N{name}")


def test_a_proposal_that_could_not_stand_is_refused(ctl):
    words = ("region", "what-if", "EMEA", "--announce-from", "2030-01-01T00:00Z")
    assert "can't begin before" in ctl(*words, "--enforce-from", "2029-01-01T00:00Z", code=1).stderr
    ctl(*words, "--enforce-from", "2031-01-01T00:00Z")
    ctl(*words[:3], "--enforce-from", "2029-01-01T00:00Z")


def test_sweep_says_what_it_did(js, ctl):
    assert {"challenge", "failure", "event partitions made"} <= {r["what"] for r in js("sweep")}
    ctl("sweep", "--months", 0, code=2)


def test_sweep_waits_for_no_reader(place, js, ctl):
    """Who waits to drop a month holds up everybody who writes events."""
    place.sql("select wsmfa.event_partitions(now() - interval '30 months', 0)")
    connection = place.connect(place.database)
    with connection.cursor() as cursor:
        cursor.execute("begin")
        cursor.execute("select count(*) from wsmfa.event")
        done = ctl("sweep", "--json")
        assert {r["what"]: r["rows"] for r in json.loads(done.stdout)}["event partitions dropped"] is None
        assert "next sweep" in done.stderr
        cursor.execute("commit")
    connection.close()
    done = ctl("sweep", "--json")
    assert {r["what"]: r["rows"] for r in json.loads(done.stdout)}["event partitions dropped"] >= 1 and done.stderr == ""


# people

def test_account_set(place, js, ctl, name):
    place.person(name=name, phone="+358401234567")
    row, = js("account", "set", name, "--org", f"New {name}", "--region", "APAC", "--service", "community,elements", "--phone",
             "none", "--language", "fi", "--prefer", "totp")
    assert row == {"account": name, "organization": f"New {name}", "region": "APAC", "services": ["community", "elements"],
                   "phone": None, "language": "fi", "preferred": "totp"}
    ctl("account", "set", name, "--password-stdin", stdin="{clear}new\n")
    assert place.value("select password from wsmfa.account where name = %s", name) == "{clear}new"
    assert "no such region" in ctl("account", "set", name, "--region", "X", "--org", f"Never {name}", code=1).stderr
    assert place.value("select count(*) from wsmfa.organization where name = %s", f"Never {name}") == 0
    ctl("account", "set", name, "--prefer", "sms", code=2)


def test_erasing_keeps_the_count(place, client, ctl, name):
    person = place.person(name=name, totp=True)
    client.ask(name, person.password, station="11-22-33")
    place.event(name, "challenged")
    before = place.value("select count(*) from wsmfa.event")
    ctl("account", "erase", name)
    assert place.value("select count(*) from wsmfa.event") >= before
    assert place.value("select count(*) from wsmfa.event where account = %s or station = '11-22-33'", name) == 0
    assert place.value("select count(*) from wsmfa.account where name = %s", name) == 0
    ctl("account", "erase", name, code=1)


@pytest.fixture
def as_role(place):
    """wsmfactl connected as a role itself, which may log in for the time of the test."""
    lent = set()

    def run(role, *words, code=0):
        if role not in lent:
            place.sql(f"alter role {role} login")
            lent.add(role)
        env = {**os.environ, **place.cluster.env(user=role, database=place.database), "WSMFA_KEY_FILE": str(place.key_file)}
        done = subprocess.run([WSMFACTL, *map(str, words)], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == code, (role, words, done.stdout, done.stderr)
        return done
    yield run
    for role in lent:
        place.sql(f"alter role {role} nologin")


def test_an_administrator_needs_no_superuser(place, as_role, csv, name):
    words = ("--org", f"Roles {name}", "--region", "EMEA", "--service", "elements")
    as_role("wsmfa_admin", "account", "add", name, *words)
    for line in (["account", "show", name], ["account", "list", "--org", f"Roles {name}"], ["account", "set", name, "--language", "fi"],
                 ["account", "disable", name], ["account", "enable", name], ["account", "unlock", name],
                 ["account", "exempt", name, "--until", "2999-01-01T00:00Z", "--reason", "x"], ["account", "exempt", name, "--revoke"],
                 ["account", "ticket", name], ["totp", "add", name], ["sms", "add", name, "+358401234567"],
                 ["push", "add", name, "--provider", "local", "--device", "d"], ["push", "pending"], ["recovery", "new", name],
                 ["method", "list", name], ["status"], ["status", "--org", f"Roles {name}"], ["events"], ["metrics"], ["sweep"],
                 ["org", "list"], ["region", "list"], ["service", "list"], ["key", "list"],
                 ["account", "import", csv(f"{name}b,Acme,EMEA,elements,{{clear}}x,,JBSWY3DPEHPK3PXP,local,d\n")],
                 ["account", "erase", name]):
        as_role("wsmfa_admin", *line)


def test_an_auditor_looks_and_changes_nothing(place, as_role, name):
    person = place.person(name=name)
    for line in (["account", "list"], ["status"], ["events"], ["region", "list"]):
        as_role("wsmfa_auditor", *line)
    for line in (["account", "disable", name], ["region", "set", "EMEA", "--name", "x"], ["sweep"], ["recovery", "new", name]):
        assert "may not" in as_role("wsmfa_auditor", *line, code=1).stderr
    assert person.status()["disabled_at"] is None


def test_module_and_command_know_the_same_schema():
    newest = max(int(p.name[:4]) for p in (TOP / "sql").glob("[0-9]*.sql"))
    header = (TOP / "rlm_wsmfa" / "store" / "store_pg.h").read_text()
    assert re.search(rf"#define WSMFA_SCHEMA_NEWEST {newest}$", header, re.M)
    assert MODULE.exists()
