"""What breaks, breaks closed, while people log in: no code is accepted twice, and logins work again by themselves.

Apart from test_store.py, which tries one login at a time: here the fault comes in the middle of many.
"""
import base64
import os
import signal
import subprocess
import tempfile
import time

import pytest

import world
from faults import Crowd, Hog, Proxy, cut_all, kill
from fixtures import keeps_secrets
from place import Place, totp, wait_for
from pushes import joins, pending, wait_mode
from radius import KEY


@pytest.fixture
def place(frail):
    return frail


def logs_in(place, server):
    """A whole login with a second factor. False also while the test's own connection is cut."""
    try:
        person = place.person(totp=True)
    except Exception:  # noqa: BLE001 whatever psycopg2 says of a database that is starting
        place.mend()
        return False
    client = server.client()
    reply = client.ask(person.name, person.password, timeout=5)
    if reply is not None and reply.code == "challenge":
        reply = client.ask(person.name, person.code(), reply.state, timeout=5)
    return reply is not None and reply.code == "accept"


def alter(place, setting, value):
    place.sql(f"alter system set {setting} = {value}")
    place.sql("select pg_reload_conf()")


def no_connection(place):
    place.sql("alter role wsmfa_radius connection limit 0")
    cut_all(place)


class Lock:
    """Somebody holds the table that each statement reads: each runs into its time, and the pool is exhausted.

    One table, since statements meet the tables in either order (to settle: the account first; to take: the question): two locks
    of this kind, taken one after the other, might wait for a statement that waits for the first of them."""

    def take(self, place):
        self.held = place.connect()
        self.held.autocommit = False
        self.held.cursor().execute("lock table wsmfa.account in access exclusive mode")

    def release(self, _):
        self.held.close()


LOCK = Lock()
# Fault: what breaks it, what mends it.
FAULTS = {
    "killed": (lambda p: kill(p.cluster), lambda p: p.cluster.start()),
    "stopped": (lambda p: p.cluster.stop("immediate"), lambda p: p.cluster.start()),
    "restarted": (lambda p: p.cluster.stop("fast"), lambda p: p.cluster.start()),
    "hung": (lambda p: p.cluster.signal(signal.SIGSTOP), lambda p: p.cluster.signal(signal.SIGCONT)),
    "read only": (lambda p: alter(p, "default_transaction_read_only", "on"),
                  lambda p: alter(p, "default_transaction_read_only", "off")),
    "at its connection limit": (no_connection, lambda p: p.sql("alter role wsmfa_radius connection limit -1")),
    "with its accounts locked": (LOCK.take, LOCK.release),
}


def through(place, server, breaks, mends, what, recovers, record_property, broken=lambda: True):
    """A crowd before, in and after a fault, which shows where that is not clear by itself."""
    crowd = Crowd(place, server)
    try:
        wait_for(lambda: crowd.inside() >= 16, "some people are in", 30)
        try:
            breaks(place)
            crowd.rest.set()
            wait_for(broken, f"{what} shows")
            wait_for(lambda: crowd.refused() >= 16 or crowd.inside() == len(crowd.people), "others are refused", 60)
            record_property(f"{what}: clients saw", str(crowd))
            assert crowd.inside() < len(crowd.people), "control: the fault came in the middle"
        finally:
            mends(place)
            recovers(lambda: logs_in(place, server), what)
    finally:
        crowd.stop()
    twice, fresh = crowd.replay()
    record_property(f"{what}: sent again afterwards",
                    f"{len(crowd.sent)} codes, {fresh} of them in their window; {len(twice)} accepted twice")
    assert fresh and not twice, "codes that were accepted twice"
    # Control: their next codes are good, so the former were refused for what they were.
    client = server.client("127.0.0.2")
    for person, code in crowd.sent[:4]:
        # Who was let in by the code of the minute before is taken for slow: the code of the minute to come is too early.
        good = person.code(1) if person.code() == code else person.code()
        assert client.ask(person.name, f"{person.password},{good}").code == "accept"


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_under_load(place, make_server, recovers, record_property, fault):
    server = make_server(settings={"store_timeout": 1}).start()
    through(place, server, *FAULTS[fault], f"PostgreSQL {fault}", recovers, record_property)
    held = place.value("select count(*) from pg_stat_activity where usename = 'wsmfa_radius'")
    assert held <= 40, "connections are given back"


