"""One server on the shipped files, for all tests that leave it as it is."""
import pytest

from eapol import access_point


@pytest.fixture(scope="session")
def wifi(place):
    server = access_point(place.server).start()
    yield server
    server.stop()
