"""The database down, gone in the middle, hung: nobody gets in on one factor, the server lives, and it recovers by itself."""
import os
import signal
import subprocess
import time

import pytest

import world
from place import SECRET, wait_for


@pytest.fixture(scope="module")
def shaky(place):
    """A cluster that may be stopped: the shared one serves all others."""
    cluster = world.Cluster(place.home / "shaky")
    cluster.create(world.server_user(place.home), initdb=["-N"])
    cluster.start()
    cluster.ensure_database()
    cluster.migrate()
    yield cluster
    cluster.start()
    cluster.stop("immediate")


@pytest.fixture
def steady(shaky):
    """Running before and after a test."""
    shaky.start()
    yield shaky
    if shaky.data.joinpath("postmaster.pid").exists():
        for pid in family(shaky):
            os.kill(pid, signal.SIGCONT)


def family(cluster):
    """The postmaster and its children."""
    pid = cluster.pid()
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [pid, *map(int, children.stdout.split())]


def fill(cluster):
    """Somebody whom the rules let in on a password, and somebody they ask."""
    env = {**os.environ, **cluster.env()}
    subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1"], env=env, check=True, text=True, input="""
        insert into wsmfa.organization (name) values ('Shaky') on conflict do nothing;
        insert into wsmfa.account (name, organization_id, region, password)
            select v, o.id, 'EMEA', '{clear}secret' from wsmfa.organization o, unnest(array['free', 'bound']) v
            where o.name = 'Shaky' on conflict do nothing;
        insert into wsmfa.account_service (account_id, service)
            select id, case name when 'free' then 'community' else 'elements' end from wsmfa.account
            where name in ('free', 'bound') on conflict do nothing;
    """)


def conninfo(cluster):
    return world.quoted(f"host='{cluster.home}' port={cluster.port} dbname=wsmfa user=wsmfa_radius")


def works(server):
    reply = server.client("127.0.0.4").ask("free", "secret", timeout=5)
    return reply is not None and reply.code == "accept"


def test_down_at_start_then_up(steady, make_server):
    fill(steady)
    steady.stop()
    server = make_server(settings={"connection": conninfo(steady)}).start()
    reply = server.client("127.0.0.4").ask("free", "secret")
    assert reply.code == "reject"
    assert server.client("127.0.0.1").ask("bound", "secret").code == "reject"
    steady.start()
    wait_for(lambda: works(server), "logins work again, without a restart of radiusd", 30)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_stopped_in_mid_run(steady, make_server, mode):
    fill(steady)
    server = make_server(settings={"connection": conninfo(steady)}).start()
    assert works(server)
    steady.stop(mode)
    began = time.monotonic()
    for _ in range(5):
        assert server.client("127.0.0.4").ask("free", "secret").code == "reject"
    assert time.monotonic() - began < 12
    steady.start()
    wait_for(lambda: works(server), "logins work again, without a restart of radiusd", 30)
    assert "secret" not in server.log()


def test_restart_between_question_and_answer(place, steady, make_server):
    """Open questions may be lost in a crash, by design; what must not happen is that one lets somebody in."""
    fill(steady)
    server = make_server(settings={"connection": conninfo(steady)}).start()
    assert works(server)
    steady.stop("immediate")
    steady.start()
    reply = server.client().ask("bound", "123456", b"A" * 22)
    assert reply.code == "reject"
    wait_for(lambda: works(server), "logins work again", 30)


def test_hung(steady, make_server):
    """A stopped process, not a closed port: a call runs into store_timeout, and after some of them fails at once."""
    fill(steady)
    server = make_server(settings={"connection": conninfo(steady), "store_timeout": 1}).start()
    assert works(server)
    pids = family(steady)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        clients = [server.client("127.0.0.4") for _ in range(64)]
        began = time.monotonic()
        packets = [c.post(c.build([("User-Name", "free")], "secret")) for c in clients]
        for c, packet in zip(clients, packets):
            assert c.wait(packet, 20).code == "reject"
        took = time.monotonic() - began
        assert took < 10, f"64 logins of a hung database were refused in {took:.1f} s"
        # The breaker is open now: no thread waits.
        began = time.monotonic()
        assert server.client("127.0.0.4").ask("free", "secret").code == "reject"
        assert time.monotonic() - began < 2.5
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    wait_for(lambda: works(server), "logins work again, without a restart of radiusd", 30)


def test_on_store_failure_ignore(steady, make_server):
    fill(steady)
    server = make_server(settings={"connection": conninfo(steady), "on_store_failure": "ignore"}).start()
    assert works(server)
    steady.stop()
    assert server.client("127.0.0.4").ask("free", "secret", timeout=3) is None
    assert server.client().ask("bound", "secret", timeout=3) is None
    steady.start()
    wait_for(lambda: works(server), "logins work again", 30)


def test_backends_killed(place, server):
    """Every connection is cut: the next login works, or the one after it."""
    person = place.person(services=["community"])
    client = server.client("127.0.0.4")
    assert client.ask(person.name, person.password).code == "accept"
    place.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'wsmfa_radius'")
    wait_for(lambda: client.ask(person.name, person.password).code == "accept", "a login works", 15)


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
