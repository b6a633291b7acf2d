"""The sides of `bench login`: what each server is, and how the load generator logs in there.

Apart from login.py, which runs them in turn and compares. docs/benchmarks.md says in words what each does and does not do.
"""
import base64
import io
import pathlib

from ground import key_of, place, world

PEER = """
server peer {
listen {
	type = auth
	ipaddr = *
	port = 0
}

authorize {
%s
}

authenticate {
%s
}
}
"""

ACCEPTS_ALL = PEER % ("\tupdate control {\n\t\tAuth-Type := Accept\n\t}", "")

PASSWORD = PEER % ("\tsql\n\tpap", "\tAuth-Type PAP {\n\t\tpap\n\t}")

# As sites-available/totp has it, with the separator that we use, and both factors checked.
APPEND = PEER % (
    '\tif (&User-Password !~ /^(.*),([0-9]{6})$/) {\n\t\treject\n\t}\n'
    '\tupdate request {\n\t\t&User-Password := "%{1}"\n\t\t&TOTP-Password := "%{2}"\n\t}\n\tsql\n\tpap',
    "\tAuth-Type PAP {\n\t\tpap\n\t\tif (ok) {\n\t\t\ttotp\n\t\t}\n\t}")

SQL_SCHEMA = pathlib.Path("mods-config/sql/main/postgresql/schema.sql")
SQL_QUERIES = SQL_SCHEMA.with_name("queries.conf")


def load_radius(ground, database, count):
    """Debian's schema for rlm_sql with the same accounts: a password and a key each."""
    ground.make_database(database)
    schema = world.SYSTEM_RADDB / SQL_SCHEMA
    if not schema.exists():
        raise world.Trouble(f"{schema} is missing: install the package freeradius-postgresql")
    with ground.session(database) as sql:
        sql.execute(schema.read_text())
        rows = io.StringIO("".join(
            f"user{n:06d}\tCleartext-Password\t:=\tsecret-{n:06d}\n"
            f"user{n:06d}\tTOTP-Secret\t:=\t{base64.b32encode(key_of(n)).decode()}\n" for n in range(count)))
        sql.copy_expert("copy radcheck (username, attribute, op, value) from stdin", rows)
        sql.execute("grant select on all tables in schema public to wsmfa_radius")
        sql.execute("vacuum (analyze, freeze)")


def sql_module(ground, database):
    """mods-available/sql as shipped, with the driver, and where the database is."""
    text = (world.SYSTEM_RADDB / "mods-available/sql").read_text()
    return world.set_items(text, {"dialect": '"postgresql"', "driver": '"rlm_sql_postgresql"',
                                  "radius_db": world.quoted(ground.conninfo(dbname=database))}, "mods-available/sql")


def peer(ground, site, modules=(), files=None):
    return ground.server(clients={"127.0.0.1": {}}, site=site, modules=modules, without=("wsmfa",), files=files)


class Side:
    """A way to log in: its server, its options of the load generator, and whether it is ours."""

    def __init__(self, letter, name, server, ours=True, phones=None, **options):
        self.letter, self.name, self.server, self.ours, self.phones, self.options = letter, name, server, ours, phones, options

    @property
    def next(self):
        """The account to begin with: sides of one server share it, so that none logs in twice within a step."""
        return getattr(self.server, "next_account", 0)

    @next.setter
    def next(self, number):
        self.server.next_account = number


def sides(ground, count, before=None):
    """All of them, their databases filled and their servers started; before(ground) is called between the two."""
    load_radius(ground, "radius", count)
    ground.load_accounts("wsmfa_plain", count, service="community")
    ground.load_accounts("wsmfa_totp", count, "totp")
    ground.load_accounts("wsmfa_push", count, "push")
    if before:
        before(ground)
    files = {"mods-available/sql": sql_module(ground, "radius")}
    plain = ground.ours("wsmfa_plain", {"127.0.0.4": place.CLIENTS["127.0.0.4"]})
    totp = ground.ours("wsmfa_totp", {a: place.CLIENTS[a] for a in ("127.0.0.1", "127.0.0.2")})
    push = ground.ours("wsmfa_push", {"127.0.0.3": place.CLIENTS["127.0.0.3"]})
    found = [
        Side("a", "FreeRADIUS that accepts everything", peer(ground, ACCEPTS_ALL), ours=False, mode="pap"),
        Side("b", "rlm_sql + pap", peer(ground, PASSWORD, ["sql"], files), ours=False, mode="pap"),
        Side("c", "rlm_sql + pap + rlm_totp, append", peer(ground, APPEND, ["sql", "totp"], files), ours=False,
             mode="append"),
        Side("d", "rlm_wsmfa, accept without MFA", plain, mode="pap", source="127.0.0.4"),
        Side("e", "rlm_wsmfa, append", totp, mode="append", source="127.0.0.2"),
        Side("f", "rlm_wsmfa, challenge", totp, mode="challenge", source="127.0.0.1"),
        Side("g", "rlm_wsmfa, parked push", push, mode="pap", source="127.0.0.3", phones="wsmfa_push"),
    ]
    for server in {id(s.server): s.server for s in found}.values():
        server.start()
    return found
