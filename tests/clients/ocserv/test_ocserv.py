"""A VPN: ocserv, which asks RADIUS through radcli, and openconnect, whose user sees the question above the prompt."""
import os
import re
import select
import subprocess

from talk import Nas, Talk, Terminal, configure, dialogues, nas_fixture, talk_fixture

LOGINS = int(os.environ.get("WSMFA_CLIENT_LOGINS", "300"))
AT_ONCE = 8


class Ocserv(Nas):
    def prepare(self, radius, address):
        folder = self.folder
        for above in (folder, *folder.parents):
            if above.name.startswith("pytest-"):
                above.chmod(0o755)
        folder.chmod(0o755)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-subj", "/CN=127.0.0.1", "-days", "2", "-keyout", folder / "key.pem", "-out",
                        folder / "cert.pem"], check=True, capture_output=True)
        key = subprocess.run(f"openssl x509 -in {folder}/cert.pem -pubkey -noout | openssl pkey -pubin -outform der | "
                             "openssl dgst -sha256 -binary | base64", shell=True, capture_output=True, text=True, check=True)
        self.pin = "pin-sha256:" + key.stdout.strip()
        configure(__file__, "radcli.conf", folder / "radcli.conf", port=radius.port, folder=folder, address=address)
        configure(__file__, "dictionary", folder / "dictionary")
        configure(__file__, "ocserv.conf", folder / "ocserv.conf", port=self.port, folder=folder)
        (folder / "servers").write_text(f"127.0.0.1 {radius.secret}\n")
        return ["ocserv", "-f", "-d", "1", "-c", folder / "ocserv.conf"]


class Openconnect(Talk):
    prompt, within, accepted = r"(?m)^Password\d*:\s*\Z", 90, "COOKIE="

    def command(self, name):
        vpn = self.nas[self.source]
        return ["openconnect", "--authenticate", "--protocol=anyconnect", "--no-dtls", "-u", name, "--servercert", vpn.pin,
                f"https://127.0.0.1:{vpn.port}"]

    def question(self, shown):
        return re.search(r"^Password\d+:\s*\Z", shown, re.M)

    def message(self, shown):
        lines = [line for line in shown.splitlines() if line.strip()]
        return lines[-2] if self.question(shown) and len(lines) > 1 else shown


nas = nas_fixture(Ocserv)
talk = talk_fixture(Openconnect)


@dialogues(__file__)
def test_dialogue(dialogue, talk):
    talk.play(dialogue)


def test_many_logins_in_a_row(place, talk):
    """ocserv cuts a State at its first NUL octet, which 16 raw octets have in one of seventeen; ours is printable."""
    open_, begun, accepted = {}, 0, 0
    try:
        while accepted < LOGINS:
            while len(open_) < AT_ONCE and begun < LOGINS:
                person = place.person(totp=True)
                terminal = Terminal(talk.command(person.name), talk.prompt, talk.within)
                open_[terminal.fd] = terminal, [person.password, person.code]
                begun += 1
            for fd in select.select(list(open_), [], [], talk.within)[0]:
                terminal, answers = open_[fd]
                if not terminal.more():
                    assert talk.accepted in terminal.shown, f"login {accepted + 1}: {terminal.shown}"
                    terminal.close()
                    del open_[fd]
                    accepted += 1
                elif terminal.prompt.search(terminal.shown):
                    assert answers, f"login {accepted + 1} was asked once more: {terminal.shown}"
                    answer = answers.pop(0)
                    terminal.answer(answer() if callable(answer) else answer)
    finally:
        for terminal, _ in open_.values():
            terminal.close()
