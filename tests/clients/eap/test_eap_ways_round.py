"""Ways round the phone by EAP. What the shipped files do not even offer is offered first, and the log shows how far it got."""
import re

import pytest

from eapol import CERTIFICATE, KEY, MODULES, SITE, Phone, access_point, connect, logged
from peer import IDENTITY, TTLS, Peer, avp, pap
from place import wait_for, world

CALLING_STATION_ID, NAS_IP_ADDRESS, STATE, NAS_IDENTIFIER = 31, 4, 24, 32
NOBODY = "bad_request, EAP without an inner identity"


@pytest.fixture(scope="module")
def open_wifi(place):
    """As somebody opens it up who does not read: every method, outside and inside, certificates of the machine's own authority, and
    passwords at hand for all of them."""
    files = f"\t\tcertificate_file = {CERTIFICATE}\n\t\tprivate_key_file = {KEY}\n\t\tca_file = {CERTIFICATE}\n"
    offer = f"\ttls-config certificates {{\n{files}\t}}\n\ttls {{\n\t\ttls = certificates\n\t}}\n"
    more = "\tmd5 {\n\t}\n\tgtc {\n\t\tauth_type = PAP\n\t}\n\tmschapv2 {\n\t}\n" + offer
    modules = MODULES.replace("\tpeap {\n", more + "\tpeap {\n", 1).replace("\tmschapv2 {\n\t}\n\n\tgtc", offer + "\tmschapv2 {\n\t}\n\n\tgtc", 1)
    site = SITE.replace("\t\t&Allow-Session-Resumption := no\n", '\t\t&Allow-Session-Resumption := no\n\t\t&Cleartext-Password := "password"\n', 1)
    site = site.replace("\tAuth-Type wsmfa-eap {\n", "\tAuth-Type PAP {\n\t\tpap\n\t}\n\tAuth-Type MS-CHAP {\n\t\tmschap\n\t}\n\tAuth-Type wsmfa-eap {\n", 1)
    assert modules.count("tls = certificates") == 2 and "Cleartext" in site
    server = access_point(place.server, site, modules).start()
    yield server
    server.stop()


def quiet(place, **more):
    """Somebody who gets in with the password alone."""
    return place.person(organization=place.observed(), **more)


# The outer identity

@pytest.mark.parametrize("method", ["TTLS-PAP", "PEAP-MSCHAPv2"])
def test_the_outer_identity_of_somebody_who_is_not_asked(place, wifi, tmp_path, method):
    """The phone of the inner one rings, and the Access-Accept names the inner one."""
    person, other = place.person(push=True), quiet(place)
    with Phone(place, person) as phone:
        ended = connect(wifi, tmp_path, method, person, outer=other.name)
    assert ended.accepted and phone.rang == 1, ended.said[-3000:]
    assert set(ended.sent("User-Name")) == {other.name, person.name} and ended.value("User-Name") == person.name
    assert place.events(other.name) == []


@pytest.mark.parametrize("method", ["TTLS-PAP", "PEAP-MSCHAPv2"])
def test_the_outer_identity_of_somebody_else(place, wifi, tmp_path, method):
    """Who is let in with an own password is not let in as another."""
    other, thief = place.person(push=True), quiet(place)
    ended = connect(wifi, tmp_path, method, thief, outer=other.name)
    assert ended.accepted and ended.value("User-Name") == thief.name, ended.said[-3000:]


def test_an_outer_identity_that_is_no_name(place, wifi, tmp_path):
    person = quiet(place)
    assert connect(wifi, tmp_path, "TTLS-PAP", person, outer="@").accepted


# Renaming

@pytest.mark.parametrize("renamed", ["in the first packet", "before the tunnel", "with the password", "control: nowhere"])
def test_a_client_that_renames_itself(place, wifi, renamed):
    """To somebody who is not asked: the access point's User-Name and the EAP identity stay one and the same."""
    person, other = quiet(place), quiet(place)
    with wifi.client() as client:
        peer = Peer(client, "anonymous")
        if renamed == "in the first packet":
            peer.name = other.name
            assert peer.begin().failed
            logged(wifi, f'EAP of "{other.name}" from 127.0.0.1 refused: ')
            return
        if renamed == "before the tunnel":
            peer.begin().name = other.name
            peer.send(TTLS, b"\0")
        else:
            peer.handshake()
            peer.name = other.name if renamed == "with the password" else peer.name
            peer.finish(pap(person.name, person.password))
        if renamed == "control: nowhere":
            assert peer.reply.code == "accept"
        else:
            assert peer.failed
            logged(wifi, f'EAP of "{other.name}" from 127.0.0.1 refused: ', "bad_request, EAP that began under another User-Name")


