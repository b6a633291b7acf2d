"""When the server must not start, or start nothing: settings, key files, what surrounds the module, `-C`."""
import base64
import os
import re
import secrets
import socket

import pytest

from place import SECRET, TOP

MANUAL = (TOP / "raddb/mods-available/wsmfa").read_text()


def ranges():
    """Settings of the manual that have a range: "Range A to B." in the remark before them. First number pair, first name."""
    found = []
    for block in re.split(r"\n\s*\n", MANUAL):
        numbers = re.search(r"Range\s+(\d+)(?: \([^)]*\))?\s+to\s+(\d+)", re.sub(r"\n\s*#\s*", " ", block))
        name = re.search(r"^#?\t(\w+) = \d", block, re.M)
        if numbers and name:
            found.append((name.group(1), int(numbers.group(1)), int(numbers.group(2))))
    return found


RANGES = ranges()


@pytest.fixture(scope="module")
def bench(place):
    """A server that is never started: its module file is written anew for each case."""
    server = place.server()
    path = server.radiusd.raddb / "mods-available/wsmfa"
    text = path.read_text()

    def check(name=None, value=None, edit=None):
        changed = edit(text) if edit else re.sub(rf"^#?[ \t]*{name} = .*$", f"\t{name} = {value}", text, count=1, flags=re.M)
        assert changed != text
        path.write_text(changed)
        return server.check()
    return check


def refused(said, *words):
    code, text = said
    assert code != 0, text
    for word in words:
        assert word in text, text


def test_the_manual_has_ranges():
    assert len(RANGES) > 15


@pytest.mark.parametrize("name,low,high", RANGES, ids=[r[0] for r in RANGES])
def test_range(bench, name, low, high):
    refused(bench(name, high + 1), name, "mods-enabled/wsmfa[")
    refused(bench(name, low - 1), name, "mods-enabled/wsmfa[")
    code, said = bench(name, high - 1)
    # A value inside may contradict another setting; then the sentence is not about its range.
    assert code == 0 or "range" not in said.lower(), said


ADDED = {
    "unknown setting": ("\ttotp_windows = 1\n", "totp_windows"),
    "unknown section": ("\tsmss x {\n\t}\n", "smss"),
    "a setting twice": ("\tdefault_service = other\n", "default_service"),
    "unknown provider": ("\tsms pigeon {\n\t}\n", "pigeon"),
    "unknown provider type": ("\tsms x {\n\t\ttype = pigeon\n\t}\n", "pigeon"),
    "a provider twice": ("\tpush local {\n\t}\n", "local"),
    "unknown setting of a provider": ("\tpush other {\n\t\ttype = local\n\t\tcolour = red\n\t}\n", "colour"),
    "too many providers": ("".join(f"\tpush p{i} {{\n\t\ttype = local\n\t}}\n" for i in range(31)), "more than 32 providers"),
    "unknown text": ("\ttexts sv {\n\t\tgreeting = \"hej\"\n\t}\n", "greeting"),
    "a text without its key": ("\ttexts sv {\n\t\task_enroll_totp = \"Koden: \"\n\t}\n", 'has to contain ": {key}."'),
    "a text without its code": ("\ttexts sv {\n\t\tsms_code = \"Your code.\"\n\t}\n", 'has to contain "{number}"'),
    "a text without its list": ("\ttexts sv {\n\t\task_method = \"Miten: \"\n\t}\n", 'has to contain "{methods}"'),
    "forms that are not whole": ("\ttexts sv {\n\t\trecovery_left = \"{count|en}\"\n\t}\n", "{count|en}"),
    "unknown placeholder": ("\ttexts sv {\n\t\task_totp = \"{cdoe}: \"\n\t}\n", "cdoe"),
}


@pytest.mark.parametrize("name", ADDED)
def test_added(bench, name):
    text, word = ADDED[name]
    refused(bench(edit=lambda t: t.rstrip().removesuffix("}") + text + "}\n"), word, "mods-enabled/wsmfa[")


