"""What breaks while requests wait for phones: each login ends as the rules say, the next ones work, and nobody is asked twice.

Apart from test_push.py, where everything works, and from test_faults.py, where nobody waits.
"""
import contextlib
import ctypes
import os
import pathlib
import threading
import time

import psycopg2
import pytest

from fixtures import keeps_secrets
from place import Place, wait_for
from pushes import answer, ask, pending, wait_mode


@pytest.fixture(scope="module")
def place(request):
    """A world that may break: the shared one serves all others."""
    made = Place()
    yield made
    keeps_secrets(request.config, made, "world of broken pushes")


@pytest.fixture
def server(make_server):
    return make_server().start()


def sends(place, person):
    """What an account's phone was asked, which is counted durably before it is sent."""
    return place.value("select count(*) from wsmfa.sent where account_id = %s and channel = 'push'", person.id)


def ends(place, person):
    return [e["outcome"] for e in place.events(person.name) if e["outcome"] != "challenged"]


WAVE = 5  # a cold pool opens few connections at a time


def all_wait(place, server, people):
    """Everybody's login waits for a phone. (client, packet, push) of each."""
    found = []
    for i in range(0, len(people), WAVE):
        wave = [(server.client("127.0.0.3"), p) for p in people[i:i + WAVE]]
        packets = [c.post(wait_mode(c, p)) for c, p in wave]
        found += [(c, packet, pending(place, p)) for (c, p), packet in zip(wave, packets)]
    return found


def logs_in(place, server, person):
    """A whole login with a push."""
    client = server.client("127.0.0.3")
    packet = client.post(wait_mode(client, person, session="later"))
    answer(place, pending(place, person))
    return client.wait(packet, 10).code == "accept"


def code_logs_in(place, server):
    """... and one with a code, which waits for nobody."""
    person = place.person(totp=True)
    client = server.client()
    return client.ask(person.name, person.code(), ask(client, person).state).code == "accept"


def works_again(place, server):
    """Waits until the database answers the test, and the server a login."""
    def works():
        try:
            return code_logs_in(place, server)
        except (psycopg2.Error, AssertionError):
            place.connections = threading.local()
            return False
    wait_for(works, "logins with a code work again", 30)


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_postgresql_restarts(place, server, how):
    """An orderly restart keeps the questions, and who answers now gets in. A crash loses them, and who waits is refused."""
    people = [place.person(push=True) for _ in range(20)]
    waiting = all_wait(place, server, people)
    place.cluster.stop(how)
    client, packet, _ = waiting[0]
    client.post(packet)
    client.post(client.build([("User-Name", people[1].name)], people[1].password)) # somebody tries while it is down
    place.cluster.start()
    works_again(place, server)
    for _, _, push in waiting:
        if how == "fast":
            answer(place, push)
        else:
            with pytest.raises(psycopg2.Error):
                answer(place, push)
    expected = "accept" if how == "fast" else "reject"
    assert [client.wait(packet, 30).code for client, packet, _ in waiting] == [expected] * len(people)
    assert [sends(place, p) for p in people] == [1] * len(people)
    assert all(logs_in(place, server, p) for p in people)
    assert [sends(place, p) for p in people] == [2] * len(people)


class Stopped:
    """One thread of a process stands still, all others run: what a tracer does when it looks at a thread and does not let go."""
    SEIZE, INTERRUPT, DETACH, ALL = 0x4206, 0x4207, 17, 0x40000000

    def __init__(self, pid, name):
        tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
        self.thread = next(int(t.name) for t in tasks if (t / "comm").read_text().strip() == name)

    def trace(self, request):
        call = ctypes.CDLL(None, use_errno=True).ptrace
        call.argtypes = [ctypes.c_long] * 4
        if call(request, self.thread, 0, 0):
            raise OSError(ctypes.get_errno(), "ptrace")

    def __enter__(self):
        self.trace(self.SEIZE)
        self.trace(self.INTERRUPT)
        os.waitpid(self.thread, self.ALL)
        self.since = time.monotonic()
        return self

    def __exit__(self, *_):
        self.trace(self.DETACH)


