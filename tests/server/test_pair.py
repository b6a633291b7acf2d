"""Two radiusd on one database, and clients that send each packet to the other one: a login is one login wherever its packets go."""
import itertools

import pytest

import world
from dialogue import Player
from test_dialogues import DIALOGUES


class Pair:
    """Two servers that look like one whose clients alternate."""

    def __init__(self, make_server, **variant):
        first = make_server(**variant)
        self.servers = (first, make_server(sections=(
            f"\n\tsms file {{\n\t\tpath = {world.quoted(first.outbox)}\n\t}}\n\tpush local {{\n\t}}\n"), **variant))
        self.texts, self.text_code = first.texts, first.text_code

    def start(self):
        for server in self.servers:
            server.start()
        return self

    def client(self, source):
        return Alternating([server.client(source) for server in self.servers])


class Alternating:
    def __init__(self, clients):
        self.clients = itertools.cycle(clients)

    def ask(self, *words, **how):
        return next(self.clients).ask(*words, **how)


@pytest.fixture(scope="module")
def pair(place):
    made = Pair(place.server).start()
    yield made
    for server in made.servers:
        server.stop()


# Those that wait for a time that is up are left out: they take it.
QUICK = [d for d in DIALOGUES if not any("push_timeout" in text for _, _, text in d.steps)]


@pytest.mark.parametrize("dialogue", QUICK, ids=[f"{d.path.stem}: {d.title}" for d in QUICK])
def test_dialogue(dialogue, place, pair, make_server):
    Player(place, pair, lambda **variant: Pair(make_server, **variant)).play(dialogue)
