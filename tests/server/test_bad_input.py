"""What a hostile or broken client sends, as tables: the right refusal each time, and the next login works."""
import hashlib
import os
import secrets

import pytest

from place import wait_for
from radius import STATUS_SERVER, Client
from sites import all_of, body, first, last


def question(client, person, station=None):
    """A login up to the question for a second factor."""
    reply = client.ask(person.name, person.password, station=station)
    assert reply.code == "challenge", reply
    return reply


# State: id, what is made of the real one.
STATES = {
    "unknown": lambda state: secrets.token_urlsafe(16).encode(),
    "one octet": lambda state: b"x",
    "one NUL": lambda state: b"\0",
    "the first half": lambda state: state[:11],
    "without its last octet": lambda state: state[:-1],
    "with one more octet": lambda state: state + b"A",
    "with a NUL behind": lambda state: state + b"\0",
    "253 octets": lambda state: bytes(range(1, 254)),
    "253 times the letter A": lambda state: b"A" * 253,
    "another case": lambda state: state.swapcase(),
    "16 raw octets": lambda state: os.urandom(16),
    "quotes and format": lambda state: b"'; drop table x; -- %{User-Password} %s",
}


@pytest.mark.parametrize("name", STATES)
def test_wrong_state_is_refused(place, server, name):
    person = place.person(totp=True)
    client = server.client()
    state = question(client, person).state
    answer = client.ask(person.name, person.code(), STATES[name](state))
    assert answer.code == "reject"
    assert answer.state is None
    # It is never taken for "no State", even with the right password.
    assert client.ask(person.name, person.password, STATES[name](state)).code == "reject"
    # And the real question is still open.
    assert client.ask(person.name, person.code(), state).code == "accept"


def test_two_states_are_refused(place, client):
    person = place.person(totp=True)
    state = question(client, person).state
    assert client.ask(person.name, person.code(), state, extra=[("State", b"A" * 22)]).code == "reject"


def test_a_login_without_name_but_state_is_refused(place, client):
    person = place.person(totp=True)
    state = question(client, person).state
    assert client.ask(None, person.code(), state).code == "reject"


