"""Every way round the module ends in Access-Reject: what a site, another module or a realm may do to a login.

Each way is tried on the same host without the module first, where it must let somebody in: else it would prove nothing. Newer hosts
have closed some ways themselves.
"""
import os
import re
import signal
import subprocess

import pytest

import world
from place import now, wait_for
from pushes import answer, pending, wait_mode
from sites import (SITE, AcceptingHome, all_of, body, control, first, last, outside, replaced, section, ungated, without)

ACCEPT = control("&Auth-Type := Accept")
OTHER = "\tAuth-Type Other {\n\t\tok\n\t}\n"
VIRTUAL = ("home_server inside {\n\tvirtual_server = inside\n}\nhome_server_pool inside {\n\tvirtual_server = inside\n"
           "\thome_server = inside\n}\nrealm inside {\n\tauth_pool = inside\n}\n"
           "server inside {\nauthorize {\n" + ACCEPT + "}\n}\n")

# Way: edit of the site; further arguments of the server.
WAYS = {
    "Auth-Type := Accept after wsmfa": (last("authorize", ACCEPT), {}),
    "Auth-Type := Accept before wsmfa and no more of authorize": (
        first("authorize", ACCEPT + "\tif (ok || noop || updated) {\n\t\treturn\n\t}\n"), {}),
    "a users file that accepts": (last("authorize", "\tfiles\n"), {
        "modules": ("files",), "files": {"mods-config/files/authorize": "DEFAULT Auth-Type := Accept\n"}}),
    "a later Auth-Type": (all_of(last("authorize", control("&Auth-Type += Other")), last("authenticate", OTHER)), {}),
    "another Auth-Type": (all_of(last("authorize", control("&Auth-Type := Other")), last("authenticate", OTHER)), {}),
    "authenticate without wsmfa": (body("Auth-Type WSMFA-Login", "\t\tok\n", "\t"), {}),
    "authenticate that says ok after wsmfa": (
        body("Auth-Type WSMFA-Login", "\t\tpap {\n\t\t\treject = 1\n\t\t}\n\t\tif (ok) {\n\t\t\twsmfa {\n\t\t\t\treject = 1\n"
             "\t\t\t\thandled = 1\n\t\t\t\tfail = 1\n\t\t\t}\n\t\t}\n\t\tok\n", "\t"), {}),
    "Response-Packet-Type in authorize": (last("authorize", control("&Response-Packet-Type := Access-Accept")), {}),
    "Response-Packet-Type in authenticate": (
        body("Auth-Type WSMFA-Login", "\t\tok\n\t" + control("&Response-Packet-Type := Access-Accept"), "\t"), {}),
    "Autz-Type": (last("authorize", control("&Autz-Type := Again") + "\tAutz-Type Again {\n\t" + ACCEPT + "\t}\n"), {}),
    "a home server that is a virtual server": (
        all_of(outside(VIRTUAL), last("authorize", control('&Proxy-To-Realm := "inside"'))), {}),
    **{f"Post-Auth-Type {name}": (last("authorize", ACCEPT + control(f"&Post-Auth-Type := {name}")), {})
       for name in ("Reject", "Challenge", "Local", "Client-Lost", "77")},
    "Post-Auth-Type of a section that is there and empty of all but ok": (
        all_of(last("authorize", ACCEPT + control("&Post-Auth-Type := Mine")),
               last("post-auth", "\tPost-Auth-Type Mine {\n\t\twsmfa\n\t\tok\n\t}\n")), {}),
    "Post-Auth-Type set in authenticate": (
        body("Auth-Type WSMFA-Login", "\t" + control("&Post-Auth-Type := Local") + "\t\tok\n", "\t"), {}),
}


HOST = tuple(map(int, re.search(r"FreeRADIUS Version (\d+)\.(\d+)\.(\d+)", subprocess.run(
    [world.radiusd(), "-v"], capture_output=True, text=True, check=True).stdout).groups()))
