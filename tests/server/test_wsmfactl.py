"""wsmfactl as scripts see it: names, forms, exit codes, and what it leaves in the database."""
import base64
import datetime
import json
import re
import stat
import time
import urllib.parse

import pytest

from commands import js, runner  # noqa: F401
from place import totp

HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def ctl(place):
    return runner(place, quiet=True)


@pytest.fixture
def name(place):
    return f"ctl{next(place.numbers)}"


@pytest.fixture
def account(ctl, name):
    ctl("account", "add", name, "--org", "Acme", "--region", "EMEA", "--service", "elements")
    return name


def test_key_init_makes_a_private_file_once(place, tmp_path):
    path = tmp_path / "key"
    done = place.wsmfactl("key", "init", "--key-file", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    number, key = path.read_text().split()
    assert len(base64.b64decode(key)) == 32 and re.fullmatch(r"[A-Za-z0-9._-]{1,32}", number)
    assert key not in done.stdout + done.stderr
    before = path.read_text()
    done = place.wsmfactl("key", "init", "--key-file", path, check=False)
    assert done.returncode == 1 and "there already" in done.stderr
    assert path.read_text() == before


@pytest.mark.parametrize("text, mode, said", [
    (None, 0o600, "can't be read"), ("", 0o600, "not right"), ("first AAAA\n", 0o600, "not right"),
    ("first %s\n" % base64.b64encode(bytes(32)).decode(), 0o644, "chmod 600")])
def test_key_file_is_judged(place, account, tmp_path, text, mode, said):
    path = tmp_path / "key"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    done = place.wsmfactl("totp", "add", account, "--key-file", path, check=False)
    assert done.returncode == 1 and said in done.stderr
    assert place.value("select count(*) from wsmfa.authenticator x join wsmfa.account a on a.id = x.account_id "
                       "where a.name = %s", account) == 0


def test_account_add_hashes_and_makes_the_organization(place, ctl, name):
    org = f"New {name}"
    ctl("account", "add", name.upper(), "--org", org, "--region", "APAC", "--service", "elements,community", "--phone",
        "+358401234567", "--password-stdin", "--iterations", "1000", stdin="open sesame\n")
    password, phone, region = place.sql("select password, phone, region from wsmfa.account where name = %s", name)[0]
    assert password.startswith("{x-pbkdf2}HMACSHA2+256:AAAD6A==:") and (phone, region) == ("+358401234567", "APAC")
    assert place.value("select count(*) from wsmfa.organization where name = %s", org) == 1
    assert place.sql("select service from wsmfa.account_service s join wsmfa.account a on a.id = s.account_id "
                     "where a.name = %s order by 1", name) == [("community",), ("elements",)]


def test_account_add_takes_a_stored_password_as_it_is(place, ctl, name):
    ctl("account", "add", name, "--org", "Acme", "--region", "EMEA", "--service", "elements", "--password-stdin",
        stdin="{clear}two\nlines\n")
    assert place.value("select password from wsmfa.account where name = %s", name) == "{clear}two\nlines"


@pytest.mark.parametrize("words, said", [
    (["--region", "NOWHERE", "--service", "elements"], 'no such region: "NOWHERE"; wsmfactl region list'),
    (["--region", "EMEA", "--service", "elements,nothing"], 'no such service: "nothing"; wsmfactl service list'),
    (["--region", "EMEA", "--service", ""], "is empty"),
    (["--region", "EMEA", "--service", "elements,"], 'no such service: ""'),
    (["--region", "EMEA", "--service", "elements", "--phone", "123"], "no number"),
    (["--region", "EMEA", "--service", "elements", "--language", "x"], "no language")])
def test_account_add_refuses_and_leaves_nothing(place, ctl, name, words, said):
    org = f"Never {name}"
    assert said in ctl("account", "add", name, "--org", org, *words, code=1).stderr
    assert place.value("select count(*) from wsmfa.account where name = %s", name) == 0
    assert place.value("select count(*) from wsmfa.organization where name = %s", org) == 0


@pytest.mark.parametrize("bad", ["", "a\nb", "a\x7fb", "a" * 254])
def test_account_names_are_judged(ctl, bad):
    ctl("account", "add", bad, "--org", "Acme", "--region", "EMEA", "--service", "elements", code=1)


def test_account_names_are_folded_in_ascii_only(place, ctl, name):
    words = ("--org", "Acme", "--region", "EMEA", "--service", "elements")
    ctl("account", "add", name + "ÄX", *words)
    assert "already" in ctl("account", "add", name.upper() + "Äx", *words, code=1).stderr
    ctl("account", "add", name + "äX", *words)
    assert place.value("select count(*) from wsmfa.account where name like %s", name + "%") == 2


def test_a_hashed_password_logs_in(place, client, ctl, js, name):
    """rlm_pap reads what we wrote, and the first factor alone is not enough."""
    ctl("account", "add", name, "--org", "Acme", "--region", "EMEA", "--service", "elements", "--password-stdin",
        stdin="open sesame\n")
    key = js("totp", "add", name)
    assert client.ask(name, "wrong").code == "reject"
    asked = client.ask(name, "open sesame")
    assert asked.code == "challenge"
    secret = base64.b32decode(key["secret"] + "=" * (-len(key["secret"]) % 8))
    assert client.ask(name, totp(secret, int(time.time()) // 30), asked.state).code == "accept"


def test_totp_add_prints_what_it_stored(place, ctl, js, account):
    for words, algorithm, octets, digits, period in (
            ([], "sha1", 20, 6, 30), (["--algorithm", "sha256", "--digits", 8, "--period", 60], "sha256", 32, 8, 60),
            (["--algorithm", "sha512"], "sha512", 64, 6, 30)):
        key = js("totp", "add", account, *words)
        assert len(base64.b32decode(key["secret"] + "=" * (-len(key["secret"]) % 8))) == octets
        uri = urllib.parse.urlsplit(key["uri"])
        query = urllib.parse.parse_qs(uri.query)
        assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", f"/Acme:{account}")
        assert query == {"secret": [key["secret"]], "issuer": ["Acme"], "algorithm": [algorithm.upper()],
                         "digits": [str(digits)], "period": [str(period)]}
        row = place.sql("select kind, algorithm, digits, period, confirmed_at is not null, octet_length(sealed) "
                        "from wsmfa.authenticator where id = %s", key["id"])[0]
        assert row[:5] == ("totp", algorithm, digits, period, True) and row[5] > octets
    assert json.loads(ctl("totp", "add", account, "--format", "json").stdout)["uri"].startswith("otpauth://totp/")
    assert ctl("totp", "add", account, "--format", "uri").stdout.startswith("otpauth://totp/Acme:")
    key = js("totp", "add", account, "--unconfirmed")
    assert place.value("select confirmed_at from wsmfa.authenticator where id = %s", key["id"]) is None


def test_totp_add_takes_a_key(place, account):
    done = place.wsmfactl("totp", "add", account, "--secret", "jbsw y3dp-ehpk 3pxp", "--json")
    assert json.loads(done.stdout)["secret"] == "JBSWY3DPEHPK3PXP"
    assert "80 bits" in done.stderr, "a short key is taken with a remark"
    for bad in ("1", "AAAA", "JBSWY3DPEHPK3PX!", ""):
        done = place.wsmfactl("totp", "add", account, "--secret", bad, check=False)
        assert done.returncode == 1 and "--secret" in done.stderr


def test_totp_qr_is_drawn_in_half_blocks(ctl, account):
    lines = ctl("totp", "add", account).stdout.splitlines()
    code = [line for line in lines if re.fullmatch("[█▀▄ ]+", line)]
    assert len(code) > 15 and len({len(line) for line in code}) == 1 and len(code[0]) in (2 * len(code), 2 * len(code) - 1)
    assert any(re.fullmatch(r"key  ([A-Z2-7]{4} ){7}[A-Z2-7]{4}", line) for line in lines)


def test_methods_are_listed_and_removed(place, ctl, js, account):
    key = js("totp", "add", account, "--label", "my phone")
    ctl("sms", "add", account, "+358401234567")
    ctl("push", "add", account, "--provider", "local", "--device", "phone 1")
    methods = js("method", "list", account)
    assert [(m["kind"], m["label"]) for m in methods] == [("totp", "my phone"), ("sms", ""), ("push", "")]
    assert all(set(m) == {"id", "kind", "label", "confirmed_at", "last_used_at", "disabled_at"} for m in methods)
    assert all(datetime.datetime.fromisoformat(m["confirmed_at"]).tzinfo for m in methods)
    assert "already" in ctl("sms", "add", account, "+358401234567", code=1).stderr
    assert "already" in ctl("push", "add", account, "--provider", "local", "--device", "phone 1", code=1).stderr
    assert js("method", "disable", account, key["id"]) == [{"account": account, "id": key["id"], "done": "disabled"}]
    assert js("method", "list", account)[0]["disabled_at"]
    ctl("method", "enable", account, key["id"])
    assert js("method", "list", account)[0]["disabled_at"] is None
    ctl("method", "remove", account, key["id"])
    assert [m["kind"] for m in js("method", "list", account)] == ["sms", "push"]
    assert "no authenticator" in ctl("method", "remove", account, key["id"], code=1).stderr
    assert place.value("select octet_length(sealed) from wsmfa.authenticator where id = %s", key["id"]) == 1, \
        "the key is gone with it"


def test_somebody_elses_method_is_not_touched(ctl, js, place, account):
    other = place.person(totp=True)
    assert "no authenticator" in ctl("method", "remove", account, other.keys[0]["id"], code=1).stderr
    assert js("method", "list", other.name)


def test_recovery_codes_are_ten_and_stored_slow(place, ctl, js, account):
    first, second = js("recovery", "new", account), js("recovery", "new", account)
    for made in (first, second):
        assert made["account"] == account and len(set(made["codes"])) == 10
        # Letters of five bits each: at least 50 bits.
        assert all(len(re.sub("[^0-9A-Z]", "", c)) >= 10 for c in made["codes"])
    assert not set(first["codes"]) & set(second["codes"])
    rows = place.sql("select x.removed_at is null, x.iterations, octet_length(x.salt), count(*) from wsmfa.authenticator x "
                     "join wsmfa.account a on a.id = x.account_id join wsmfa.recovery_code c on c.authenticator_id = x.id "
                     "where a.name = %s group by x.id order by x.id", account)
    assert [r[0] for r in rows] == [False, True] and all(r[1] >= 10000 and r[2] == 16 and r[3] == 10 for r in rows)
    assert len(re.findall(r"^  \S+$", ctl("recovery", "new", account).stdout, re.M)) == 10


def test_ticket(place, js, ctl, account):
    ticket, = js("account", "ticket", account)
    assert len(re.sub("[^0-9A-Z]", "", ticket["ticket"])) * 5 >= 80
    left = datetime.datetime.fromisoformat(ticket["expires_at"]) - datetime.datetime.now(datetime.timezone.utc)
    assert 23 * HOUR < left <= 24 * HOUR
    left = datetime.datetime.fromisoformat(js("account", "ticket", account, "--hours", 1)[0]["expires_at"])
    assert left - datetime.datetime.now(datetime.timezone.utc) <= HOUR
    hashes = place.sql("select octet_length(t.hash) from wsmfa.ticket t join wsmfa.account a on a.id = t.account_id "
                       "where a.name = %s", account)
    assert hashes == [(32,), (32,)]
    # Older ones are void, and stay so when this one is used or its hour is over.
    assert place.value("select count(*) from wsmfa.ticket t join wsmfa.account a on a.id = t.account_id "
                       "where a.name = %s and t.used_at is null and t.expires_at > now()", account) == 1
    ctl("account", "ticket", account, "--hours", 0, code=2)


def test_exemptions(js, ctl, account):
    ctl("account", "exempt", account, "--until", "2999-01-01T00:00:00+02:00", "--reason", "lost phone")
    assert js("account", "show", account)["exempt_until"] == "2998-12-31T22:00:00+00:00"
    assert "past" in ctl("account", "exempt", account, "--until", "2020-01-01T00:00Z", "--reason", "x", code=1).stderr
    for bad in ("2999-01-01T00:00:00", "2999-01-01", "tomorrow", "2999-02-30T00:00Z"):
        assert "--until" in ctl("account", "exempt", account, "--until", bad, "--reason", "x", code=2).stderr
    ctl("account", "exempt", account, "--until", "2999-01-01T00:00Z", code=2)
    ctl("account", "exempt", account, "--revoke")
    assert js("account", "show", account)["exempt_until"] is None


def test_show_and_list_agree_with_the_view(place, js, ctl, account):
    ctl("totp", "add", account)
    shown = js("account", "show", account.upper())
    view = place.sql("select row_to_json(s) from wsmfa.mfa_status s where account = %s", account)[0][0]
    for key in ("organization", "region", "services", "in_scope", "stage", "days_left", "methods", "strongest", "enrolled",
                "compliant", "next_login"):
        assert shown[key] == view[key], key
    assert shown["account"] == account and shown["next_login"] == "challenge"
    rows = js("account", "list", "--org", "Acme", "--region", "EMEA", "--method", "totp", "--next-login", "challenge")
    assert account in [r["account"] for r in rows] and all(r["organization"] == "Acme" for r in rows)
    assert account not in [r["account"] for r in js("account", "list", "--not-ready")]
    ctl("account", "disable", account)
    assert js("account", "show", account)["next_login"] == "deny"
    assert account in [r["account"] for r in js("account", "list", "--disabled")]
    ctl("account", "enable", account)
    assert account not in [r["account"] for r in js("account", "list", "--disabled")]
    assert "account" in ctl("account", "list").stdout.lower()


def test_unlock_ends_waits_and_failures(place, js, ctl, account):
    key = js("totp", "add", account)
    place.sql("insert into wsmfa.station_wait (account_id, station, consecutive, waits, locked_until, at) "
              "select id, 'x', 10, 1, now() + interval '1 hour', now() from wsmfa.account where name = %s", account)
    place.sql("update wsmfa.authenticator set consecutive = 100, disabled_at = now(), disabled_reason = 'failures' "
              "where id = %s", key["id"])
    assert js("account", "show", account)["locked_until"]
    ctl("account", "unlock", account)
    shown = js("account", "show", account)
    assert shown["locked_until"] is None and shown["next_login"] == "challenge"


def test_an_unknown_account_is_said_so(ctl):
    for words in (["account", "show"], ["account", "unlock"], ["account", "disable"], ["totp", "add"], ["method", "list"],
                  ["recovery", "new"], ["account", "ticket"]):
        assert "no account nobody" in ctl(*words, "Nobody", code=1).stderr


def test_push_is_answered(place, ctl, js, account):
    assert js("push", "pending") == []
    assert "no push" in ctl("push", "answer", 999999, "approve", code=1).stderr
    ctl("push", "answer", "x", "approve", code=2)
    ctl("push", "answer", 1, "perhaps", code=2)
    ctl("push", "add", account, "--provider", "local", "--device", "d")

    def ask(number):
        return place.value(
            "insert into wsmfa.challenge (account_id, kind, client, station, service, login, attempt, opened_at, expires_at, "
            "code_expires_at, number, push_state) select id, 'push', '127.0.0.1', '', 'elements', 'x', 1, now(), "
            "now() + interval '2 min', now() + interval '45 s', %s, 'pending' from wsmfa.account where name = %s returning id",
            number, account)
    plain, matched = ask(""), ask("42")
    pending = {p["id"]: p for p in js("push", "pending")}
    assert pending[plain]["account"] == account and pending[plain]["client"] == "127.0.0.1"
    assert all({"id", "account", "client", "opened_at", "expires_at"} <= set(p) for p in pending.values())
    assert "42" not in ctl("push", "pending").stdout.split(), "the number is on the prompt only"
    ctl("push", "answer", plain, "deny")
    assert "already" in ctl("push", "answer", plain, "approve", code=1).stderr
    assert "number" in ctl("push", "answer", matched, "approve", code=1).stderr
    assert "number" in ctl("push", "answer", matched, "approve", "--number", 41, code=1).stderr
    ctl("push", "answer", matched, "approve", "--number", 42)
    assert place.sql("select push_state from wsmfa.challenge where id in (%s, %s) order by id", plain, matched) == \
        [("denied",), ("approved",)]


def test_status_adds_up(place, js, ctl, name):
    org = f"Counted {name}"
    number = place.organization(name=org)
    people = [place.person(organization=number, totp=i < 3, sms="+358401234567" if i == 3 else None) for i in range(5)]
    place.person(organization=number, services=("community",))
    place.sql("update wsmfa.account set disabled_at = now() where id = %s", people[4].id)
    row = js("status", "--org", org)
    assert len(row) == 1
    row = row[0]
    view = place.sql("select row_to_json(c) from wsmfa.org_compliance c where organization = %s", org)[0][0]
    for key in ("accounts", "in_scope", "enrolled", "compliant", "percent", "sms_only", "exempt", "days_left"):
        assert row[key] == view[key], key
    assert (row["accounts"], row["in_scope"], row["compliant"], row["sms_only"]) == (5, 4, 4, 1)
    assert {r["region"] for r in js("status")} >= {"EMEA", "AMER", "APAC"}
    assert js("status", "--region", "APAC", "--at", "2024-07-30T00:00Z")[0]["days_left"] == 0
    assert re.search(rf"{org} .*enforced since 2024-04-22", ctl("status", "--org", org).stdout), "the region's date, not UTC's"
    text = ctl("status", "--at", "2024-02-02T00:00:00Z").stdout
    assert re.search(r"APAC .*enforced from 2024-07-31, 179 days left", text) and "\033" not in text
    assert "no organization" in ctl("status", "--org", "Nobody's", code=1).stderr


def test_lists_and_schedules(place, js, ctl, name):
    code = name.upper()
    made, = js("region", "add", code, "--time-zone", "Asia/Tokyo", "--announce-from", "2030-01-01", "--enforce-from", "never",
              "--local")
    assert made["announce_from"] == "2029-12-31T15:00:00+00:00" and made["enforce_from"] == "infinity"
    made, = js("region", "set", code, "--enforce-from", "2030-06-01T00:00:00+09:00")
    assert made["enforce_from"] == "2030-05-31T15:00:00+00:00"
    assert "before" in ctl("region", "set", code, "--enforce-from", "2029-01-01T00:00Z", code=1).stderr
    assert "zone" in ctl("region", "set", code, "--enforce-from", "2030-06-01", code=2).stderr
    assert "time zone" in ctl("region", "set", code, "--time-zone", "Mars/Olympus", code=1).stderr
    assert "no region" in ctl("region", "set", "NOWHERE", "--name", "x", code=1).stderr
    assert code in [r["code"] for r in js("region", "list")]
    assert js("service", "add", name)[0]["requires_mfa_from"] is None
    assert js("service", "set", name, "--requires-mfa-from", "2024-01-01T00:00Z")[0]["requires_mfa_from"]
    assert js("service", "set", name, "--requires-mfa-from", "never")[0]["requires_mfa_from"] is None
    assert "already" in ctl("service", "add", name, code=1).stderr
    js("org", "add", name, "--methods", "totp,push")
    assert "methods" in ctl("org", "set", name, "--methods", "carrier_pigeon", code=1).stderr
    for word in ("all", "none", "totp, sms"):
        assert re.search(rf"^allowed_methods +{word}$", ctl("org", "set", name, "--methods", word.replace(" ", "")).stdout, re.M)
    assert "both" in ctl("org", "set", name, "--announce-from", "2030-01-01T00:00Z", code=1).stderr
    made, = js("org", "set", name, "--announce-from", "2030-01-01T00:00Z", "--enforce-from", "2030-02-01T00:00Z", "--methods",
              "all")
    assert made["allowed_methods"] is None and made["enforce_from"] == "2030-02-01T00:00:00+00:00"
    assert js("org", "set", name, "--enforce-from", "2030-03-01T00:00Z")[0]["announce_from"] == "2030-01-01T00:00:00+00:00"
    assert js("org", "set", name, "--no-schedule")[0]["enforce_from"] is None


def test_what_if_tells_and_changes_nothing(place, js, ctl, name):
    code = name.upper()
    js("region", "add", code, "--time-zone", "Asia/Tokyo", "--announce-from", "2020-01-01", "--enforce-from", "2999-01-01", "--local")
    ready, late = (place.person(region=code, totp=totp) for totp in (True, False))
    assert js("region", "what-if", code, "--enforce-from", "2998-01-01T00:00Z") == []
    row, = js("region", "what-if", code, "--enforce-from", "2021-01-01", "--local")
    assert (row["account"], row["stage"], row["next_login"], row["proposed_stage"], row["proposed_next_login"]) == \
        (late.name, "announce", "accept_with_banner", "enforce", "enroll")
    row, = js("region", "what-if", code, "--enforce-from", "never", "--at", "2999-06-01T00:00Z")
    assert (row["next_login"], row["proposed_next_login"]) == ("enroll", "accept_with_banner")
    assert js("account", "show", late.name)["next_login"] == "accept_with_banner" and ready
    assert "no region" in ctl("region", "what-if", "NOWHERE", "--enforce-from", "never", code=1).stderr


@pytest.mark.parametrize("words, said", [
    ([], "command is missing"), (["nonsense"], "no command nonsense"), (["account"], "account what"),
    (["account", "nonsense"], "no command account nonsense"), (["--nonsense"], "no option --nonsense"),
    (["account", "show"], "NAME is missing"), (["account", "show", "a", "b"], "too many"),
    (["account", "add", "a", "--org", "b"], "--region is missing"), (["totp", "add", "a", "--digits", "7"], "one of 6|8"),
    (["totp", "add", "a", "--period", "5"], "15 to 60"), (["totp", "add", "a", "--algorithm", "md5"], "one of"),
    (["status", "--at", "2024-04-22T00:00:00"], "no zone")])
def test_wrong_usage_is_2(ctl, words, said):
    done = ctl(*words, code=2)
    assert said in done.stderr and done.stdout == ""


def test_help_is_of_the_table(ctl):
    text = ctl("--help").stdout
    commands = re.findall(r"^  ((?:[a-z]+ )?[a-z]+) {2,}\S", text, re.M)
    assert len(commands) > 20
    for command in commands:
        assert ctl(*command.split(), "--help").stdout.startswith(f"usage: wsmfactl {command}")
    family = ctl("account", "--help").stdout
    assert "account add" in family and "totp add" not in family


def test_no_database_is_one_sentence(place, monkeypatch):
    monkeypatch.setattr(place, "database", "nowhere")
    done = place.wsmfactl("account", "list", check=False)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and "PGDATABASE" in done.stderr


@pytest.mark.parametrize("number, said", [(999, "install the newer wsmfactl"), (-10, "run sql/migrate")])
def test_another_schema_is_refused(place, ctl, number, said):
    """The number is what counts: one too new, and the newest ones missing."""
    saved = place.sql("select id, name, checksum, applied_at from wsmfa.schema_version order by id")
    try:
        if number > 0:
            place.sql("insert into wsmfa.schema_version (id, name, checksum) values (%s, 'future', 'x')", number)
        else:
            place.sql("delete from wsmfa.schema_version where id > 1")
        done = ctl("account", "list", code=1)
        assert said in done.stderr and len(done.stderr.splitlines()) == 1
    finally:
        place.sql("delete from wsmfa.schema_version")
        for row in saved:
            place.sql("insert into wsmfa.schema_version (id, name, checksum, applied_at) values (%s, %s, %s, %s)", *row)
