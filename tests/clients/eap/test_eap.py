"""EAP as an access point sends it: the tunnel proves the inner identity, the outer request waits for the phone."""
import re
import subprocess
import threading

import pytest

from place import SECRET, TOP, wait_for, world
from talk import configure

COMMENTED = re.compile(r"^#(\t+(?:update control \{|&Allow-Session-Resumption|eap\b|ok = return|Auth-Type eap|if \(ok\)|wsmfa$|\})"
                       r".*)$", re.M)
METHODS = {"TTLS-PAP": ("TTLS", "auth=PAP"), "PEAP-MSCHAPv2": ("PEAP", "auth=MSCHAPV2"),
           "TTLS-MSCHAPv2": ("TTLS", "auth=MSCHAPV2")}


def with_eap(site):
    """The lines of eap, taken into use as the site's remarks say."""
    out = COMMENTED.sub(r"\1", site)
    assert len(re.findall(r"^\t+(?:Auth-Type )?eap\b", out, re.M)) == 3
    return out


def with_tunnel(make, edit=with_eap, cache=""):
    eap = (world.SYSTEM_RADDB / "mods-available/eap").read_text().replace('"inner-tunnel"', '"wsmfa-tunnel"')
    tunnel = (TOP / "raddb/sites-available/wsmfa-tunnel").read_text()
    return make(edit=edit, modules=("eap",), settings={"push_timeout": 10}, clients={"127.0.0.1": {}}, files={
        "mods-available/eap": eap.replace("\t\t\tenable = no\n", cache or "\t\t\tenable = no\n", 1),
        "sites-enabled/wsmfa-tunnel": tunnel})


@pytest.fixture(scope="module")
def access_point(place):
    server = with_tunnel(place.server)
    server.radiusd.start()
    yield server
    server.stop()


def eapol(server, folder, method, name, password, again=0):
    kind, phase2 = METHODS.get(method, (method, ""))
    conf = configure(__file__, "eapol.conf", folder / "eapol.conf", method=kind, name=name, password=password, phase2=phase2)
    done = subprocess.run(["eapol_test", "-c", conf, "-a", "127.0.0.1", "-p", str(server.port), "-s", SECRET, "-r", str(again),
                           "-t", "25", "-M", "02:00:00:00:00:01"], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.rstrip().endswith("SUCCESS"), done.stdout


def answered(place, server, folder, method, approve):
    """Somebody logs in, and answers at the phone meanwhile."""
    person = place.person(push=True)

    def phone():
        push = wait_for(lambda: place.sql("select id from wsmfa.challenge where account_id = %s and push_state = 'pending'",
                                          person.id), "the phone rings")
        place.sql("select wsmfa.answer_push(%s, %s)", push[0][0], approve)
    thread = threading.Thread(target=phone)
    thread.start()
    ok, said = eapol(server, folder, method, person.name, person.password)
    thread.join()
    return person, ok, said


@pytest.mark.parametrize("method", METHODS)
def test_approved(place, access_point, tmp_path, method):
    person, ok, said = answered(place, access_point, tmp_path, method, True)
    assert ok, said[-3000:]
    assert "MPPE keys OK: 1" in said or "mismatch: 0" in said
    assert place.event(person.name, "accepted", "approved")["account"] == person.name


@pytest.mark.parametrize("method", METHODS)
def test_denied(place, access_point, tmp_path, method):
    _, ok, said = answered(place, access_point, tmp_path, method, False)
    assert not ok
    assert "EAP-Failure" in said or "decapsulated EAP packet (code=4" in said, said[-3000:]


@pytest.mark.parametrize("method", METHODS)
def test_wrong_password(place, access_point, tmp_path, method):
    person = place.person(push=True)
    ok, _ = eapol(access_point, tmp_path, method, person.name, "wrong")
    assert not ok
    assert place.sql("select 1 from wsmfa.challenge where account_id = %s", person.id) == []


def test_who_must_type_a_code_can_not(place, access_point, tmp_path):
    person = place.person(totp=True)
    assert not eapol(access_point, tmp_path, "TTLS-PAP", person.name, person.password)[0]
    place.event(person.name, "denied", "no_usable_method")


def test_not_in_scope(place, access_point, tmp_path):
    person = place.person(organization=place.observed())
    assert eapol(access_point, tmp_path, "TTLS-PAP", person.name, person.password)[0]


def test_nobody_answers(place, access_point, tmp_path):
    person = place.person(push=True)
    assert not eapol(access_point, tmp_path, "TTLS-PAP", person.name, person.password)[0]


@pytest.mark.parametrize("method", ["MD5", "MSCHAPV2", "GTC"])
def test_a_method_without_a_tunnel(place, access_point, tmp_path, method):
    """It proves nobody to us: the outer name is anybody's choice."""
    person = place.person(organization=place.observed())
    assert not eapol(access_point, tmp_path, method, person.name, person.password)[0]


CACHE = '\t\t\tenable = yes\n\t\t\tname = "cache"\n\t\t\tpersist_dir = "${logdir}/tlscache"\n'


@pytest.mark.parametrize("allowed", [False, True], ids=["as shipped", "control: allowed"])
def test_no_session_is_resumed(place, make_server, tmp_path, allowed):
    """Although rlm_eap keeps sessions, the second time asks the phone again; where it is left out, the second time is refused."""
    def edit(site):
        return with_eap(site).replace("\t\t&Allow-Session-Resumption := no\n", "\t\t&Tmp-Integer-0 := 1\n" if allowed else
                                      "\t\t&Allow-Session-Resumption := no\n")
    server = with_tunnel(make_server, edit, CACHE)
    kept = server.radiusd.log.parent / "tlscache"
    kept.mkdir(mode=0o700)
    world.give(kept, server.radiusd.user)
    server.start()
    person, over = place.person(push=True), threading.Event()

    def phone():
        while not over.wait(0.1):
            place.sql("select wsmfa.answer_push(id, true) from wsmfa.push_pending where account = %s", person.name)
    thread = threading.Thread(target=phone)
    thread.start()
    ok, said = eapol(server, tmp_path, "PEAP-MSCHAPv2", person.name, person.password, again=1)
    over.set()
    thread.join()
    rang = place.value("select count(*) from wsmfa.sent where account_id = %s", person.id)
    assert (ok, rang) == ((False, 1) if allowed else (True, 2)), said[-3000:]