# Seen closed in this version and open in 3.2.1.
CLOSED = {"Post-Auth-Type Reject": (3, 2, 7), "Post-Auth-Type Challenge": (3, 2, 7)}


@pytest.fixture(scope="module")
def people(place):
    return place.person(totp=True), place.person(services=["community"]), place.person(disabled=now())


def tries(server, people):
    """Logins that nothing but a way round the module would let in."""
    enrolled, free, disabled = people
    # A site without the gate has nobody who signs its rejects.
    client = server.client(strict=False)
    yield "enrolled, wrong password", client.ask(enrolled.name, "wrong")
    yield "enrolled, right password", client.ask(enrolled.name, enrolled.password)
    yield "unknown account", client.ask("nobody", "correct")
    yield "disabled account", client.ask(disabled.name, disabled.password)
    yield "not in scope, wrong password", client.ask(free.name, "wrong")
    yield "no password", client.ask(enrolled.name)
    yield "unknown State", client.ask(enrolled.name, enrolled.code(), b"x" * 22)
    yield "CHAP", client.ask(enrolled.name, chap="wrong")


@pytest.mark.parametrize("way", WAYS)
def test_way_round_the_gate(place, make_server, people, way):
    edit, more = WAYS[way]
    bare = make_server(site=ungated(edit(SITE)), without=("wsmfa",), **more).start()
    open_ = HOST < CLOSED.get(way, (4,))
    assert (bare.client(strict=False).ask("anybody", "wrong").code == "accept") == open_, "control: without the module it is a way in"
    bare.stop()
    server = make_server(edit=edit, **more).start()
    for who, reply in tries(server, people):
        assert reply is None or reply.code in ("reject", "challenge"), f"{who} got in"
        if who != "enrolled, right password":
            assert reply is None or reply.code == "reject", who
    assert server.radiusd.pid()


def test_a_proxied_realm_lets_nobody_in(place, make_server, people):
    home = AcceptingHome()
    try:
        edit = all_of(outside(home.realm()), last("authorize", control('&Proxy-To-Realm := "foreign"')))
        bare = make_server(site=ungated(edit(SITE)), without=("wsmfa",)).start()
        assert bare.client(strict=False).ask("anybody", "wrong").code == "accept", "control: without the module it is a way in"
        bare.stop()
        server = make_server(edit=edit).start()
        for who, reply in tries(server, people):
            assert reply is None or reply.code == "reject", f"{who} got in"
        assert home.asked > 1
    finally:
        home.close()


def test_always_ok_for_pap(place, make_server, people):
    """A first factor that accepts everybody: unknown accounts are refused, known ones are asked all the same."""
    server = make_server(edit=replaced("\t\t\tpap\n", "\t\t\tok\n")).start()
    client = server.client()
    enrolled, free, disabled = people
    assert client.ask("nobody", "anything").code == "reject"
    assert client.ask(disabled.name, "anything").code == "reject"
    reply = client.ask(enrolled.name, "anything")
    assert reply.code == "challenge"
    assert client.ask(enrolled.name, enrolled.wrong_code(), reply.state).code == "challenge"
    late = place.person()
    assert server.client("127.0.0.5").ask(late.name, "anything").code == "reject"
    # What the rules accept on a first factor alone, they accept on this one.
    assert server.client("127.0.0.4").ask(free.name, "anything").code == "accept"


def test_an_answer_that_nobody_gave(place, make_server, people):
    """Auth-Type WSMFA-Response without a State, behind a module that said ok: no first factor is proven."""
    server = make_server(edit=last("authorize", control('&Auth-Type := "WSMFA-Response"') + "\tok\n")).start()
    _, free, _ = people
    for password in ("wrong", free.password):
        assert server.client("127.0.0.4").ask(free.name, password).code == "reject"
    assert "Auth-Type WSMFA-Response without an answer" in server.fresh_log()


