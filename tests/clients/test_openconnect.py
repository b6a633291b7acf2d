"""A VPN: ocserv, which asks RADIUS through radcli, and openconnect, whose user sees the Reply-Message above the prompt."""
import os
import pty
import re
import select
import socket
import subprocess
import time

import pytest

from place import wait_for

RADCLI = """
nas-identifier ocserv
authserver 127.0.0.1:{port}
acctserver 127.0.0.1:{port}
servers {folder}/servers
dictionary {folder}/dictionary
default_realm
radius_timeout 30
radius_retries 1
bindaddr *
"""
# radcli 1.2.11 has no $INCLUDE of the server's dictionaries; ocserv needs these.
DICTIONARY = """
ATTRIBUTE User-Name 1 string
ATTRIBUTE Password 2 string
ATTRIBUTE NAS-IP-Address 4 ipaddr
ATTRIBUTE NAS-Port-Id 5 integer
ATTRIBUTE Service-Type 6 integer
ATTRIBUTE Framed-Protocol 7 integer
ATTRIBUTE Framed-IP-Address 8 ipaddr
ATTRIBUTE Reply-Message 18 string
ATTRIBUTE State 24 string
ATTRIBUTE Class 25 string
ATTRIBUTE Session-Timeout 27 integer
ATTRIBUTE Calling-Station-Id 31 string
ATTRIBUTE NAS-Identifier 32 string
ATTRIBUTE Proxy-State 33 string
ATTRIBUTE Acct-Session-Id 44 string
ATTRIBUTE NAS-Port-Type 61 integer
ATTRIBUTE Connect-Info 77 string
ATTRIBUTE Message-Authenticator 80 string
"""
OCSERV = """
auth = "radius[config={folder}/radcli.conf]"
tcp-port = {port}
listen-host = 127.0.0.1
run-as-user = nobody
run-as-group = nogroup
socket-file = {folder}/socket
server-cert = {folder}/cert.pem
server-key = {folder}/key.pem
isolate-workers = false
max-clients = 16
max-ban-score = 0
device = wsmfatest
ipv4-network = 192.0.2.0/24
cookie-timeout = 60
auth-timeout = 100
pid-file = {folder}/pid
"""


class Vpn:
    def __init__(self, folder, radius):
        self.folder = folder
        folder.chmod(0o755)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-subj", "/CN=127.0.0.1", "-days", "2", "-keyout", folder / "key.pem", "-out",
                        folder / "cert.pem"], check=True, capture_output=True)
        (folder / "radcli.conf").write_text(RADCLI.format(port=radius.port, folder=folder))
        (folder / "servers").write_text(f"127.0.0.1 {radius.secret}\n")
        (folder / "dictionary").write_text(DICTIONARY)
        (folder / "ocserv.conf").write_text(OCSERV.format(port=self.port, folder=folder))
        self.log = open(folder / "ocserv.log", "wb")
        self.process = subprocess.Popen(["ocserv", "-f", "-d", "1", "-c", folder / "ocserv.conf"], cwd=folder,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_for(self.listens, "ocserv listens")

    def listens(self):
        assert self.process.poll() is None, (self.folder / "ocserv.log").read_text()
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()

    def login(self, user, *answers):
        """What openconnect's user sees, and whether it got a cookie. An answer may be a function of what was seen."""
        waiting, seen, asked = list(answers), "", 0
        pid, fd = pty.fork()
        if pid == 0:
            os.execvp("openconnect", ["openconnect", "--authenticate", "--protocol=anyconnect", "--no-dtls", "-u", user,
                                      "--servercert", self.pin(), f"https://127.0.0.1:{self.port}"])
        deadline = time.monotonic() + 60
        try:
            while time.monotonic() < deadline:
                if not select.select([fd], [], [], 1)[0]:
                    continue
                try:
                    data = os.read(fd, 4096)
                except OSError:
                    break
                if not data:
                    break
                seen += data.decode(errors="replace")
                if len(re.findall(r"^Password\d*:", seen, re.M)) > asked:
                    asked += 1
                    if not waiting:
                        break
                    answer = waiting.pop(0)
                    os.write(fd, (answer(seen) if callable(answer) else answer).encode() + b"\n")
        finally:
            os.close(fd)
            try:
                os.kill(pid, 15)
            except ProcessLookupError:
                pass
            os.waitpid(pid, 0)
        return "COOKIE=" in seen, seen

    def pin(self):
        done = subprocess.run(
            f"openssl x509 -in {self.folder}/cert.pem -pubkey -noout | openssl pkey -pubin -outform der | "
            "openssl dgst -sha256 -binary | base64", shell=True, capture_output=True, text=True, check=True)
        return "pin-sha256:" + done.stdout.strip()


@pytest.fixture(scope="module")
def vpn(shared, tmp_path_factory):
    made = Vpn(tmp_path_factory.mktemp("ocserv"), shared)
    for folder in made.folder.parents:
        if folder.name.startswith("pytest-"):
            folder.chmod(0o755)
    yield made
    made.close()


def test_password_and_code(place, vpn):
    person = place.person(totp=True)
    ok, seen = vpn.login(person.name, person.password, lambda _: person.code())
    assert ok, seen
    assert "Enter the code" in seen


def test_wrong_code_then_right(place, vpn):
    person = place.person(totp=True)
    ok, seen = vpn.login(person.name, person.password, person.wrong_code(), lambda _: person.code())
    assert ok, seen
    assert "not right" in seen


def test_wrong_password(place, vpn):
    person = place.person(totp=True)
    ok, seen = vpn.login(person.name, "wrong")
    assert not ok and "Enter the code" not in seen


def test_wrong_codes(place, vpn):
    person = place.person(totp=True)
    ok, seen = vpn.login(person.name, person.password, *[person.wrong_code() for _ in range(3)])
    assert not ok, seen


def test_states_are_followed_many_times(place, vpn):
    """ocserv cuts a State at its first NUL octet, which 16 raw octets have in one of seventeen; ours is printable."""
    for _ in range(8):
        person = place.person(totp=True)
        ok, seen = vpn.login(person.name, person.password, lambda _, person=person: person.code())
        assert ok, seen
