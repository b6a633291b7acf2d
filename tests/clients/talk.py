"""Plays the dialogues of tests/server/dialogue.py through a real client: what its user types, and what is shown.

Apart from dialogue.py, which speaks RADIUS itself. Each folder here is a client: its configuration, dialogue.txt in the same form,
and how it is run. `< challenge TEXT` is the text above or before the prompt; what a client hides, its dialogue does not ask for.
`~ soon approve` lets the phone answer while the client waits.
"""
import os
import pathlib
import pty
import re
import select
import signal
import socket
import string
import subprocess
import threading
import types

import pytest

from dialogue import Player, read
from place import wait_for


def dialogues(beside):
    """The dialogues in the folder of a test, as its parameters."""
    found = read(pathlib.Path(beside).parent / "dialogue.txt")
    return pytest.mark.parametrize("dialogue", found, ids=[d.title for d in found])


def configure(beside, name, to, mode=0o644, /, **values):
    """Writes a file of the client's folder with its @NAME@ filled in."""
    class Template(string.Template):
        delimiter, pattern = "@", r"@(?:(?P<escaped>(?!))|(?P<named>[A-Z][A-Z0-9_]*)@|(?P<braced>(?!))|(?P<invalid>(?!)))"
    text = (pathlib.Path(beside).parent / name).read_text()
    to.write_text(Template(text).substitute({k.upper(): v for k, v in values.items()}))
    to.chmod(mode)
    return to


class Terminal:
    """A program that asks on its terminal. A prompt is where what it showed ends as `prompt` says."""

    def __init__(self, command, prompt, within):
        self.prompt, self.shown = re.compile(prompt), ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp("timeout", ["timeout", str(within), *map(str, command)])

    def more(self):
        """Reads on; False at the end."""
        if select.select([self.fd], [], [], 0.1)[0]:
            try:
                data = os.read(self.fd, 4096)
            except OSError:
                data = b""
            if not data:
                return False
            self.shown += data.decode(errors="replace").replace("\r", "")
        return True

    def next(self):
        """What it shows until the next prompt, and whether there is one."""
        while self.more():
            if self.prompt.search(self.shown):
                return self.shown, True
        return self.shown, False

    def answer(self, text):
        self.shown = ""
        os.write(self.fd, text.encode() + b"\n")

    def close(self):
        os.close(self.fd)
        try:
            os.kill(self.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)


class Talk(Player):
    """`begin` opens the client with the first answer, `send` answers it. command(name) is what is run."""
    prompt = within = accepted = nas = None

    def command(self, name):
        raise NotImplementedError

    def message(self, shown):
        """The question, of all that was shown before a prompt."""
        return shown

    terminal = soon = None

    def begin(self, text):
        self.hang_up()
        self.terminal = Terminal(self.command(self.person.name), self.prompt, self.within)
        shown, asked = self.terminal.next()
        assert asked, f"a first prompt: {shown}"
        self.answer(text)

    def send(self, text):
        if self.terminal is None:
            self.begin(text)
        else:
            self.answer(text)

    def answer(self, text):
        self.terminal.answer(self.fill(text))
        shown, asked = self.terminal.next()
        if asked:
            code = "challenge" if self.question(shown) else "reject"
        else:
            code = "accept" if self.accepted in shown else "reject"
        message = self.message(shown).strip()
        self.reply = types.SimpleNamespace(code=code, state=None, message=message + " " * message.endswith(":"), shown=shown)
        if code != "challenge":
            self.hang_up()

    def phone(self, text):
        if text.startswith("soon "):
            self.soon = threading.Thread(target=super().phone, args=[text.removeprefix("soon ")])
            self.soon.start()
        else:
            super().phone(text)

    def question(self, shown):
        """Is it another question of the same login? Many clients ask for the password again after a reject."""
        raise NotImplementedError

    def hang_up(self):
        if self.terminal is not None:
            self.terminal.close()
            self.terminal = None

    def end(self):
        self.hang_up()
        if self.soon is not None:
            self.soon.join()


class Nas:
    """A server that people log in to, which sends to RADIUS from an address of its own: that is what its clients are known by."""

    def __init__(self, folder, radius, address):
        self.folder, self.port = folder, free_tcp_port()
        command, log = self.prepare(radius, address), folder / "log"
        with open(log, "wb") as out:
            self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        listens(self.port, self.process, log)

    def prepare(self, radius, address):
        """Writes what it needs into its folder; how it is started."""
        raise NotImplementedError

    def close(self):
        self.process.terminate()
        self.process.wait(10)


def nas_fixture(kind):
    """For a test's module: one of this kind for each address that is asked for, `nas[address]`."""
    @pytest.fixture(scope="module")
    def nas(shared, tmp_path_factory):
        class ByAddress(dict):
            def __missing__(self, address):
                self[address] = kind(tmp_path_factory.mktemp(kind.__name__), shared, address)
                return self[address]
        made = ByAddress()
        yield made
        for one in made.values():
            one.close()
    return nas


def talk_fixture(client):
    """For a test's module: somebody with this client, before the `nas` that sends from the dialogue's address."""
    @pytest.fixture
    def talk(place, server, make_server, nas):
        made = client(place, server, make_server)
        made.nas = nas
        yield made
        made.end()
    return talk


def free_tcp_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listens(port, process, log):
    """Waits until somebody listens on a TCP port of loopback."""

    def there():
        assert process.poll() is None, log.read_text(errors="replace")
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0
    wait_for(there, f"port {port} listens")
