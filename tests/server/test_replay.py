"""One code, one question, one login: replays, and repeats after a fail-over. Many at once: test_races.py."""
import pytest

import world
from faults import at_once
from place import wait_for


def test_a_fail_over_repeats_the_outcome(place, server, make_server):
    """The same answer at another server within ten seconds: the same outcome, one settlement, one event."""
    second = make_server().start()
    person = place.person(totp=True)
    first = server.client()
    state = first.ask(person.name, person.password, station="s").state
    code = person.code()
    assert first.ask(person.name, code, state, station="s").code == "accept"
    assert second.client().ask(person.name, code, state, station="s").code == "accept"
    place.event(person.name, "accepted")
    assert len([e for e in place.events(person.name) if e["outcome"] == "accepted"]) == 1
    # Anything else with the spent State is refused.
    assert second.client().ask(person.name, person.code(1), state, station="s").code == "reject"
    assert second.client().ask(person.name, code, state, station="t").code == "reject"
    assert second.client("127.0.0.9").ask(person.name, code, state, station="s").code == "reject"


def test_a_fail_over_of_a_wrong_answer_gets_the_same_question(place, server, make_server):
    second = make_server().start()
    person = place.person(totp=True)
    state = server.client().ask(person.name, person.password).state
    wrong = person.wrong_code()
    one = server.client().ask(person.name, wrong, state)
    two = second.client().ask(person.name, wrong, state)
    assert one.code == two.code == "challenge"
    assert one.state == two.state
    wait_for(lambda: place.events(person.name), "there is an event")
    assert second.client().ask(person.name, person.code(), two.state).code == "accept"
    place.event(person.name, "accepted")
    assert len([e for e in place.events(person.name) if e["reason"] == "wrong_code"]) == 1


def test_a_fail_over_after_a_gateway_that_is_down(place, make_server):
    """What was asked instead of the code that never came is asked again, and with the same State."""
    sections = f"""
	sms down {{
		type = http
		url = 'http://127.0.0.1:{world.free_port()}/'
		body = 'to={{to}}&text={{text}}'
		success = '^200 '
	}}
"""
    one, two = (make_server(sections=sections).start().client() for _ in range(2))
    person = place.person(totp=True, sms="+35840222%04d" % next(place.numbers))
    state = one.ask(person.name, person.password).state
    first = one.ask(person.name, "sms", state)
    assert first.message.startswith("That way does not work at the moment. Enter the code from your authenticator app")
    again = two.ask(person.name, "sms", state)
    assert (again.message, again.state) == (first.message, first.state)
    place.event(person.name, "challenged", "provider_down")
    assert [e["reason"] for e in place.events(person.name)].count("provider_down") == 1
    assert two.ask(person.name, person.code(), again.state).code == "accept"


def test_both_servers_at_the_same_time(place, server, make_server):
    second = make_server().start()
    person = place.person(totp=True)
    state = server.client().ask(person.name, person.password).state
    code = person.code()
    clients = [server.client(), second.client()]
    replies = at_once([lambda c=c: c.ask(person.name, code, state, timeout=30) for c in clients])
    assert {r.code for r in replies} == {"accept"}
    place.event(person.name, "accepted")
    assert len([e for e in place.events(person.name) if e["outcome"] == "accepted"]) == 1


def test_a_repeat_is_decided_again(place, server, make_server):
    """An account disabled between an answer and its repeat is refused."""
    second = make_server().start()
    person = place.person(totp=True)
    state = server.client().ask(person.name, person.password).state
    code = person.code()
    assert server.client().ask(person.name, code, state).code == "accept"
    place.sql("update wsmfa.account set disabled_at = now() where id = %s", person.id)
    assert second.client().ask(person.name, code, state).code == "reject"


@pytest.mark.parametrize("steps,becomes", [(-2, "challenge"), (-1, "accept"), (0, "accept"), (1, "accept"),
                                           (2, "challenge")])
def test_totp_window(place, server, steps, becomes):
    """One step each side; two steps away is wrong. Tried again where the clock stepped in between."""
    def attempt():
        person = place.person(totp=True)
        client = server.client()
        state = client.ask(person.name, person.password).state
        before = person.code(steps)
        reply = client.ask(person.name, before, state)
        return reply.code == becomes if person.code(steps) == before else None
    assert attempt() or attempt()


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("digits", [6, 8])
@pytest.mark.parametrize("period", [15, 30, 60])
def test_totp_kinds(place, server, algorithm, digits, period):
    length = {"sha1": 20, "sha256": 32, "sha512": 64}[algorithm]
    person = place.person(totp={"algorithm": algorithm, "digits": digits, "period": period,
                                "key": bytes(range(1, length + 1))})
    client = server.client()
    state = client.ask(person.name, person.password).state
    assert client.ask(person.name, person.code(), state).code == "accept"


def test_a_code_of_either_app_counts(place, server):
    person = place.person(totp=True)
    person.add_totp()
    client = server.client()
    for which in (0, 1):
        state = client.ask(person.name, person.password).state
        assert client.ask(person.name, person.code(which=which), state).code == "accept"


def test_an_app_that_was_never_confirmed_is_none(place, server):
    person = place.person(services=["community"])
    person.add_totp(confirmed=False)
    assert server.client("127.0.0.4").ask(person.name, person.password).code == "accept"
