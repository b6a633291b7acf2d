"""Text that means something elsewhere, through every foreign field: it arrives as what it is, or not at all.

Apart from test_bad_input.py and test_logs.py: here are the places that what was typed is carried on to.
"""
import json
import re
import urllib.parse

import pytest

from place import wait_for
from pushes import wait_mode
from test_providers import PUSH, SMS, code_of, fake, push_person, servers  # noqa: F401

# None has a control character or a capital letter: a name is refused with the one and folded with the other.
HOSTILE = {
    "sql": "x'); drop table wsmfa.event; -- \\'; select pg_sleep(60) --$$",
    "url": "x&to=%2b358409999999&text=evil&password=evil#y?z=/../%00%0d%0ax-evil:%201",
    "json": "x\",\"to\":\"+358409999999\",\"evil\":{\"a\":[1]},\"b\":\"\\u0022\\",
    "xml": "x]]><evil a=\"1\">&lt;&#10;</evil><!--",
    "template": "{text}{password}{token}{to}{id}{}{account}{account",
    "expansion": "%{user-password}%{control:cleartext-password}%{sql:select 1}%{exec:/bin/id}%{%{x}:-y}%",
    "shell": "$(id)`id`;id|id&id>/tmp/evil",
    "format": "%s%n%1$s%-2000000d%%",
    "text of two octets": "é\u00a0ä\u2028\u202eö",
}
ATTRIBUTES = ("Filter-Id", "Reply-Message", "Class", "NAS-Identifier", "Proxy-State", "Acct-Session-Id", 30, 77, 87)
LOG_LINE = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4} : [A-Z][A-Za-z]+: ")


def extra(text):
    return [(name, text.encode()[:253]) for name in ATTRIBUTES]


def printable(text):
    """A station as it goes on: octets that are no printable ASCII are replaced."""
    return "".join(chr(o) if 0x20 <= o <= 0x7E else "?" for o in text.encode())


def phone(place):
    return "+35844%07d" % next(place.numbers)


def fields(text):
    return dict(urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=True)) if text else {}


def parts(request):
    """Query and body of a request, decoded as a server would."""
    body = request["body"]
    return fields(request["query"]), json.loads(body) if body[:1] in "{[" and body else fields(body)


def shape(requests):
    """What no foreign value may change: methods, paths, names of fields and of headers."""
    return [(r["method"], re.sub(r"\d{8}|%2F", "N", r["path"]), *map(sorted, parts(r)), sorted(r["headers"])) for r in requests]


def holds(requests, text):
    return any(text in part.values() for r in requests for part in parts(r))


def clean(log):
    """Nothing in it begins a line that the server did not begin, and nothing was expanded or run."""
    assert all(LOG_LINE.match(line) for line in log.splitlines()), log
    assert "uid=" not in log and "\x1b" not in log


@pytest.mark.parametrize("kind", HOSTILE)
def test_names_stations_and_passwords(place, server, kind):
    """In every attribute at once, through the store, the events, wsmfactl and the log, by each way of a login."""
    text = HOSTILE[kind]
    number = next(place.numbers)
    server.mark()
    person = place.person(name=f"{number}{text}", password=f"{text}{number}", totp=True,
                          organization=place.organization(name=f"{text} {number}"))
    client, append = server.client(), server.client("127.0.0.2")
    how = {"station": text.encode()[:253], "extra": extra(text)}
    reply = client.ask(person.name, person.password, **how)
    assert reply.code == "challenge" and text not in reply.message
    wrong = client.ask(person.name, text, reply.state, **how)
    assert wrong.code == "challenge"
    assert client.ask(person.name, person.code(), wrong.state, **how).code == "accept"
    event = place.event(person.name, "accepted")
    assert event["organization"] == f"{text} {number}" and event["calling_station"] == printable(text)
    # What stands for the password, were it expanded, is not the password; what is cut off behind it is not looked at as one.
    assert client.ask(person.name, text, **how).code == "reject"
    assert client.ask(person.name, "%{control:Cleartext-Password}", **how).code == "reject"
    assert append.ask(person.name, f"{person.password},{text.replace(',', '')}", **how).code == "reject"
    assert append.ask(person.name, f"{person.password},{person.code(1)}", **how).code == "accept"
    # A State of such text is an unknown one.
    assert client.ask(person.name, person.code(1), text.encode()[:253], **how).code == "reject"
    shown = json.loads(place.wsmfactl("account", "show", person.name, "--json").stdout)
    assert shown["account"] == person.name and shown["organization"] == f"{text} {number}"
    clean(server.fresh_log())
    assert person.password not in server.fresh_log()


