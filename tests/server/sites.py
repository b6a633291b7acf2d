"""Edits of the shipped site, for tests that go round the gate. Apart, because two files of tests use them."""
import hashlib
import re
import socket
import struct
import threading

from place import TOP

SITE = (TOP / "raddb/sites-available/wsmfa").read_text()


def section(site, name, indent=""):
    """Where the body of a section begins and ends."""
    head = re.search(rf"^{indent}{re.escape(name)} \{{\n", site, re.M)
    assert head, f"the site has a section {name}"
    end = re.search(rf"^{indent}\}}", site[head.end():], re.M)
    return head.end(), head.end() + end.start()


def first(name, text):
    """An edit that adds text at the beginning of a section."""
    return lambda site: site[:section(site, name)[0]] + text + site[section(site, name)[0]:]


def last(name, text):
    """... at its end."""
    return lambda site: site[:section(site, name)[1]] + text + site[section(site, name)[1]:]


def outside(text):
    return lambda site: site + text


def without(name, indent=""):
    """An edit that takes a section out."""
    def edit(site):
        start, end = section(site, name, indent)
        head = site.rindex("\n", 0, start - 1) + 1
        return site[:head] + site[site.index("\n", end) + 1:]
    return edit


def body(name, text, indent=""):
    """An edit that replaces what is in a section."""
    return lambda site: site[:section(site, name, indent)[0]] + text + site[section(site, name, indent)[1]:]


def replaced(old, new):
    def edit(site):
        assert old in site
        return site.replace(old, new, 1)
    return edit


def all_of(*edits):
    def edit(site):
        for e in edits:
            site = e(site)
        return site
    return edit


def control(text):
    return f"\tupdate control {{\n\t\t{text}\n\t}}\n"


def ungated(site):
    """The same site without the module: what the host does when nobody stands at the gate."""
    site = re.sub(r"^\s*wsmfa( \{[^}]*\})?\n", "", site, flags=re.M)
    site = site.replace("\t\tif (ok) {\n\t\t}\n", "")
    return first("authorize", control('&Auth-Type := WSMFA-Login') + control('&Cleartext-Password := "correct"'))(site)


class AcceptingHome:
    """A foreign home server that accepts everybody."""

    def __init__(self, secret=b"foreign"):
        self.secret = secret
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.asked = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                data, sender = self.socket.recvfrom(4096)
            except OSError:
                return
            self.asked += 1
            proxy_state = b"".join(self.attributes(data, 33))
            head = struct.pack("!BBH", 2, data[1], 20 + len(proxy_state))
            digest = hashlib.md5(head + data[4:20] + proxy_state + self.secret).digest()
            self.socket.sendto(head + digest + proxy_state, sender)

    @staticmethod
    def attributes(data, kind):
        at = 20
        while at < len(data):
            if data[at] == kind:
                yield data[at:at + data[at + 1]]
            at += data[at + 1]

    def realm(self):
        return (f"home_server foreign {{\n\ttype = auth\n\tipaddr = 127.0.0.1\n\tport = {self.port}\n"
                "\tsecret = foreign\n\tstatus_check = none\n}\n"
                "home_server_pool foreign {\n\thome_server = foreign\n}\n"
                "realm foreign {\n\tauth_pool = foreign\n}\n")

    def close(self):
        self.socket.close()