def test_names_inside_count_and_no_other(place, wifi):
    """Two names inside: the one whose password is proven is the account."""
    person, other = place.person(push=True), quiet(place)
    with wifi.client() as client, Phone(place, person) as phone:
        peer = Peer(client, "anonymous").handshake()
        peer.finish(pap(person.name, person.password, avp(1, other.name)))
        assert peer.reply.code == "accept" and peer.reply.get("User-Name") == person.name.encode()
    assert phone.rang == 1 and place.events(other.name) == []


def test_without_message_authenticator(wifi):
    """Nobody answers (RFC 3579 section 3.2). Control: with it, somebody does."""
    for signed in (True, False):
        with wifi.client(signed=signed) as client:
            peer = Peer(client, "anonymous")
            reply = client.send(peer.packet(peer.eap(IDENTITY, b"anonymous")), 5 if signed else 0.5)
        assert (reply is not None) == signed


def test_the_last_packet_goes_twice(place, wifi):
    """As a new packet, from another port, while the phone rings: the conversation is over, and one login gets the answer."""
    person = place.person(push=True)
    with wifi.client() as client, wifi.client() as again:
        peer = Peer(client, "anonymous").handshake()
        peer.tls.write(pap(person.name, person.password))
        last = peer.eap(TTLS, b"\0" + peer.outgoing.read())
        packet = client.post(peer.packet(last))
        push = wait_for(lambda: place.value("select max(id) from wsmfa.challenge where account_id = %s", person.id), "the phone rings")
        assert again.send(peer.packet(last)).code == "reject"
        assert client.wait(packet, 0.3) is None
        place.sql("select wsmfa.answer_push(%s, true)", push)
        assert client.wait(packet, 5).code == "accept"
    assert place.value("select count(*) from wsmfa.sent where account_id = %s", person.id) == 1


# What a tunnel brings along

def test_attributes_from_inside(place, wifi, server):
    """Station and access point are those of the outer packet, and a State inside is no answer to anything."""
    person = place.person(push=True, totp=True)
    with server.client() as desk, wifi.client() as client:
        question = desk.ask(person.name, person.password)
        inner = [avp(CALLING_STATION_ID, "inside"), avp(NAS_IDENTIFIER, "inside"), avp(NAS_IP_ADDRESS, bytes([127, 0, 0, 4])),
                 avp(STATE, question.state)]
        place.sql("update wsmfa.challenge set push_state = 'void' where account_id = %s and push_state = 'pending'", person.id)
        with Phone(place, person):
            peer = Peer(client, "anonymous", station="outside").handshake()
            assert peer.finish(pap(person.name, person.password, *inner)).code == "accept"
        event = place.event(person.name, "accepted", "approved")
        assert (event["calling_station"], event["client"], event["service"]) == ("outside", "127.0.0.1", "elements")
        assert Peer(client, "anonymous", station="outside").handshake().finish(pap(person.name, "wrong", *inner)).code == "reject"
        assert place.event(person.name, "failed_first_factor")["calling_station"] == "outside"
        assert desk.ask(person.name, person.code(), question.state).code == "accept"


# Methods that prove nobody

@pytest.mark.parametrize("method", ["MD5", "GTC", "MSCHAPV2", "TLS"])
def test_a_method_without_a_tunnel(place, wifi, open_wifi, tmp_path, method):
    """It is not offered; and where it is, and succeeds, it proves nobody to us: the outer name is anybody's choice."""
    person = quiet(place, password="password")
    assert connect(wifi, tmp_path, method, person, outer=person.name).refused
    logged(wifi, f'EAP of "{person.name}" from 127.0.0.1 refused: ')
    assert connect(open_wifi, tmp_path, method, person, outer=person.name).refused
    logged(open_wifi, f'"{person.name}"', NOBODY)


