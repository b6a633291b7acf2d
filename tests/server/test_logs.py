"""What must not be in a log, at any level that people run: passwords, codes, keys, secrets, connection strings."""
import base64
import re

import pytest

import told
from place import SECRET, totp, wait_for
from radius import KEY


@pytest.mark.parametrize("level", [(), ("-x",), ("-xx",)], ids=["default", "-x", "-xx"])
def test_no_secret_in_the_log(place, make_server, level):
    server = make_server(settings={"connection": f'"{place.conninfo(password="connection-password")}"'})
    server.start(*level)
    person = place.person(totp=True, sms="+358401234567", password="very-secret-password")
    other = place.person(password="other-secret-password")
    client, append = server.client(), server.client("127.0.0.2")
    wrong = person.wrong_code()
    reply = client.ask(person.name, person.password)
    reply = client.ask(person.name, wrong, reply.state)
    reply = client.ask(person.name, "sms", reply.state)
    sent = server.text_code("+358401234567") if reply.code == "challenge" else "no text was sent"
    code = person.code()
    assert client.ask(person.name, person.password).code == "challenge"
    assert append.ask(person.name, f"{person.password},{code}").code == "accept"
    assert client.ask(person.name, "wrong-guess-of-a-password").code == "reject"
    assert server.client("127.0.0.5").ask(other.name, other.password).code == "reject"
    client.ask("nobody-at-all", "typed-into-the-wrong-field")
    place.event(person.name, "accepted")
    log = wait_for(server.log, "there is a log")
    key = person.keys[0]["key"]
    for secret in (person.password, other.password, "wrong-guess-of-a-password", "typed-into-the-wrong-field", code, wrong,
                   sent, key.hex(), base64.b32encode(key).decode(), base64.b64encode(place.key).decode(),
                   place.key.hex(), SECRET, "connection-password", "{clear}"):
        assert secret not in log, f"{secret!r} is in the log"


def test_postgresql_logs_no_secret(place, server):
    """Values go as parameters; a statement that fails is logged without them."""
    person = place.person(totp=True, password="password-for-the-database-log")
    client = server.client()
    state = client.ask(person.name, person.password).state
    code = person.code()
    assert client.ask(person.name, code, state).code == "accept"
    log = place.cluster.log.read_text(errors="replace")
    assert person.password not in log and state.decode() not in log


def test_a_refusal_says_why(place, server):
    """One line an administrator can act upon, for each kind of trouble; no line for a login that went well."""
    fine = place.person(services=["community"])
    client = server.client("127.0.0.4")
    server.mark()
    assert client.ask(fine.name, fine.password).code == "accept"
    assert fine.name not in server.fresh_log()


def test_events_hold_no_secret(place, server):
    person = place.person(totp=True, password="password-for-the-events")
    client = server.client()
    state = client.ask(person.name, person.password).state
    wrong = person.wrong_code()
    client.ask(person.name, wrong, state)
    place.event(person.name, "failed_second_factor")
    rows = place.value("select string_agg(e::text, ' ') from wsmfa.login_event e where account = %s", person.name)
    assert person.password not in rows and wrong not in rows


def test_the_database_holds_no_secret(place, make_server):
    """Whoever has a copy of it has nothing to log in with: no State, code, ticket, recovery code, key or password."""
    server = make_server(settings={"enroll_ticket": "required"}).start()
    client, phone = server.client(), "+35840777%04d" % next(place.numbers)
    name = f"at-rest-{next(place.numbers)}"
    place.wsmfactl("account", "add", name, "--org", "At rest", "--region", "EMEA", "--service", "elements", "--password-stdin",
                   stdin="the password at rest\n")
    ticket = re.search(r'"ticket": *"([^"]+)"', place.wsmfactl("account", "ticket", name, "--json").stdout).group(1)
    asked = client.ask(name, "the password at rest")
    shown = client.ask(name, ticket, asked.state)
    key = KEY.search(shown.message).group(1).replace(" ", "")
    code = totp(base64.b32decode(key), place.value("select extract(epoch from now())::bigint") // 30)
    reply = client.ask(name, code, shown.state)
    assert reply.code == "accept", reply
    person = place.person(sms=phone, recovery=True)
    texted = client.ask(person.name, person.password)
    secrets = {"the password at rest", ticket, ticket.replace("-", ""), key, code, *person.recovery, person.recovery[0].replace("-", ""),
               server.text_code(phone), asked.state.decode(), shown.state.decode(), texted.state.decode(),
               base64.b64encode(place.key).decode()}
    octets = {base64.b32decode(key).hex(), place.key.hex()}
    held = "".join(told.rows(place))
    # A code is six digits, which a number may hold by chance: as a word, or as octets.
    for secret in secrets:
        assert not re.search(rf"(?<![0-9A-Za-z.]){re.escape(secret)}(?![0-9A-Za-z])", held), secret
        assert secret.encode().hex() not in held, secret
    assert not [o for o in octets if o in held]
    # Control: it looks where they would be, and the password is in another form than its own.
    assert name in held and phone in held
    stored = place.value("select password from wsmfa.account where name = %s", name)
    assert stored.startswith("{") and "the password at rest" not in stored and not stored.startswith("{clear}")


def test_foreign_text_is_cleaned(place, server):
    """Control characters of a name or a station do not reach the log or the events."""
    server.mark()
    client = server.client()
    client.ask("evil\x1b[2J\nFORGED: line", "x", station="a\x1b]0;x\x07\nFORGED: station")
    person = place.person(services=["community"])
    server.client("127.0.0.4").ask(person.name, person.password, station="st\x1b[31m\nFORGED: station")
    place.event(person.name, "accepted")
    assert "\x1b" not in server.fresh_log() and "\nFORGED" not in server.fresh_log()
    assert "\x1b" not in place.events(person.name)[0]["calling_station"]