def first(client, person):
    return client.ask(person.name, person.password).state


def said(client, person, word):
    return client.ask(person.name, word, first(client, person)).state


# What a login may be asked: what its person has, the settings that it takes, and the way to the question.
QUESTIONS = {
    "the code of an app": ({"totp": True}, {}, first), "the code of a text": ({"sms": "new"}, {}, first),
    "a recovery code": ({"totp": True, "recovery": True}, {}, lambda c, p: said(c, p, "recovery")),
    "which way": ({"phone": "new"}, {}, first), "the code of a new app": ({}, {"enroll_methods": "totp"}, first),
    "the code of a new phone": ({"phone": "new"}, {}, lambda c, p: said(c, p, "sms")),
    "a ticket": ({}, {"enroll_ticket": "required"}, first), "a push": ({"push": True}, {}, first),
    "a banner": ({}, {}, first),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_answers_to_each_question(place, make_server, question):
    """Nobody is let in, sent elsewhere or enrolled by one, and the next login of the same person is as the first."""
    traits, settings, ask = QUESTIONS[question]
    limits = {"sms_max": 100, "sms_number_max": 100, "push_max": 20, "push_timeout": 10}
    server = make_server(settings={**limits, **settings}).start()
    server.mark()
    client = server.client("127.0.0.6" if question == "a banner" else "127.0.0.1")
    for kind, text in HOSTILE.items():
        person = place.person(**{name: phone(place) if value == "new" else value for name, value in traits.items()},
                              organization=place.announced() if question == "a banner" else None)
        had = place.value("select count(*) from wsmfa.authenticator where account_id = %s", person.id)
        before = client.ask(person.name, person.password) if question not in ("a push", "a banner") else None
        state = ask(client, person)
        assert state, kind
        reply = client.ask(person.name, text, state, timeout=20)
        assert reply.code in ("challenge", "reject"), kind
        assert text not in reply.message and len(reply.message) <= 253 and reply.message.isascii(), kind
        assert place.value("select count(*) from wsmfa.authenticator where account_id = %s", person.id) == had, kind
        if before:
            assert client.ask(person.name, person.password).message.split(":")[0] == before.message.split(":")[0], kind
    clean(server.fresh_log())


def test_a_name_that_is_made_by_the_server(place, make_server):
    """account_name is expanded once: what comes out of it is not expanded again."""
    server = make_server(settings={"account_name": '"%{tolower:%{User-Name}}"'}).start()
    for text in (HOSTILE["expansion"], HOSTILE["shell"], HOSTILE["sql"]):
        person = place.person(name=f"{next(place.numbers)}{text}", totp=True)
        client = server.client()
        state = client.ask(person.name, person.password).state
        assert client.ask(person.name, person.code(), state).code == "accept", text
    clean(server.fresh_log())


@pytest.mark.parametrize("vendor", SMS)
def test_text_messages(place, servers, fake, vendor):  # noqa: F811
    section, path = SMS[vendor]
    server = servers(section)
    server.mark()
    shapes = {}
    for kind, text in {"innocent": "kirsi", **HOSTILE}.items():
        fake.reset()
        person = place.person(name=f"{next(place.numbers)}{text}", sms=phone(place))
        client = server.client()
        reply = client.ask(person.name, person.password, station=text.encode()[:253], extra=extra(text))
        sent = fake.requests(path)
        shapes[kind] = shape(sent)
        assert all(r["signature"] in (None, True) for r in sent)
        assert client.ask(person.name, code_of(sent[0]), reply.state, station=text.encode()[:253]).code == "accept"
        assert shapes[kind] == shapes["innocent"], kind
    clean(server.fresh_log())


def test_templates_of_a_gateway(place, make_server, fake):  # noqa: F811
    """A name in URL, header and body of a request."""
    server = make_server(sections=f"""
	sms all {{
		type = http
		url = '{fake.url}/plain?who={{account}}&to={{to}}'
		header = 'X-Account: {{account}}'
		body = '{{"to":"{{to}}","text":"{{text}}","who":"{{account}}"}}'
		body_type = json
	}}
""").start()
    for kind, text in HOSTILE.items():
        fake.reset()
        number = phone(place)
        person = place.person(name=f"{next(place.numbers)}{text}", sms=number)
        assert server.client().ask(person.name, person.password).code == "challenge"
        sent, = fake.requests("/plain")
        query, body = parts(sent)
        assert query == {"who": person.name, "to": number}, kind
        assert body["who"] == person.name and body["to"] == number and len(body) == 3
        assert "x-evil" not in sent["headers"]
        assert sent["headers"]["x-account"].encode("latin-1").decode() == person.name.strip()


@pytest.mark.parametrize("vendor", PUSH)
def test_pushes(place, servers, fake, vendor):  # noqa: F811
    section, path, method = PUSH[vendor]
    server = servers(section)
    server.mark()
    shapes = {}
    for kind, text in {"innocent": "kirsi", **HOSTILE}.items():
        fake.reset(push="approve")
        person = push_person(place, vendor, name=f"{next(place.numbers)}{text}")
        if vendor == "http":
            place.sql("update wsmfa.authenticator set device = %s where account_id = %s", text, person.id)
        client = server.client("127.0.0.3")
        packet = client.build([("User-Name", person.name), ("Calling-Station-Id", text.encode()[:253]), *extra(text)], person.password)
        assert client.send(packet, 20).code == "accept", kind
        asked = fake.requests(path, method)
        assert len(asked) == 1 and all(r["signature"] in (None, True) for r in fake.call("/_requests"))
        shapes[kind] = shape(asked)
        assert shapes[kind] == shapes["innocent"], kind
        assert holds(fake.call("/_requests"), person.name), kind
        if vendor == "http":
            assert holds(asked, printable(text)) and holds(asked, text)
    clean(server.fresh_log())


@pytest.mark.parametrize("vendor", PUSH)
def test_what_a_service_says(place, servers, fake, vendor):  # noqa: F811
    """Its words in the prompt and in the log are cleaned; its id in a URL is only an id."""
    section, path, _ = PUSH[vendor]
    server = servers(section)
    server.mark()
    person = push_person(place, vendor, totp=True)
    client = server.client()
    fake.reset(action="control", push="approve", approve_after=1)
    reply = client.ask(person.name, person.password, timeout=10)
    assert reply.code == "challenge" and len(reply.all("Reply-Message")) == 1
    assert reply.message.isascii() and reply.message.isprintable()
    clean(server.fresh_log())
    if vendor == "http":
        fake.reset(push="approve")
        fake.call("/_script", [["/push", "evilid"]])
        other = push_person(place, vendor)
        assert server.client("127.0.0.3").send(wait_mode(client, other), 20).code == "accept"
        polls = wait_for(lambda: fake.requests("", "GET"), "the state was asked for")
        assert all(r["path"].startswith("/push/") and not r["query"] and "x-evil" not in r["headers"] for r in polls)


@pytest.mark.parametrize("vendor", SMS)
def test_what_a_gateway_says(place, servers, fake, vendor):  # noqa: F811
    """Of a text that it does not take: no word of it in the prompt or the log, which tells the status and a number."""
    section, _ = SMS[vendor]
    server = servers(section)
    server.mark()
    person = place.person(sms=phone(place), totp=True)
    client = server.client()
    state = client.ask(person.name, person.password).state
    fake.reset(action="control")
    reply = client.ask(person.name, "sms", state, timeout=10)
    assert reply.code == "challenge" and len(reply.all("Reply-Message")) == 1
    assert reply.message.isascii() and reply.message.isprintable() and "Evil" not in reply.message
    assert fake.requests(SMS[vendor][1]) and "status 400" in server.fresh_log(), "control: it was asked, and answered"
    assert "Evil" not in server.fresh_log() and "708" not in server.fresh_log().split("not sent", 1)[1].splitlines()[0]
    clean(server.fresh_log())


def test_the_hook_that_tells_a_person(place, make_server, fake):  # noqa: F811
    """A name in its JSON; and in the words of a wsmfactl that made the codes."""
    server = make_server(settings={"notify_url": f'"{fake.url}/notify"'}).start()
    for kind, text in HOSTILE.items():
        fake.reset()
        person = place.person(name=f"{next(place.numbers)}{text}", totp=True, recovery=True)
        client = server.client()
        state = client.ask(person.name, "recovery", client.ask(person.name, person.password).state).state
        assert client.ask(person.name, person.recovery[0], state).code == "accept", kind
        told, = wait_for(lambda: fake.requests("/notify", "POST"), "the hook is called")
        body = json.loads(told["body"])
        assert body["account"] == person.name and text not in body["text"], kind
    clean(server.fresh_log())


# Columns of a table whose cells have a form, or a place among those that there are.
FORMED = ("region", "services", "phone", "totp_secret")


@pytest.mark.parametrize("column", FORMED)
def test_hostile_cells_that_must_have_a_form(place, tmp_path, column):
    """Each row is refused by its line, and so none is taken."""
    number = next(place.numbers)
    good = {"name": f"formed{number}-", "organization": f"Formed {number}", "region": "EMEA", "services": "elements", "password": "x y z",
            "phone": "+358401234567", "totp_secret": ""}

    def bring(texts):
        lines = [",".join(good)]
        for i, text in enumerate(texts):
            row = {**good, "name": good["name"] + str(i), column: text}
            lines.append(",".join('"' + cell.replace('"', '""') + '"' for cell in row.values()))
        path = tmp_path / "people.csv"
        path.write_text("\n".join(lines) + "\n")
        return place.wsmfactl("account", "import", path, check=False)
    done = bring(HOSTILE.values())
    made = place.value("select count(*) from wsmfa.account where name like %s", good["name"] + "%")
    assert done.returncode != 0 and made == 0
    assert all(f"people.csv:{i}: " in done.stdout + done.stderr for i in range(2, 2 + len(HOSTILE))), done
    assert "\x1b" not in done.stdout + done.stderr
    assert bring([good[column]]).returncode == 0, "control: it is the cells"


def test_a_table_of_hostile_rows(place, tmp_path):
    """CSV: what an import brings is text, and comes out of wsmfactl as it went in."""
    number = next(place.numbers)
    names = [f"{number}{text}" for text in HOSTILE.values()]

    devices = [text[:40] for text in HOSTILE.values()]

    def cell(text):
        return '"' + text.replace('"', '""') + '"'
    rows = [",".join([cell(n), cell(f"Imported {n}"), "EMEA", "elements", cell(n), "+358401234567", "", cell(d), cell(d)])
            for n, d in zip(names, devices)]
    path = tmp_path / "people.csv"
    path.write_text("\n".join(["name,organization,region,services,password,phone,totp_secret,push_provider,push_device", *rows]) + "\n")
    place.wsmfactl("account", "import", path)
    listed = {row["account"]: row for row in json.loads(place.wsmfactl("account", "list", "--json").stdout)}
    assert all(listed[n]["organization"] == f"Imported {n}" for n in names)
    kept = dict(place.sql("select a.name, x.provider || x.device from wsmfa.authenticator x join wsmfa.account a on a.id = x.account_id "
                          "where a.name = any(%s)", names))
    assert kept == {n: d + d for n, d in zip(names, devices)}
