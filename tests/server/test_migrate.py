"""docs/migrate.md: its commands, as they stand there, on what the old systems leave; then logins with the codes of the old apps."""
import base64
import os
import re
import secrets
import subprocess
import time

import pytest

from place import TOP, WSMFACTL, totp

BLOCKS = re.findall(r"^```\n(.*?)^```$", (TOP / "docs/migrate.md").read_text(), re.M | re.S)


def command(word):
    """The one block that has this in it."""
    found, = [b for b in BLOCKS if word in b]
    return found


@pytest.fixture(scope="module")
def old(place, tmp_path_factory):
    """What the old systems have, and whose key is whose: who moves and who stays. The names hold what makes such files hard."""
    folder = tmp_path_factory.mktemp("migrate")
    moves, stays = {}, set()

    def key(name=None):
        raw = secrets.token_bytes(20)
        if name is None:
            return base64.b32encode(raw).decode()
        moves[name] = raw
        return base64.b32encode(raw).decode()

    (folder / "users").write_text(f"""# ann is no user: TOTP-Secret := "{key()}"
anna	TOTP-Secret := "{key("anna")}"
bert  Cleartext-Password := "open sesame", TOTP-Secret := {key("bert")}
	Reply-Message := "Hello"
carl	Cleartext-Password := "open sesame"
DEFAULT	Auth-Type := Reject
""")
    stays.update({"carl", "ann"})
    place.sql("create database radius")
    with place.connect("radius").cursor() as radius:
        radius.execute("create table radcheck (username text, attribute text, op text, value text)")
        radius.executemany("insert into radcheck values (%s, %s, ':=', %s)", [
            ("dora", "TOTP-Secret", key("dora")), ("dora", "Cleartext-Password", "open, sesame"), ("o'neil", "TOTP-Secret", key("o'neil")),
            ("emil", "Cleartext-Password", "x")])
    stays.add("emil")
    # Of the machine's own users, since the file's owner is the name.
    for name, options, kind in (("games", '" RATE_LIMIT 3 30\n" WINDOW_SIZE 3\n" TOTP_AUTH\n', moves), ("lp", '" HOTP_COUNTER 1\n', stays)):
        home = folder / "home" / name
        home.mkdir(parents=True)
        file = home / ".google_authenticator"
        file.write_text(f"{key(name if kind is moves else None)}\n{options}12345678\n87654321\n")
        subprocess.run(["chown", name, file], check=True)
    stays.add("lp")
    (folder / "tokens.csv").write_text(f"""frida@acme, TOTP0001A2B3, {key("frida")}, totp, 6, 30
gus@home@acme, TOTP0001A2B4, {key("gus@home")}, totp, 6, 30
n/a, TOTP0001A2B5, {key()}, totp, 6, 30
hugo@acme, TOTP0001A2B6, {key()}, totp, 8, 30
ida@acme, TOTP0001A2B7, {key()}, totp, 6, 60
jon@acme, OATH0001A2B8, {key()}, hotp, 6
""")
    stays.update({"n/a", "hugo", "ida", "jon"})
    yield folder, moves, stays
    place.sql("drop database radius with (force)")


@pytest.fixture(scope="module")
def moved(place, old):
    """The commands of the document, in its order, but the one for privacyIDEA's machine."""
    folder, moves, stays = old
    words = ("umask 077", "echo name,", "TOTP-Secret[[", "radcheck", "/home/*", "tokens.csv >>", "account import")
    assert [BLOCKS.index(command(w)) for w in words] == sorted(BLOCKS.index(command(w)) for w in words)
    assert len(BLOCKS) == len(words) + 1 and "pi-tokenjanitor find" in command(">tokens.csv")
    script = "\n".join(command(w) for w in words).replace("/home/*", f"{folder}/home/*")
    script = script.replace("cd moving", "cd moving && ln -s ../users ../tokens.csv .")
    env = {**os.environ, **place.cluster.env(database=place.database), "WSMFA_KEY_FILE": str(place.key_file),
           "PATH": f"{WSMFACTL.parent}:{os.environ['PATH']}"}
    # Other tests' rows are not this document's: doctor may find something.
    done = subprocess.run(["bash", "-ec", script.replace("wsmfactl doctor", "wsmfactl doctor || true")], cwd=folder, env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_who_moves_and_who_stays(place, old, moved):
    folder, moves, stays = old
    found = dict(place.sql("select a.name, count(*) from wsmfa.account a join wsmfa.authenticator x on x.account_id = a.id "
                           "where a.name = any (%s) and x.kind = 'totp' and x.confirmed_at is not null group by 1", [*moves, *stays]))
    assert found == dict.fromkeys(moves, 1)
    assert not (folder / "moving" / "people.csv").exists() and (folder / "moving").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["anna", "bert", "dora", "o'neil", "games", "frida", "gus@home"])
def test_the_old_app_lets_its_owner_in(place, server, old, moved, name):
    # Their first factor stayed where it was; here it comes along.
    place.sql("update wsmfa.account set password = '{clear}open sesame' where name = %s", name)
    client = server.client()
    asked = client.ask(name, "open sesame")
    assert asked.code == "challenge", asked
    assert client.ask(name, totp(old[1][name], int(time.time()) // 30), asked.state).code == "accept"
