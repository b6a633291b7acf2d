"""What a login costs the database: calls a packet, durable commits a login. Counted, not measured."""
import pytest

from place import wait_for


def calls(place):
    """Calls of the login's functions so far."""
    return int(place.value("select coalesce(sum(s.calls), 0) from pg_stat_statements s join pg_roles r on r.oid = s.userid "
                           "where r.rolname = 'wsmfa_radius' and s.query ~* 'wsmfa\\.' and toplevel "
                           "and s.query !~* '(event|heartbeat|listen|answered)'"))


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


def test_durable_commits(place, server):
    """A TOTP login is one durable commit. Events and the heartbeat are commits of their own, in batches: so twenty
    logins are counted, and a quiet time of the same length is taken off."""
    people = [place.person(totp=True) for _ in range(20)]
    client = server.client()
    place.sql("checkpoint")

    def logins():
        for person in people:
            state = client.ask(person.name, person.password).state
            assert client.ask(person.name, person.code(), state).code == "accept"

    def settled():
        return all(any(e["outcome"] == "accepted" for e in place.events(p.name)) for p in people)

    before = syncs(place)
    logins()
    wait_for(settled, "all events are written")
    place.sql("select pg_stat_force_next_flush()")
    after = wait_for(lambda: quiet(place), "the cluster is quiet")
    assert len(people) <= after - before <= len(people) + 10


def quiet(place, last=[None]):
    """The count, once it is the same twice in a row."""
    count = syncs(place)
    same, last[0] = last[0] == count, count
    return count if same else None
