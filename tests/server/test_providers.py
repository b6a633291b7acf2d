"""Gateways and push services over real HTTP, well-behaved and hostile: a login ends or goes on, never hangs, never sends twice.

The stand-in is tests/fake/provider.py. What a fault leads to is in docs/providers.md, "What became of a message".
"""
import base64
import json
import re
import time
import urllib.parse

import pytest

from place import totp, wait_for, world
from standin import Fake

# A provider's section, with the stand-in's address as URL; the request that makes a phone ring.
SMS = {
    "kannel": ("""sms kannel {{
		type = http
		url = '{url}/cgi-bin/sendsms?username={{user}}&password={{password}}&from={{from}}&to={{to}}&text={{text}}&charset=UTF-8&coding={{coding}}'
		method = GET
		user = 'kannel'
		password = 'pass&word'
		from = '12345'
		success = '^202 [03]:'
		retry = '^(429|503) '
		refused = '^403 Not routable'
	}}""", "/cgi-bin/sendsms"),
    "vonage": ("""sms vonage {{
		type = http
		url = '{url}/sms/json'
		body = 'api_key={{user}}&api_secret={{password}}&from={{from}}&to={{to_digits}}&text={{text}}&type={{type}}&ttl={{lifetime_ms}}'
		user = 'key'
		password = 'secret'
		from = 'YOURNAME'
		success = '^200 .*"status" *: *"0"'
		retry = '(^429 )|(^200 .*"message-count" *: *"1".*"status" *: *"(1|5|10)")'
		failure = '"status" *: *"[1-9][0-9]*"'
	}}""", "/sms/json"),
    "twilio": ("""sms twilio {{
		account_sid = 'AC00000000000000000000000000000001'
		auth_token = 'twilio-token'
		from = '+15005550006'
		base_url = '{url}'
	}}""", "/Messages.json"),
    "aws_sns": ("""sms aws_sns {{
		region = 'eu-west-1'
		access_key = 'AKIDEXAMPLE'
		secret_key = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
		url = '{url}/sns/'
	}}""", "/sns/"),
}
PUSH = {
    "http": ("""push http {{
		url = '{url}/push'
		status_url = '{url}/push/{{id}}'
		token = 'push-token'
		poll = 0.2
	}}""", "/push", "POST"),
    "auth0": ("""push auth0 {{
		url = '{url}'
		client_id = 'client'
		client_secret = 'client-secret'
		poll = 0.2
	}}""", "/mfa/challenge", "POST"),
    "duo": ("""push duo {{
		host = '127.0.0.1'
		url = '{url}'
		ikey = 'DIEXAMPLEIKEY0000001'
		skey = 'k3yForTestsOnly000000000000000000000000000'
	}}""", "/auth/v2/auth", "POST"),
}
PASSWORD = "right & wrong"  # the one that the stand-in's Auth0 knows too

# Each may end in a question or a refusal; none may hang, let in, or make a phone ring twice.
FAULTS = ["status:401", "status:403", "status:404", "status:500", "status:503", "429:1", "429:60", "429:date:1", "429:none",
          "x429:1", "slow:0.5", "silent", "close", "cut", "reset", "redirect", "malformed", "notjson", "wrongtypes", "numbers", "control",
          "oversized", "headers"]


@pytest.fixture(scope="module")
def fake():
    made = Fake()
    yield made
    made.close()


@pytest.fixture(scope="module")
def servers(place, fake):
    """A server a provider, started when it is first wanted."""
    made = {}

    def get(section, settings=None):
        if section not in made:
            made[section] = place.server(sections="\n\t" + section.format(url=fake.url) + "\n",
                                         settings={"sms_wait": 2, "push_timeout": 10, **(settings or {})}).start()
        return made[section]
    yield get
    for server in made.values():
        server.stop()


def code_of(request):
    """The only run of digits in the text that went out."""
    fields = urllib.parse.parse_qs(urllib.parse.urlsplit("?" + request["query"]).query)
    fields.update(urllib.parse.parse_qs(request["body"]))
    text = next(fields[k][0] for k in ("text", "Body", "Message") if k in fields)
    codes = re.findall(r"\d+", text)
    assert len(codes) == 1, text
    return codes[0]


