"""Packets that nobody thought of: mutations of all kinds of good ones, signed and unsigned, at the server's port and the parking port.

Apart from test_bad_input.py, which has the ones that people thought of. WSMFA_FUZZ_SECONDS is for how long (5), WSMFA_FUZZ_SEED
makes another sequence.
"""
import hashlib
import hmac
import os
import random
import select
import struct
import time

from place import wait_for
from pushes import wait_mode
from radius import CODES, Client, encode, vendor
from test_parking_port import room_secret

SECONDS = float(os.environ.get("WSMFA_FUZZ_SECONDS", 5))
SEED = int(os.environ.get("WSMFA_FUZZ_SEED", 1))
SOURCES = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.6")
BATCH = 20


def sign(packet, secret):
    """Gives a packet the Message-Authenticator it should have, where there is room for one."""
    at = 20
    while at + 2 <= len(packet) and packet[at + 1] >= 2:
        if packet[at] == 80 and packet[at + 1] == 18 and at + 18 <= len(packet):
            zeroed = packet[:at + 2] + bytes(16) + packet[at + 18:]
            return zeroed[:at + 2] + hmac.new(secret, zeroed, hashlib.md5).digest() + zeroed[at + 18:]
        at += packet[at + 1]
    return packet


def cut(packet):
    """The list of attributes of a well-formed packet."""
    at, found = 20, []
    while at < len(packet):
        found.append((packet[at], packet[at + 2:at + packet[at + 1]]))
        at += packet[at + 1]
    return found


class Mutator:
    """From a good packet to a strange one that is often still decoded. The same seed, the same sequence."""

    def __init__(self, secret, seed):
        self.secret, self.rng, self.id = secret, random.Random(seed), 0

    def value(self, old):
        rng = self.rng
        return rng.choice([
            lambda: rng.randbytes(rng.randint(1, 253)), lambda: old[:rng.randint(0, len(old))], lambda: (old * 20)[:253],
            lambda: bytes(b ^ (rng.random() < 0.1) << rng.randint(0, 7) for b in old), lambda: old + b"\0", lambda: b"\0" * 16,
            lambda: b"%{User-Password}%{exec:/bin/id}", lambda: "é\u0085\ud7ff".encode() * 9, lambda: b"A" * 253])()[:253]

    def attributes(self, listed):
        rng = self.rng
        for _ in range(rng.randint(0, 4)):
            at = rng.randrange(len(listed)) if listed else 0
            what = rng.randint(0, 5)
            if what == 0 and listed:
                listed[at] = (listed[at][0], self.value(listed[at][1]))
            elif what == 1 and listed:
                del listed[at]
            elif what == 2 and listed:
                listed.insert(rng.randint(0, len(listed)), listed[at])
            elif what == 3:
                listed.insert(at, (rng.choice([1, 2, 3, 4, 5, 24, 26, 31, 33, 44, 60, 79, 80, rng.randrange(256)]), self.value(b"x")))
            elif what == 4:
                listed.insert(at, vendor(rng.choice([311, 11344, 9, rng.randrange(1 << 24)]), rng.randrange(256), self.value(b"y")[:240]))
            else:
                rng.shuffle(listed)
        return listed

    def mutate(self, packet):
        rng = self.rng
        body = encode([(k, v[:253]) for k, v in self.attributes(cut(packet))])[:4076]
        self.id = (self.id + 1) % 256  # not one that the host is still busy with
        made = packet[:1] + bytes([self.id]) + struct.pack("!H", 20 + len(body)) + packet[4:20] + body
        if rng.random() < 0.9:
            made = sign(made, self.secret)
        if rng.random() < 0.1:
            made = bytearray(made)
            for _ in range(rng.randint(1, 4)):
                made[rng.randrange(len(made))] = rng.randrange(256)
            made = bytes(made[:rng.randint(1, len(made))])
        return made


def seeds(client, enrolled, phone, free):
    """Good packets of each kind, none of which lets in: no right code is among them, and no right password where it would do."""
    reply = client.ask(enrolled.name, enrolled.password)
    name, eap = enrolled.name, b"\x02\x01" + struct.pack("!H", 5 + len(enrolled.name)) + b"\x01" + enrolled.name.encode()
    station = [("User-Name", name), ("Calling-Station-Id", "00-11"), ("NAS-Port", 7)]
    return [
        client.build(station, enrolled.password),
        client.build(station, enrolled.wrong_code(), reply.state),
        client.build([("User-Name", name)], b"", reply.state),
        client.build([("User-Name", name)], b"recovery", reply.state),
        client.build([("User-Name", name)], f"{enrolled.password},{enrolled.wrong_code()}"),
        client.build([("User-Name", name)], f"{enrolled.password},push"),
        client.build([("User-Name", name), ("Proxy-State", b"p")], enrolled.password),
        client.build([("User-Name", name)], chap=enrolled.password),
        client.build([("User-Name", name), ("EAP-Message", eap)]),
        client.build([("User-Name", name), vendor(311, 11, bytes(16)), vendor(311, 25, bytes(50))]),
        client.build([("User-Name", free.name)], "not it"),
        client.build([("User-Name", "nobody")], "not it"),
        wait_mode(client, phone),
    ]


def received(sockets, pause):
    """Whatever comes until nothing has come for a while, as codes."""
    found = []
    while ready := select.select(sockets, [], [], pause)[0]:
        found += [s.recv(4096)[0] for s in ready]
    return found


def test_strange_packets(place, make_server, record_property):
    server = make_server(settings={"push_timeout": 10}).start()
    enrolled, phone = place.person(totp=True, recovery=True), place.person(push=True)
    free = place.person(services=["community"])
    secret = server.secret.encode()
    mutator = Mutator(secret, SEED)
    clients = [server.client(source, strict=False) for source in SOURCES]
    good = seeds(clients[0], enrolled, phone, free)
    parking = Client(server.park_port, room_secret(server), strict=False)
    parked = parking.build([("User-Name", "0123456789abcdef")], b"x")
    sent, said, until = 0, [], time.monotonic() + SECONDS
    while time.monotonic() < until:
        for _ in range(BATCH):
            packet = mutator.mutate(mutator.rng.choice(good))
            mutator.rng.choice(clients).post(packet)
            sent += 1
        parking.post(Mutator(parking.secret, mutator.rng.random()).mutate(parked))
        said += received([c.socket for c in (*clients, parking)], 0.02)
        assert server.radiusd.pid(), f"the server lives after {sent} packets of seed {SEED}"
    said += received([c.socket for c in clients], 1)
    parking.close()
    words = {CODES.get(code, code): said.count(code) for code in sorted(set(said))}
    record_property(f"strange packets, seed {SEED}", f"{sent} sent, answered with {words}")
    assert "accept" not in words and set(words) == {"reject", "challenge"}
    assert not [e for p in (enrolled, phone, free) for e in place.events(p.name) if e["outcome"] == "accepted"]
    # The next logins work, of others and of the one whom all this was about.
    place.wsmfactl("account", "unlock", enrolled.name)
    client = server.client()
    for person in (place.person(totp=True), enrolled):
        def logs_in(person=person):
            reply = client.ask(person.name, person.password)
            return reply and reply.state and client.ask(person.name, person.code(1), reply.state).code == "accept"
        wait_for(logs_in, f"{person.name} logs in")
    assert server.client("127.0.0.4").ask(free.name, free.password).code == "accept"
