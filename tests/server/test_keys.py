"""TOTP keys that do not open: the account is enrolled, so it is refused, and the log says why without a secret."""
import base64
import os
import secrets

import pytest

from place import wait_for


def refused(place, server, person):
    server.mark()
    reply = server.client().ask(person.name, person.password)
    assert reply.code == "reject"
    place.event(person.name, "denied", "no_usable_method")
    return wait_for(server.fresh_log, "the log has a line")


def test_sealed_for_another_account(place, server):
    other = place.person(totp=True)
    person = place.person(totp=True, seal_for=(other.id, other.keys[0]["id"]))
    said = refused(place, server, person)
    assert str(person.keys[0]["id"]) in said and "key" in said


def test_a_row_copied_from_another_account(place, server):
    """Somebody who may write the table, but has no key, can't make his own app open another's account."""
    thief, victim = place.person(totp=True), place.person(totp=True)
    place.sql("update wsmfa.authenticator v set sealed = t.sealed from wsmfa.authenticator t "
              "where v.id = %s and t.id = %s", victim.keys[0]["id"], thief.keys[0]["id"])
    refused(place, server, victim)


def test_sealed_with_a_key_that_is_not_in_the_ring(place, server):
    person = place.person()
    person.add_totp(key_id="lost", ring_key=secrets.token_bytes(32))
    assert "lost" in refused(place, server, person)


def test_sealed_with_another_key_of_the_same_id(place, server):
    person = place.person()
    person.add_totp(ring_key=secrets.token_bytes(32))
    refused(place, server, person)


@pytest.mark.parametrize("damage", [b"", b"\1", b"\1\5first", b"\2\5first" + bytes(48), bytes(60), os.urandom(192)])
def test_damaged(place, server, damage):
    person = place.person(totp=True)
    if not damage:
        damage = b"\0"
    place.sql("update wsmfa.authenticator set sealed = %s where id = %s", damage, person.keys[0]["id"])
    refused(place, server, person)


def test_another_app_still_works(place, server):
    person = place.person(totp=True)
    person.add_totp(key_id="lost", ring_key=secrets.token_bytes(32))
    client = server.client()
    state = client.ask(person.name, person.password).state
    assert client.ask(person.name, person.code(), state).code == "accept"


def test_an_older_key_still_opens(place, make_server):
    """After `key rotate`: the new first line seals, the old one opens."""
    new = base64.b64encode(secrets.token_bytes(32)).decode()
    old = base64.b64encode(place.key).decode()
    path = place.write_key_file("two-keys", f"# two\nsecond {new}\n\nfirst {old}")
    server = make_server(settings={"key_file": f'"{path}"'}).start()
    person = place.person(totp=True)
    client = server.client()
    state = client.ask(person.name, person.password).state
    assert client.ask(person.name, person.code(), state).code == "accept"