@pytest.mark.parametrize("vendor", SMS)
def test_a_code_by_sms(place, servers, fake, vendor):
    section, path = SMS[vendor]
    fake.reset()
    server = servers(section)
    person = place.person(sms="+358401234567")
    client = server.client()
    reply = client.ask(person.name, person.password)
    assert reply.code == "challenge" and "67" in reply.message
    sent = fake.requests(path)
    assert len(sent) == 1
    assert client.ask(person.name, code_of(sent[0]), reply.state).code == "accept"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("vendor", SMS)
def test_a_gateway_that_misbehaves(place, servers, fake, vendor, fault):
    section, path = SMS[vendor]
    server = servers(section, {"sms_max": 100, "sms_number_max": 100})
    person = place.person(sms="+358401234567", totp=True)
    client = server.client()
    fake.reset(action=fault)
    state = client.ask(person.name, person.password).state
    reply = client.ask(person.name, "sms", state, timeout=8)
    assert reply is not None and reply.code == "challenge", fault
    certain = fault.startswith(("429", "x429")) or (vendor == "kannel" and fault == "status:503")
    if not certain:
        assert len(fake.requests(path)) <= 1, "what may have arrived is not sent again"
    # Whatever was said of the gateway, the app's code is asked for there, or after `totp`.
    if "code from your authenticator" not in reply.message:
        reply = client.ask(person.name, "totp", reply.state)
    assert client.ask(person.name, person.code(), reply.state).code == "accept"
    fake.reset()