def test_a_certificate_inside_the_tunnel(place, open_wifi, tmp_path):
    """EAP-TLS in TTLS succeeds under a name that nobody has proven a password for."""
    person = quiet(place)
    assert connect(open_wifi, tmp_path, "TTLS-EAP-TLS", person).refused
    logged(open_wifi, '"anonymous"', NOBODY)
    assert connect(open_wifi, tmp_path, "TTLS-EAP-MSCHAPv2", person).accepted, "control: a password does"


# Sessions

CACHE = '\t\t\tenable = yes\n\t\t\tname = "cache"\n\t\t\tpersist_dir = "${logdir}/tlscache"\n'


@pytest.mark.parametrize("allowed", [False, True], ids=["as shipped", "control: allowed"])
def test_no_session_is_resumed(place, make_server, tmp_path, allowed):
    """Although rlm_eap keeps sessions, the second time asks the phone again; without the site's line the second time is refused."""
    site = SITE.replace("Allow-Session-Resumption := no", "Tmp-Integer-0 := 1") if allowed else SITE
    modules = MODULES.replace("\t\t\tenable = no\n", CACHE, 1)
    assert modules != MODULES
    server = access_point(make_server, site, modules)
    kept = server.radiusd.log.parent / "tlscache"
    kept.mkdir(mode=0o700)
    world.give(kept, server.radiusd.user)
    server.start()
    person = place.person(push=True)
    with Phone(place, person) as phone:
        ended = connect(server, tmp_path, "PEAP-MSCHAPv2", person, again=1)
    assert (ended.success, phone.rang) == ((False, 1) if allowed else (True, 2)), ended.said[-3000:]
    if allowed:
        assert ended.refused
        logged(server, NOBODY)


# Start-up

