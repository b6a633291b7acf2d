"""A question on the phone, and requests that wait for it without a thread: one login, one push, one approval, one Accept."""
import signal

import psycopg2
import pytest

from place import wait_for
from pushes import answer, ask, joins, park, parked, pending, pushes, wait_mode
from radius import vendor


def test_the_request_waits_and_is_woken(place, server):
    person = place.person(push=True)
    client = server.client()
    packet = park(client, person, ask(client, person).state)
    assert client.wait(packet, 0.5) is None
    answer(place, pending(place, person))
    assert client.wait(packet, 5).code == "accept"


def test_answered_before_the_user_presses_enter(place, server):
    person = place.person(push=True)
    client = server.client()
    state = ask(client, person).state
    answer(place, pending(place, person))
    assert client.wait(park(client, person, state), 5).code == "accept"


def test_the_number_has_to_be_right(place, server):
    person = place.person(push=True)
    client = server.client()
    reply = ask(client, person)
    push = pending(place, person)
    assert push[1] and push[1] in reply.message
    packet = park(client, person, reply.state)
    other = str((int(push[1]) + 1) % 90 + 10)
    assert answer(place, push, number=other) == "wrong_number"
    assert client.wait(packet, 0.5) is None
    answer(place, push)
    assert client.wait(packet, 5).code == "accept"


def test_an_approval_without_the_number_is_none(place, server):
    person = place.person(push=True)
    client = server.client()
    packet = park(client, person, ask(client, person).state)
    push = pending(place, person)
    try:
        assert answer(place, push, number=None) != "approved"
    except psycopg2.Error:
        pass
    assert client.wait(packet, 0.5) is None
    answer(place, push)
    assert client.wait(packet, 5).code == "accept"


def test_retransmissions_of_a_parked_packet(place, server):
    person = place.person(push=True)
    client = server.client()
    packet = park(client, person, ask(client, person).state)
    for _ in range(3):
        client.post(packet)
    assert client.wait(packet, 0.3) is None
    answer(place, pending(place, person))
    first = client.wait(packet, 5)
    assert first.code == "accept"
    # While the server puts the request away it drops a repeat, and a client repeats again.
    again = wait_for(lambda: client.send(packet, 1), "a repeat is answered")
    assert again.data == first.data
    assert len(pushes(place, person)) == 1


def test_wait_mode(place, server):
    person = place.person(push=True)
    client = server.client("127.0.0.3")
    packet = client.post(wait_mode(client, person))
    answer(place, pending(place, person))
    assert client.wait(packet, 5).code == "accept"
    assert place.event(person.name, "accepted", "approved")["method"] == "push"


def test_wait_mode_asks_again_with_a_new_packet(place, server):
    """A client whose timeout is short sends the login anew: it joins the push, and the newest packet gets the answer."""
    person = place.person(push=True)
    client, again = server.client("127.0.0.3"), server.client("127.0.0.3")
    first = client.post(wait_mode(client, person))
    push = pending(place, person)
    second = joins(place, push, lambda: again.post(wait_mode(again, person)))
    answer(place, push)
    assert again.wait(second, 5).code == "accept"
    reply = client.wait(first, 3)
    assert reply is None or reply.code == "reject"
    assert len(pushes(place, person)) == 1


def test_two_packets_of_one_moment(place, server):
    """The engine may take another for the newest than the row does: whichever waits on gets the answer."""
    people = [place.person(push=True) for _ in range(40)]
    clients = [(server.client("127.0.0.3"), server.client("127.0.0.3")) for _ in people]
    packets = [[c.post(wait_mode(c, p)) for c in pair] for p, pair in zip(people, clients)]
    ended = {}

    def refused(i):
        for j in (0, 1):
            reply = clients[i][j].wait(packets[i][j], 0.01)
            if reply:
                assert reply.code == "reject"
                ended[i] = j
        return i in ended
    for i, person in enumerate(people):
        wait_for(lambda i=i: refused(i), "one of the two gives way", 20)
        answer(place, pending(place, person))
    left = [(pair[1 - ended[i]], packets[i][1 - ended[i]]) for i, pair in enumerate(clients)]
    assert [c.wait(packet, 10).code for c, packet in left] == ["accept"] * len(people)
    assert [len(pushes(place, p)) for p in people] == [1] * len(people)


