"""EAP on the shipped files, as an access point sends it: the tunnel proves the inner identity, the outer request waits for the phone."""
import json
import re
import time

import pytest

from eapol import METHODS, SITE, STATION, Phone, access_point, connect, logged

PASSWORDS = sorted(METHODS.keys() - {"TTLS-EAP-TLS"})
DENIED = ["TTLS-PAP", "PEAP-MSCHAPv2"]


@pytest.mark.parametrize("method", PASSWORDS)
def test_approved(place, wifi, tmp_path, method):
    person = place.person(push=True)
    with Phone(place, person) as phone:
        ended = connect(wifi, tmp_path, method, person)
    assert ended.accepted, ended.said[-3000:]
    assert ended.attributes[0] == "Message-Authenticator" and "Reply-Message" not in ended.attributes
    assert phone.rang == 1
    assert place.event(person.name, "accepted", "approved")["calling_station"] == STATION


@pytest.mark.parametrize("method", DENIED)
def test_denied(place, wifi, tmp_path, method):
    person = place.person(push=True)
    with Phone(place, person, approve=False):
        ended = connect(wifi, tmp_path, method, person)
    assert ended.refused, ended.said[-3000:]
    assert place.event(person.name, "failed_second_factor")["method"] == "push"


def test_nobody_answers(place, wifi, tmp_path):
    """The access point repeats its packet meanwhile: all copies are answered, and once."""
    person = place.person(push=True)
    ended = connect(wifi, tmp_path, "PEAP-MSCHAPv2", person)
    assert ended.refused, ended.said[-3000:]
    assert "Resending RADIUS message" in ended.said
    assert place.value("select count(*) from wsmfa.sent where account_id = %s", person.id) == 1
    place.event(person.name, "expired")


@pytest.mark.parametrize("method", PASSWORDS)
def test_wrong_password(place, wifi, tmp_path, method):
    person = place.person(push=True)
    ended = connect(wifi, tmp_path, method, person, "wrong")
    assert ended.refused, ended.said[-3000:]
    assert place.sql("select 1 from wsmfa.challenge where account_id = %s", person.id) == []
    assert place.event(person.name, "failed_first_factor", "wrong_password")["calling_station"] == STATION
    logged(wifi, f'"{person.name}" from 127.0.0.1 refused: failed_first_factor')


def test_nobody_of_that_name(place, wifi, tmp_path):
    person = place.person()
    assert connect(wifi, tmp_path, "TTLS-PAP", person, name="stranger").refused
    logged(wifi, '"stranger" from 127.0.0.1 refused: failed_first_factor')


@pytest.mark.parametrize("method", DENIED)
def test_who_must_type_a_code_is_refused(place, wifi, tmp_path, method):
    person = place.person(totp=True, sms="+358401234567", recovery=True)
    assert connect(wifi, tmp_path, method, person).refused
    place.event(person.name, "denied", "no_usable_method")
    logged(wifi, f'"{person.name}" from 127.0.0.1 refused: denied no_usable_method')


def test_who_has_nothing_yet_is_refused(place, wifi, tmp_path):
    person = place.person()
    assert connect(wifi, tmp_path, "PEAP-MSCHAPv2", person).refused
    logged(wifi, f'"{person.name}" from 127.0.0.1 refused: denied enrollment_required')


@pytest.mark.parametrize("method", DENIED)
def test_not_asked(place, wifi, tmp_path, method):
    person = place.person(organization=place.observed())
    ended = connect(wifi, tmp_path, method, person)
    assert ended.accepted, ended.said[-3000:]
    assert ended.value("User-Name") == person.name


def test_the_announcement_stays_out_of_eap(place, wifi, tmp_path):
    """Its text may not stand beside an EAP-Message (RFC 3579 section 2.6.5)."""
    person = place.person(organization=place.announced())
    ended = connect(wifi, tmp_path, "PEAP-MSCHAPv2", person)
    assert ended.accepted and "Reply-Message" not in ended.attributes, ended.said[-3000:]
    assert place.event(person.name, "accepted")["decision"] == "accept_with_banner"