def test_the_engine_stands_still(place, server):
    """For ten seconds: others log in, new pushes are refused and not sent, and what waits goes on by itself."""
    before, meanwhile = place.person(push=True), place.person(push=True)
    refused = []

    def dead():
        refused.append(place.person(push=True))
        client = server.client("127.0.0.3")
        reply = client.send(wait_mode(client, refused[-1]), 1)
        return reply is not None and "does not work" in reply.message

    (client, packet, push), = all_wait(place, server, [before])
    with Stopped(server.radiusd.pid(), "wsmfa-engine") as engine:
        answer(place, push)
        other = server.client("127.0.0.3")
        second = other.post(wait_mode(other, meanwhile))
        waits = pending(place, meanwhile)
        assert code_logs_in(place, server)
        wait_for(dead, "the workers notice that the engine stands still", 30)
        assert code_logs_in(place, server)
        wait_for(lambda: time.monotonic() > engine.since + 10, "ten seconds are over")
        assert code_logs_in(place, server)
        assert client.wait(packet, 0.2) is None
    assert client.wait(packet, 10).code == "accept"
    answer(place, waits)
    assert other.wait(second, 10).code == "accept"
    assert sends(place, before) == sends(place, meanwhile) == 1
    assert sends(place, refused[-1]) == 0, "what was not sent is not counted"
    assert logs_in(place, server, refused[-1])


def test_what_the_engine_writes_is_locked(place, server):
    """Its events and its heartbeat can wait; a person who has answered is let in all the same, and nothing is lost."""
    person = place.person(push=True)
    (client, packet, push), = all_wait(place, server, [person])
    holder = place.connect()
    holder.autocommit = False
    with contextlib.closing(holder):
        holder.cursor().execute("lock table wsmfa.event, wsmfa.server in access exclusive mode")
        wait_for(lambda: place.value("select count(*) from pg_stat_activity where usename = 'wsmfa_radius' and wait_event_type = 'Lock'"),
                 "the engine waits for the lock", 30)
        answer(place, push)
        assert code_logs_in(place, server)
        assert client.wait(packet, 30).code == "accept"
        assert logs_in(place, server, person)
    place.event(person.name, "accepted", "approved", 30)
    wait_for(lambda: ends(place, person) == ["accepted"] * 2, "both events are written, each once", 30)
    assert sends(place, person) == 2


def test_many_that_are_never_answered(place, make_server):
    """Each ends when its time is up, with one push and one event. Ten thousand of them: tests/bench/run parked silence."""
    server = make_server(settings={"push_timeout": 10}).start()
    people = [place.person(push=True) for _ in range(200)]
    waiting = all_wait(place, server, people)
    assert [client.wait(packet, 60).code for client, packet, _ in waiting] == ["reject"] * len(people)
    wait_for(lambda: all(ends(place, p) == ["expired"] for p in people), "an event tells of each", 30)
    assert [sends(place, p) for p in people] == [1] * len(people)
    for _, _, push in waiting:
        with pytest.raises(psycopg2.Error):
            answer(place, push)
    assert server.radiusd.pid() and logs_in(place, server, people[0])


def test_one_password_asks_again_and_again(place, server):
    """A thief with the password: the phone rings once at a time and push_max times an hour, and its owner is locked out of nothing."""
    person = place.person(push=True, totp=True)
    first = server.client("127.0.0.3")
    packet = first.post(wait_mode(first, person, station="thief"))
    pending(place, person)
    others = [server.client("127.0.0.3") for _ in range(WAVE)]
    for wave in range(20):
        packets = [c.post(wait_mode(c, person, session=f"s{wave}", station=f"thief{i}")) for i, c in enumerate(others)]
        replies = [c.wait(p, 20) for c, p in zip(others, packets)]
        assert {r.code for r in replies} == {"reject"} and all("Another login" in r.message for r in replies), replies
    assert sends(place, person) == 1
    place.sql("select wsmfa.answer_push(id, false) from wsmfa.push_pending where account = %s", person.name)
    assert first.wait(packet, 10).code == "reject"
    place.event(person.name, "failed_second_factor", "suspicious")
    thief = server.client()
    for _ in range(20):
        reply = thief.ask(person.name, "totp", ask(thief, person).state)
        assert reply.code == "challenge"
    assert sends(place, person) == 1 + 5, "push_max unanswered ones after the one that was answered"
    owner = server.client()
    assert owner.ask(person.name, person.code(), ask(owner, person, station="home").state, station="home").code == "accept"
