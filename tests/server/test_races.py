"""A hundred at once, half of them at another server: one code, one question, one enrolment, one approval lets in once, and
of a hundred people each gets what is his own.

Apart from test_replay.py, where one comes after the other, and from tests/sql/concurrency.t, where no server is between.
WSMFA_RACERS is how many.
"""
import base64
import itertools
import os
import re
import time

import psycopg2
import pytest

from faults import at_once
from place import now, totp, wait_for
from pushes import answer, pending, pushes, wait_mode

RACERS = int(os.environ.get("WSMFA_RACERS", 100))


@pytest.fixture(scope="module")
def second(place):
    made = place.server().start()
    yield made
    made.stop()


@pytest.fixture
def racers(server, second):
    """Clients of either server in turn, at an address."""
    def make(source="127.0.0.1", n=RACERS):
        return [s.client(source) for s in itertools.islice(itertools.cycle((server, second)), n)]
    return make


def accepts(replies):
    return [r.code for r in replies].count("accept")


def accepted(place, person):
    place.event(person.name, "accepted")
    return [e["outcome"] for e in place.events(person.name)].count("accepted")


def states(clients, person):
    """A question for each of them."""
    return [c.ask(person.name, person.password).state for c in clients]


def answers(person, clients, states, typed):
    return at_once([lambda c=c, s=s, t=t: c.ask(person.name, t, s, timeout=60) for c, s, t in zip(clients, states, typed)])


# Who logs in, what he is told first, and what comes of his answer.
CROWD = {
    "with his code": ("challenge", "accept"), "with a wrong code": ("challenge", "challenge"),
    "with another's code": ("challenge", "challenge"), "with another's question": ("challenge", "reject"),
    "disabled": ("reject", None), "unknown": ("reject", None), "without a second factor": ("accept", None),
}


def test_a_hundred_people(place, racers):
    """Those who log in at the same moment share statements: nobody gets what was another's."""
    crowd = []
    for i, kind in zip(range(RACERS), itertools.cycle(CROWD)):
        person = place.person(totp=CROWD[kind][0] == "challenge", services=("community",), disabled=now() if kind == "disabled" else None)
        if kind == "unknown":
            person.name = f"nobody{i}"
        crowd.append((kind, person))
    clients = racers("127.0.0.4")
    asked = at_once([lambda c=c, p=p: c.ask(p.name, p.password, timeout=60) for c, (_, p) in zip(clients, crowd)])
    assert [r.code for r in asked] == [CROWD[kind][0] for kind, _ in crowd]

    def reply(client, kind, person, state):
        code = crowd[0][1].code(1) if kind == "with another's code" else person.code()
        return client.ask(person.name, person.wrong_code() if kind == "with a wrong code" else code,
                          asked[0].state if kind == "with another's question" else state, timeout=60)
    answering = [(c, k, p, r.state) for c, (k, p), r in zip(clients, crowd, asked) if CROWD[k][1]]
    replies = at_once([lambda a=a: reply(*a) for a in answering])
    assert [r.code for r in replies] == [CROWD[kind][1] for _, kind, _, _ in answering]


def test_one_code(place, racers):
    person = place.person(totp=True)
    clients = racers(n=2 * RACERS)
    asked = states(clients, person)
    assert accepts(answers(person, clients, asked, [person.code()] * len(clients))) == 1
    assert accepted(place, person) == 1
    # Control: right codes that were accepted before are refused and not counted, and the next one is good.
    state = clients[0].ask(person.name, person.password).state
    assert clients[0].ask(person.name, person.code(1), state).code == "accept"


def test_one_appended_code(place, racers):
    person = place.person(totp=True)
    field = f"{person.password},{person.code()}"
    assert accepts(at_once([lambda c=c: c.ask(person.name, field, timeout=60) for c in racers("127.0.0.2")])) == 1
    assert accepted(place, person) == 1


def test_one_text(place, server, racers):
    """The code of an SMS, which any packet of its client and station may bring."""
    phone = "+35840555%04d" % next(place.numbers)
    person = place.person(sms=phone)
    clients = racers("127.0.0.2")
    assert clients[0].ask(person.name, f"{person.password},sms").code == "reject"
    field = f"{person.password},{server.text_code(phone)}"
    assert accepts(at_once([lambda c=c: c.ask(person.name, field, timeout=60) for c in clients])) == 1
    assert accepted(place, person) == 1


