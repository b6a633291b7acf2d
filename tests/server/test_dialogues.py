"""The dialogues of dialogues/*.txt, over real RADIUS."""
import pathlib

import pytest

from dialogue import Player, read

FILES = sorted((pathlib.Path(__file__).parent / "dialogues").glob("*.txt"))
DIALOGUES = [d for path in FILES for d in read(path)]


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=[f"{d.path.stem}: {d.title}" for d in DIALOGUES])
def test_dialogue(dialogue, place, server, make_server):
    Player(place, server, make_server).play(dialogue)
