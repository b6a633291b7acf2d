"""The server's clock steps by an hour, either way, under running dialogues: nobody gets in by it, and nothing hangs."""
import base64
import datetime
import glob
import os
import re
import shutil
import subprocess

import pytest

import world
from place import MODULE, now, totp


class Clock:
    """A radiusd whose clock is ahead of ours."""

    def __init__(self, place, make_server):
        self.place = place
        self.file = place.home / f"clock-{next(place.numbers)}"
        self.step(0)
        fake = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")[0]
        # The host loads modules so that they look into their own libraries first: the preloaded one has to be one of them.
        module = self.file.with_suffix(".so")
        shutil.copyfile(MODULE, module)
        subprocess.run(["patchelf", "--add-needed", fake, module], check=True)
        self.server = make_server(module=module, env={
            "LD_PRELOAD": fake, "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1"}).start()

    def step(self, seconds):
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        world.give(new, world.server_user(self.place.home))
        os.rename(new, self.file)
        self.ahead = seconds

    def code(self, person, steps=0):
        return person.code(steps, at=world.time.time() + self.ahead)


@pytest.fixture
def clock(place, make_server):
    return Clock(place, make_server)


def logs_in(place, clock):
    """Somebody whom no step has met before."""
    person = place.person(totp=True)
    client = clock.server.client()
    reply = client.ask(person.name, person.password)
    return reply.code == "challenge" and client.ask(person.name, clock.code(person), reply.state).code == "accept"


def test_an_hour_ahead_and_back(place, clock, recovers, record_property):
    person = place.person(totp=True)
    client = clock.server.client()
    reply = client.ask(person.name, person.password)
    clock.step(3600)
    late = client.ask(person.name, clock.code(person), reply.state)
    record_property("a clock set an hour ahead: the answer to an open question saw", late)
    assert late.code == "reject", "the question is an hour old"
    recovers(lambda: logs_in(place, clock), "a clock set an hour ahead")
    place.event(person.name, "expired")
    reply = client.ask(person.name, person.password)
    code = clock.code(person)
    assert client.ask(person.name, code, reply.state).code == "accept"
    # Back again: a code of the past is older than the last accepted one.
    clock.step(0)
    reply = client.ask(person.name, person.password)
    past = client.ask(person.name, clock.code(person), reply.state)
    record_property("a clock set back by the hour: who logged in during it saw", past)
    assert past.code != "accept"
    recovers(lambda: logs_in(place, clock), "a clock set back by the hour, for everybody else")
    reply = client.ask(person.name, person.password)
    assert client.ask(person.name, code, reply.state).code != "accept", "accepted before"


def test_an_hour_back(place, clock, recovers, record_property):
    person = place.person(totp=True)
    client = clock.server.client()
    reply = client.ask(person.name, person.password)
    clock.step(-3600)
    answer = client.ask(person.name, person.wrong_code(), reply.state)
    record_property("a clock set an hour back: a wrong answer to an open question saw", answer)
    assert answer.code in ("challenge", "reject")
    recovers(lambda: logs_in(place, clock), "a clock set an hour back")
    fresh = place.person(totp=True)
    reply = client.ask(fresh.name, fresh.password)
    assert client.ask(fresh.name, clock.code(fresh), reply.state).code == "accept"
    clock.step(0)
    reply = client.ask(fresh.name, fresh.password)
    assert client.ask(fresh.name, clock.code(fresh), reply.state).code == "accept"


@pytest.mark.parametrize("way", ["totp", "sms"])
def test_an_hour_during_an_enrolment(place, clock, way):
    """Ahead, the question is over and leaves nothing; back, the same key or code still proves itself, once."""
    phone = "+35840666%04d" % next(place.numbers)
    client = clock.server.client()

    def begin(person):
        asked = client.ask(person.name, person.password)
        return client.ask(person.name, way, asked.state)

    def proof(reply):
        if way == "sms":
            return clock.server.text_code(phone)
        key = re.search(r": ([A-Z2-7 ]+)\.", reply.message).group(1).replace(" ", "")
        return totp(base64.b32decode(key + "=" * (-len(key) % 8)), int(world.time.time() + clock.ahead) // 30)

    def methods(person):
        return place.value("select count(*) from wsmfa.authenticator where account_id = %s", person.id)

    late = place.person(phone=phone)
    reply = begin(late)
    clock.step(3600)
    assert client.ask(late.name, proof(reply), reply.state).code == "reject"
    place.event(late.name, "expired")
    assert methods(late) == 0
    assert client.ask(late.name, proof(reply := begin(late)), reply.state).code == "accept"
    clock.step(0)

    early = place.person(phone=phone)
    reply = begin(early)
    clock.step(-3600)
    code = proof(reply)
    assert client.ask(early.name, code, reply.state).code == "accept"
    assert methods(early) == 1
    assert client.ask(early.name, code + " ", reply.state).code == "reject", "answered"
    clock.step(0)
    reply = client.ask(early.name, early.password)
    assert reply.code == "challenge"
    assert client.ask(early.name, code, reply.state).code != "accept", "a code of then"


def test_a_push_outlives_no_step(place, clock, recovers, record_property):
    person = place.person(push=True)
    client = clock.server.client("127.0.0.3")
    packet = client.post(client.build([("User-Name", person.name), ("Calling-Station-Id", "s"), ("Acct-Session-Id", "1")],
                                      person.password))
    world.wait_for(lambda: place.sql("select 1 from wsmfa.challenge where account_id = %s", person.id), "the phone rings")
    clock.step(3600)
    reply = client.wait(packet, 60)
    record_property("a clock set an hour ahead while a phone rings: the client saw", reply)
    assert reply is None or reply.code == "reject"
    other = place.person(services=["community"])
    community = clock.server.client("127.0.0.4")
    recovers(lambda: community.ask(other.name, other.password).code == "accept", "a clock set an hour ahead")


def test_a_step_across_the_beginning_of_enforcement(place, clock):
    """What was announced an hour ago is enforced now, and announced again when the clock was wrong."""
    person = place.person(organization=place.organization(enforce=now() + datetime.timedelta(minutes=30)))
    client = clock.server.client("127.0.0.5")
    assert client.ask(person.name, person.password).code == "accept"
    clock.step(3600)
    assert client.ask(person.name, person.password).code == "reject"
    clock.step(0)
    assert client.ask(person.name, person.password).code == "accept"
