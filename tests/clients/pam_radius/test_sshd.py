"""A login to a host: sshd by keyboard-interactive, PAM, pam_radius. The Reply-Message is the prompt.

sshd reads /etc/pam.d/sshd and wants its users in /etc/passwd: it runs in a mount namespace of its own, with those from the test.
"""
import re
import shutil
import subprocess

import pytest

from talk import Talk, configure, dialogues, free_tcp_port, listens

INSIDE = """
set -e
mount --bind {folder}/pam.sshd /etc/pam.d/sshd
mount --bind {folder}/passwd /etc/passwd
mount -t tmpfs tmpfs /run
mkdir -m 755 /run/sshd
exec /usr/sbin/sshd -D -e -f {folder}/sshd_config
"""


class Host:
    """One sshd, whose pam_radius sends from an address of its own."""

    def __init__(self, folder, radius, address):
        self.folder, self.port = folder, free_tcp_port()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "host_key"], check=True)
        configure(__file__, "pam_radius.conf", folder / "pam_radius.conf", 0o600, port=radius.port, secret=radius.secret, address=address)
        configure(__file__, "pam.sshd", folder / "pam.sshd", folder=folder)
        configure(__file__, "sshd_config", folder / "sshd_config", port=self.port, folder=folder)
        shutil.copy("/etc/passwd", folder / "passwd")
        log = folder / "sshd.log"
        with open(log, "wb") as out:
            self.process = subprocess.Popen(["unshare", "--mount", "sh", "-c", INSIDE.format(folder=folder)], cwd="/",
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        listens(self.port, self.process, log)

    def add(self, name):
        """A person of RADIUS has to be one of the host too."""
        with open(self.folder / "passwd", "a") as f:
            f.write(f"{name}:x:65533:65533::/nonexistent:/bin/sh\n")

    def close(self):
        self.process.terminate()
        self.process.wait(10)


class Ssh(Talk):
    prompt, within, accepted = r"(?s)\(\S+@127\.0\.0\.1\) [^\n]*:\s*\Z", 120, "let in"
    hosts = None

    def command(self, name):
        host = self.hosts[self.source]
        host.add(name)
        return ["ssh", "-F", "none", "-p", str(host.port), "-o", "PreferredAuthentications=keyboard-interactive", "-o",
                "NumberOfPasswordPrompts=1", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o",
                "LogLevel=ERROR", f"{name}@127.0.0.1", "echo let in"]

    def question(self, shown):
        return not self.message(shown).startswith("Password")

    def message(self, shown):
        return re.sub(r"(?s).*\(\S+@127\.0\.0\.1\) ", "", shown)


@pytest.fixture(scope="module")
def hosts(shared, tmp_path_factory):
    """By the address they send from."""
    class Hosts(dict):
        def __missing__(self, address):
            self[address] = Host(tmp_path_factory.mktemp("sshd"), shared, address)
            return self[address]
    made = Hosts()
    yield made
    for host in made.values():
        host.close()


@pytest.fixture
def talk(place, server, make_server, hosts):
    made = Ssh(place, server, make_server)
    made.hosts = hosts
    yield made
    made.end()


@dialogues(__file__)
def test_dialogue(dialogue, talk):
    talk.play(dialogue)