def test_disk_full(request, recovers, record_property):
    """The cluster's file system has no room left, for tables or for the log of what was committed."""
    room = tempfile.mkdtemp(prefix="wsmfa-test-full-", dir="/var/tmp")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m,mode=755", "tmpfs", room], check=False).returncode:
        os.rmdir(room)
        pytest.skip("the kernel does not let this user mount a file system")
    full = None
    try:
        full = Place(under=room, initdb=["--wal-segsize=1"])
        server = full.server(settings={"store_timeout": 1}).start()
        hog = Hog(full)
        through(full, server, hog.begin, hog.end, "disk full", recovers, record_property)
    finally:
        try:
            if full is not None:
                keeps_secrets(request.config, full, "full world")
        finally:
            subprocess.run(["umount", "-l", room], check=True)
            os.rmdir(room)


def proxied(place, make_server):
    proxy = Proxy(place.cluster, place.home / f"wire-{next(place.numbers)}")
    return proxy, make_server(settings={"connection": world.quoted(place.conninfo(host=f"'{proxy.home}'"))}).start()


def test_slow_wire(place, make_server, recovers, record_property):
    """A little slow is only slow; slower than store_timeout is an outage, and what was committed meanwhile stays used up."""
    proxy, server = proxied(place, make_server)
    try:
        proxy.delay = 0.1
        assert wait_for(lambda: logs_in(place, server), "logins work, 0.1 s away")

        def breaks(_):
            proxy.delay = 3.0

        def mends(_):
            proxy.delay = 0.0
        mends(place)
        through(place, server, breaks, mends, "an answer of PostgreSQL takes 3 s", recovers, record_property)
    finally:
        proxy.close()


def test_answers_are_lost(place, make_server, recovers, record_property):
    """Each statement runs, and the connection is cut before its answer: nobody knows whether it was committed."""
    proxy, server = proxied(place, make_server)
    try:
        def breaks(_):
            proxy.cutting = True

        def mends(_):
            proxy.cutting = False
        through(place, server, breaks, mends, "answers of PostgreSQL are lost", recovers, record_property)
    finally:
        proxy.close()


def test_an_outcome_that_was_lost_is_found(place, make_server, record_property):
    """It was committed that the code is right, and the server never heard: the client's next try with the same octets gets in, once."""
    proxy, server = proxied(place, make_server)
    try:
        person, client = place.person(totp=True), server.client()
        wait_for(lambda: logs_in(place, server), "logins work")
        state = client.ask(person.name, person.password).state
        code = person.code()
        proxy.cut_after = b"\0wsmfa_settle"
        lost = client.ask(person.name, code, state)
        assert proxy.cut_after is None, "control: it was settled"
        assert place.value("select last_step from wsmfa.authenticator where account_id = %s", person.id) > 0, "control: and committed"
        found = client.ask(person.name, code, state)
        record_property("an outcome was lost: the client saw", f"{lost}; with the same answer: {found}")
        assert lost.code == "reject" and found.code == "accept"
        place.event(person.name, "error")
        place.event(person.name, "accepted", "proven") # of the repeat, since the first try could not know
        again = client.ask(person.name, person.password)
        assert client.ask(person.name, code, again.state).code != "accept", "the code is used up"
    finally:
        proxy.close()


@pytest.mark.parametrize("table", ["challenge", "authenticator", "account_service", "account"])
def test_a_row_deleted_in_mid_login(place, make_server, recovers, record_property, table):
    """The right answer comes when what it is judged by is gone."""
    server = make_server().start()
    client = server.client()
    person = place.person(totp=True)
    state = client.ask(person.name, person.password).state
    column = "id" if table == "account" else "account_id"
    place.sql(f"delete from wsmfa.{table} where {column} = %s", person.id)
    reply = client.ask(person.name, person.code(), state)
    record_property(f"{table} deleted between question and answer: the client saw", reply)
    assert reply.code == ("accept" if table == "account_service" else "reject"), "only the factors count"
    recovers(lambda: logs_in(place, server), f"{table} deleted in mid-login")


def test_a_push_deleted_while_it_waits(place, make_server, record_property):
    server = make_server(settings={"push_timeout": 10}).start()
    person = place.person(push=True)
    client = server.client("127.0.0.3")
    packet = client.post(wait_mode(client, person))
    push = pending(place, person)
    place.sql("delete from wsmfa.challenge where id = %s", push[0])
    reply = client.wait(packet, 30)
    record_property("a push deleted while it waits: the client saw", reply)
    assert reply is not None and reply.code == "reject"


def test_a_crash_while_phones_ring(place, make_server, recovers, record_property):
    """Open pushes are lost with the other questions: each request that waits is refused, none is forgotten."""
    server = make_server(settings={"push_timeout": 10}).start()
    people = [place.person(push=True) for _ in range(10)]
    clients = [server.client("127.0.0.3") for _ in people]
    packets = [c.post(wait_mode(c, p)) for c, p in zip(clients, people)]
    for person in people:
        pending(place, person)
    kill(place.cluster)
    place.mend()
    recovers(lambda: logs_in(place, server), "PostgreSQL killed while ten phones ring")
    replies = [c.wait(packet, 30) for c, packet in zip(clients, packets)]
    record_property("PostgreSQL killed while ten phones ring: the clients saw", replies[0])
    assert [r and r.code for r in replies] == ["reject"] * len(people)