def test_a_verdict_that_the_site_overrides(place, make_server, people):
    """Whatever stands between the first factor and the module has its say, even where the site goes on after it."""
    _, free, _ = people
    for verdict, becomes in (("reject", "reject"), ("fail", "reject"), ("ok", "accept")):
        overridden = f"\t\t\t{verdict} {{\n\t\t\t\t{verdict} = 1\n\t\t\t}}\n"
        server = make_server(edit=replaced("\t\tif (ok) {\n", "\t\tif (ok) {\n" + overridden)).start()
        assert server.client("127.0.0.4").ask(free.name, free.password).code == becomes
        assert ("did not return ok" in server.fresh_log()) == (becomes == "reject")


ADDED = "\tupdate reply {\n\t\t&Filter-Id := \"x\"\n\t\t&Class := 0x01\n\t}\n"


def test_what_is_added_after_the_question(place, make_server):
    """By a section that goes on after the module has asked, at once or when the gateway has been told: nothing of it goes out."""
    login = "\t\tpap\n\t\tif (ok) {\n\t\t\twsmfa {\n\t\t\t\thandled = 1\n\t\t\t}\n\t\t}\n"
    proxied = "post-proxy {\n\twsmfa\n"
    edit = all_of(body("Auth-Type WSMFA-Login", login + ADDED, "\t"), replaced(proxied, proxied + ADDED))
    server = make_server(edit=edit).start()
    client = server.client()
    for person in (place.person(totp=True), place.person(sms="+35840999%04d" % next(place.numbers))):
        reply = client.ask(person.name, person.password)
        assert reply.code == "challenge"
        assert set(reply.names) == {"Message-Authenticator", "Reply-Message", "State", "Prompt", "Session-Timeout"}


def test_a_realm_does_not_get_who_waits_for_a_phone(place, make_server):
    """A site that names a realm or a pool of its own, before the module parks: the request goes to the waiting room and nowhere else."""
    home = AcceptingHome()
    try:
        for item in ("Proxy-To-Realm", "Home-Server-Pool"):
            login = control(f'&{item} := "foreign"') + "\t\tpap\n\t\tif (ok) {\n\t\t\twsmfa\n\t\t}\n"
            server = make_server(edit=all_of(outside(home.realm()), body("Auth-Type WSMFA-Login", login, "\t"))).start()
            person = place.person(push=True)
            client = server.client("127.0.0.3")
            packet = client.post(wait_mode(client, person))
            answer(place, pending(place, person))
            assert client.wait(packet, 5).code == "accept"
            assert home.asked == 0
    finally:
        home.close()


# A site that is edited behind the running server, then a HUP. The edit, and a login that would then get in.
HUPS = {
    "the gate is gone": all_of(body("post-auth", ""), last("authorize", ACCEPT)),
    "the gate is overridden": all_of(
        body("post-auth", "\twsmfa {\n\t\treject = 1\n\t}\n\tok\n"), last("authorize", ACCEPT)),
    "the gate is not first": all_of(
        body("post-auth", "\tif (ok || noop) {\n\t\tok\n\t}\n\twsmfa\n"), last("authorize", ACCEPT)),
    "a Post-Auth-Type without the gate": all_of(
        last("post-auth", "\tPost-Auth-Type Local {\n\t\tok\n\t}\n"),
        last("authorize", ACCEPT + control("&Post-Auth-Type := Local"))),
    "authenticate is replaced": body("Auth-Type WSMFA-Login", "\t\tok\n", "\t"),
    "the gate is in a policy of another name": all_of(
        body("post-auth", "\tif (&User-Name == \"somebody else\") {\n\t\twsmfa\n\t}\n"), last("authorize", ACCEPT)),
}


def edited(site):
    """The host compares whole seconds: an edit within the second of its start would be none to it."""
    later = int(site.stat().st_mtime) + 60
    os.utime(site, (later, later))


