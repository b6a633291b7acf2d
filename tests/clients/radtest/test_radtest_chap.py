"""radtest with CHAP and MS-CHAP, as an administrator types it: the phone rings, and what would need typing is refused."""
import subprocess
import threading

import pytest

from place import SECRET, wait_for
from pushes import answer, pending

KINDS = ["chap", "mschap"]


def radtest(server, kind, person, password=None):
    """What it prints."""
    command = ["radtest", "-t", kind, person.name, password or person.password, f"127.0.0.1:{server.port}", "0", SECRET]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("approve", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_push(place, server, kind, approve):
    person = place.person(push=True)
    phone = threading.Thread(target=lambda: answer(place, pending(place, person), approve))
    phone.start()
    said = radtest(server, kind, person)
    phone.join()
    assert f"Received Access-{'Accept' if approve else 'Reject'}" in said
    assert ("MS-CHAP-MPPE-Keys" in said) == (approve and kind == "mschap")


@pytest.mark.parametrize("kind", KINDS)
def test_what_needs_typing(place, server, kind):
    person = place.person(totp=True)
    assert "Received Access-Reject" in radtest(server, kind, person)
    wait_for(lambda: f'"{person.name}" from 127.0.0.1 refused: denied no_usable_method' in server.fresh_log(), "the log says why", 5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_password(place, server, kind):
    person = place.person(push=True)
    assert "Received Access-Reject" in radtest(server, kind, person, "wrong")
    place.event(person.name, "failed_first_factor", "wrong_password")
