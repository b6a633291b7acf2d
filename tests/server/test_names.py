"""Who is an account can't be told by time: a wrong password costs the same work for a known name and for any other.

Apart from test_bad_input.py, where what the reply says is compared. Distributions are printed. Compared are medians of samples taken
in turn, and how often the slower one of a pair is the known name: half of the time where nothing tells. Chance and other work of the
machine differ from one series to the next, so that one of three has to be even; what a login costs does not.
"""
import base64
import os
import statistics
import time

import pytest

import world
from place import Person

SAMPLES = int(os.environ.get("WSMFA_TIMINGS", 30))
FACTOR = 1.35  # between two medians
SLOWER = (0.25, 0.75)  # of 30 samples, three deviations of chance and more
CLOSE = 1.05  # medians so near that on a still machine the order of two samples means nothing


@pytest.fixture(scope="module")
def known(place):
    """Accounts as `wsmfactl account add` makes them, by what becomes of a login with the right password."""
    def person(kind):
        name = f"{kind.replace(' ', '-')}-{next(place.numbers)}"
        place.wsmfactl("account", "add", name, "--org", "Names", "--region", "EMEA", "--service", "elements", "--password-stdin",
                       stdin="the right one\n")
        return Person(place, place.value("select id from wsmfa.account where name = %s", name), name, "the right one")
    people = {kind: person(kind) for kind in ("enrolled", "not enrolled", "disabled", "waiting")}
    for kind in ("enrolled", "disabled", "waiting"):
        people[kind].add_totp()
    place.sql("update wsmfa.account set disabled_at = now() where id = %s", people["disabled"].id)
    place.sql("insert into wsmfa.station_wait (account_id, station, consecutive, waits, locked_until, at) "
              "select %s, 'client:' || c, 10, 1, now() + interval '1 hour', now() from unnest('{127.0.0.1,127.0.0.2}'::text[]) c",
              people["waiting"].id)
    return people


def measure(place, client, known, typed, samples):
    """Seconds of each kind's replies, taken in turn; and that nothing else tells them apart."""
    took = {kind: [] for kind in (*known, "unknown")}
    for _ in range(samples):
        replies = set()
        for kind, times in took.items():
            name = known[kind].name if kind in known else f"nobody-{next(place.numbers)}"
            packet = client.build([("User-Name", name)], typed)
            began = time.perf_counter()
            reply = client.send(packet)
            times.append(time.perf_counter() - began)
            replies.add((reply.code, reply.message, tuple(reply.names)))
        assert len(replies) == 1 and replies.pop()[0] == "reject"
    return took


def slower(took, kind):
    """How often the slower one of this kind and of nobody is of this kind."""
    times = took[kind]
    return sum((a > b) + (a == b) / 2 for a in times for b in took["unknown"]) / len(times) ** 2


def told(took):
    """Tenth, half and nine tenths of each kind's samples; how often a slower one of a pair is the known name."""
    lines = []
    for kind, times in took.items():
        tenths = statistics.quantiles(times, n=10)
        lines.append(f"{kind} {tenths[0] * 1e3:.2f} {tenths[4] * 1e3:.2f} {tenths[8] * 1e3:.2f} ms ({slower(took, kind):.2f})")
    return "; ".join(lines)


def even(took):
    medians = [statistics.median(times) for times in took.values()]
    apart = max(medians) / min(medians)
    return apart < CLOSE or (apart < FACTOR and all(SLOWER[0] < slower(took, kind) < SLOWER[1] for kind in took))


@pytest.mark.parametrize("source,typed", [("127.0.0.1", "a guess"), ("127.0.0.2", "a guess,123456")], ids=["challenge", "append"])
def test_known_and_unknown_names_take_the_same_time(place, server, known, record_property, source, typed):
    for _ in range(3):
        took = measure(place, server.client(source), known, typed, SAMPLES)
        record_property(f"wrong password at {source}, 10 50 90 % (slower than unknown)", told(took))
        if even(took):
            return
    raise AssertionError(told(took))


def cheaper(place, known):
    """A stored password of the kind that wsmfactl makes, of half its cost."""
    kind, count, salt, octets = place.value("select password from wsmfa.account where id = %s", known["enrolled"].id).split(":")
    half = int.from_bytes(base64.b64decode(count), "big") // 2
    return ":".join((kind, base64.b64encode(half.to_bytes(4, "big")).decode(), salt, octets))


@pytest.mark.parametrize("decoy", ["without work", "of half the work"])
def test_control_of_another_cost(place, make_server, known, record_property, decoy):
    """Time would tell, and the comparison above would see it."""
    stored = "{clear}x" if decoy == "without work" else cheaper(place, known)
    server = make_server(settings={"decoy_password": world.quoted(stored)}).start()
    took = measure(place, server.client(), known, "a guess", SAMPLES)
    record_property(f"the same with a decoy {decoy}", told(took))
    assert not even(took), told(took)
