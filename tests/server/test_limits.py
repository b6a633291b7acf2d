"""Limits that stop whoever guesses, and lock nobody out who has the password and the phone."""
import re
import time

import pytest

from faults import at_once
from place import DAY, TOP, now, wait_for
from sites import first

MANUAL = (TOP / "raddb/mods-available/wsmfa").read_text()


def question(client, person, station=None):
    reply = client.ask(person.name, person.password, station=station)
    assert reply.code == "challenge", reply
    return reply.state


def wrong(client, person, n, station=None):
    """That many different wrong codes, each counted; the last reply."""
    tried, reply = set(), None
    while len(tried) < n:
        state = reply.state if reply and reply.code == "challenge" else question(client, person, station)
        code = person.wrong_code()
        if code not in tried:
            tried.add(code)
            reply = client.ask(person.name, code, state, station)
    return reply


def failures(place, person):
    return place.value("select count(*) from wsmfa.failure where account_id = %s", person.id)


@pytest.fixture(scope="module")
def strict(place):
    server = place.server(settings={"lock_after": 3, "failure_budget": 10}).start()
    yield server
    server.stop()


def test_account_and_station_wait(place, strict):
    person = place.person(totp=True)
    client = strict.client()
    reply = wrong(client, person, 3, "one")
    assert reply.code == "reject" and "in a minute" in reply.message
    # Only who has the password is told, and only at this station.
    assert client.ask(person.name, person.password, station="one").message.startswith("Too many")
    guess = client.ask(person.name, "not it", station="one")
    assert guess.code == "reject" and guess.message == ""
    state = question(client, person, "two")
    assert client.ask(person.name, person.code(), state, "two").code == "accept"
    place.event(person.name, "denied", "locked")


def test_an_open_question_does_not_outlive_the_wait(place, strict):
    person = place.person(totp=True)
    client = strict.client()
    early = question(client, person, "one")
    wrong(client, person, 3, "one")
    assert client.ask(person.name, person.code(), early, "one").code == "reject"


def test_unlock(place, strict):
    person = place.person(totp=True)
    client = strict.client()
    wrong(client, person, 3)
    assert client.ask(person.name, person.password).code == "reject"
    place.wsmfactl("account", "unlock", person.name)
    assert client.ask(person.name, person.code(), question(client, person)).code == "accept"


def test_the_wait_doubles(place, strict):
    person = place.person(totp=True)
    client = strict.client()
    minutes = []
    for _ in range(3):
        reply = wrong(client, person, 3 if not minutes else 1)
        minutes.append(int(re.search(r"in (a|\d+) minute", reply.message).group(1).replace("a", "1")))
        place.sql("update wsmfa.station_wait set locked_until = now() - interval '1 second' where account_id = %s", person.id)
    assert minutes == sorted(minutes) and minutes[0] < minutes[-1] and minutes[0] == 1


def test_a_success_ends_the_count(place, strict):
    person = place.person(totp=True)
    client = strict.client()
    for steps in (-1, 0, 1):
        wrong(client, person, 2)
        assert client.ask(person.name, person.code(steps), question(client, person)).code == "accept"


def test_the_budget_is_not_reset_by_a_success(place, strict):
    person = place.person(totp=True)
    client = strict.client()
    place.sql("insert into wsmfa.failure (account_id, authenticator_id, at) "
              "select %s, %s, now() - interval '20 days' from generate_series(1, 9)", person.id, person.keys[0]["id"])
    place.sql("update wsmfa.authenticator set last_failure_at = now() - interval '20 days' where id = %s",
              person.keys[0]["id"])
    assert client.ask(person.name, person.code(), question(client, person)).code == "accept"
    wrong(client, person, 1)
    assert client.ask(person.name, person.password).code == "reject"
    place.event(person.name, "denied", "no_usable_method")


def test_another_method_helps(place, strict):
    person = place.person(totp=True, sms="+358401000099")
    client = strict.client()
    place.sql("insert into wsmfa.failure (account_id, authenticator_id, at) "
              "select %s, %s, now() from generate_series(1, 10)", person.id, person.keys[0]["id"])
    place.sql("update wsmfa.authenticator set last_failure_at = now() where id = %s", person.keys[0]["id"])
    # Not unasked: something stronger is enrolled, if unusable now.
    reply = client.ask(person.name, "sms", question(client, person))
    assert client.ask(person.name, strict.text_code("+358401000099"), reply.state).code == "accept"


