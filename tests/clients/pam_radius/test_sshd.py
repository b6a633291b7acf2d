"""A login to a host: sshd by keyboard-interactive, PAM, pam_radius. The Reply-Message is the prompt.

sshd reads /etc/pam.d/sshd and wants its users in /etc/passwd: it runs in a mount namespace of its own, with those from the test.
"""
import re
import shutil
import subprocess

from talk import Nas, Talk, configure, dialogues, nas_fixture, talk_fixture

INSIDE = """
set -e
mount --bind {folder}/pam.sshd /etc/pam.d/sshd
mount --bind {folder}/passwd /etc/passwd
mount -t tmpfs tmpfs /run
mkdir -m 755 /run/sshd
exec /usr/sbin/sshd -D -e -f {folder}/sshd_config
"""


class Sshd(Nas):
    def prepare(self, radius, address):
        folder = self.folder
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "host_key"], check=True)
        configure(__file__, "pam_radius.conf", folder / "pam_radius.conf", 0o600, port=radius.port, secret=radius.secret, address=address)
        configure(__file__, "pam.sshd", folder / "pam.sshd", folder=folder)
        configure(__file__, "sshd_config", folder / "sshd_config", port=self.port, folder=folder)
        shutil.copy("/etc/passwd", folder / "passwd")
        return ["unshare", "--mount", "sh", "-c", INSIDE.format(folder=folder)]

    def add(self, name):
        """A person of RADIUS has to be one of the host too."""
        with open(self.folder / "passwd", "a") as f:
            f.write(f"{name}:x:65533:65533::/nonexistent:/bin/sh\n")


class Ssh(Talk):
    prompt, within, accepted = r"(?s)\(\S+@127\.0\.0\.1\) [^\n]*:\s*\Z", 120, "let in"

    def command(self, name):
        host = self.nas[self.source]
        host.add(name)
        return ["ssh", "-F", "none", "-p", str(host.port), "-o", "PreferredAuthentications=keyboard-interactive", "-o",
                "NumberOfPasswordPrompts=1", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o",
                "LogLevel=ERROR", f"{name}@127.0.0.1", "echo let in"]

    def question(self, shown):
        return not self.message(shown).startswith("Password")

    def message(self, shown):
        return re.sub(r"(?s).*\(\S+@127\.0\.0\.1\) ", "", shown)


nas = nas_fixture(Sshd)
talk = talk_fixture(Ssh)


@dialogues(__file__)
def test_dialogue(dialogue, talk):
    talk.play(dialogue)