@pytest.mark.parametrize("name", HUPS)
def test_hup_behind_the_module(place, make_server, people, name):
    server = make_server().start()
    enrolled, free, _ = people
    client, community = server.client(), server.client("127.0.0.4")
    assert community.ask(free.name, free.password).code == "accept"
    site = server.radiusd.raddb / "sites-available/wsmfa"
    site.write_text(HUPS[name](site.read_text()))
    edited(site)
    server.mark()
    os.kill(server.radiusd.pid(), signal.SIGHUP)
    # The module looks at the files itself; a site that the server can't load is not loaded.
    wait_for(lambda: "Loaded virtual server wsmfa" in server.fresh_log() or "Failed" in server.fresh_log()
             or "Error" in server.fresh_log() or "HUP - No" in server.fresh_log(), "the HUP is done")
    for who, reply in tries(server, people):
        assert reply is None or reply.code == "reject" or who == "enrolled, right password", who
        assert reply is None or reply.code != "accept", who
    # One reload, one engine.
    assert server.radiusd.pid()


def test_a_site_without_the_gate_stops_logins_until_mended(place, make_server, people):
    server = make_server().start()
    _, free, _ = people
    community = server.client("127.0.0.4")
    assert community.ask(free.name, free.password).code == "accept"
    site = server.radiusd.raddb / "sites-available/wsmfa"
    good = site.read_text()
    site.write_text(body("post-auth", "\tok\n")(good))
    wait_for(lambda: community.ask(free.name, free.password).code == "reject", "logins are refused")
    assert "post-auth" in server.fresh_log() and "could be gone round" in server.fresh_log()
    site.write_text(good)
    wait_for(lambda: community.ask(free.name, free.password).code == "accept", "logins are accepted again")


def test_hup_of_an_unchanged_site(place, make_server, people):
    server = make_server().start()
    enrolled = place.person(totp=True)
    client = server.client()
    state = client.ask(enrolled.name, enrolled.password).state
    site = server.radiusd.raddb / "sites-available/wsmfa"
    site.write_text(site.read_text() + "\n# a remark\n")
    edited(site)
    server.mark()
    os.kill(server.radiusd.pid(), signal.SIGHUP)
    wait_for(lambda: "Loaded virtual server wsmfa" in server.fresh_log(), "the site is loaded again")
    assert client.ask(enrolled.name, enrolled.code(), state).code == "accept"
    assert "rlm_wsmfa: engine" not in server.fresh_log()


# Sites that the module refuses to start with: edit, and words that the refusal holds beside the file's name.
REFUSED = {
    "no gate": (body("post-auth", "\tok\n"), ["post-auth"]),
    "no post-auth": (without("post-auth"), ["post-auth"]),
    "overridden": (replaced("\t#  The gate. First and bare.\n\twsmfa\n", "\twsmfa {\n\t\treject = 1\n\t}\n"), ["post-auth"]),
    "not first": (first("post-auth", "\tok\n"), ["post-auth"]),
    "in an if": (replaced("\t#  The gate. First and bare.\n\twsmfa\n", "\tif (1) {\n\t\twsmfa\n\t}\n"), ["post-auth"]),
    **{f"{name} without it": (body(f"Post-Auth-Type {name}", "\t\tok\n", "\t"), [name])
       for name in ("REJECT", "Challenge", "Client-Lost")},
    "a Post-Auth-Type of one's own": (last("post-auth", "\tPost-Auth-Type Mine {\n\t\tok\n\t}\n"), ["Mine"]),
    "REJECT overridden": (
        body("Post-Auth-Type REJECT", "\t\twsmfa {\n\t\t\treject = 1\n\t\t}\n\t\tok\n", "\t"), ["REJECT"]),
    "no pre-proxy": (without("pre-proxy"), ["pre-proxy"]),
    "no post-proxy": (without("post-proxy"), ["post-proxy"]),
    "no Fail-Authentication": (without("Post-Proxy-Type Fail-Authentication", "\t"), ["Fail-Authentication"]),
    "no WSMFA-Login": (without("Auth-Type WSMFA-Login", "\t"), ["WSMFA-Login"]),
    "no WSMFA-Response": (without("Auth-Type WSMFA-Response", "\t"), ["WSMFA-Response"]),
    "the module alone in authenticate": (last("authenticate", "\twsmfa\n"), ["stands alone in authenticate"]),
    "the module after a first factor that need not be right": (
        body("Auth-Type WSMFA-Login", "\t\tpap {\n\t\t\treject = 1\n\t\t}\n\t\twsmfa {\n\t\t\tfail = 1\n\t\t}\n", "\t"), ["if (ok)"]),
    "authorize without it": (body("authorize", "\tpap\n"), ["must stand in authorize"]),
    "authorize with it in an if": (body("authorize", "\tif (&NAS-Port) {\n\t\twsmfa\n\t}\n\tpap\n"), ["must stand in authorize"]),
    "another server that answers": (outside(
        "server other {\nlisten {\n\ttype = auth\n\tipaddr = 127.0.0.5\n\tport = 40999\n}\nauthorize {\n\tpap\n}\n}\n"),
        ["other"]),
    **{f"authenticate with the module in {head}": (all_of(last("authorize", "\tok\n"), body(
        "Auth-Type WSMFA-Login", f"\t\t{head} {{\n\t\t\twsmfa\n\t\t}}\n", "\t")), ["if (ok)"])
       for head in ("group", "if (1)", "if (ok || 1)")},
}