def test_a_fail_over_sends_no_second_push(place, server, make_server):
    """Two radiusd on one database: asked at one, answered through the other."""
    other = make_server().start()
    person = place.person(push=True)
    client, again = server.client("127.0.0.3"), other.client("127.0.0.3")
    first = client.post(wait_mode(client, person))
    push = pending(place, person)
    second = joins(place, push, lambda: again.post(wait_mode(again, person)))
    answer(place, push)
    assert again.wait(second, 5).code == "accept"
    reply = client.wait(first, 3)
    assert reply is None or reply.code == "reject"
    assert len(pushes(place, person)) == 1
    place.event(person.name, "accepted")
    assert len([e for e in place.events(person.name) if e["outcome"] == "accepted"]) == 1


def login(client, person, station="phone-home", marks=(("Acct-Session-Id", "s1"),), more=(("NAS-Port", 1),), name=None):
    return client.build([("User-Name", name or person.name), ("Calling-Station-Id", station), *marks, *more], person.password)


# Differs in one thing from a login whose push is pending, or in the client that it comes from.
STRANGERS = {
    "another station": {"station": "elsewhere"}, "another session": {"marks": [("Acct-Session-Id", "s2")]},
    "another port": {"more": [("NAS-Port", 2)]}, "without the port": {"more": []},
    "the port twice": {"more": [("NAS-Port", 1), ("NAS-Port", 1)]},
    "an address more": {"more": [("NAS-Port", 1), ("NAS-IP-Address", 0x7f000001)]},
    "a vendor's attribute more": {"more": [("NAS-Port", 1), vendor(9, 1, b"x")]},
    "an attribute that no dictionary has": {"more": [("NAS-Port", 1), (250, b"x")]},
    "the name in capitals": {"name": str.upper}, "another client": {"source": "127.0.0.1"},
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_strangers_login_while_a_push_is_pending(place, server, stranger):
    """One approval must not let in two."""
    person = place.person(push=True)
    how = {**STRANGERS[stranger]}
    client, other = server.client("127.0.0.3"), server.client(how.pop("source", "127.0.0.3"))
    if "name" in how:
        how["name"] = how["name"](person.name)
        assert how["name"] != person.name
    packet = client.post(login(client, person))
    push = pending(place, person)
    refused = other.send(login(other, person, **how), 5)
    assert refused.code == "reject" and "Another login" in refused.message
    answer(place, push)
    assert client.wait(packet, 5).code == "accept"
    assert len(pushes(place, person)) == 1


# What tells one login from another: without any of these, two of one station can't be told apart.
MARKS = {"a session": [("Acct-Session-Id", "s1")], "a port": [("NAS-Port", 7)]}
EVENT_TIMESTAMP = 55


@pytest.mark.parametrize("mark", MARKS)
def test_the_same_login_joins(place, server, mark):
    """The control of the strangers: it is the difference that keeps them out."""
    person = place.person(push=True)
    client, again = server.client("127.0.0.3"), server.client("127.0.0.3")
    client.post(login(client, person, marks=MARKS[mark], more=[(EVENT_TIMESTAMP, 1), ("Proxy-State", b"1")]))
    push = pending(place, person)
    later = [(EVENT_TIMESTAMP, 2), ("Proxy-State", b"2")]  # differ in every packet of a login, as its hidden password does
    second = joins(place, push, lambda: again.post(login(again, person, marks=MARKS[mark], more=later)))
    answer(place, push)
    assert again.wait(second, 5).code == "accept"
    assert len(pushes(place, person)) == 1


def test_a_login_that_nothing_marks_is_never_joined(place, server):
    person = place.person(push=True)
    client, other = server.client("127.0.0.3"), server.client("127.0.0.3")
    packet = client.post(login(client, person, marks=(), more=()))
    push = pending(place, person)
    refused = other.send(login(other, person, marks=(), more=()), 5)
    assert refused is not None and refused.code == "reject" and "Another login" in refused.message
    answer(place, push)
    assert client.wait(packet, 5).code == "accept"


def test_a_login_without_a_station_is_never_joined(place, server):
    person = place.person(push=True)
    client, other = server.client("127.0.0.3"), server.client("127.0.0.3")

    def bare(c):
        return c.build([("User-Name", person.name), ("Acct-Session-Id", "s1")], person.password)
    packet = client.post(bare(client))
    push = pending(place, person)
    assert other.send(bare(other), 5).code == "reject"
    answer(place, push)
    assert client.wait(packet, 5).code == "accept"


# The empty answer again, later than a fail-over comes: at which station, what else is in it, and whether it waits too.
LATER = {"the same": ("home", [], True), "another port": ("home", [("NAS-Port", 2)], False), "no station": (None, [], False)}


@pytest.mark.parametrize("name", LATER)
def test_an_answer_that_comes_again_later(place, server, name):
    """Only as the same login: the same octets alone, an empty answer, would be anybody's."""
    station, more, waits = LATER[name]
    person = place.person(push=True)
    client, again = server.client(), server.client()
    home = [("Calling-Station-Id", station)] if station else []
    state = ask(client, person, station=station).state
    push = pending(place, person)
    packet = joins(place, push, lambda: client.post(client.build([("User-Name", person.name), *home], b"", state)))
    place.sql("update wsmfa.challenge set answered_at = answered_at - interval '11 s' where id = %s", push[0])
    later = again.build([("User-Name", person.name), *home, *more], b"", state)
    if waits:
        joins(place, push, lambda: again.post(later))
    else:
        assert again.send(later, 5).code == "reject"
    answer(place, push)
    assert (again.wait(later, 5) if waits else client.wait(packet, 5)).code == "accept"
    assert len(pushes(place, person)) == 1


def test_a_wrong_password_asks_nobody(place, server):
    person = place.person(push=True)
    client = server.client("127.0.0.3")
    assert client.ask(person.name, "wrong", station="s", extra=[("Acct-Session-Id", "1")]).code == "reject"
    assert pushes(place, person) == []


def test_an_approval_that_comes_too_late_is_void(place, server):
    person = place.person(push=True, totp=True)
    client = server.client()
    state = ask(client, person).state
    push = pending(place, person)
    reply = client.ask(person.name, "totp", state)
    assert reply.code == "challenge"
    with pytest.raises(psycopg2.Error):
        answer(place, push)
    assert client.ask(person.name, b"", state).code == "reject"
    assert client.ask(person.name, person.code(), reply.state).code == "accept"


def test_time_is_up(place, make_server):
    server = make_server(settings={"push_timeout": 10}).start()
    person = place.person(push=True)
    client = server.client("127.0.0.3")
    packet = client.post(wait_mode(client, person))
    push = pending(place, person)
    assert client.wait(packet, 20).code == "reject"
    place.event(person.name, "expired")
    with pytest.raises(psycopg2.Error):
        answer(place, push)


def test_fatigue(place, make_server):
    """No more than push_max unanswered pushes an hour; the login's other methods are offered."""
    server = make_server(settings={"push_max": 2}).start()
    person = place.person(push=True, totp=True)
    client = server.client()
    for _ in range(2):
        reply = client.ask(person.name, "totp", ask(client, person).state)
        assert reply.code == "challenge"
    reply = ask(client, person)
    assert len(pushes(place, person)) == 2
    assert "Too many" in reply.message
    assert client.ask(person.name, person.code(), reply.state).code == "accept"


def test_push_require_number(place, make_server):
    """A client of kind wait shows no number, so there it is not usable."""
    server = make_server(settings={"push_require_number": "yes"}).start()
    person = place.person(push=True)
    client = server.client("127.0.0.3")
    assert client.send(wait_mode(client, person), 5).code == "reject"
    place.event(person.name, "denied", "no_usable_method")
    assert pushes(place, person) == []
    assert pending(place, person) if ask(server.client(), person) else None


# What is changed while the phone rings, and the reason for which its approval is worth nothing then.
MEANWHILE = {
    "account disabled": ("update wsmfa.account set disabled_at = now() where id = %s", "disabled"),
    "phone disabled": ("update wsmfa.authenticator set disabled_at = now() where account_id = %s", "no_usable_method"),
    "phone removed": ("update wsmfa.authenticator set removed_at = now() where account_id = %s", "no_usable_method"),
    "budget used up": ("with f as (insert into wsmfa.failure (account_id, authenticator_id, at) select account_id, id, now() from "
                       "wsmfa.authenticator, generate_series(1, 30) where account_id = %s returning account_id) update "
                       "wsmfa.authenticator a set last_failure_at = now() from f where a.account_id = f.account_id", "no_usable_method"),
    "pushes forbidden": ("update wsmfa.organization o set allowed_methods = '{totp}' from wsmfa.account a "
                         "where a.organization_id = o.id and a.id = %s", "no_usable_method"),
    "moved to where they are": ("with o as (insert into wsmfa.organization (name, allowed_methods) values (gen_random_uuid()::text, "
                                "'{totp,sms}') returning id) update wsmfa.account a set organization_id = o.id from o where a.id = %s",
                                "no_usable_method"),
    "control: nothing": ("select 1 where %s > 0", None),
}


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.3"], ids=["asked", "wait"])
@pytest.mark.parametrize("name", MEANWHILE)
def test_changed_while_the_phone_rings(place, server, name, source):
    """The decision is that of now: an approval lets nobody in whom the rules of this moment would refuse."""
    change, reason = MEANWHILE[name]
    person = place.person(push=True, organization=place.organization())
    client = server.client(source)
    if source == "127.0.0.3":
        packet = client.post(wait_mode(client, person))
        push = pending(place, person)
    else:
        state = ask(client, person).state
        push = pending(place, person)
        packet = joins(place, push, lambda: park(client, person, state))
    place.sql(change, person.id)
    answer(place, push)
    assert client.wait(packet, 5).code == ("reject" if reason else "accept")
    place.event(person.name, *(("denied", reason) if reason else ("accepted", "approved")))


def test_the_client_gives_up(place, server):
    """A new packet with the same id from the same port: the host drops the old request. Nothing is left behind."""
    person, other = place.person(push=True), place.person(services=["community"])
    client = server.client("127.0.0.3")
    packet = client.post(wait_mode(client, person))
    push = pending(place, person)
    client.next_id = packet[1] - 1
    assert client.ask(other.name, "wrong").code == "reject"
    answer(place, push)
    third = place.person(push=True)
    packet = client.post(wait_mode(client, third))
    answer(place, pending(place, third))
    assert client.wait(packet, 5).code == "accept"


def test_many_wait_on_few_threads(place, server):
    """A hundred phones ring, the server's 32 threads stay free, and everybody is answered."""
    people = [place.person(push=True) for _ in range(100)]
    clients = [server.client("127.0.0.3") for _ in people]
    packets = [c.post(wait_mode(c, p)) for c, p in zip(clients, people)]
    wait_for(lambda: place.value("select count(*) from wsmfa.challenge where push_state = 'pending' and account_id = "
                                 "any(%s)", [p.id for p in people]) == len(people), "all phones ring", 30)
    assert parked(place, server) <= 40
    other = place.person(totp=True)
    client = server.client()
    assert client.ask(other.name, other.code(), ask(client, other).state).code == "accept"
    for p in people:
        answer(place, pending(place, p))
    assert [c.wait(packet, 20).code for c, packet in zip(clients, packets)] == ["accept"] * len(people)


def test_an_account_has_two_places(place, server):
    person = place.person(push=True)
    clients = [server.client("127.0.0.3") for _ in range(3)]
    packets = [clients[0].post(wait_mode(clients[0], person))]
    push = pending(place, person)
    packets += [joins(place, push, lambda c=c: c.post(wait_mode(c, person))) for c in clients[1:]]
    place.event(person.name, "denied", "superseded")
    answer(place, push)
    replies = [c.wait(packet, 10) for c, packet in zip(clients, packets)]
    assert [r.code for r in replies if r is not None].count("accept") == 1
    assert len(pushes(place, person)) == 1


def test_park_max(place, make_server):
    server = make_server(settings={"park_max": 1}).start()
    one, two = place.person(push=True), place.person(push=True)
    client, other = server.client("127.0.0.3"), server.client("127.0.0.3")
    packet = client.post(wait_mode(client, one))
    push = pending(place, one)
    reply = other.send(wait_mode(other, two), 5)
    assert reply.code == "reject" and "Too many" in reply.message
    for _ in range(6):
        assert "Too many" in other.send(wait_mode(other, two), 5).message, "a crowd uses up nobody's limit"
    answer(place, push)
    assert client.wait(packet, 5).code == "accept"
    packet = other.post(wait_mode(other, two))
    answer(place, pending(place, two))
    assert other.wait(packet, 5).code == "accept"


def test_ends_with_requests_parked(place, make_server):
    server = make_server().start()
    people = [place.person(push=True) for _ in range(10)]
    clients = [server.client("127.0.0.3") for _ in people]
    for c, p in zip(clients, people):
        c.post(wait_mode(c, p))
    for p in people:
        pending(place, p)
    server.radiusd.stop(seconds=10)
    assert server.radiusd.process.returncode in (0, -signal.SIGTERM)


def test_a_wake_up_that_lies(place, server):
    """Whoever may connect to the database may send one: nobody's login ends by it, and the phone's answer still counts."""
    person = place.person(push=True)
    client = server.client("127.0.0.3")
    packet = client.post(wait_mode(client, person))
    push = pending(place, person)
    for _ in range(3):
        place.sql("select pg_notify('wsmfa_answer', %s)", str(push[0]))
        assert client.wait(packet, 0.3) is None
    assert pushes(place, person)[-1][2] == "pending"
    answer(place, push)
    assert client.wait(packet, 5).code == "accept"


def test_the_engines_connection_is_cut(place, server):
    """A wake-up is only a hint: after a lost LISTEN the engine looks for itself."""
    person = place.person(push=True)
    client = server.client("127.0.0.3")
    packet = client.post(wait_mode(client, person))
    push = pending(place, person)
    place.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'wsmfa_radius'")
    answer(place, push)
    assert client.wait(packet, 20).code == "accept"
