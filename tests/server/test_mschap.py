"""CHAP, MS-CHAP and MS-CHAPv2 without EAP at the shipped site: nothing can be typed after them, so a push is waited for or the login is refused."""
import pytest

from mschap import MS_CHAP2_SUCCESS, MS_CHAP_ERROR, RECV_KEY, SEND_KEY, Login, challenge_hash, nt_hash, response, success
from place import wait_for
from pushes import answer, pending
from radius import MICROSOFT, vendor
from sites import all_of, first, replaced

KINDS = ["chap", "mschap", "mschapv2"]
WAIT, CHALLENGE, APPEND = "127.0.0.3", "127.0.0.1", "127.0.0.2"


def logged(server, *words):
    wait_for(lambda: any(all(w in line for w in words) for line in server.fresh_log().splitlines()), f"the log has a line with {words}", 5)


def test_the_vectors_of_the_rfc():
    """RFC 2759 section 9.2: what is compared with here is right."""
    challenge, peer = bytes.fromhex("5b5d7c7d7b3f2f3e3c2c602132262628"), bytes.fromhex("21402324255e262a28295f2b3a337c7e")
    given = response(nt_hash("clientPass"), challenge_hash(peer, challenge, "User"))
    assert given.hex() == "82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df"
    assert success("clientPass", given, peer, challenge, "User") == "S=407A5589115FD0D6209F510FE9C04566932CDA56"


@pytest.mark.parametrize("kind", KINDS)
def test_not_asked(place, server, kind):
    person = place.person(organization=place.observed())
    login = Login(server.client(WAIT), kind, person.name, person.password)
    assert login.send().code == "accept" and login.proven


CONDITIONS = """		if (&CHAP-Password) {
			chap
		}
		elsif (&MS-CHAP-Challenge) {
			mschap
		}
		else {
			pap
		}
"""


def test_listed_in_authorize_they_prove_nothing(place, make_server):
    """The module chooses the Auth-Type, whatever was chosen before: what proves the password stands in its section, or right ones are refused."""
    edit = all_of(replaced(CONDITIONS, "\t\tpap\n"), first("authorize", "\tchap\n\tmschap\n"))
    server, person = make_server(edit=edit).start(), place.person(organization=place.observed())
    client = server.client(WAIT)
    assert [Login(client, kind, person.name, person.password).send().code for kind in KINDS] == ["reject"] * 3
    assert client.ask(person.name, person.password).code == "accept"


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_password(place, server, kind):
    person = place.person(push=True)
    login = Login(server.client(WAIT), kind, person.name, "wrong")
    assert login.send().code == "reject"
    assert (login.got(MS_CHAP_ERROR) is not None) == (kind != "chap")
    assert place.event(person.name, "failed_first_factor", "wrong_password")
    assert place.sql("select 1 from wsmfa.challenge where account_id = %s", person.id) == []


@pytest.mark.parametrize("source", [WAIT, CHALLENGE, APPEND])
@pytest.mark.parametrize("kind", KINDS)
def test_a_push_is_waited_for(place, server, kind, source):
    """At each kind of client. The proof and the keys were made before the wait, and come with its end."""
    person = place.person(push=True, totp=True)
    login = Login(server.client(source), kind, person.name, person.password).post()
    answer(place, pending(place, person))
    assert login.wait().code == "accept" and login.proven
    place.event(person.name, "accepted", "approved")


@pytest.mark.parametrize("kind", KINDS)
def test_a_push_that_is_denied(place, server, kind):
    person = place.person(push=True)
    login = Login(server.client(WAIT), kind, person.name, person.password).post()
    answer(place, pending(place, person), approve=False)
    assert login.wait().code == "reject"
    assert set(login.reply.names) == {"Message-Authenticator", "Reply-Message"}
    assert [login.got(kind) for kind in (MS_CHAP2_SUCCESS, SEND_KEY, RECV_KEY)] == [None] * 3


@pytest.mark.parametrize("source", [WAIT, CHALLENGE, APPEND])
@pytest.mark.parametrize("kind", KINDS)
def test_who_must_type_is_refused(place, server, kind, source):
    person = place.person(totp=True, sms="+358401234567", recovery=True)
    login = Login(server.client(source), kind, person.name, person.password)
    assert login.send().code == "reject"
    assert [login.got(name) for name in (MS_CHAP2_SUCCESS, SEND_KEY, RECV_KEY)] == [None] * 3, "what a right password has made"
    place.event(person.name, "denied", "no_usable_method")
    logged(server, f'"{person.name}" from {source} refused: denied no_usable_method')


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_enrols(place, server, kind):
    """At a client that may enrol: the key could be shown and not answered."""
    person = place.person()
    assert Login(server.client(CHALLENGE), kind, person.name, person.password).send().code == "reject"
    logged(server, f'"{person.name}" from {CHALLENGE} refused: denied enrollment_required')


@pytest.mark.parametrize("kind", KINDS)
def test_with_a_state(place, server, kind):
    """It is no answer, whatever its password is; the question stays open."""
    person = place.person(totp=True)
    client = server.client(CHALLENGE)
    question = client.ask(person.name, person.password)
    for password in (person.password, person.code()):
        assert Login(client, kind, person.name, password, state=question.state).send().code == "reject"
    logged(server, "a State with CHAP or MS-CHAP: an answer has to be typed")
    assert client.ask(person.name, person.code(), question.state).code == "accept"


def test_a_change_of_password_with_a_state(place, server):
    """RFC 2548 section 2.3.3: no answer either, even beside the right code."""
    person = place.person(totp=True)
    client = server.client(CHALLENGE)
    question = client.ask(person.name, person.password)
    change = vendor(MICROSOFT, 27, b"\x07\x01" + bytes(66))
    assert client.ask(person.name, person.code(), question.state, extra=[change]).code == "reject"
    assert client.ask(person.name, person.code(), question.state).code == "accept"


@pytest.mark.parametrize("kind", KINDS)
def test_a_password_typed_beside_it(place, server, kind):
    """Two passwords in a packet: the one that is proven has no code behind it. Control: alone it is good."""
    person = place.person(totp=True)
    typed = f"{person.password},{person.code()}"
    client = server.client(APPEND)
    assert Login(client, kind, person.name, person.password, typed).send().code == "reject"
    assert client.ask(person.name, typed).code == "accept"


@pytest.mark.parametrize("stored, good", [("{nt}8846f7eaee8fb117ad06bdd830b7586c", {"mschap", "mschapv2"}), ("{clear}password", set(KINDS)),
                                          ("{crypt}$1$abcdefgh$G//4keteveJp0qb8z2DxG/", set())])
def test_stored_passwords(place, server, stored, good):
    person = place.person(organization=place.observed(), password="password")
    place.sql("update wsmfa.account set password = %s where id = %s", stored, person.id)
    client = server.client(WAIT)
    assert {kind for kind in KINDS if Login(client, kind, person.name, "password").send().code == "accept"} == good
    assert client.ask(person.name, "password").code == "accept", "control: typed, each is right"
    if not good:
        logged(server, f'"{person.name}" from {WAIT} refused: failed_first_factor, mschap: FAILED: No NT-Password')
        logged(server, f'"{person.name}" from {WAIT} refused: failed_first_factor, chap: &control:Cleartext-Password is required')