def test_one_state(place, racers):
    """As many different guesses, the right one among them: one is judged."""
    person = place.person(totp=True)
    clients = racers()
    state = clients[0].ask(person.name, person.password).state
    guesses = [person.code()] + [person.wrong_code() for _ in clients[1:]]
    codes = [r.code for r in answers(person, clients, [state] * RACERS, guesses)]
    assert codes.count("accept") + codes.count("challenge") == 1 and codes.count("reject") == RACERS - 1
    wait_for(lambda: place.events(person.name), "there is an event")
    assert len([e for e in place.events(person.name) if e["outcome"] in ("failed_second_factor", "accepted")]) <= 1


def test_one_answer(place, racers):
    """The same octets from one client are a repeat: the same outcome within 10 s, else a refusal; settled once."""
    person = place.person(totp=True)
    clients = racers()
    state = clients[0].ask(person.name, person.password).state
    replies = answers(person, clients, [state] * RACERS, [person.code()] * RACERS)
    assert accepts(replies) > 1 and {r.code for r in replies} <= {"accept", "reject"}
    assert accepted(place, person) == 1


def test_one_recovery_code(place, racers):
    person = place.person(totp=True, recovery=True)
    clients = racers()
    asked = [c.ask(person.name, "recovery", s).state for c, s in zip(clients, states(clients, person))]
    assert accepts(answers(person, clients, asked, person.recovery[:1] * RACERS)) == 1
    assert accepted(place, person) == 1
    # Control: the others of the set are good.
    state = clients[0].ask(person.name, "recovery", states(clients[:1], person)[0]).state
    assert clients[0].ask(person.name, person.recovery[1], state).code == "accept"


def test_one_enrolment(place, racers):
    """Each is shown a key of its own and proves it; one of them becomes the account's, and lets in."""
    person = place.person()
    clients = racers()
    shown = [c.ask(person.name, person.password) for c in clients]
    keys = [base64.b32decode(k + "=" * (-len(k) % 8)) for k in
            (re.search(r": ([A-Z2-7 ]+)\.", r.message).group(1).replace(" ", "") for r in shown)]
    assert len(set(keys)) == RACERS
    at = wait_for(lambda: place.value("select extract(epoch from now())::bigint"), "the time")
    codes = [totp(k, at // 30) for k in keys]
    assert accepts(answers(person, clients, [r.state for r in shown], codes)) == 1
    assert accepted(place, person) == 1
    assert place.value("select count(*) from wsmfa.authenticator where account_id = %s", person.id) == 1


def test_one_ticket(place, make_server):
    server = make_server(settings={"enroll_ticket": "required"}).start()
    person = place.person()
    place.wsmfactl("account", "ticket", person.name)
    ticket = place.wsmfactl("account", "ticket", person.name, "--json").stdout
    ticket = re.search(r'"ticket": *"([^"]+)"', ticket).group(1)
    clients = [server.client() for _ in range(RACERS)]
    replies = answers(person, clients, states(clients, person), [ticket] * RACERS)
    keys = [r for r in replies if r.code == "challenge" and "ticket" not in r.message]
    assert len(keys) == 1, replies
    assert accepts(replies) == 0


def test_one_approval(place, racers, record_property):
    """A phone says yes many times while a hundred packets of one login come: no more than one gets in. What comes after that is a login of its own."""
    person = place.person(push=True)
    clients = racers("127.0.0.3")
    first = clients[0].post(wait_mode(clients[0], person))
    push = pending(place, person)
    packets = [first] + [c.post(wait_mode(c, person)) for c in clients[1:]]
    said = at_once([lambda: attempt(place, push) for _ in range(20)])
    assert said.count("approved") >= 1
    until = time.monotonic() + 10  # for all of them: who waits in vain, does so until his push has timed out
    replies = [c.wait(p, max(0.01, until - time.monotonic())) for c, p in zip(clients, packets)]
    inside = [r.code for r in replies if r].count("accept")
    record_property(f"one approval, {len(packets)} packets: let in", inside)
    # None: of packets in the same moment the engine may take another for the newest than the row does.
    assert inside <= 1
    assert [state for _, _, state in pushes(place, person)].count("approved") <= 1
    assert not inside or accepted(place, person) == 1


def test_yes_and_no_at_once(place, racers):
    """One of them is heard, and what the login ends with is that one."""
    person = place.person(push=True)
    client, = racers("127.0.0.3", 1)
    packet = client.post(wait_mode(client, person))
    push = pending(place, person)
    said = at_once([lambda yes=i % 2 == 0: attempt(place, push, yes) for i in range(20)])
    heard = {s for s in said if s in ("approved", "denied")}
    assert len(heard) == 1, said
    assert client.wait(packet, 10).code == ("accept" if heard == {"approved"} else "reject")


def attempt(place, push, approve=True):
    try:
        return answer(place, push, approve)
    except psycopg2.Error:
        return "refused"