def shown_code(reply):
    """Of the new app whose key it shows."""
    key = KEY.search(reply.message).group(1).replace(" ", "")
    return totp(base64.b32decode(key), int(time.time()) // 30)


def test_radiusd_killed_with_questions_open(place, make_server, recovers, record_property):
    """What was asked before is answered after; a request that waited is gone, and its client's next packet finds the push."""
    server = make_server(settings={"push_timeout": 20}).start()
    person, phone = place.person(totp=True), place.person(push=True)
    client, waiting = server.client(), server.client("127.0.0.3")
    state = client.ask(person.name, person.password).state
    number = "+35840888%04d" % next(place.numbers)
    texted, printed, fresh = place.person(sms=number), place.person(totp=True, recovery=True), place.person()
    shown = client.ask(fresh.name, fresh.password)
    others = [(texted, client.ask(texted.name, texted.password).state, lambda: server.text_code(number)),
              (printed, client.ask(printed.name, "recovery", client.ask(printed.name, printed.password).state).state, lambda: printed.recovery[0]),
              (fresh, shown.state, lambda: shown_code(shown))]
    packet = waiting.post(wait_mode(waiting, phone))
    push = pending(place, phone)
    os.kill(server.radiusd.pid(), signal.SIGKILL)
    wait_for(lambda: server.radiusd.pid() is None, "radiusd is gone")
    server.start()
    recovers(lambda: logs_in(place, server), "radiusd killed")
    code = person.code()
    reply = client.ask(person.name, code, state)
    record_property("radiusd killed with a question open: its answer saw", reply)
    assert reply.code == "accept"
    assert client.ask(person.name, code, state).code == "accept", "the same answer is a repeat"
    for who, open_state, answer in others:
        assert client.ask(who.name, answer(), open_state).code == "accept"
    joins(place, push, lambda: waiting.post(packet))
    place.sql("select wsmfa.answer_push(%s, true, %s)", push[0], push[1])
    reply = waiting.wait(packet, 30)
    record_property("radiusd killed while a phone rings: the retransmission saw", reply)
    assert reply is not None and reply.code == "accept"
    place.event(phone.name, "accepted")
    assert [e["outcome"] for e in place.events(phone.name)].count("accepted") == 1
    assert len(place.sql("select 1 from wsmfa.challenge where account_id = %s", phone.id)) == 1, "nobody was asked twice"


def pool_of(server, most):
    """Of so many connections, all of which are kept."""
    spare = "spare = ${thread[pool].max_spare_servers}"
    module = server.radiusd.raddb / "mods-available/wsmfa"
    text = module.read_text()
    assert spare in text
    module.write_text(text.replace("max = ${thread[pool].max_servers}", f"max = {most}").replace(spare, f"spare = {most}"))
    return server


@pytest.mark.parametrize("most", [1, None], ids=["of one", "as shipped"])
def test_a_cold_pool(place, make_server, record_property, most):
    """More logins at once than there are connections: each waits for its turn, and nobody is refused."""
    server = make_server()
    if most:
        pool_of(server, most)
    server.start()
    crowd = Crowd(place, server, threads=32)
    crowd.rest.set()
    wait_for(lambda: crowd.inside() == len(crowd.people), "everybody is in", 120)
    crowd.stop()
    record_property(f"a pool of {most or 'the shipped size'}, 32 clients at a time saw", str(crowd))
    assert not crowd.refused()
    assert crowd.replay()[0] == []
    assert logs_in(place, server)


def test_an_exhausted_pool(place, make_server, recovers, record_property):
    """Its two connections wait for a lock, and more clients than that for one of them."""
    server = pool_of(make_server(settings={"store_timeout": 2}), 2).start()

    def waits():
        return place.value("select count(*) from pg_stat_activity where usename = 'wsmfa_radius' and wait_event_type = 'Lock'")

    through(place, server, LOCK.take, LOCK.release, "a pool of 2, exhausted", recovers, record_property, lambda: waits() == 2)


def test_control_a_commit_that_is_lost_is_seen(place, make_server):
    """What the replay of each fault above would find, had the database forgotten who logged in."""
    server = make_server().start()
    crowd = Crowd(place, server, size=8)
    crowd.rest.set()
    wait_for(lambda: crowd.inside() == len(crowd.people), "everybody is in", 30)
    crowd.stop()
    place.sql("update wsmfa.authenticator set last_step = -1 where account_id = any(%s)", [p.id for p in crowd.people])
    twice, fresh = crowd.replay()
    assert len(twice) == fresh == len(crowd.people)