VALUES = {
    "word for a number": ("max_attempts", "many"), "negative": ("lock_after", "-1"), "no unit": ("push_timeout", "45s"),
    "on_store_failure": ("on_store_failure", "accept"), "enroll_ticket": ("enroll_ticket", "sometimes"),
    "enroll_methods": ("enroll_methods", '"totp, pigeon"'), "sms_prefixes": ("sms_prefixes", '"358"'),
    "server_name": ("server_name", '"h\u00e4mta"'), "server_name, too long": ("server_name", f'"{"x" * 201}"'),
    "append_separator": ("append_separator", '""'), "cap_session": ("cap_session", "perhaps"),
    "park_pool": ("park_pool", "nowhere"), "default_service": ("default_service", '""'),
    "connection": ("connection", '"nonsense=1"'),
    "enroll_url too long": ("enroll_url", '"https://' + "x" * 250 + '"'), "key_file": ("key_file", '"/nowhere"'),
}


@pytest.mark.parametrize("name", VALUES)
def test_value(bench, name):
    refused(bench(*VALUES[name]), VALUES[name][0])


def test_account_name_is_expanded_at_start(bench):
    refused(bench("account_name", '"%{nonsense"'), "%{nonsense", "mods-enabled/wsmfa[")


def test_default_service_has_no_default(bench):
    refused(bench(edit=lambda t: t.replace("\tdefault_service = elements\n", "")), "default_service")


@pytest.mark.parametrize("items,sentence", [
    ({"max_request_time": 30}, "set max_request_time to 50 or more, or push_timeout lower"),
    ({"max_requests": 1000}, "park_max = 10000 requests may wait: set max_requests in radiusd.conf higher"),
    ({"proxy_requests": "no"}, "proxy_requests is no in radiusd.conf: set it to yes"),
])
def test_what_the_server_needs(make_server, items, sentence):
    said = make_server(server=items).refuses()
    assert sentence in said and "radiusd.conf" in said, said


def test_response_window_of_a_client(make_server):
    said = make_server(clients={"127.0.0.1": {"response_window": 5}}).refuses()
    assert "response_window is 5 s" in said and "set response_window to 50 or more" in said, said


@pytest.mark.parametrize("holder", ["clients of_its_own", "server elsewhere"])
def test_response_window_of_a_client_elsewhere(make_server, holder):
    """A list of clients, and a site, have clients of their own; and less than a second is a window too."""
    client = "client far {\n\tipaddr = 192.0.2.1\n\tsecret = elsewhere\n\tresponse_window = 0.5\n}\n"
    said = make_server(edit=lambda site: f"{site}{holder} {{\n{client}}}\n").refuses()
    assert "response_window is 0 s" in said and "set response_window to 50 or more" in said, said


# The waiting room as an administrator may have written it: what becomes of a line of it, and the sentence that says what to set.
ROOMS = {
    "too short": (r"response_window = \d+", "response_window = 20", "set response_window to 50 or more, or push_timeout lower"),
    "not this machine": (r"ipaddr = [\d.]+", "ipaddr = 192.0.2.1", "must be a UDP port of a loopback address"),
    "asked whether it lives": (r"status_check = none", "status_check = status-server", "set status_check = none"),
    "another pool": (r"home_server_pool wsmfa_park", "home_server_pool other",
                     "there is no home_server_pool wsmfa_park with one home server: $INCLUDE mods-config/wsmfa/proxy-wsmfa.conf, or name"),
    "two of them": (r"\thome_server = wsmfa_park\n", "\thome_server = wsmfa_park\n\thome_server = wsmfa_park\n", "with one home server"),
}


@pytest.fixture(scope="module")
def room(place):
    server = place.server()
    path = server.radiusd.raddb / "mods-config/wsmfa/proxy-wsmfa.conf"
    text = path.read_text()

    def check(old, new):
        changed, n = re.subn(old, new, text)
        assert n == 1
        path.write_text(changed)
        return server.check()
    return check


@pytest.mark.parametrize("name", ROOMS)
def test_the_waiting_room(room, name):
    old, new, sentence = ROOMS[name]
    refused(room(old, new), sentence)


def test_client_items(make_server):
    for item, value in (("wsmfa_mode", "telepathy"), ("wsmfa_enroll", "perhaps"), ("wsmfa_banner", "shout")):
        said = make_server(clients={"127.0.0.1": {item: value}}).refuses()
        assert item in said and value in said, said


@pytest.mark.parametrize("holder", ["", "clients of_its_own", "server elsewhere"])
@pytest.mark.parametrize("item", ["wsmfa_mdoe = append", "wsmfa_mode = telepathy"])
def test_client_items_wherever_clients_stand(make_server, holder, item):
    """In lists and sites, too; and a word that is none of them is a misspelt one."""
    client = f"client far {{\n\tipaddr = 192.0.2.1\n\tsecret = elsewhere\n\t{item}\n}}\n"
    said = make_server(edit=lambda site: site + (f"{holder} {{\n{client}}}\n" if holder else client)).refuses()
    assert item.split()[0] in said and ("no other item is known" if "mdoe" in item else "challenge, append or wait") in said, said


