"""Reads and plays dialogues: text files that say what a user sends and what the server answers.

Apart from the tests, because a person who writes no Python adds a dialogue. The form, a line each:

    == TITLE                      a new dialogue, with a person of its own
    # ...                         remark
    @ person WORD... NAME=VALUE   who: totp push recovery disabled exempt announced observed; password= region= services=
                                  sms= phone= allowed= created= (days from now) language= preferred=
    @ server NAME=VALUE...        a radiusd of its own with these settings (else the shared one, all defaults)
    @ from ADDRESS                the client that sends from now on (place.CLIENTS)
    @ station TEXT                Calling-Station-Id from now on
    > TEXT                        sends it, with the State of the last question; nothing after > is an empty answer
    >> TEXT                       begins a new login with it
    < WORD [TEXT]                 accept, reject, challenge or silence; TEXT is the whole message, * stands for anything
    = OUTCOME [REASON]            an event of the account, waited for
    ! WORDS                       something changes meanwhile: a line of CHANGES below
    $ WORDS                       wsmfactl WORDS
    ~ approve | deny | forget     the phone; forget: nobody answers

In TEXT: {password} {totp} {totp+N} {wrong} {shown} (code of the key in the last message) {key} (that key) {sms} (the code
sent last) {number} (to match, in the last message) {recovery} {recovery+N} {ticket} (as wsmfactl said) {url}

tests/unit/test_dialogues.c plays the same files without a server, over the store in memory: a new mark, trait, change or setting
is for both of them.
"""
import base64
import fnmatch
import json
import re

import place as places
from place import ENROLL_URL, now, totp, wait_for


# What can change between a question and its answer.
CHANGES = {
    "account disabled": "update wsmfa.account set disabled_at = now() where id = {id}",
    "account deleted": "delete from wsmfa.account where id = {id}",
    "account renamed": "update wsmfa.account set name = name || '-gone' where id = {id}",
    "moved to APAC": "update wsmfa.account set region = 'APAC' where id = {id}",
    "out of scope": "delete from wsmfa.account_service where account_id = {id}",
    "in scope for 100 days": "update wsmfa.account_service set since = now() - interval '100 days' where account_id = {id}",
    "methods disabled": "update wsmfa.authenticator set disabled_at = now() where account_id = {id}",
    "app disabled": "update wsmfa.authenticator set disabled_at = now() where account_id = {id} and kind = 'totp'",
    "methods removed": "update wsmfa.authenticator set removed_at = now() where account_id = {id}",
    "enrolled elsewhere": "insert into wsmfa.authenticator (account_id, kind, phone, confirmed_at) "
                          "values ({id}, 'sms', '+358401000021', now())",
    "exempted": "insert into wsmfa.exemption (account_id, until, reason) values ({id}, now() + interval '1 day', 'x')",
    "exemption revoked": "update wsmfa.exemption set revoked_at = now() where account_id = {id}",
    "enforcement begins": "insert into wsmfa.organization_schedule (organization_id, announce_from, enforce_from) "
                          "select organization_id, now() - interval '1 day', now() - interval '1 second' "
                          "from wsmfa.account where id = {id} on conflict (organization_id) do update "
                          "set enforce_from = excluded.enforce_from",
    "enforcement moves to the day after tomorrow":
        "insert into wsmfa.organization_schedule (organization_id, announce_from, enforce_from) "
        "select organization_id, now() + interval '1 day', now() + interval '2 days' from wsmfa.account where id = {id} "
        "on conflict (organization_id) do update set announce_from = excluded.announce_from, enforce_from = excluded.enforce_from",
}


class Dialogue:
    def __init__(self, path, title, line):
        self.path, self.title, self.line = path, title, line
        self.steps = []


