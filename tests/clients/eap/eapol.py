"""eapol_test in place of an access point and a device, and the files that are shipped for them.

Apart from the tests, because those of what must work and those of ways round share it.
"""
import dataclasses
import re
import subprocess
import threading

from place import SECRET, TOP, wait_for
from talk import configure

SITE = (TOP / "raddb/sites-available/wsmfa-eap").read_text()
MODULES = (TOP / "raddb/mods-available/wsmfa-eap").read_text()
CERTIFICATE, KEY = "/etc/ssl/certs/ssl-cert-snakeoil.pem", "/etc/ssl/private/ssl-cert-snakeoil.key"
STATION = "02-00-00-00-00-01"
# Method of the outer conversation, and of the inner one.
METHODS = {"TTLS-PAP": ("TTLS", "auth=PAP"), "PEAP-MSCHAPv2": ("PEAP", "auth=MSCHAPV2"), "PEAP-GTC": ("PEAP", "auth=GTC"),
           "TTLS-CHAP": ("TTLS", "auth=CHAP"), "TTLS-MSCHAP": ("TTLS", "auth=MSCHAP"), "TTLS-MSCHAPv2": ("TTLS", "auth=MSCHAPV2"),
           "TTLS-EAP-MSCHAPv2": ("TTLS", "autheap=MSCHAPV2"), "TTLS-EAP-GTC": ("TTLS", "autheap=GTC"),
           "TTLS-EAP-TLS": ("TTLS", "autheap=TLS")}
# As the guide has it, and as somebody may write it who thinks that EAP can be asked.
CLIENTS = {"127.0.0.1": {"wsmfa_mode": "wait"}, "127.0.0.2": {"wsmfa_enroll": "yes", "wsmfa_banner": "challenge"},
           "127.0.0.3": {"wsmfa_mode": "append"}}


def access_point(make, site=SITE, modules=MODULES, **variant):
    """A server with the shipped files in use, and access points at loopback."""
    variant.setdefault("settings", {"push_timeout": 10})
    return make(modules=("wsmfa-eap",), clients={address: {"virtual_server": "wsmfa-eap", **items} for address, items in CLIENTS.items()},
                files={"mods-available/wsmfa-eap": modules, "sites-enabled/wsmfa-eap": site, **variant.pop("files", {})}, **variant)


@dataclasses.dataclass
class Ended:
    """How a login ended: the last RADIUS packet, the last EAP packet, and whether both sides have the same keys."""
    code: str
    attributes: list
    eap: str
    keys: bool
    success: bool
    said: str

    @property
    def accepted(self):
        return self.success and self.keys and (self.code, self.eap) == ("Access-Accept", "Success")

    @property
    def refused(self):
        """As the standards want it: signed first, EAP-Failure, nothing of a session."""
        return (not self.success and not self.keys and (self.code, self.eap) == ("Access-Reject", "Failure")
                and self.attributes == ["Message-Authenticator", "EAP-Message"])

    def value(self, attribute):
        return re.search(rf"\({attribute}\) length=\d+\n\s+Value: '?([^'\n]*)", self.last)[1]

    @property
    def last(self):
        return self.said[self.said.rindex("RADIUS message: code="):]

    def sent(self, attribute):
        """Its values in all packets to the server."""
        return re.findall(rf"\({attribute}\) length=\d+\n\s+Value: '?([^'\n]*)", self.said)


def read(said):
    packets = re.split(r"^RADIUS message: code=\d+ ", said, flags=re.M)
    last = packets[-1]
    eap = re.findall(r"^decapsulated EAP packet .*: EAP (?:Request-)?(\S+)", said, re.M)
    lines = re.match(r"\(([\w-]+)\)[^\n]*\n((?:   [^\n]*\n)*)", last)
    return Ended(lines[1], re.findall(r"^   Attribute \d+ \(([\w-]+)\)", lines[2], re.M), eap[-1] if eap else None,
                 "MPPE keys OK: 1  mismatch: 0" in said, said.rstrip().endswith("SUCCESS"), said)


def connect(server, folder, method, person, password=None, outer="anonymous", name=None, again=0, source="127.0.0.1"):
    """A device logs in; `again` times more it comes back with the TLS session of before."""
    kind, phase2 = METHODS.get(method, (method, ""))
    conf = configure(__file__, "eapol.conf", folder / "eapol.conf", method=kind, outer=outer, name=name or person.name, phase2=phase2,
                     password=person.password if password is None else password, certificate=CERTIFICATE, key=KEY)
    command = ["eapol_test", "-c", conf, "-a", "127.0.0.1", "-p", str(server.port), "-s", SECRET, "-r", str(again), "-t", "25",
               "-A", source, "-M", STATION.replace("-", ":")]
    ended = read(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    if "auth=" in phase2:
        assert f"Phase2 type: {phase2.removeprefix('auth=')}" in ended.said or kind == "PEAP", "the inner method is the one that was asked for"
    return ended


class Phone:
    """Answers every push of an account while a login runs. `rang` is how many there were."""

    def __init__(self, place, person, approve=True):
        self.place, self.person, self.approve, self.over = place, person, approve, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over.wait(0.05):
            for (push,) in self.place.sql("select id from wsmfa.challenge where account_id = %s and push_state = 'pending'", self.person.id):
                self.place.sql("select wsmfa.answer_push(%s, %s)", push, self.approve)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    @property
    def rang(self):
        return self.place.value("select count(*) from wsmfa.sent where account_id = %s", self.person.id)


def logged(server, *words):
    """Waits for a line of the log with all of these in it."""
    return wait_for(lambda: next((line for line in server.fresh_log().splitlines() if all(w in line for w in words)), None),
                    f"the log has a line with {words}", 5)