def test_a_hundred_in_a_row_disable(place, server):
    person = place.person(totp=True, phone="+358401000098")
    number = person.keys[0]["id"]
    place.sql("update wsmfa.authenticator set consecutive = 99 where id = %s", number)
    client = server.client()
    state = question(client, person)
    assert client.ask(person.name, person.wrong_code(), state).code == "reject"
    assert place.value("select disabled_reason from wsmfa.authenticator where id = %s", number) == "failures"
    assert client.ask(person.name, person.password).code == "reject"
    assert "disabled" in wait_for(lambda: server.texts("+358401000098"), "the person is told")[-1]["text"]


def test_the_same_wrong_code_counts_once(place, strict):
    """Clients repeat what was typed; but it uses up an attempt of its login."""
    person = place.person(totp=True)
    client = strict.client()
    code = person.wrong_code()
    reply = client.ask(person.name, code, question(client, person))
    reply = client.ask(person.name, code, reply.state)
    reply = client.ask(person.name, code, reply.state)
    assert reply.code == "reject"
    assert failures(place, person) == 1


def test_retransmissions_do_not_count(place, strict):
    person = place.person(totp=True)
    client = strict.client()
    packet = client.build([("User-Name", person.name)], person.wrong_code(), question(client, person))
    for _ in range(4):
        client.send(packet)
    assert failures(place, person) == 1


def test_a_right_code_that_was_used_is_not_counted(place, strict):
    person = place.person(totp=True)
    client = strict.client()
    code = person.code()
    assert client.ask(person.name, code, question(client, person)).code == "accept"
    for _ in range(5):
        assert client.ask(person.name, code, question(client, person)).code != "accept"
    assert failures(place, person) == 0


def test_without_the_password_nobody_locks_anybody_out(place, strict):
    person = place.person(totp=True)
    client, append = strict.client(), strict.client("127.0.0.2")
    for i in range(30):
        assert client.ask(person.name, f"guess {i}").code == "reject"
        assert append.ask(person.name, f"guess {i},{person.wrong_code()}").code == "reject"
    assert failures(place, person) == 0
    assert client.ask(person.name, person.code(), question(client, person)).code == "accept"


def test_two_hundred_wrong_guesses_at_once(place, make_server):
    """They count as often as the rules say, never fewer: up to the wait, that is."""
    server = make_server(settings={"lock_after": 50, "failure_budget": 100, "store_timeout": 30}).start()
    person = place.person(totp=True)
    clients = [server.client("127.0.0.2") for _ in range(200)]
    guesses = set()
    while len(guesses) < 200:
        guesses.add(person.wrong_code())
    replies = at_once([lambda c=c, g=g: c.ask(person.name, f"{person.password},{g}", timeout=60)
                       for c, g in zip(clients, guesses)])
    assert {r.code for r in replies} == {"reject"}
    assert failures(place, person) == 50
    assert server.client("127.0.0.2").ask(person.name, f"{person.password},{person.code()}").code == "reject"


# Setting: who is sent a text, twice; who is not any more; who still is. Accounts by organization and number.
SMS = {
    "sms_max": ("a a", "a", "b"),
    "sms_number_max": ("a d", "b", "c"),
    "sms_organization_max": ("a c", "b", "d"),
    "sms_total_max": ("a e", "c", None),
}


@pytest.mark.parametrize("setting", SMS)
def test_each_limit_of_text_messages(place, make_server, setting):
    """Each of the four settings is the limit that its name says, and no other: the rest are as wide as they get."""
    sent, refused, passes = SMS[setting]
    before = place.value("select count(*) from wsmfa.sent where channel = 'sms' and at > now() - interval '1 hour'")
    limits = {"sms_max": 100, "sms_number_max": 100, "sms_organization_max": 0, "sms_total_max": 0}
    limits[setting] = 2 + (before if setting == "sms_total_max" else 0)
    server = make_server(settings=limits).start()
    one, two, three = (place.organization() for _ in range(3))
    first, second, third = ("+35840777%04d" % next(place.numbers) for _ in range(3))
    people = {name: place.person(sms=phone, organization=organization) for name, organization, phone in
              (("a", one, first), ("b", one, first), ("c", one, second), ("d", two, first), ("e", three, third))}
    client = server.client()
    for i, name in enumerate(sent.split()):
        assert "sent to" in client.ask(people[name].name, people[name].password, station=f"{i}").message
    reply = client.ask(people[refused].name, people[refused].password, station="more")
    assert reply.code == "reject" and reply.message == "Too many codes were sent. Wait."
    place.event(people[refused].name, "denied", "sms_limit")
    if passes:
        assert "sent to" in client.ask(people[passes].name, people[passes].password, station="other").message


def test_append_counts_like_a_dialogue(place, strict):
    person = place.person(totp=True)
    client = strict.client("127.0.0.2")
    for _ in range(3):
        assert client.ask(person.name, f"{person.password},{person.wrong_code()}").code == "reject"
    reply = client.ask(person.name, f"{person.password},{person.code()}")
    assert reply.code == "reject" and "Too many" in reply.message