def read(path):
    """All dialogues of a file."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("== "):
            found.append(Dialogue(path, line[3:].strip(), number))
        elif line.strip() and not line.startswith("#"):
            mark = line.split(" ", 1)[0]
            assert mark in ("@", ">", ">>", "<", "=", "!", "$", "~"), f"{path.name}:{number}: unknown line: {line}"
            found[-1].steps.append((number, mark, line[len(mark) + 1:]))
    return found


class Player:
    def __init__(self, place, server, make_server):
        self.place, self.server, self.make_server = place, server, make_server
        self.person = self.reply = self.station = None
        self.state = None
        self.source = "127.0.0.1"
        self.clients = {}
        self.said = ""

    def play(self, dialogue):
        for number, mark, text in dialogue.steps:
            try:
                getattr(self, self.actions[mark])(text)
            except Exception as e:
                e.add_note(f"{dialogue.path.name}:{number}: {mark} {text}\nlast reply: {self.reply}")
                raise

    def setup(self, text):
        word, _, rest = text.partition(" ")
        if word == "from":
            self.source = rest.strip()
        elif word == "station":
            self.station = rest.strip()
        elif word == "server":
            self.server = self.make_server(settings=dict(item.split("=", 1) for item in rest.split())).start()
            self.clients.clear()
        elif word == "person":
            self.person = self.place.person(**self.traits(rest.split()))
        else:
            raise AssertionError(f"unknown: @ {text}")

    def traits(self, words):
        traits, organization = {}, None
        for word in words:
            name, equals, value = word.partition("=")
            if not equals and word in ("totp", "push", "recovery"):
                traits[word] = True
            elif word == "disabled":
                traits["disabled"] = now()
            elif word == "exempt":
                traits["exempt"] = now() + places.DAY
            elif word == "announced":
                organization = self.place.announced()
            elif word == "observed":
                organization = self.place.observed()
            elif name == "allowed":
                organization = self.place.organization(allowed=value.split(","))
            elif name == "created":
                traits[name] = now() + int(value) * places.DAY
            elif name == "services":
                traits[name] = [s for s in value.split(",") if s]
            elif name in ("password", "region", "sms", "phone", "language", "preferred"):
                traits[name] = value
            else:
                raise AssertionError(f"unknown trait {word}")
        return {**traits, "organization": organization}

    def fill(self, text):
        return re.sub(r"\{(\w+)([+-]\d+)?\}", lambda m: self.value(m.group(1), int(m.group(2) or 0)), text)

    def value(self, name, n):
        if name == "totp":
            return self.person.code(n)
        if name in ("shown", "key"):
            key = re.search(r": ([A-Z2-7]{4}(?: [A-Z2-7]{1,4})*)\.", self.reply.message).group(1)
            if name == "key":
                return key
            raw = key.replace(" ", "")
            return totp(base64.b32decode(raw + "=" * (-len(raw) % 8)), int(places.time.time() // 30) + n)
        if name == "sms":
            return self.server.text_code(self.place.value("select phone from wsmfa.account where id = %s",
                                                          self.person.id))
        if name == "number":
            return re.search(r"\d+", self.reply.message).group(0)
        return {"password": lambda: self.person.password, "wrong": self.wrong, "name": lambda: self.person.name,
                "id": lambda: str(self.person.id), "ticket": lambda: json.loads(self.said)[0]["ticket"],
                "recovery": lambda: self.person.recovery[n], "url": lambda: ENROLL_URL}[name]()

    def wrong(self):
        return self.person.wrong_code() if self.person.keys else "000000"

    def send(self, text):
        client = self.clients.get(self.source)
        if client is None:
            client = self.clients[self.source] = self.server.client(self.source)
        self.reply = client.ask(self.person.name, self.fill(text), self.state, self.station, timeout=60)
        self.state = self.reply.state if self.reply and self.reply.code == "challenge" else None

    def begin(self, text):
        self.state = None
        self.send(text)

    def expect(self, text):
        word, _, pattern = text.partition(" ")
        if word == "silence":
            assert self.reply is None
            return
        assert self.reply is not None and self.reply.code == word, f"expected {word}"
        if pattern:
            message = self.reply.message
            wanted = self.fill(pattern)
            if wanted.endswith(":"):
                wanted += " "
            assert fnmatch.fnmatchcase(message, wanted.replace("[", "[[]").replace("?", "[?]")), f"expected {wanted!r}"

    def event(self, text):
        self.place.event(self.person.name, *text.split())

    def change(self, text):
        self.place.sql(self.fill(CHANGES[text]))

    def control(self, text):
        self.said = self.place.wsmfactl(*self.fill(text).split()).stdout

    def phone(self, text):
        if text == "forget":
            return
        def pending():
            mine = json.loads(self.place.wsmfactl("push", "pending", "--json").stdout)
            return [p for p in mine if p["account"] == self.person.name]
        push = wait_for(pending, "a push is pending")[0]
        self.place.wsmfactl("push", "answer", push["id"], *self.fill(text).split())

    actions = {"@": "setup", ">": "send", ">>": "begin", "<": "expect", "=": "event", "!": "change", "$": "control", "~": "phone"}
