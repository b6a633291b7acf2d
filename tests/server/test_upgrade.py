"""Versions that do not fit: the schema changes under a running server, module and schema of two versions, a module for another FreeRADIUS."""
import os
import re
import shutil
import struct
import subprocess

import pytest

from place import MODULE, TOP, wait_for

HEADER = (TOP / "rlm_wsmfa/store/store_pg.h").read_text()
MIGRATIONS = [int(file.name[:4]) for file in (TOP / "sql").glob("[0-9]*_*.sql")]
OLDEST, NEWEST = (int(re.search(rf"#define WSMFA_SCHEMA_{word} (\d+)", HEADER)[1]) for word in ("OLDEST", "NEWEST"))
NEXT = """ALTER TABLE wsmfa.account ADD COLUMN added_by_the_next_version text;
CREATE INDEX next_version_idx ON wsmfa.authenticator (label);
"""


class Versions:
    """A database of its own, and sets of migrations that end before or after today's."""

    def __init__(self, place, folder):
        self.place, self.folder = place, folder
        self.database = f"versions{next(place.numbers)}"
        place.sql(f"create database {self.database} encoding 'UTF8' template template0")

    def migrate(self, last):
        sql = self.folder / f"to-{last}"
        sql.mkdir()
        shutil.copy(TOP / "sql/migrate", sql)
        for file in (TOP / "sql").glob("[0-9]*_*.sql"):
            if int(file.name[:4]) <= last:
                shutil.copy(file, sql)
        if last > NEWEST:
            (sql / f"{last:04}_next.sql").write_text(NEXT)
        subprocess.run([sql / "migrate", "--quiet"], env={**os.environ, **self.place.cluster.env(database=self.database)}, check=True)


@pytest.fixture
def versions(place, tmp_path, monkeypatch):
    made = Versions(place, tmp_path)
    before = place.database
    monkeypatch.setattr(place, "database", made.database)
    reconnect(place)
    yield made
    monkeypatch.setattr(place, "database", before)
    reconnect(place)


def reconnect(place):
    if getattr(place.connections, "mine", None) is not None:
        place.connections.mine.close()


def accepted(client, person):
    asked = client.ask(person.name, person.password)
    return asked.code == "challenge" and client.ask(person.name, person.code(), asked.state).code == "accept"


def test_the_schema_changes_under_a_running_server(place, versions, make_server):
    """It knew the schema when it connected, and goes on until it connects anew; then it refuses, and says why."""
    versions.migrate(NEWEST)
    server = make_server().start()
    client = server.client()
    person, other = place.person(totp=True), place.person(totp=True)
    asked = client.ask(person.name, person.password)
    assert asked.code == "challenge"
    versions.migrate(NEWEST + 1)
    assert client.ask(person.name, person.code(), asked.state).code == "accept", "a question from before the migration"
    assert accepted(client, other), "a login after it"
    server.stop()
    server.start()
    assert server.client().ask(other.name, other.password).code == "reject"
    assert f"its schema is number {NEWEST + 1} and this module knows" in server.log() and "install a newer module" in server.log()
    done = place.wsmfactl("status", check=False)
    assert done.returncode == 1 and str(NEWEST + 1) in done.stderr


def test_the_oldest_schema_that_is_known_works(place, versions, make_server):
    """And it may be migrated while the server runs, up to the newest."""
    versions.migrate(OLDEST)
    server = make_server().start()
    person, other = place.person(totp=True), place.person(totp=True)
    assert accepted(server.client(), person)
    asked = server.client().ask(other.name, other.password)
    if OLDEST < NEWEST:
        versions.migrate(NEWEST)
    assert server.client().ask(other.name, other.code(), asked.state).code == "accept"


def test_a_newer_module_waits_for_its_schema(place, versions, make_server):
    """Nobody gets in on a schema older than those it knows; once it is migrated the running server goes on by itself."""
    before = max(number for number in MIGRATIONS if number < OLDEST)
    versions.migrate(before)
    server = make_server().start()
    assert server.client().ask("jane", "open sesame").code == "reject"
    assert f"its schema is number {before} and this module knows" in server.log() and "run sql/migrate" in server.log()
    done = place.wsmfactl("status", check=False)
    assert done.returncode == 1 and "migrate" in done.stderr
    versions.migrate(NEWEST)
    person = place.person(totp=True)
    wait_for(lambda: accepted(server.client(), person), "the server has connected to the new schema", 60)


def magic_at(module):
    """Where the file holds the module's first member, RLM_MODULE_MAGIC_NUMBER."""
    address = int(re.search(r"^([0-9a-f]+) \w rlm_wsmfa$", subprocess.run(["nm", "-D", module], capture_output=True, text=True,
                                                                         check=True).stdout, re.M)[1], 16)
    loads = subprocess.run(["readelf", "-lW", module], capture_output=True, text=True, check=True).stdout
    for offset, start, size in re.findall(r"LOAD\s+0x(\w+) 0x(\w+) 0x\w+ 0x(\w+)", loads):
        if int(start, 16) <= address < int(start, 16) + int(size, 16):
            return address - int(start, 16) + int(offset, 16)
    raise AssertionError("the symbol is in a segment of the file")


def test_a_module_for_another_freeradius_is_refused(place, make_server, tmp_path):
    module = tmp_path / "rlm_wsmfa.so"
    image = bytearray(MODULE.read_bytes())
    at = magic_at(MODULE)
    magic, = struct.unpack_from("<Q", image, at)
    assert f"{magic:x}".startswith("f0302"), "f, and the version, as the host defines it"
    struct.pack_into("<Q", image, at, magic ^ (1 << 32))
    module.write_bytes(image)
    said = make_server(module=module).refuses()
    assert re.search(r"rlm_wsmfa.*(version|magic)", said, re.I | re.S), said
