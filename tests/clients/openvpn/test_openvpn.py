"""OpenVPN with its RADIUS plugin, which knows no challenge: the code is typed behind the password."""
import os
import pathlib
import random
import subprocess
import types

import pytest

from world import free_port
from talk import Talk, configure, dialogues, free_tcp_port, listens

PLUGIN = "/usr/lib/openvpn/radiusplugin.so"


class Openvpn(Talk):
    """One login is one run of the client, with user and password in a file."""
    folder = None

    def send(self, text):
        name = self.person.name
        login = self.folder / "login"
        login.write_text(f"{name}\n{self.fill(text)}\n")
        login.chmod(0o600)
        client = subprocess.Popen(["timeout", "60", "openvpn", "--config", self.folder / "client.conf"], cwd=self.folder, text=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        seen = []
        for line in client.stdout:
            seen.append(line)
            if "Initialization Sequence Completed" in line or "AUTH_FAILED" in line:
                break
        client.terminate()
        client.communicate()
        said = "".join(seen)
        assert "Completed" in said or "AUTH_FAILED" in said, said
        self.reply = types.SimpleNamespace(code="accept" if "Completed" in said else "reject", message="", state=None, shown=said)

    begin = send


@pytest.fixture(scope="module")
def vpn(place, tmp_path_factory):
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("this kernel has no tunnel devices")
    # The plugin reads four digits of a port, and throws out whom no accounting server knows.
    auth, acct = [p for p in random.sample(range(2000, 10000), 1000) if free_port(p) == p][:2]
    accounting = (pathlib.Path(__file__).parent / "accounting.conf").read_text().replace("@PORT@", str(acct))
    radius = place.server(clients={"127.0.0.1": {"wsmfa_mode": "append"}}, port=auth, files={"sites-enabled/accounting": accounting}).start()
    folder, port = tmp_path_factory.mktemp("openvpn"), free_tcp_port()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=vpn",
                    "-days", "2", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
    configure(__file__, "radius.cnf", folder / "radius.cnf", auth=auth, acct=acct, secret=radius.secret, folder=folder)
    configure(__file__, "server.conf", folder / "server.conf", port=port, folder=folder, plugin=PLUGIN)
    configure(__file__, "client.conf", folder / "client.conf", port=port, folder=folder)
    log = folder / "openvpn.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(["openvpn", "--config", folder / "server.conf"], cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        listens(port, process, log)
        yield types.SimpleNamespace(folder=folder, radius=radius)
    finally:
        process.terminate()
        process.wait(10)
        radius.stop()


@pytest.fixture
def talk(place, make_server, vpn):
    made = Openvpn(place, vpn.radius, make_server)
    made.folder = vpn.folder
    yield made
    made.end()


@dialogues(__file__)
def test_dialogue(dialogue, talk):
    talk.play(dialogue)