FOREIGN = {
    "another account": {"who": "other"},
    "another client": {"source": "127.0.0.9"},
    "another station": {"station": "66-66-66-66-66-66"},
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_state_is_refused_and_not_consumed(place, server, name):
    how = FOREIGN[name]
    person, other = place.person(totp=True), place.person(totp=True)
    client = server.client()
    station = "00-11-22-33-44-55"
    state = question(client, person, station).state
    stranger = server.client(how.get("source", "127.0.0.1"))
    who = other if how.get("who") else person
    assert stranger.ask(who.name, who.code(), state, how.get("station", station)).code == "reject"
    assert client.ask(person.name, person.code(), state, station).code == "accept"


def test_a_station_that_only_one_packet_has_binds_nothing(place, server):
    person = place.person(totp=True)
    client = server.client()
    state = question(client, person, "00-11-22-33-44-55").state
    assert client.ask(person.name, person.code(), state).code == "accept"


def test_an_expired_state_is_refused(place, server):
    person = place.person(totp=True)
    client = server.client()
    state = question(client, person).state
    place.sql("update wsmfa.challenge set opened_at = opened_at - interval '1 hour', "
              "expires_at = now() - interval '1 second' where account_id = %s", person.id)
    answer = client.ask(person.name, person.code(), state)
    assert answer.code == "reject"
    place.event(person.name, "expired")
    assert client.ask(person.name, person.code(), question(client, person).state).code == "accept"


def test_a_spent_state_is_refused(place, server):
    person = place.person(totp=True)
    client = server.client()
    state = question(client, person).state
    assert client.ask(person.name, person.wrong_code(), state).code == "challenge"
    assert client.ask(person.name, person.code(), state).code == "reject"
    later = question(client, person).state
    assert client.ask(person.name, person.code(), later).code == "accept"
    assert client.ask(person.name, person.code(1), later).code == "reject"


def test_a_state_is_printable_and_new_each_time(place, client):
    person = place.person(totp=True)
    states = {question(client, person).state for _ in range(20)}
    assert len(states) == 20
    for state in states:
        assert len(state) == 22
        assert all(chr(c).isalnum() or c in b"-_" for c in state)


# Answers: octets, and what becomes of the login. "again" is a question that may be answered.
ANSWERS = {
    "missing": (None, "again"),
    "empty": (b"", "again"),
    "1 digit": (b"1", "again"),
    "5 digits": (b"12345", "again"),
    "7 digits": (b"1234567", "again"),
    "9 digits": (b"123456789", "again"),
    "100 octets": (b"1" * 100, "again"),
    "128 octets": (b"7" * 128, "again"),
    "letters": (b"abcdef", "again"),
    "a minus": (b"-12345", "again"),
    "hexadecimal": (b"0x1234", "again"),
    "NUL inside": (b"123\x00456", "again"),
    "six NUL": (b"\0" * 6, "again"),
    "broken UTF-8": (b"\xff\xfe\xc0\x80\xed\xa0", "again"),
    "full-width digits": ("１２３４５６".encode(), "again"),
    "arabic digits": ("١٢٣٤٥٦".encode(), "again"),
    "newline": (b"123456\n", "again"),
    "expansion": (b"%{User-Password}", "again"),
    "quotes": (b"' or '1'='1", "again"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_bad_answer(place, server, name):
    answer, becomes = ANSWERS[name]
    person = place.person(totp=True)
    client = server.client()
    reply = client.ask(person.name, answer, question(client, person).state)
    assert becomes == "again" and reply.code == "challenge", reply
    assert client.ask(person.name, person.code(), reply.state).code == "accept"


@pytest.mark.parametrize("enrolled", [False, True], ids=["enrolment", "login"])
def test_a_code_that_went_to_a_number_that_was_replaced(place, client, server, enrolled):
    """It proves nothing of the new one: neither is that enrolled by it, nor is it a way in."""
    old, new = ("+35840888%04d" % next(place.numbers) for _ in range(2))
    person = place.person(**{"sms" if enrolled else "phone": old})
    reply = client.ask(person.name, person.password)
    if not enrolled:
        reply = client.ask(person.name, "sms", reply.state)
    code = server.text_code(old)
    place.sql("update wsmfa.account set phone = %s where id = %s", new, person.id)
    place.sql("update wsmfa.authenticator set phone = %s where account_id = %s", new, person.id)
    reply = client.ask(person.name, code, reply.state)
    assert reply.code == "challenge" and "not right" in reply.message
    reply = client.ask(person.name, "sms", reply.state)
    assert client.ask(person.name, server.text_code(new), reply.state).code == "accept"
    assert place.sql("select phone from wsmfa.authenticator where account_id = %s", person.id) == [(new,)]


def test_a_right_code_with_something_behind_is_not_right(place, client):
    person = place.person(totp=True)
    state = question(client, person).state
    # Not NUL: User-Password is padded with it, so that it can't be told from padding.
    for behind in (b"\n", b"1", b"\xc2\xa0", b"\0x"):
        reply = client.ask(person.name, person.code().encode() + behind, state)
        assert reply.code != "accept", behind
        state = reply.state if reply.code == "challenge" else question(client, person).state


# Names that are looked up as they are, and work.
NAMES = {
    "plain": "kirsi%d", "quotes": "o'bri\"en%d", "percent": "100%%{User-Password}%d", "backslash": "DOM\\kirsi%d",
    "at": "kirsi%d@example.org", "accents": "kirsi-åäö-%d", "blank inside": "kirsi virta%d",
    "semicolon": "x%d'; drop table wsmfa.account; --", "emoji": "\U0001F600%d", "slash": "host/pc%d.example.org",
    "253 octets": "n" * 240 + "%013d",
}


@pytest.mark.parametrize("name", NAMES)
def test_name_that_works(place, client, name):
    person = place.person(name=(NAMES[name] % next(place.numbers)).lower(), totp=True)
    state = question(client, person).state
    assert client.ask(person.name, person.code(), state).code == "accept"
    assert place.event(person.name, "accepted")["account"] == person.name


def test_ascii_case_is_folded_and_nothing_else(place, client):
    person = place.person(name="mixed-å-%d" % next(place.numbers), totp=True)
    assert client.ask(person.name.upper().replace("Å", "å"), person.password).code == "challenge"
    assert client.ask(person.name.replace("å", "Å"), person.password).code == "reject"


# Names that are refused, whatever the password.
BAD_NAMES = {
    "newline": lambda n: n + b"\n", "NUL behind": lambda n: n + b"\0", "NUL inside": lambda n: n[:2] + b"\0" + n[2:],
    "only NUL": lambda n: b"\0", "trailing blank": lambda n: n + b" ", "leading blank": lambda n: b" " + n,
    "control": lambda n: n + b"\x1b[2J", "DEL": lambda n: n + b"\x7f", "broken UTF-8": lambda n: n + b"\xff",
    "overlong UTF-8": lambda n: n + b"\xc0\x80", "surrogate": lambda n: n + b"\xed\xa0\x80",
    "wildcard": lambda n: n[:-1] + b"_", "all": lambda n: b"%", "C1 control": lambda n: n + "\x85".encode(),
}


@pytest.mark.parametrize("name", BAD_NAMES)
def test_name_that_is_refused(place, client, name):
    person = place.person(services=["community"])
    for source in ("127.0.0.1",):
        assert client.ask(BAD_NAMES[name](person.name.encode()), person.password).code == "reject", source


def test_no_user_name(client):
    assert client.ask(None, "something").code == "reject"


def test_two_user_names(place, client):
    person, other = place.person(totp=True), place.person(totp=True)
    reply = client.ask(person.name, person.password, extra=[("User-Name", other.name)])
    assert reply.code in ("reject", "challenge")
    if reply.code == "challenge":
        assert client.ask(person.name, other.code(), reply.state).code == "challenge"


def test_eap(place, client):
    person = place.person(totp=True)
    identity = b"\x02\x01" + (5 + len(person.name)).to_bytes(2, "big") + b"\x01" + person.name.encode()
    assert client.ask(person.name, extra=[("EAP-Message", identity)]).code == "reject"
    state = question(client, person).state
    reply = client.ask(person.name, person.code(), state, extra=[("EAP-Message", identity)])
    assert reply is None or reply.code == "reject"


def test_no_password_at_all(place, client):
    person = place.person(totp=True)
    assert client.ask(person.name).code == "reject"
    stranger = place.person(services=["community"])
    assert client.ask(stranger.name).code == "reject"


def test_empty_password(place, client):
    person = place.person(services=["community"], password="")
    assert client.ask(person.name, b"").code == "reject"


def test_an_unknown_account_looks_like_a_wrong_password(place, client):
    person = place.person(totp=True)
    wrong = client.ask(person.name, "not it")
    nobody = "nobody-%d" % next(place.numbers)
    unknown = client.ask(nobody, "not it")
    assert wrong.code == unknown.code == "reject"
    assert wrong.names == unknown.names
    assert wrong.message == unknown.message
    # to administrators it looks like what it is: row 0 of the rules
    assert place.event(person.name, "failed_first_factor", "wrong_password")["decision"] is None
    assert place.event(nobody, "failed_first_factor", "unknown_account")["decision"] == "deny"


UNLANG = ("\t\twsmfa\n", "\t\tupdate reply {\n\t\t\t&Filter-Id := \"" + "|".join(
    f"%{{control:WSMFA-{a}}}" for a in ("Account", "Decision", "Stage", "Region", "Service", "Method", "Outcome")) + "\"\n\t\t}\n")


def test_unlang_hears_what_was_decided(place, make_server):
    """raddb/dictionary.wsmfa: the attributes of the control list, in a site's own lines behind the gate."""
    server = make_server(edit=all_of(last("post-auth", UNLANG[1]), body("Post-Auth-Type REJECT", "".join(UNLANG), "\t"),
                                     body("Post-Auth-Type Challenge", "".join(UNLANG), "\t"))).start()
    client = server.client()

    def heard(name, *answer):
        return client.ask(name, *answer).get("Filter-Id").decode()
    enrolled, exempt = place.person(totp=True), place.person(exempt="2100-01-01 00:00+00")
    question = client.ask(enrolled.name, enrolled.password)
    seen = "|enforce|EMEA|elements"
    assert question.get("Filter-Id").decode() == f"{enrolled.name}|challenge{seen}|totp|challenged"
    assert heard(enrolled.name, enrolled.code(), question.state) == f"{enrolled.name}|challenge{seen}|totp|accepted"
    assert heard(exempt.name, exempt.password) == f"{exempt.name}|accept_with_banner{seen}||accepted"
    assert heard(exempt.name, "wrong") == f"{exempt.name}|{seen}||failed_first_factor"
    assert heard("nobody-unlang", "wrong") == "nobody-unlang|deny|||elements||failed_first_factor"


# Packets: the server says nothing, and lives.
def packets(client, person):
    good = client.build([("User-Name", person.name)], person.password)
    return {
        "empty": b"", "one octet": b"\x01", "19 octets": good[:19], "cut short": good[:-3],
        "length too long": good[:2] + b"\x0f\xff" + good[4:], "length too short": good[:2] + b"\0\x13" + good[4:],
        "wrong Message-Authenticator": good[:30] + bytes([good[30] ^ 1]) + good[31:],
        "attribute of length 0": client.build([(200, b"")])[:-1] + b"\0",
        "attribute of length 1": client.build([(200, b"")])[:-1] + b"\1",
        "noise": os.urandom(200), "4096 octets of noise": b"\x01\x01\x10\x00" + os.urandom(4092),
        "an Access-Accept": b"\x02" + good[1:],
    }


@pytest.mark.parametrize("name", ["empty", "one octet", "19 octets", "cut short", "length too long",
                                  "length too short", "wrong Message-Authenticator", "attribute of length 0",
                                  "attribute of length 1", "noise", "4096 octets of noise", "an Access-Accept"])
def test_malformed_packet(place, server, name):
    person = place.person(totp=True)
    client = server.client()
    packet = packets(client, person)[name]
    client.post(packet)
    assert client.ask(person.name, person.password).code == "challenge"


def test_wrong_shared_secret(place, server):
    person = place.person(services=["community"])
    stranger = server.client(signed=False, secret="another secret")
    packet = stranger.post(stranger.build([("User-Name", person.name)], person.password))
    # The answer, a reject since the password came out garbled, can't be checked with the wrong secret.
    stranger.secret = server.secret.encode()
    reply = stranger.wait(packet)
    assert reply is None or reply.code == "reject"


def test_a_client_that_must_sign_and_does_not(place, server):
    person = place.person(services=["community"])
    unsigned = server.client("127.0.0.4", signed=False)
    assert unsigned.ask(person.name, person.password, timeout=0.5) is None
    assert server.client("127.0.0.4").ask(person.name, person.password).code == "accept"


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.2", "127.0.0.4"])
def test_proxy_state_without_message_authenticator_is_dropped(place, server, source):
    person = place.person(services=["community"])
    unsigned = server.client(source, signed=False)
    assert unsigned.ask(person.name, person.password, extra=[("Proxy-State", b"x")], timeout=0.5) is None
    assert unsigned.ask(person.name, "wrong", extra=[("Proxy-State", b"x")], timeout=0.5) is None
    # Control: signed, it is answered, and Proxy-State comes back.
    reply = server.client(source).ask(person.name, person.password, extra=[("Proxy-State", b"x")])
    assert reply.get("Proxy-State") == b"x"


def test_every_kind_of_reply_is_signed_first(place, server):
    """Client.wait() asserts it of every reply; here of an accept, a challenge, a reject and a Status-Server answer."""
    enrolled, free = place.person(totp=True), place.person(services=["community"])
    client, community = server.client(signed=False), server.client("127.0.0.4")
    assert client.ask(enrolled.name, enrolled.password).code == "challenge"
    assert client.ask(enrolled.name, "wrong").code == "reject"
    assert community.ask(free.name, free.password).code == "accept"


def test_a_challenge_holds_only_what_it_may(place, make_server):
    """RFC 2865 section 4.4: what the site adds to the reply does not go out with a question, but with the accept."""
    server = make_server(edit=first("authorize", "\tupdate reply {\n\t\t&Framed-IP-Address := 192.0.2.1\n"
                                    "\t\t&Filter-Id := \"x\"\n\t\t&Class := 0x01\n\t}\n")).start()
    person = place.person(totp=True)
    client = server.client()
    reply = client.ask(person.name, person.password, extra=[("Proxy-State", b"p1"), ("Proxy-State", b"p2")])
    assert set(reply.names) <= {"Message-Authenticator", "Reply-Message", "State", "Prompt", "Session-Timeout",
                                "Proxy-State"}
    assert len(reply.all("Reply-Message")) == 1
    message = reply.get("Reply-Message")
    assert len(message) <= 253 and message.isascii() and message.endswith(b": ") and message.decode().isprintable()
    assert reply.all("Proxy-State") == [b"p1", b"p2"]
    assert reply.number("Session-Timeout") > 0
    answer = client.ask(person.name, person.code(), reply.state)
    assert answer.code == "accept"
    assert answer.get("Filter-Id") == b"x" and answer.get("Framed-IP-Address") == bytes([192, 0, 2, 1])
    assert len(answer.all("Message-Authenticator")) == 1
    # Nor does a reject carry any of it.
    assert client.ask(person.name, "wrong").names == ["Message-Authenticator"]


def test_a_retransmitted_packet_gets_the_same_reply(place, server):
    person = place.person(totp=True)
    client = server.client()
    packet = client.build([("User-Name", person.name)], person.password)
    first, second = client.send(packet), client.send(packet)
    assert first.data == second.data
    answer = client.build([("User-Name", person.name)], person.code(), first.state)
    assert client.send(answer).data == client.send(answer).data
    assert len([e for e in place.events(person.name) if e["outcome"] == "accepted"]) <= 1
    place.event(person.name, "accepted")


def test_status_server_is_the_hosts(server):
    with Client(server.port, server.secret) as c:
        packet = c.build([], code=STATUS_SERVER, signed=True)
        c.post(packet)
        data = wait_for(lambda: c.socket.recv(4096), "an answer to Status-Server")
        assert data[0] == 2
        assert hashlib.md5(data[:4] + packet[4:20] + data[20:] + c.secret).digest() == data[4:20]
