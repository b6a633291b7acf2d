"""What wsmfactl prints, whatever it is about: the form of its JSON, width and colours of a terminal, what bash completes."""
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios

import pytest

from place import WSMFACTL

# One object; all other commands print an array of them.
BARE = ["account show", "recovery new", "totp add"]
# A page, metrics and a script are no JSON; test_setup.py looks at setup, test_wsmfactl_keys.py at key rotate.
OTHER = ["report", "metrics", "completion", "setup", "key rotate"]


@pytest.fixture
def name(place):
    return f"form{next(place.numbers)}"


def pending(place, name):
    """A push that waits for its answer."""
    return place.value(
        "insert into wsmfa.challenge (account_id, kind, client, station, service, login, attempt, opened_at, expires_at, "
        "code_expires_at, number, push_state) select id, 'push', '127.0.0.1', '', 'elements', 'x', 1, now(), "
        "now() + interval '2 min', now() + interval '45 s', '', 'pending' from wsmfa.account where name = %s returning id", name)


def test_json_is_an_array_of_objects_but_for_three(place, tmp_path, name):
    csv, code, told = tmp_path / "people.csv", name.upper(), {}
    csv.write_text(f"name,organization,region,services\n{name}c,Acme,EMEA,elements\n")
    person = place.person(name=f"{name}b")

    def run(command, *words):
        told[command] = json.loads(place.wsmfactl(*command.split(), *words, "--json", check=command != "doctor").stdout)
    run("account add", name, "--org", "Acme", "--region", "EMEA", "--service", "elements")
    run("account import", csv)
    for command in ("account show", "account disable", "account enable", "account unlock", "account ticket", "totp add", "recovery new",
                    "method list"):
        run(command, name)
    run("account list", "--org", "Acme")
    run("account set", name, "--language", "fi")
    run("account exempt", name, "--until", "2999-01-01T00:00Z", "--reason", "x")
    run("sms add", name, "+358401234567")
    run("push add", name, "--provider", "local", "--device", "d")
    push = pending(place, person.name)
    run("push pending")
    run("push answer", push, "deny")
    for command in ("method disable", "method enable", "method remove"):
        run(command, name, told["totp add"]["id"])
    run("account erase", name, "--yes")
    place.sql("insert into wsmfa.event (at, outcome) values (now(), 'denied')")
    for command in ("status", "events", "sweep", "doctor", "key list"):
        run(command)
    run("key init", "--key-file", tmp_path / "key")
    run("region add", code, "--time-zone", "UTC", "--announce-from", "never", "--enforce-from", "never")
    place.person(region=code)
    run("region what-if", code, "--announce-from", "2020-01-01T00:00Z", "--enforce-from", "2020-01-01T00:00Z")
    run("region set", code)
    for command in ("org add", "org set", "service add", "service set"):
        run(command, name)
    for command in ("org list", "region list", "service list"):
        run(command)
    table = place.wsmfactl("--help").stdout
    commands = {line[:20].strip() for line in re.findall("(?m)^  ([a-z].*)", table)}
    assert len(commands) > 40 and set(told) == commands - set(OTHER)
    for command, value in told.items():
        if command in BARE:
            assert isinstance(value, dict), command
        else:
            assert isinstance(value, list) and value and all(isinstance(v, dict) for v in value), (command, value)


def on_terminal(place, columns, *words, **env):
    """What the command draws on a terminal that is so wide."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    env = {**os.environ, **place.cluster.env(database=place.database), "TERM": "xterm", "LC_ALL": "C.UTF-8", "NO_COLOR": "", **env}
    with subprocess.Popen([WSMFACTL, *map(str, words)], env=env, stdin=slave, stdout=slave, stderr=slave) as p:
        os.close(slave)
        said = b""
        while True:
            try:
                more = os.read(master, 65536)
            except OSError:  # the other side is closed
                break
            if not more:
                break
            said += more
    os.close(master)
    assert p.returncode == 0, said
    return said.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [24, 30, 39, 40, 60, 80, 200])
def test_status_fits_its_terminal(place, name, columns):
    number = place.organization(name=f"Narrow {name} " + "x" * 30)
    place.person(organization=number, totp=True)
    place.person(organization=number, sms="+358401234567")
    org = place.value("select name from wsmfa.organization where id = %s", number)
    said = re.sub(r"\033\[\d*m", "", on_terminal(place, columns, "status", "--org", org, "--at", "2024-02-02T00:00Z"))
    lines = said.split("\n")
    assert max(map(len, lines)) <= columns, lines
    text = " ".join(said.split())
    assert "2 of 2 in scope ready, 2 accounts, 1 by SMS only" in text and "enforced from 2024-04-22, 79 days left" in text
    assert "100.0 %" in text and "█" * 10 in text and "x" * 12 in text


def test_colours_are_for_terminals(place):
    assert "\033[3" in on_terminal(place, 80, "status")
    assert "\033" not in on_terminal(place, 80, "status", NO_COLOR="1")
    assert "\033" not in on_terminal(place, 80, "status", TERM="dumb")
    assert "\033" not in place.wsmfactl("status").stdout


def test_an_import_shows_how_far_it_is(place, tmp_path, name):
    csv = tmp_path / "people.csv"
    csv.write_text("name,organization,region,services,password\n" + "".join(f"{name}x{i},Acme,EMEA,elements,secret\n" for i in range(20)))
    said = on_terminal(place, 80, "account", "import", csv, "--iterations", 1000)
    for what in ("sending", "hashing", "storing"):
        assert re.search(rf"\r{what} +\[[#.]{{30}}\] +\d+ %", said), what
    assert said.endswith("\r\033[K20 accounts added, 0 updated, 0 authenticators added\n"), "and clears it"
    assert place.wsmfactl("account", "import", csv, "--update").stderr == "", "for terminals only"


def test_completion_knows_what_the_table_knows(place):
    def words(*given):
        return place.wsmfactl("--complete", *given).stdout.split()
    assert {"account", "totp", "status"} <= set(words(""))
    assert {"add", "show", "import"} <= set(words("account", ""))
    assert {"--secret", "--format", "--json"} <= set(words("totp", "add", "bob", ""))
    assert words("totp", "add", "bob", "--format", "") == ["qr", "uri", "json"]
    assert "complete -F" in place.wsmfactl("completion").stdout


def test_completion_goes_on_after_options_of_all_commands(place):
    def words(*given):
        return place.wsmfactl("--complete", *given).stdout.split()
    for given in (["--json"], ["--key-file", "f"], ["--key-file", "=", "f"], ["--key-file", "f", "--json"]):
        for then in ([""], ["account", ""], ["status", ""]):
            assert words(*given, *then) == words(*then) != [], (given, then)
    assert words("status", "--json", "") == words("status", "")
    assert words("--key-file", "") == words("--key-file", "=", "") == [], "a file's name is for bash"


def test_bash_completes(place):
    """As bash calls it: the script that the command prints, its words split by bash's own rules."""
    script = 'source <("$0" completion); COMP_WORDS=(wsmfactl "$@"); COMP_CWORD=$#; _wsmfactl "$0"; echo "${COMPREPLY[@]}"'

    def completed(*words):
        return subprocess.run(["bash", "-c", script, WSMFACTL, *words], capture_output=True, text=True, check=True).stdout.split()
    assert completed("acc") == ["account"] and completed("--json", "acc") == ["account"]
    assert completed("account", "sh") == ["show"] and completed("--json", "account", "sh") == ["show"]
