"""Key rotation, and doctor, who looks at keys, servers and the server's configuration."""
import base64
import json
import os
import re
import subprocess

import pytest

from commands import csv, ctl, js  # noqa: F401
from place import TOP, WSMFACTL, wait_for


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


def run(place, *statement):
    """In the database of this test: place.sql speaks to the one that all share."""
    connection = place.connect(place.database)
    with connection, connection.cursor() as cursor:
        cursor.execute(*statement)
    connection.close()


def beat(place, name, keys, engine="running", ago=0, started=3600, parked=0, breakers="{}"):
    """A server's heartbeat: the ids of its keys are an array, or NULL as a server of before says nothing."""
    run(place, "select wsmfa.heartbeat(%s, '1', now() - %s * interval '1 s', now() - %s * interval '1 s', %s, %s, %s, '{}', 30, 30, %s)",
        (name, started, ago, engine, parked, breakers, keys))


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
    for name in ("s", "old"):
        beat(place, name, [first], started=0)
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
    beat(place, "s", [first])
    run(place, "update wsmfa.authenticator set sealed = '\\x010000'")
    assert held(1) == [("ok", "1 server can open every row")], "damage that names no key is no server's fault"
    assert [f["detail"] for f in json.loads(ctl("doctor", "--json", code=1).stdout) if f["check"] == "sealed keys"] == [
        "1 of the newest 1 rows do not open: they are damaged, or were sealed by another key of the same id or for another account"]


# doctor

def test_doctor_finds_a_healthy_installation_healthy(place, server, js, ctl):
    place.sql("delete from wsmfa.server where at < now() - interval '20 s'")
    place.sql("select wsmfa.heartbeat('doctor', '1', now(), now(), 'running', 0, '{}', '{}', 30, 30)")
    done = place.wsmfactl("doctor", "--json", "--raddb", server.radiusd.raddb, check=False)
    found = json.loads(done.stdout)
    checks = {f["check"]: f for f in found}
    assert {"connection", "TLS", "schema", "role", "clock", "key file", "servers", "events", "module", "server key", "site",
            "timers", "clients"} <= set(checks)
    # Other tests seal rows for the wrong account and with keys that nobody has on purpose, and have clients that send no signature.
    assert [f for f in found if f["status"] == "failed" and f["check"] not in ("sealed keys", "held keys", "clients")] == []
    assert checks["site"]["detail"] == "1 server behind the gate"


def test_doctor_tells_how_each_server_is(place, ctl, keys):
    beat(place, "well", None)
    beat(place, "off", None, engine="stopped", ago=3600)
    beat(place, "silent", None, ago=3600)
    beat(place, "cut off", None, parked=7, breakers='{"sms": "open", "push": "closed"}')
    found = {f["detail"].split(" ")[0]: (f["status"], f["detail"])
             for f in json.loads(ctl("doctor", "--json", code=1).stdout) if f["check"] == "servers"}
    assert {name: status for name, (status, _) in found.items()} == {"well": "ok", "off": "ok", "silent": "failed", "cut": "warning"}
    assert "7 parked" in found["cut"][1] and "sms open" in found["cut"][1] and "push" not in found["cut"][1]


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
