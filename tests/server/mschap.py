"""CHAP, MS-CHAP and MS-CHAPv2 as an access server sends them, and what has to come back. From RFC 1994, 2433, 2759, 2548 and 3079.

Apart from radius.py, which knows no method; radtest knows only the first two.
"""
import hashlib
import os
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from radius import MICROSOFT, vendor

MS_CHAP_RESPONSE, MS_CHAP_ERROR, MS_CHAP_CHALLENGE, SEND_KEY, RECV_KEY, MS_CHAP2_RESPONSE, MS_CHAP2_SUCCESS = 1, 2, 11, 16, 17, 25, 26


def md4(data):
    """RFC 1320. OpenSSL 3 has none any more."""
    def turn(x, n):
        x &= 0xFFFFFFFF
        return (x << n | x >> 32 - n) & 0xFFFFFFFF
    padded = data + b"\x80" + bytes((55 - len(data)) % 64) + struct.pack("<Q", 8 * len(data))
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    rounds = ((lambda x, y, z: x & y | ~x & z, 0, (3, 7, 11, 19), range(16)),
              (lambda x, y, z: x & y | x & z | y & z, 0x5A827999, (3, 5, 9, 13), [i % 4 * 4 + i // 4 for i in range(16)]),
              (lambda x, y, z: x ^ y ^ z, 0x6ED9EBA1, (3, 9, 11, 15), [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15]))
    for at in range(0, len(padded), 64):
        words, (a, b, c, d) = struct.unpack("<16I", padded[at:at + 64]), state
        for mix, add, turns, order in rounds:
            for i, k in enumerate(order):
                a, b, c, d = d, turn(a + mix(b, c, d) + words[k] + add, turns[i % 4]), b, c
        state = [(x + y) & 0xFFFFFFFF for x, y in zip(state, (a, b, c, d))]
    return struct.pack("<4I", *state)


def nt_hash(password):
    return md4(password.encode("utf-16-le"))


def des(key, block):
    bits = int.from_bytes(key, "big")
    spread = bytes((bits >> 49 - 7 * i & 0x7F) << 1 for i in range(8))
    encryptor = Cipher(algorithms.TripleDES(spread * 3), modes.ECB()).encryptor()
    return encryptor.update(block)


def response(hashed, challenge):
    padded = hashed + bytes(5)
    return b"".join(des(padded[i:i + 7], challenge) for i in (0, 7, 14))


def sha1(*parts):
    return hashlib.sha1(b"".join(parts)).digest()


def challenge_hash(peer, challenge, name):
    return sha1(peer, challenge, name.encode())[:8]


def success(password, answer, peer, challenge, name):
    """What proves the server (RFC 2759 section 8.7)."""
    first = sha1(md4(nt_hash(password)), answer, b"Magic server to client signing constant")
    return "S=" + sha1(first, challenge_hash(peer, challenge, name), b"Pad to make it do more than one iteration").hex().upper()


def keys(password, answer):
    """The server's sending and receiving key (RFC 3079 section 3)."""
    master = sha1(md4(nt_hash(password)), answer, b"This is the MPPE Master Key")[:16]
    words = (b"On the client side, this is the receive key; on the server side, it is the send key.",
             b"On the client side, this is the send key; on the server side, it is the receive key.")
    return [sha1(master, bytes(40), w, b"\xf2" * 40)[:16] for w in words]


def key_of(value, packet, secret):
    """A key as RFC 2548 section 2.4.2 hides it."""
    salt, hidden, plain, last = value[:2], value[2:], b"", packet[4:20] + value[:2]
    assert salt[0] & 0x80
    for i in range(0, len(hidden), 16):
        plain += bytes(a ^ b for a, b in zip(hidden[i:i + 16], hashlib.md5(secret + last).digest()))
        last = hidden[i:i + 16]
    return plain[1:1 + plain[0]]


class Login:
    """The packet of one login by `kind`, and whether a reply is right for it."""

    def __init__(self, client, kind, name, password, typed=None, **how):
        self.client, self.kind, self.name, self.password = client, kind, name, password
        self.challenge, self.peer = os.urandom(8 if kind == "mschap" else 16), os.urandom(16)
        attributes = [("User-Name", name)]
        if kind == "chap":
            attributes += [("CHAP-Challenge", self.challenge),
                           ("CHAP-Password", b"\x07" + hashlib.md5(b"\x07" + password.encode() + self.challenge).digest())]
        elif kind == "mschap":
            answer = b"\x07\x01" + bytes(24) + response(nt_hash(password), self.challenge)
            attributes += [vendor(MICROSOFT, MS_CHAP_CHALLENGE, self.challenge), vendor(MICROSOFT, MS_CHAP_RESPONSE, answer)]
        else:
            self.answer = response(nt_hash(password), challenge_hash(self.peer, self.challenge, name))
            attributes += [vendor(MICROSOFT, MS_CHAP_CHALLENGE, self.challenge),
                           vendor(MICROSOFT, MS_CHAP2_RESPONSE, b"\x07\x00" + self.peer + bytes(8) + self.answer)]
        self.packet = client.build(attributes, typed, **how)

    def post(self):
        self.client.post(self.packet)
        return self

    def wait(self):
        self.reply = self.client.wait(self.packet)
        return self.reply

    def send(self):
        return self.post().wait()

    def got(self, kind):
        """Microsoft's attribute of the reply."""
        head = struct.pack("!IB", MICROSOFT, kind)
        return next((v[6:] for v in self.reply.all("Vendor-Specific") if v.startswith(head)), None)

    @property
    def proven(self):
        """An Access-Accept with what the method promises: for MS-CHAPv2 the server's proof and both keys."""
        if self.reply.code != "accept" or self.kind != "mschapv2":
            return self.reply.code == "accept"
        told = [key_of(self.got(k), self.packet, self.client.secret) for k in (SEND_KEY, RECV_KEY)]
        return (self.got(MS_CHAP2_SUCCESS) == b"\x07" + success(self.password, self.answer, self.peer, self.challenge, self.name).encode()
                and told == keys(self.password, self.answer))