# ... and what stands beside the site: further arguments of the server, and words that the refusal holds.
PORT = world.free_port()  # of a listener that is started once
OTHER_SITE = outside("server other {\nauthorize {\n" + ACCEPT + "}\n}\n")
REFUSED_BESIDE = {
    "a client that is sent to another site": ({"edit": OTHER_SITE, "more_clients": (
        "client elsewhere {\n\tipaddr = 127.0.0.11\n\tsecret = elsewhere\n\tvirtual_server = other\n}\n")}, ["other"]),
    "a listener that is sent to another site": ({"edit": all_of(OTHER_SITE, outside(
        "listen {\n\ttype = auth\n\tipaddr = 127.0.0.1\n\tport = 40999\n\tvirtual_server = other\n}\n"))}, ["other"]),
    **{f"a listener outside of every site, {what}": ({"edit": outside(
        f"{server}authorize {{\n{ACCEPT}}}\n{end}listen {{\n\ttype = auth\n\tipaddr = 127.0.0.1\n\tport = {PORT}\n}}\n")}, ["listen", "virtual_server"])
       for what, server, end in (("and sections outside", "", ""), ("and a site without a name", "server {\n", "}\n"))},
    **{f"a policy {name}": ({"files": {"policy.d/mine": f"{name} {{\n\tok\n}}\n"}}, [name, "in place of the module"])
       for name in ("wsmfa", "wsmfa.post-auth")},
}


@pytest.mark.parametrize("named", ["oth", "others", "an,others"])
def test_a_site_that_is_not_quite_meant(make_server, named):
    more, words = REFUSED_BESIDE["a client that is sent to another site"]
    assert words[0] in make_server(**more, settings={"unguarded_sites": f'"{named}"'}).refuses()


@pytest.mark.parametrize("name", REFUSED_BESIDE)
def test_what_is_refused_beside_a_site(make_server, name):
    more, words = REFUSED_BESIDE[name]
    said = make_server(**more).refuses()
    for word in words:
        assert word in said, said


def test_a_client_of_a_site_that_is_meant(place, make_server, people):
    """Named in unguarded_sites, or without authorize, another site is no reason to refuse."""
    more, _ = REFUSED_BESIDE["a client that is sent to another site"]
    make_server(**more, settings={"unguarded_sites": "other"}).start().stop()
    bare, _ = REFUSED_BESIDE["a listener outside of every site, and sections outside"]
    make_server(**bare, settings={"unguarded_sites": "default"}).start().stop()
    make_server(**{**more, "edit": outside("server other {\naccounting {\n\tok\n}\n}\n")}).start()


@pytest.mark.parametrize("name", REFUSED)
def test_site_that_is_refused(place, make_server, name):
    edit, words = REFUSED[name]
    server = make_server(edit=edit)
    said = server.refuses()
    for word in words:
        assert word in said, said
    assert "wsmfa" in said