def test_items_of_a_client_that_comes_later(place, make_server):
    """A client that is read when its first packet comes, which start-up has not seen: a bad item refuses its logins."""
    def client(value):
        return f"client later {{\n\tipaddr = 127.0.0.12\n\tsecret = {SECRET}\n\twsmfa_mode = {value}\n}}\n"
    person = place.person(services=["community"])
    for value, becomes in (("telepathy", "reject"), ("append", "accept")):
        server = make_server(more_clients=(
            "client dynamic {\n\tipaddr = 127.0.0.0/24\n\tdynamic_clients = later\n\tdirectory = ${confdir}/later\n"
            "\tlifetime = 3600\n}\nserver later {\nauthorize {\n\tok\n}\n}\n"),
            settings={"default_service": "community", "unguarded_sites": "later"}, files={"later/127.0.0.12": client(value)}).start()
        asked = server.client("127.0.0.12")
        assert asked.ask(person.name, person.password).code == becomes, value
        assert ("wsmfa_mode: write challenge, append or wait" in server.log()) == (becomes == "reject")


# Key files: text, mode, owner; a word of the refusal.
GOOD = "one " + base64.b64encode(bytes(range(32))).decode() + "\n"
KEY_FILES = {
    "empty": ("", 0o600, "no key"),
    "readable by others": (GOOD, 0o604, "others"),
    "writable by others": (GOOD, 0o602, "others"),
    "a short key": ("one AAAA\n", 0o600, "32"),
    "no base64": ("one !!!!\n", 0o600, "line 1"),
    "an id twice": (GOOD + GOOD, 0o600, "line 2"),
    "no id": (GOOD[4:], 0o600, "line 1"),
    "longer than is read": (GOOD + "#" * 9000, 0o600, "too long"),
}


@pytest.mark.parametrize("name", KEY_FILES)
def test_key_file(place, make_server, name):
    text, mode, word = KEY_FILES[name]
    path = place.write_key_file(f"key-{secrets.token_hex(4)}", text, mode)
    said = make_server(settings={"key_file": f'"{path}"'}).refuses()
    assert str(path) in said and word in said, said
    assert GOOD.split()[1] not in said


def test_key_file_is_missing(place, make_server):
    said = make_server(settings={"key_file": f'"{place.home}/no-such-key"'}).refuses()
    assert "no-such-key" in said and "wsmfactl key init" in said, said


def test_key_file_that_breaks_off(place, make_server):
    """A file whose reading fails, as on a broken disk: what came before is no ring. Here, a process's own memory at address 0."""
    said = make_server(settings={"key_file": '"/proc/self/mem"'}, server={"user": "root", "group": "root"}).refuses()
    assert "Input/output error" in said, said
    done = place.wsmfactl("--key-file", "/proc/self/mem", "totp", "add", "nobody", check=False)
    assert done.returncode == 1 and "Input/output error" in done.stderr, done


def test_key_file_is_a_folder(place, make_server):
    assert str(place.home) in make_server(settings={"key_file": f'"{place.home}"'}).refuses()


def test_check_starts_nothing(place, server):
    """`-C` beside a running server of the same configuration: no port, no connection, no thread."""
    place.sql("select pg_stat_clear_snapshot()")
    query = "select sessions from pg_stat_database where datname = %s"
    person = place.person(services=["community"])
    before = place.value(query, place.database)
    code, said = server.check()
    assert code == 0, said
    place.sql("select pg_stat_clear_snapshot()")
    assert place.value(query, place.database) == before
    assert server.client("127.0.0.4").ask(person.name, person.password).code == "accept"


def test_check_opens_no_socket(make_server):
    """With the parking port taken, `-C` is content; control: a start is not."""
    server = make_server()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", server.park_port))
        code, said = server.check()
        assert code == 0, said
        assert str(server.park_port) in server.refuses()


def test_a_stranger_may_not_read_the_configuration(server):
    for path in server.radiusd.raddb.rglob("*"):
        if not path.is_symlink() and path.is_file():
            assert path.stat().st_mode & 0o007 == 0, path
    assert os.stat(server.place.key_file).st_mode & 0o077 == 0