@pytest.mark.parametrize("source", ["127.0.0.2", "127.0.0.3"])
def test_clients_that_are_said_to_ask(place, wifi, tmp_path, source):
    """Whatever clients.conf says: EAP is asked for nothing, neither a code nor an enrolment nor whether the announcement was read."""
    pushed, typing, new = place.person(push=True, totp=True), place.person(totp=True), place.person()
    with Phone(place, pushed):
        assert connect(wifi, tmp_path, "PEAP-MSCHAPv2", pushed, source=source).accepted
    assert connect(wifi, tmp_path, "PEAP-MSCHAPv2", typing, source=source).refused
    logged(wifi, f'"{typing.name}" from {source} refused: denied no_usable_method')
    assert connect(wifi, tmp_path, "PEAP-MSCHAPv2", new, source=source).refused
    logged(wifi, f'"{new.name}" from {source} refused: denied enrollment_required')
    assert connect(wifi, tmp_path, "PEAP-MSCHAPv2", place.person(organization=place.announced()), source=source).accepted


@pytest.mark.parametrize("kind, method, good", [
    ("{nt}%s", "PEAP-MSCHAPv2", True), ("{nt}%s", "PEAP-GTC", True), ("{crypt}%s", "TTLS-PAP", True), ("{crypt}%s", "PEAP-GTC", True),
    ("{crypt}%s", "PEAP-MSCHAPv2", False)])
def test_stored_passwords(place, wifi, tmp_path, kind, method, good):
    """The NT hash of "password" and a crypt of it: MSCHAPv2 can do with the first and not with the second."""
    value = {"{nt}%s": "8846f7eaee8fb117ad06bdd830b7586c", "{crypt}%s": "$1$abcdefgh$G//4keteveJp0qb8z2DxG/"}[kind]
    person = place.person(organization=place.observed(), password="password")
    place.sql("update wsmfa.account set password = %s where id = %s", kind % value, person.id)
    ended = connect(wifi, tmp_path, method, person)
    assert ended.accepted if good else ended.refused, ended.said[-3000:]


def test_other_logins_of_an_access_point(place, wifi):
    """Its administrators type passwords; who sends no EAP goes through the same gate."""
    quiet, pushed = place.person(organization=place.observed()), place.person(push=True)
    with wifi.client() as client:
        assert client.ask(quiet.name, quiet.password).code == client.ask(quiet.name, chap=quiet.password).code == "accept"
        assert client.ask(quiet.name, "wrong").code == "reject"
        with Phone(place, pushed, approve=False):
            assert client.ask(pushed.name, pushed.password, station="desk").code == "reject"


def test_wrong_passwords_are_delayed(place, make_server, tmp_path):
    """After several by delay_max and not by the host's own second: the tunnel counts with all others, the outer reply waits."""
    server, person = access_point(make_server, server={"reject_delay": 1}).start(), place.person()
    crowd = [server.client() for _ in range(6)]
    asked = [client.post(client.build([("User-Name", person.name)], "wrong")) for client in crowd]
    assert all(client.wait(packet).code == "reject" for client, packet in zip(crowd, asked))
    for method in DENIED:
        began = time.monotonic()
        assert connect(server, tmp_path, method, person, "wrong").refused
        assert time.monotonic() - began > 1.9


def test_a_server_of_its_own(place, make_server, tmp_path):
    """Without sites-available/wsmfa, with the commented lines taken into use."""
    site = re.sub(r"^#(\$INCLUDE|listen \{|\t|\})", r"\1", SITE, flags=re.M)
    assert site.count("\nlisten {\n\ttype = auth\n\tipaddr = *\n\tport = 0\n}\n") == 1
    server, person = make_server(site=site, modules=("wsmfa-eap",), clients={"127.0.0.1": {"wsmfa_mode": "wait"}}).start(), place.person(push=True)
    with Phone(place, person):
        assert connect(server, tmp_path, "PEAP-MSCHAPv2", person).accepted


def test_doctor_is_content(place, wifi):
    """The site of the tunnel has no gate and needs none: nobody comes to it over the network."""
    found = json.loads(place.wsmfactl("doctor", "--json", "--raddb", wifi.radiusd.raddb, check=False).stdout)
    assert [f["status"] for f in found if f["check"] == "site"] == ["ok"]
