"""wsmfactl for those who run it: events, metrics, sweep, erasing, roles."""
import datetime
import json
import os
import re
import subprocess

import pytest

from commands import csv, ctl, js  # noqa: F401
from place import MODULE, TOP, WSMFACTL


@pytest.fixture
def name(place):
    return f"adm{next(place.numbers)}"


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
