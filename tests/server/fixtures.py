"""Fixtures of the layers server and clients: one world for the whole run; a failed test prints its logs."""
import signal

import pytest

from place import Place


@pytest.fixture(scope="session")
def place():
    # Whoever ends the run early must not leave daemons behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    made = Place()
    yield made
    made.close()


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
