"""The waiting room's own socket: what is sent there, seen there, and forged in its name.

Apart from test_push.py: here somebody on the machine itself is the enemy.
"""
import hashlib
import hmac
import random
import socket
import struct
import threading

import psycopg2
import pytest

from place import wait_for
from pushes import answer, pending, pushes, wait_mode
from radius import encode


def room_secret(server):
    text = (server.radiusd.raddb / "mods-config/wsmfa/proxy-wsmfa.conf").read_text()
    return next(line.split("=")[1].strip().encode() for line in text.splitlines() if line.strip().startswith("secret"))


def test_foreign_packets_at_the_parking_port(place, server):
    person = place.person(push=True)
    client = server.client("127.0.0.3")
    packet = client.post(wait_mode(client, person))
    push = pending(place, person)
    rng = random.Random(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _ in range(300):
            s.sendto(rng.randbytes(rng.randint(0, 300)), ("127.0.0.1", server.park_port))
        whole = client.build([("User-Name", "0123456789abcdef")], b"x")
        for cut in range(len(whole)):
            s.sendto(whole[:cut], ("127.0.0.1", server.park_port))
        s.sendto(whole, ("127.0.0.1", server.park_port))
    assert client.wait(packet, 0.5) is None
    answer(place, push)
    assert client.wait(packet, 5).code == "accept"


class Wire:
    """Sees and forges UDP on loopback, as somebody with root on the machine could."""

    def __init__(self, port):
        self.port = port
        self.tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self.tap.bind(("lo", 0))
        self.tap.settimeout(10)
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
        self.seen = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                data = self.tap.recv(65535)
            except (OSError, socket.timeout):
                return
            head = (data[0] & 15) * 4
            if data[9] == 17:
                source, to = struct.unpack("!HH", data[head:head + 4])
                if to == self.port:
                    self.seen.append((source, data[head + 8:]))

    def forge(self, to, payload):
        """From the parking port's own address, which the host takes for its home server."""
        self.raw.sendto(struct.pack("!HHHH", self.port, to, len(payload) + 8, 0) + payload, ("127.0.0.1", 0))

    def close(self):
        self.tap.close()
        self.raw.close()

    def parked(self):
        """The port that a parked packet came from, and the packet."""
        return wait_for(lambda: self.seen and self.seen[-1], "the parked packet is seen on the wire")


@pytest.fixture
def wire(server):
    made = Wire(server.park_port)
    yield made
    made.close()


@pytest.mark.parametrize("code", [2, 3, 11], ids=["accept", "reject", "challenge"])
def test_a_forged_answer_of_the_waiting_room(place, server, wire, code):
    """Even a correctly signed Access-Accept from the waiting room lets nobody in: it only wakes."""
    person = place.person(push=True)
    client = server.client("127.0.0.3")
    packet = client.post(wait_mode(client, person))
    push = pending(place, person)
    to, request = wire.parked()
    head = struct.pack("!BBH", code, request[1], 20)
    wire.forge(to, head + hashlib.md5(head + request[4:20] + room_secret(server)).digest())
    reply = client.wait(packet, 3)
    assert reply is None or reply.code == "reject", reply
    try:
        answer(place, push)
    except psycopg2.Error:
        pass
    late = client.wait(packet, 1)
    assert late is None or reply is None


def test_what_a_forged_answer_brings_along(place, server, wire):
    """A signed answer of somebody who knows the room's secret wakes one whose phone has said yes: its attributes are nobody's."""
    person = place.person(push=True)
    client = server.client("127.0.0.3")
    packet = client.post(wait_mode(client, person))
    push = pending(place, person)
    to, request = wire.parked()
    signed = struct.pack("!BB", 80, 18) + bytes(16) + encode([("Filter-Id", "admin"), ("Class", b"x")])
    head = struct.pack("!BBH", 11, request[1], 20 + len(signed))
    mac = hmac.new(room_secret(server), head + request[4:20] + signed, hashlib.md5).digest()
    signed = signed[:2] + mac + signed[18:]
    place.sql("update wsmfa.challenge set push_state = 'approved', push_at = now() where id = %s", push[0])  # and tells nobody
    wire.forge(to, head + hashlib.md5(head + request[4:20] + signed + room_secret(server)).digest() + signed)
    reply = client.wait(packet, 2)
    assert reply is not None and reply.code == "accept"
    assert set(reply.names) == {"Message-Authenticator"}


def test_what_a_parked_packet_holds(place, server, wire):
    """A random ticket, and nothing of the login."""
    person = place.person(push=True)
    client = server.client("127.0.0.3")
    packet = client.post(wait_mode(client, person))
    push = pending(place, person)
    _, request = wire.parked()
    assert person.name.encode() not in request and b"phone-home" not in request
    answer(place, push)
    assert client.wait(packet, 5).code == "accept"


def test_a_replayed_parked_packet(place, server, wire):
    """The very octets of the host, sent again by somebody else, before and after: nobody is woken, nobody is let in twice."""
    person = place.person(push=True)
    client = server.client("127.0.0.3")
    packet = client.post(wait_mode(client, person))
    push = pending(place, person)
    _, request = wire.parked()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        for _ in range(50):
            s.sendto(request, ("127.0.0.1", server.park_port))
        assert client.wait(packet, 0.5) is None
        answer(place, push)
        assert client.wait(packet, 5).code == "accept"
        woken = s.recvfrom(4096)[0]
        assert woken[0] == 11, "whoever has the ticket hears `woken`, and never more"
        s.sendto(request, ("127.0.0.1", server.park_port))
        assert s.recvfrom(4096)[0][0] == 11
    assert client.wait(packet, 0.5) is None
    place.event(person.name, "accepted", "approved")
    assert [e["outcome"] for e in place.events(person.name)].count("accepted") == 1
    assert len(pushes(place, person)) == 1
