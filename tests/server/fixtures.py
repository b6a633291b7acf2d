"""Fixtures of the layers server and clients: one world for the whole run; a failed test prints its logs."""
import signal
import time

import pytest

from place import Place, wait_for
from told import told


SEARCHED = pytest.StashKey()


def keeps_secrets(config, place, name):
    """The end of a world: in nothing that it wrote is a secret of its people, servers or questions."""
    try:
        place.mend()
        secrets, octets, lines = told(place)
        config.stash.setdefault(SEARCHED, []).append(f"{secrets} secrets in {octets} octets of logs and records of the {name}: {len(lines)} found")
        assert not lines, lines[:20]
    finally:
        place.close()


@pytest.fixture(scope="session")
def place(request):
    # Whoever ends the run early must not leave daemons behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    made = Place()
    yield made
    keeps_secrets(request.config, made, "shared world")


@pytest.fixture(scope="session")
def broken_before(request):
    """A world whose database may break: the shared one serves all others."""
    made = Place()
    yield made
    keeps_secrets(request.config, made, "frail world")


@pytest.fixture
def frail(broken_before):
    """It, running before and after a test."""
    broken_before.mend()
    yield broken_before
    broken_before.mend()


@pytest.fixture(scope="session")
def shared(place):
    """The shipped site with all settings at their defaults, for every test that does not change the server."""
    server = place.server().start()
    yield server
    server.stop()


@pytest.fixture
def server(shared):
    """The shared server, alive before and after."""
    if shared.stopped:
        shared.start()
    assert shared.radiusd.pid(), "the shared radiusd runs"
    yield shared
    assert shared.radiusd.pid(), "the shared radiusd still runs"


@pytest.fixture
def make_server(place):
    """Servers of a variant, stopped after the test."""
    made = []

    def make(**variant):
        made.append(place.server(**variant))
        return made[-1]
    yield make
    for server in made:
        server.stop()


@pytest.fixture
def client(server):
    return server.client()


@pytest.fixture
def recovers(record_property):
    """Waits until logins work again; the report of the run tells how long that took."""
    def wait(works, after, seconds=60):
        began = time.monotonic()
        wait_for(works, f"logins work again after: {after}", seconds)
        record_property(f"after {after}", f"logins again in {time.monotonic() - began:.2f} s")
    return wait


@pytest.fixture(autouse=True)
def marks(request):
    """Logs of a failed test begin where the test does."""
    place = request.getfixturevalue("place") if "place" in request.fixturenames else None
    for server in place.servers if place else ():
        server.mark()
    yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    report = outcome.get_result()
    place = item.funcargs.get("place") if hasattr(item, "funcargs") else None
    if report.failed and place is not None:
        for name, text in place.logs():
            report.sections.append((f"log of {name}", text))


def pytest_terminal_summary(terminalreporter, config):
    """What tests measured and did not judge."""
    lines = [f"{name}: {value}" for report in terminalreporter.getreports("passed") for name, value in report.user_properties]
    lines += config.stash.get(SEARCHED, [])
    if lines:
        terminalreporter.section("measured")
        for line in lines:
            terminalreporter.write_line(line)
