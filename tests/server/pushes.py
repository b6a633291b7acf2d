"""Pushes as tests see and answer them, and requests that wait for them.

Apart from the tests, because several files of them ask and wait.
"""
import os

from place import wait_for


def pushes(place, person):
    """(id, number, state) of an account's pushes, oldest first."""
    return place.sql("select id, number, push_state from wsmfa.challenge where account_id = %s and kind = 'push' "
                     "order by opened_at", person.id)


def pending(place, person):
    found = wait_for(lambda: [p for p in pushes(place, person) if p[2] == "pending"], "a push is pending")
    return found[-1]


def answer(place, push, approve=True, number=True):
    return place.value("select wsmfa.answer_push(%s, %s, %s)", push[0], approve, push[1] if number is True else number)


def waiter(place, push):
    return place.value("select waiter from wsmfa.challenge where id = %s", push[0])


def joins(place, push, thing):
    """Does it, and waits until another request waits for this push than before."""
    before = waiter(place, push)
    result = thing()
    wait_for(lambda: waiter(place, push) != before, "the newer request waits for the push")
    return result


def ask(client, person, **how):
    reply = client.ask(person.name, person.password, **how)
    assert reply.code == "challenge", reply
    return reply


def park(client, person, state, **how):
    """The empty answer, which waits. The packet."""
    extra = [("Calling-Station-Id", how["station"])] if "station" in how else []
    return client.post(client.build([("User-Name", person.name), *extra], b"", state))


def wait_mode(client, person, session="s1", station="phone-home"):
    return client.build([("User-Name", person.name), ("Calling-Station-Id", station), ("Acct-Session-Id", session)],
                        person.password)


def parked(place, server):
    """How many requests wait, as the engine's own threads show: a proxied request has a socket, not a thread."""
    return len(os.listdir(f"/proc/{server.radiusd.pid()}/task"))