def test_the_delay_of_wrong_passwords_grows(place, make_server):
    """And holds no thread: others are answered meanwhile."""
    server = make_server(server={"reject_delay": 1}).start()
    person, other = place.person(totp=True), place.person(services=["community"])
    client = server.client()
    took = []
    for _ in range(6):
        began = time.monotonic()
        assert client.ask(person.name, "wrong").code == "reject"
        took.append(time.monotonic() - began)
    assert all(a <= b + 0.5 for a, b in zip(took, took[1:])), took
    assert 1.5 < took[-1] < 3.5, took
    packet = client.post(client.build([("User-Name", person.name)], "wrong"))
    began = time.monotonic()
    assert server.client("127.0.0.4").ask(other.name, other.password).code == "accept"
    assert time.monotonic() - began < 1
    assert client.wait(packet, 5).code == "reject"


STAGES = {"observe": ("observed",), "announce": ("announced",), "enforce": ("organization",)}
SPOILT = {
    "disabled authenticator": "update wsmfa.authenticator set disabled_at = now() where account_id = %s",
    "budget used up": "with f as (insert into wsmfa.failure (account_id, authenticator_id, at) select account_id, id, now() "
                      "from wsmfa.authenticator, generate_series(1, 30) where account_id = %s returning 1) "
                      "select count(*) from f",
    "forbidden by policy": "update wsmfa.organization o set allowed_methods = '{sms}' from wsmfa.account a "
                           "where a.organization_id = o.id and a.id = %s",
    "disabled account": "update wsmfa.account set disabled_at = now() where id = %s",
    "key that does not open": "update wsmfa.authenticator set sealed = 'x' where account_id = %s",
}


@pytest.mark.parametrize("spoilt", SPOILT)
@pytest.mark.parametrize("stage", STAGES)
def test_no_takeover_by_enrolling_anew(place, server, stage, spoilt):
    """Whoever is enrolled stays enrolled: in no stage does a password alone lead to a new key, or in."""
    person = place.person(totp=True, phone="+358401000097",
                          organization=getattr(place, STAGES[stage][0])())
    place.sql(SPOILT[spoilt], person.id)
    place.sql("update wsmfa.authenticator set last_failure_at = now() where account_id = %s", person.id)
    for source in ("127.0.0.1", "127.0.0.2", "127.0.0.4", "127.0.0.6"):
        for typed in (person.password, person.password + ",enroll", person.password + ",sms"):
            reply = server.client(source).ask(person.name, typed)
            assert reply.code == "reject", (source, typed, reply)
    assert server.texts("+358401000097") == []


def test_cap_session(place, make_server):
    """Nobody stays logged in on one factor across the beginning of enforcement."""
    server = make_server(settings={"cap_session": "yes"}).start()
    soon = place.person(organization=place.organization(now() - DAY, now() + DAY / 24))
    reply = server.client().ask(soon.name, soon.password)
    assert reply.code == "accept" and 3000 < reply.number("Session-Timeout") <= 3600
    free, enrolled = place.person(services=["community"]), place.person(totp=True)
    assert server.client("127.0.0.4").ask(free.name, free.password).number("Session-Timeout") is None
    client = server.client()
    reply = client.ask(enrolled.name, enrolled.code(), question(client, enrolled))
    assert reply.code == "accept" and reply.number("Session-Timeout") is None


@pytest.mark.parametrize("policy", [60, 86400])
def test_cap_session_beside_a_policy(place, make_server, policy):
    """Of the site's Session-Timeout and ours the shorter one goes out."""
    edit = first("authorize", f"\tupdate reply {{\n\t\t&Session-Timeout := {policy}\n\t}}\n")
    server = make_server(settings={"cap_session": "yes"}, edit=edit).start()
    soon = place.person(organization=place.organization(now() - DAY, now() + DAY / 24))
    reply = server.client().ask(soon.name, soon.password)
    assert reply.code == "accept" and len(reply.all("Session-Timeout")) == 1
    assert min(policy, 3000) <= reply.number("Session-Timeout") <= min(policy, 3600)


def default(name):
    return int(re.search(rf"^#?\t{name} = (\d+)", MANUAL, re.M).group(1))


def test_chance_of_a_year_of_guessing():
    """Password known, six digits, the owner logging in daily, from as many stations as one likes: the budget is what
    binds, since nothing resets it."""
    guesses = default("failure_budget") * 365 / default("failure_days")
    right = (2 * default("totp_window") + 1) / 10 ** 6
    assert 1 - (1 - right) ** guesses <= 0.002
