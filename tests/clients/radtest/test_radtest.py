"""radtest and radclient, as an administrator types them: what they print is what is looked at."""
import re
import subprocess
import types

import pytest

from dialogue import Player
from talk import dialogues

FIRST = "127.0.0.1"


def printed(text):
    """The answer as radclient prints it."""
    code = re.search(r"^Received Access-(Accept|Reject|Challenge) Id", text, re.M)
    values = dict(re.findall(r"^\t([\w-]+) = (.*)$", text[code.start():], re.M))
    message = re.sub(r'\\(.)', r"\1", values.get("Reply-Message", '""')[1:-1])
    return types.SimpleNamespace(code=code.group(1).lower(), message=message, state=values.get("State"))


class Radtest(Player):
    def send(self, text):
        password, name = self.fill(text), self.person.name
        server, secret = f"127.0.0.1:{self.server.port}", self.server.secret
        if self.state is None and self.source == FIRST:
            command, packet = ["radtest", name, password, server, "0", secret], None
        else:
            command = ["radclient", "-x", "-r", "1", "-t", "10", server, "auth", secret]
            packet = f'User-Name={name}, User-Password="{password}", Packet-Src-IP-Address={self.source}'
            packet += f", State={self.state}, Message-Authenticator=0x00" if self.state else ", Message-Authenticator=0x00"
        done = subprocess.run(command, input=packet, stdin=None if packet else subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.reply = printed(done.stdout)
        self.state = self.reply.state if self.reply.code == "challenge" else None


@pytest.fixture
def talk(place, server, make_server):
    return Radtest(place, server, make_server)


@dialogues(__file__)
def test_dialogue(dialogue, talk):
    talk.play(dialogue)
