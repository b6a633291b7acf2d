"""What a login costs the database: calls a packet, durable commits a login. Counted, not measured."""
import contextlib
import os
import signal

import pytest

from place import wait_for


BY_ITSELF = "(events_add|heartbeat|listen|push_answered|schema_check|sweep|partitions)"


def calls(place, which="wsmfa[._]", but=BY_ITSELF):
    """Calls of functions by the module so far. What a connection or the engine does by itself is no packet's."""
    return int(place.value(
        "select coalesce(sum(s.calls), 0) from pg_stat_statements s join pg_roles r on r.oid = s.userid "
        "where r.rolname = 'wsmfa_radius' and toplevel and s.query ~* %s and s.query !~* %s", which, but))


def syncs(place):
    return place.value("select wal_sync from pg_stat_wal")


@pytest.fixture
def counting(place, server):
    place.sql("create extension if not exists pg_stat_statements")
    place.sql("select pg_stat_statements_reset()")
    return server


def cost(place, thing):
    before = calls(place)
    result = thing()
    return result, calls(place) - before


def test_calls_of_a_totp_login(place, counting):
    person = place.person(totp=True)
    client = counting.client()
    reply, first = cost(place, lambda: client.ask(person.name, person.password))
    assert reply.code == "challenge" and 1 <= first <= 2
    reply, second = cost(place, lambda: client.ask(person.name, person.code(), reply.state))
    assert reply.code == "accept" and 1 <= second <= 2


@pytest.mark.parametrize("source", ["127.0.0.4", "127.0.0.5"])
def test_calls_of_a_login_without_a_question(place, counting, source):
    person = place.person(services=["community"])
    _, n = cost(place, lambda: counting.client(source).ask(person.name, person.password))
    assert n == 1


def test_calls_of_refusals(place, counting):
    person = place.person(totp=True)
    client = counting.client()
    for thing in (lambda: client.ask(person.name, "wrong"), lambda: client.ask("nobody", "wrong"),
                  lambda: client.ask(person.name, "123456", b"x" * 22)):
        reply, n = cost(place, thing)
        assert reply.code == "reject" and n <= 1
    reply = client.ask(person.name, person.password)
    reply, n = cost(place, lambda: client.ask(person.name, person.wrong_code(), reply.state))
    assert reply.code == "challenge" and n <= 2


def test_calls_in_append_mode(place, counting):
    person = place.person(totp=True)
    client = counting.client("127.0.0.2")
    reply, n = cost(place, lambda: client.ask(person.name, f"{person.password},{person.code()}"))
    assert reply.code == "accept" and n <= 2


@contextlib.contextmanager
def nobody_else_syncs(place):
    """PostgreSQL's own processes write to the disk now and then what need not be there yet."""
    pids = [pid for pid, in place.sql("select pid from pg_stat_activity where backend_type in ('walwriter', 'checkpointer')")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_durable_commits(place, make_server):
    """A TOTP login is one durable commit. Batches of events and heartbeats are commits of their own, and taken off.

    PostgreSQL tells what a backend did when it ends, so all of them end before and after."""
    def by_itself():
        return calls(place, "(events_add|heartbeat)", "schema_check")

    def settled():
        return all(any(e["outcome"] == "accepted" for e in place.events(p.name)) for p in people)

    people = [place.person(totp=True) for _ in range(20)]
    place.sql("create extension if not exists pg_stat_statements")
    for server in place.servers:
        server.stop()
    with nobody_else_syncs(place):
        before, other = wait_for(lambda: quiet(place), "the cluster is quiet"), by_itself()
        server = make_server().start()
        client = server.client()
        for person in people:
            state = client.ask(person.name, person.password).state
            assert client.ask(person.name, person.code(), state).code == "accept"
        wait_for(settled, "all events are written")
        server.stop()
        after = wait_for(lambda: quiet(place), "the cluster is quiet")
    other = by_itself() - other
    assert len(people) <= after - before <= len(people) + other, f"{other} batches of events"


def quiet(place, last=[None]):
    """The count, once it is the same twice in a row."""
    if place.value("select count(*) from pg_stat_activity where usename = 'wsmfa_radius'"):
        return None
    count = syncs(place)
    same, last[0] = last[0] == count, count
    return count if same else None