@pytest.mark.parametrize("hook", [False, True], ids=["by SMS", "by the hook"])
def test_the_person_is_told(place, make_server, fake, hook):
    """Out of band, of a new authenticator and of a recovery code that was used: at the number on file, or by the hook alone."""
    fake.reset()
    phone = "+35840999%04d" % next(place.numbers)
    server = make_server(settings={"notify_url": f'"{fake.url}/notify"'} if hook else {}).start()
    person = place.person(phone=phone, recovery=True)
    client = server.client()

    def told():
        if hook:
            return [json.loads(r["body"]) for r in fake.requests("/notify", "POST")]
        return [{"account": person.name, "text": t["text"]} for t in server.texts(phone)]

    reply = client.ask(person.name, "totp", client.ask(person.name, person.password).state)
    key = re.search(r": ([A-Z2-7 ]+)\.", reply.message).group(1).replace(" ", "")
    code = totp(base64.b32decode(key + "=" * (-len(key) % 8)), int(time.time() // 30))
    assert client.ask(person.name, code, reply.state).code == "accept"
    wait_for(lambda: len(told()) == 1, "the person is told of the new authenticator")
    assert told()[0]["account"] == person.name and "was added to your account" in told()[0]["text"]
    state = client.ask(person.name, "recovery", client.ask(person.name, person.password).state).state
    reply = client.ask(person.name, person.recovery[0], state)
    assert reply.code == "accept" and reply.message == "You have 9 recovery codes left."
    wait_for(lambda: len(told()) == 2, "the person is told of the recovery code")
    assert told()[1]["account"] == person.name and "recovery code of your account was used" in told()[1]["text"]
    for item in told():
        assert not re.search(r"\d", item["text"]) and person.recovery[0] not in str(item)
    assert hook == (server.texts(phone) == [])


def push_person(place, vendor, **traits):
    person = place.person(password=PASSWORD, push=True, **traits)
    place.sql("update wsmfa.authenticator set provider = %s, device = 'auto' where account_id = %s and kind = 'push'", vendor,
              person.id)
    return person


@pytest.mark.parametrize("vendor", PUSH)
@pytest.mark.parametrize("said", ["approve", "deny"])
def test_a_push(place, servers, fake, vendor, said):
    section, path, method = PUSH[vendor]
    fake.reset(push=said, approve_after=0.5)
    server = servers(section)
    person = push_person(place, vendor)
    client = server.client()
    reply = client.ask(person.name, person.password, timeout=8)
    assert reply.code == "challenge" and reply.message.endswith(": ")
    end = client.ask(person.name, b"", reply.state, timeout=20)
    assert end.code == ("accept" if said == "approve" else "reject")
    assert len(fake.requests(path, method)) == 1
    if said == "deny":
        place.event(person.name, "failed_second_factor", "suspicious")


def test_duo_shows_its_verification_code(place, servers, fake):
    section, _, _ = PUSH["duo"]
    server = servers(section)
    fake.reset(push="approve", approve_after=1.0)
    fake.call("/_script", [["/preauth", "verified"]])
    person = push_person(place, "duo")
    client = server.client()
    reply = client.ask(person.name, person.password, timeout=8)
    assert reply.code == "challenge" and "708" in reply.message and reply.message.endswith(": ")
    assert client.ask(person.name, b"", reply.state, timeout=20).code == "accept"


@pytest.mark.parametrize("vendor", PUSH)
def test_a_push_that_is_waited_for(place, servers, fake, vendor):
    section, path, method = PUSH[vendor]
    fake.reset(push="approve", approve_after=1.0)
    server = servers(section)
    person = push_person(place, vendor)
    assert server.client("127.0.0.3").ask(person.name, person.password, timeout=20).code == "accept"
    assert len(fake.requests(path, method)) == 1


@pytest.mark.parametrize("vendor", PUSH)
def test_nobody_answers_the_push(place, servers, fake, vendor):
    section, path, method = PUSH[vendor]
    fake.reset(push="wait")
    server = servers(section)
    person = push_person(place, vendor)
    begin = time.monotonic()
    reply = server.client("127.0.0.3").ask(person.name, person.password, timeout=20)
    assert reply is not None and reply.code == "reject", "not past its deadline"
    assert len(fake.requests(path, method)) == 1
    assert time.monotonic() - begin > 5, "control: it was waited for"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("vendor", PUSH)
def test_a_push_service_that_misbehaves(place, servers, fake, vendor, fault):
    section, path, method = PUSH[vendor]
    server = servers(section)
    person = push_person(place, vendor, totp=True)
    client = server.client()
    fake.reset(action=fault, push="wait")
    reply = client.ask(person.name, person.password, timeout=8)
    assert reply is not None and reply.code == "challenge", fault
    # a date has no parts of a second: the first of these waits may be short
    assert not fault.startswith("429") or len(fake.requests(path, method)) <= (5 if "date" in fault else 4)
    if not fault.startswith(("429", "x429")):
        asked = fake.requests(path, method)
        assert len([r for r in asked if vendor != "http" or person.name in r["body"]]) <= 1, "one login, one push"
    fake.reset()
    if "code from your authenticator" not in reply.message:
        reply = client.ask(person.name, "totp", reply.state)
    assert client.ask(person.name, person.code(), reply.state).code == "accept"


def test_a_service_that_is_gone(place, make_server):
    """Nobody listens there: the next method, a breaker that says so, and other logins as ever. Then it is back, and found."""
    port = world.free_port()
    section = PUSH["http"][0].format(url=f"http://127.0.0.1:{port}").replace(
        "poll = 0.2", "poll = 0.2\n\t\tbreaker_failures = 2\n\t\tbreaker_seconds = 1\n\t\tretry_max = 0")
    # the servers of this file are on one machine, and would take each other's heartbeat
    server = make_server(sections="\n\t" + section + "\n", settings={"server_name": "gone"}).start()
    client = server.client()
    for _ in range(3):
        person = push_person(place, "http", totp=True)
        reply = client.ask(person.name, person.password, timeout=10)
        assert reply.code == "challenge" and "authenticator app" in reply.message
        assert client.ask(person.name, person.code(), reply.state).code == "accept"
    wait_for(lambda: "provider http: down" in server.fresh_log(), "the log says that it is down")
    wait_for(lambda: re.search(r"gone lives, \d+ parked, but a breaker is not closed: http ", place.wsmfactl("doctor", check=False).stdout),
             "doctor tells of it", 20)
    only = push_person(place, "http")
    reply = client.ask(only.name, only.password, timeout=10)
    assert reply.code == "reject" and "does not work" in reply.message
    back = Fake(port)
    try:
        wait_for(lambda: client.ask(only.name, only.password, timeout=10).code == "challenge", "one is tried, and goes through")
        wait_for(lambda: "provider http: works again" in server.fresh_log(), "the log says that it works again")
        assert len(back.requests("/push", "POST")) == 1
    finally:
        back.close()


def test_secrets_stay_out_of_the_log(place, servers, fake):
    fake.reset(push="approve")
    section = PUSH["auth0"][0]
    server = servers(section)
    person = push_person(place, "auth0")
    client = server.client()
    reply = client.ask(person.name, person.password, timeout=8)
    client.ask(person.name, b"", reply.state, timeout=20)
    log = server.log()
    for secret in (PASSWORD, "client-secret", "Fe26."):
        assert secret not in log