ONE_FACTOR = "EAP would let in without a second factor"
LISTEN = "listen {\n\ttype = auth\n\tipaddr = 127.0.0.1\n\tport = 0\n}\n"
EAP, AFTER = r"\t\twsmfa-eap\n", r"\t\tif \(ok\) \{\n\t\t\twsmfa\n\t\t\}\n"
POLICY = {"policy.d/mine": "mine {\n\tinner\n}\ninner {\n\twsmfa-eap\n}\n"}
LEAKS = {
    "the gate in Post-Auth-Type": (lambda s: re.sub(r"(Post-Auth-Type Client-Lost \{\n)\t\twsmfa\n", r"\1", s, count=1),
                                   "the gate is missing"),
    "the module after EAP": (lambda s: re.sub(r"(\t\twsmfa-eap\n)\t\tif \(ok\) \{\n\t\t\twsmfa\n\t\t\}\n", r"\1", s, count=1), ONE_FACTOR),
    "the module before EAP": (lambda s: re.sub(f"({EAP})({AFTER})", r"\2\1", s, count=1), ONE_FACTOR),
    "EAP whose ok ends the section": (lambda s: re.sub(f"{EAP}(?={AFTER})", "\t\twsmfa-eap {\n\t\t\tok = return\n\t\t}\n", s, count=1),
                                      ONE_FACTOR),
    **{f"EAP with {name} = {value}": (lambda s, name=name, value=value: re.sub(
        f"{EAP}(?={AFTER})", f"\t\twsmfa-eap {{\n\t\t\t{name} = {value}\n\t\t}}\n", s, count=1), ONE_FACTOR)
       for name, value in (("OK", "return"), ("Ok", "break"))},
    **{f"{name} between EAP and the module": (lambda s, between=between: re.sub(f"({EAP})(?={AFTER})", rf"\1{between}", s, count=1), ONE_FACTOR)
       for name, between in (("a return", "\t\tif (ok) {\n\t\t\treturn\n\t\t}\n"), ("handled", "\t\thandled\n"),
                             ("an ok that ends the section", "\t\tok {\n\t\t\tok = return\n\t\t}\n"))},
    **{f"the module {name}": (lambda s, within=within: re.sub(f"({EAP}){AFTER}", rf"\1\t\tif (ok) {{\n{within}\t\t}}\n", s, count=1), ONE_FACTOR)
       for name, within in (("in an if", "\t\t\tif (&NAS-Port) {\n\t\t\t\twsmfa\n\t\t\t}\n"), ("after a return", "\t\t\treturn\n\t\t\twsmfa\n"),
                            ("whose reject counts for nothing", "\t\t\twsmfa {\n\t\t\t\treject = 1\n\t\t\t}\n\t\t\tok\n"))},
    **{f"EAP as {name}": (lambda s, name=name: re.sub(f"{EAP}{AFTER}", f"\t\t{name}\n", s, count=1), ONE_FACTOR)
       for name in ("-wsmfa-eap", "wsmfa-eap.authenticate", "mine", "mine.authenticate")},
    "EAP in a group": (lambda s: re.sub(f"{EAP}(?={AFTER})", "\t\tgroup {\n\t\t\twsmfa-eap\n\t\t}\n", s, count=1), ONE_FACTOR),
    "a client of the tunnel": (None, ONE_FACTOR),
    "a listener of the tunnel": (lambda s: s.replace("server wsmfa-tunnel {\n", f"server wsmfa-tunnel {{\n{LISTEN}"), ONE_FACTOR),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_start_up_looks_at_the_site(make_server, leak):
    edit, says = LEAKS[leak]
    site = edit(SITE) if edit else SITE
    assert site != SITE or edit is None
    more = world.client("leak", "127.0.0.77", "secret", virtual_server="wsmfa-tunnel") if edit is None else ""
    code, said = access_point(make_server, site, more_clients=more, files=POLICY).check()
    assert code != 0 and says in said, said[-2000:]


def test_start_up_takes_a_section_as_it_is_usual(make_server):
    """Debian's own: what EAP asks is filtered. And one's own lines between EAP and the module."""
    usual = ("\t\twsmfa-eap {\n\t\t\thandled = 1\n\t\t}\n\t\tif (handled && (Response-Packet-Type == Access-Challenge)) {\n\t\t\tnoop\n"
             "\t\t\thandled\n\t\t}\n\t\tupdate reply {\n\t\t\t&Filter-Id := \"return\"\n\t\t}\n\t\tif (!ok) {\n\t\t\treject\n\t\t}\n")
    site = re.sub(f"{EAP}(?={AFTER})", usual, SITE, count=1)
    assert site != SITE
    code, said = access_point(make_server, site, files=POLICY).check()
    assert code == 0, said[-2000:]


def test_the_site_without_an_account_told(place, make_server, tmp_path):
    """A tunnel that leaves out wsmfa in post-auth tells nobody, and nobody gets in."""
    head, tunnel = SITE.split("server wsmfa-tunnel {")
    site = head + "server wsmfa-tunnel {" + re.sub(r"(post-auth \{\n(?:\t#.*\n)*)\twsmfa\n", r"\1\tok\n", tunnel, count=1)
    assert site != SITE
    server, person = access_point(make_server, site).start(), quiet(place)
    assert connect(server, tmp_path, "TTLS-PAP", person).refused
    logged(server, NOBODY)


@pytest.mark.parametrize("leak", ["the module after EAP", "EAP as mine"])
def test_a_site_that_was_open_for_a_moment(place, make_server, tmp_path, leak):
    """A HUP may have loaded it, and nobody can tell: other logins go on when it is mended, EAP when the server is restarted."""
    server, person = access_point(make_server).start(), quiet(place)
    site = server.radiusd.raddb / "sites-enabled/wsmfa-eap"
    with server.client() as client:
        assert client.ask(person.name, person.password).code == "accept"
        for name, text in POLICY.items() if leak == "EAP as mine" else ():
            (server.radiusd.raddb / name).write_text(text)  # as new as the site that calls it
        site.write_text(LEAKS[leak][0](SITE))
        wait_for(lambda: client.ask(person.name, person.password).code == "reject", "logins are refused")
        site.write_text(SITE)
        wait_for(lambda: client.ask(person.name, person.password).code == "accept", "logins are accepted again")
        assert Peer(client, "anonymous").begin().failed
    logged(server, "refused: EAP, since the sites were edited", "restart the server")
    server.stop()
    assert connect(server.start(), tmp_path, "TTLS-PAP", person).accepted
