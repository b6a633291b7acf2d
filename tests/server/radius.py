"""A RADIUS client that sends exactly the octets it is told to, and believes no reply that it has not checked.

It stands apart from pyrad, which can't build the malformed packets that these tests need.
"""
import hashlib
import hmac
import os
import re
import secrets
import socket
import struct

from world import PATIENCE

ACCESS_REQUEST, ACCESS_ACCEPT, ACCESS_REJECT, STATUS_SERVER, ACCESS_CHALLENGE = 1, 2, 3, 12, 11
CODES = {ACCESS_ACCEPT: "accept", ACCESS_REJECT: "reject", ACCESS_CHALLENGE: "challenge"}
NAMES = {
    "User-Name": 1, "User-Password": 2, "CHAP-Password": 3, "NAS-IP-Address": 4, "NAS-Port": 5, "Service-Type": 6,
    "Framed-IP-Address": 8, "Filter-Id": 11, "Reply-Message": 18, "State": 24, "Class": 25, "Vendor-Specific": 26,
    "Session-Timeout": 27, "Calling-Station-Id": 31, "NAS-Identifier": 32, "Proxy-State": 33, "Acct-Session-Id": 44,
    "CHAP-Challenge": 60, "Prompt": 76, "EAP-Message": 79, "Message-Authenticator": 80,
}
WORDS = {number: name for name, number in NAMES.items()}
MICROSOFT = 311
STATES = set()  # all that were received
SHOWN = set()  # keys for an app, likewise
KEY = re.compile(r": ([A-Z2-7 ]{16,})\.")


def hide(password, secret, authenticator):
    """User-Password as RFC 2865 section 5.2 hides it. Not cut, not checked."""
    padded = password + bytes(-len(password) % 16 or (16 if not password else 0))
    out, last = b"", authenticator
    for i in range(0, len(padded), 16):
        last = bytes(a ^ b for a, b in zip(padded[i:i + 16], hashlib.md5(secret + last).digest()))
        out += last
    return out


def octets(value):
    if isinstance(value, int):
        return struct.pack("!I", value)
    return value.encode() if isinstance(value, str) else bytes(value)


def encode(attributes):
    return b"".join(struct.pack("BB", NAMES.get(name, name), len(octets(value)) + 2) + octets(value)
                    for name, value in attributes)


def vendor(number, kind, value):
    return ("Vendor-Specific", struct.pack("!IBB", number, kind, len(value) + 2) + value)


class Reply:
    """A checked answer. Attributes in the order they came."""

    def __init__(self, data, request, secret):
        self.data = data
        code, self.id, length = struct.unpack("!BBH", data[:4])
        assert length == len(data), "the reply's length is right"
        self.code = CODES.get(code, code)
        self.attributes = []
        at = 20
        while at < length:
            kind, size = data[at], data[at + 1]
            assert size >= 2 and at + size <= length, "the reply's attributes are well formed"
            self.attributes.append((WORDS.get(kind, kind), data[at + 2:at + size]))
            at += size
        if self.state:
            STATES.add(self.state)
        SHOWN.update(key.replace(" ", "") for key in KEY.findall(self.message))
        authenticator = request[4:20]
        digest = hashlib.md5(data[:4] + authenticator + data[20:] + secret).digest()
        assert digest == data[4:20], "the Response Authenticator is right"
        self.signed_first = False
        names = [name for name, _ in self.attributes]
        if "Message-Authenticator" in names:
            assert names.count("Message-Authenticator") == 1, "one Message-Authenticator"
            at = 20 + sum(len(v) + 2 for n, v in self.attributes[:names.index("Message-Authenticator")])
            zeroed = data[:4] + authenticator + data[20:at + 2] + bytes(16) + data[at + 18:]
            digest = hmac.new(secret, zeroed, hashlib.md5).digest()
            assert digest == data[at + 2:at + 18], "the Message-Authenticator is right"
            self.signed_first = names[0] == "Message-Authenticator"

    def all(self, name):
        return [value for n, value in self.attributes if n == name]

    def get(self, name):
        values = self.all(name)
        return values[0] if values else None

    @property
    def names(self):
        return [name for name, _ in self.attributes]

    @property
    def state(self):
        return self.get("State")

    @property
    def message(self):
        return b"".join(self.all("Reply-Message")).decode(errors="replace")

    def number(self, name):
        value = self.get(name)
        return None if value is None else int.from_bytes(value, "big")

    def __str__(self):
        return f"{self.code} {self.message!r}" if self.message else str(self.code)

    __repr__ = __str__


class Client:
    """Sends from one address to one server. Each request is a fresh packet unless send() repeats an old one."""

    def __init__(self, port, secret, source="127.0.0.1", signed=True, timeout=10.0, strict=True):
        self.server = ("127.0.0.1", port)
        self.secret = secret if isinstance(secret, bytes) else secret.encode()
        self.timeout = timeout
        self.signed = signed
        self.strict = strict
        self.source = source
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((source, 0))
        self.next_id = secrets.randbelow(256)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def build(self, attributes, password=None, state=None, signed=None, code=ACCESS_REQUEST, chap=None):
        """The octets of a packet. password: text or octets to hide; chap: the password of a CHAP login."""
        self.next_id = (self.next_id + 1) % 256
        authenticator = os.urandom(16)
        attributes = list(attributes)
        if password is not None:
            attributes.append(("User-Password", hide(octets(password), self.secret, authenticator)))
        if chap is not None:
            digest = hashlib.md5(b"\x07" + octets(chap) + authenticator).digest()
            attributes.append(("CHAP-Password", b"\x07" + digest))
        if state is not None:
            attributes.append(("State", state))
        body = encode(attributes)
        signed = self.signed if signed is None else signed
        if signed:
            body = encode([("Message-Authenticator", bytes(16))]) + body
        packet = struct.pack("!BBH", code, self.next_id, 20 + len(body)) + authenticator + body
        if signed:
            digest = hmac.new(self.secret, packet, hashlib.md5).digest()
            packet = packet[:22] + digest + packet[38:]
        return packet

    def post(self, packet):
        """Sends and does not wait."""
        self.socket.sendto(packet, self.server)
        return packet

    def wait(self, packet, timeout=None):
        """The checked reply to this packet, or None when time is up."""
        self.socket.settimeout((self.timeout if timeout is None else timeout) * PATIENCE)
        while True:
            try:
                data, sender = self.socket.recvfrom(4096)
            except socket.timeout:
                return None
            if sender == self.server and data[1] == packet[1]:
                reply = Reply(data, packet, self.secret)
                assert reply.signed_first or not self.strict, f"Message-Authenticator is the first attribute of {reply.names}"
                return reply

    def send(self, packet, timeout=None):
        """Sends octets as they are: a fresh packet, or one sent before."""
        return self.wait(self.post(packet), timeout)

    def ask(self, name, password=None, state=None, station=None, extra=(), timeout=None, **how):
        """One login or answer."""
        attributes = [("User-Name", name)] if name is not None else []
        if station is not None:
            attributes.append(("Calling-Station-Id", station))
        return self.send(self.build([*attributes, *extra], password, state, **how), timeout)
