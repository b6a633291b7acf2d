"""The database down, gone in the middle, hung: nobody gets in on one factor, the server lives, and it recovers by itself.

One login at a time; test_faults.py has many.
"""
import signal
import time

import pytest

import world
from faults import cut_all
from place import SECRET


@pytest.fixture
def place(frail):
    return frail


@pytest.fixture
def free(frail):
    """Somebody whom the rules let in on a password; must be made while the database is there."""
    return frail.person(services=["community"])


@pytest.fixture
def bound(frail):
    return frail.person(totp=True)


def ask(server, person, **how):
    return server.client("127.0.0.4").ask(person.name, person.password, **how)


def works(server, person):
    def ask_once():
        reply = ask(server, person, timeout=5)
        return reply is not None and reply.code == "accept"
    return ask_once


def test_down_at_start_then_up(place, make_server, free, bound, recovers):
    place.cluster.stop()
    server = make_server().start()
    assert ask(server, free).code == "reject"
    assert server.client().ask(bound.name, bound.password).code == "reject"
    place.cluster.start()
    recovers(works(server, free), "PostgreSQL down when radiusd started")


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_stopped_in_mid_run(place, make_server, free, recovers, mode):
    server = make_server().start()
    assert ask(server, free).code == "accept"
    place.cluster.stop(mode)
    began = time.monotonic()
    for _ in range(5):
        assert ask(server, free).code == "reject"
    assert time.monotonic() - began < 12
    place.cluster.start()
    recovers(works(server, free), f"PostgreSQL stopped ({mode}) between logins")
    assert free.password not in server.log()


def test_restart_between_question_and_answer(place, make_server, free, bound, recovers):
    """Open questions are lost in a crash, by design; what must not happen is that one lets somebody in."""
    server = make_server().start()
    client = server.client()
    state = client.ask(bound.name, bound.password).state
    place.cluster.stop("immediate")
    place.cluster.start()
    recovers(works(server, free), "a crash between question and answer")
    assert client.ask(bound.name, bound.code(), state).code == "reject"
    assert client.ask(bound.name, bound.code(), client.ask(bound.name, bound.password).state).code == "accept"


def test_hung(place, make_server, free, recovers):
    """A stopped process, not a closed port: a call runs into store_timeout, and after some of them fails at once."""
    server = make_server(settings={"store_timeout": 1}).start()
    assert ask(server, free).code == "accept"
    place.cluster.signal(signal.SIGSTOP)
    try:
        clients = [server.client("127.0.0.4") for _ in range(64)]
        began = time.monotonic()
        packets = [c.post(c.build([("User-Name", free.name)], free.password)) for c in clients]
        for c, packet in zip(clients, packets):
            assert c.wait(packet, 20).code == "reject"
        took = time.monotonic() - began
        assert took < 10, f"64 logins of a hung database were refused in {took:.1f} s"
        # The breaker is open now: no thread waits.
        began = time.monotonic()
        assert ask(server, free).code == "reject"
        assert time.monotonic() - began < 2.5
    finally:
        place.cluster.signal(signal.SIGCONT)
    recovers(works(server, free), "PostgreSQL hung")


def test_on_store_failure_ignore(place, make_server, free, bound, recovers):
    server = make_server(settings={"on_store_failure": "ignore"}).start()
    assert ask(server, free).code == "accept"
    place.cluster.stop()
    assert ask(server, free, timeout=3) is None
    assert server.client().ask(bound.name, bound.password, timeout=3) is None
    place.cluster.start()
    recovers(works(server, free), "PostgreSQL stopped with on_store_failure = ignore")


def test_backends_killed(place, make_server, free, recovers):
    """Every connection is cut: the next login works, or the one after it."""
    server = make_server().start()
    assert ask(server, free).code == "accept"
    cut_all(place)
    recovers(works(server, free), "all connections were cut")


def test_no_schema(place, make_server):
    """A database without the schema: refused, with a word of what to do in the log."""
    place.cluster.ensure_database("empty")
    server = make_server(settings={"connection": world.quoted(place.conninfo(dbname="empty"))}).start()
    assert server.client("127.0.0.4").ask("free", "secret").code == "reject"
    assert "migrate" in server.log()


def test_connection_string_is_not_logged(place, make_server):
    server = make_server(settings={"connection": world.quoted(
        place.conninfo(host="/nowhere", password="'do not print this'"))}).start()
    assert server.client("127.0.0.4").ask("free", "secret").code == "reject"
    assert "do not print this" not in server.log()
    assert SECRET not in server.log()
