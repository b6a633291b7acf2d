"""A device and its access point that do not play by the rules: EAP-TTLS with whatever inside, under whatever names.

Apart from eapol_test, which only sends what is right. RFC 5281 sections 9 and 10; TLS by Python's own.
"""
import ssl
import struct

REQUEST, RESPONSE, SUCCESS, FAILURE = 1, 2, 3, 4
IDENTITY, NAK, TTLS = 1, 3, 21
LENGTH, MORE, START = 0x80, 0x40, 0x20


def avp(kind, value):
    """An attribute inside the tunnel, mandatory, padded to four octets."""
    value = value.encode() if isinstance(value, str) else value
    return struct.pack("!II", kind, 0x40 << 24 | len(value) + 8) + value + bytes(-len(value) % 4)


def pap(name, password, *more):
    return avp(1, name) + avp(2, password.encode() + bytes(-len(password) % 16)) + b"".join(more)


class Peer:
    """One conversation. `name` is the User-Name that the access point sends, and may be changed between packets."""

    def __init__(self, client, name, station="outside", extra=()):
        self.client, self.name, self.identity, self.station, self.extra = client, name, name, station, extra
        self.state = self.reply = None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)

    def packet(self, eap):
        parts = [("EAP-Message", eap[i:i + 253]) for i in range(0, len(eap), 253)]
        return self.client.build([("User-Name", self.name), ("Calling-Station-Id", self.station), *self.extra, *parts], state=self.state)

    def eap(self, kind, data):
        """A Response to the last Request."""
        return struct.pack("!BBHB", RESPONSE, self.number, len(data) + 5, kind) + data

    def send(self, kind, data):
        self.reply = self.client.send(self.packet(self.eap(kind, data)))
        self.state = self.reply.state
        return self.reply

    @property
    def request(self):
        """The server's EAP packet."""
        return b"".join(self.reply.all("EAP-Message"))

    @property
    def number(self):
        return self.request[1] if self.reply else 0

    @property
    def failed(self):
        return self.reply.code == "reject" and self.request[:1] == bytes([FAILURE]) and self.reply.names == ["Message-Authenticator", "EAP-Message"]

    def begin(self):
        """Up to the server's offer of TTLS."""
        self.send(IDENTITY, self.identity.encode())
        if self.reply.code == "challenge" and self.request[4] != TTLS:
            self.send(NAK, bytes([TTLS]))
        return self

    def take(self):
        """The server's data, all of its fragments."""
        while True:
            data = self.request[5:]
            self.incoming.write(data[5 if data[0] & LENGTH else 1:])
            if not data[0] & MORE:
                return
            self.send(TTLS, b"\0")

    def handshake(self):
        self.begin()
        while True:
            try:
                self.tls.do_handshake()
                return self
            except ssl.SSLWantReadError:
                self.send(TTLS, b"\0" + self.outgoing.read())
                self.take()

    def inside(self, attributes):
        """What the tunnel brings along. The octets of its packet."""
        self.tls.write(attributes)
        return self.packet(self.eap(TTLS, b"\0" + self.outgoing.read()))

    def finish(self, attributes):
        self.reply = self.client.send(self.inside(attributes))
        self.state = self.reply.state
        return self.reply
