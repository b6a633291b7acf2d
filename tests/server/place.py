"""What a test run owns: a PostgreSQL cluster, radiusds on free ports, people. Built on build-aux/world.py.

Apart from conftest.py, so that the layers clients and bench use the same.
"""
import base64
import datetime
import hashlib
import hmac
import itertools
import json
import os
import pathlib
import re
import secrets
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

import psycopg2
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "build-aux"))

import world  # noqa: E402
from radius import Client  # noqa: E402
from world import wait_for  # noqa: E402,F401

BUILD = pathlib.Path(os.environ.get("WSMFA_BUILD", TOP / "build"))
MODULE = BUILD / ".libs" / "rlm_wsmfa.so"
WSMFACTL = BUILD / "wsmfactl" / "wsmfactl"
SECRET = "a-secret-for-RADIUS"
ENROLL_URL = "https://mfa.example/enroll"
DAY = datetime.timedelta(days=1)

# The kinds of client, by source address; one row each, as in clients.conf.
CLIENTS = {
    "127.0.0.1": {"wsmfa_enroll": "yes"},
    "127.0.0.2": {"wsmfa_mode": "append"},
    "127.0.0.3": {"wsmfa_mode": "wait"},
    "127.0.0.4": {"wsmfa_service": "community", "require_message_authenticator": "yes"},
    "127.0.0.5": {"wsmfa_enroll": "no"},
    "127.0.0.6": {"wsmfa_enroll": "yes", "wsmfa_banner": "challenge"},
    "127.0.0.7": {"wsmfa_service": "nobody_wrote_this_down"},
    "127.0.0.8": {"wsmfa_enroll": "yes", "wsmfa_charset": "utf8"},
    "127.0.0.9": {"wsmfa_enroll": "yes"},
}


def now():
    return datetime.datetime.now(datetime.timezone.utc)


class Place:
    """The world of one test run."""

    settings = ("shared_preload_libraries = 'pg_stat_statements'", "log_line_prefix = '%m [%p] %u '",
                "log_statement = none", "log_min_duration_statement = -1",
                # Only commits that must be durable reach the disk by themselves, so that they can be counted.
                "autovacuum = off", "wal_writer_delay = 10s", "wal_writer_flush_after = 1GB")

    def __init__(self, under="/var/tmp", initdb=()):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="wsmfa-test-", dir=under))
        self.home.chmod(0o755)
        self.servers = []
        self.people = []
        self.shown = set()  # tickets and recovery codes that wsmfactl printed
        self.cluster = world.Cluster(self.home / "pg")
        self.database = world.DATABASE
        self.connections = threading.local()
        self.numbers = itertools.count(1)
        self.key = secrets.token_bytes(32)
        self.key_file = self.write_key_file("wsmfa.key", f"first {base64.b64encode(self.key).decode()}\n")
        try:
            self.cluster.create(world.server_user(self.home), initdb=["-N", *initdb], settings=self.settings)
            self.cluster.start()
            self.cluster.ensure_database()
            self.cluster.migrate()
        except BaseException:
            self.close()
            raise

    def close(self):
        for server in self.servers:
            server.radiusd.stop()
        self.cluster.stop("immediate")
        if not os.environ.get("WSMFA_KEEP"):
            subprocess.run(["rm", "-rf", "--", self.home], check=False)  # 300 files a server

    def write_key_file(self, name, text, mode=0o600):
        path = self.home / name
        path.write_text(text)
        path.chmod(mode)
        world.give(path, world.server_user(self.home))
        return path

    # PostgreSQL

    def connect(self, database=None, user=world.SUPERUSER):
        c = psycopg2.connect(host=str(self.cluster.home), port=self.cluster.port, user=user,
                             dbname=database or self.database,
                             # What tests themselves do wrong, with passwords in it, is no line of the log.
                             options="-c synchronous_commit=off -c log_min_error_statement=panic")
        c.autocommit = True
        return c

    def sql(self, query, *values):
        """Rows of a query, as the superuser; None for a command."""
        if getattr(self.connections, "mine", None) is None or self.connections.mine.closed:
            self.connections.mine = self.connect()
        try:
            with self.connections.mine.cursor() as cursor:
                cursor.execute(query, values or None)
                return cursor.fetchall() if cursor.description else None
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            self.connections.mine.close()
            raise

    def mend(self):
        """The cluster goes on or starts, whatever was done to it; connections of before are of no use."""
        if self.cluster.running():
            self.cluster.signal(signal.SIGCONT)
        self.cluster.start()
        self.connections = threading.local()

    def value(self, query, *values):
        rows = self.sql(query, *values)
        return rows[0][0] if rows else None

    def conninfo(self, **more):
        items = {"host": f"'{self.cluster.home}'", "port": self.cluster.port, "dbname": self.database,
                 "user": "wsmfa_radius", **more}
        return " ".join(f"{k}={v}" for k, v in items.items())

    def wsmfactl(self, *words, stdin=None, check=True, text=True):
        env = {**os.environ, **self.cluster.env(database=self.database), "WSMFA_KEY_FILE": str(self.key_file)}
        done = subprocess.run([WSMFACTL, *map(str, words)], env=env, input=stdin, stdin=None if stdin else
                              subprocess.DEVNULL, capture_output=True, text=text, check=check)
        if words[:1] in (("account",), ("recovery",)) and text:
            self.shown.update(re.findall(r"\b[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){2,3}\b", done.stdout))
        return done

    # radiusd

    def server(self, **variant):
        server = Server(self, self.home / f"radiusd-{len(self.servers) + 1}", **variant)
        self.servers.append(server)
        return server

    # people

    def organization(self, announce=None, enforce=None, allowed=None, name=None):
        """An organization; with dates, one that has a schedule of its own."""
        name = name or f"Organization {next(self.numbers)}"
        number = self.value("insert into wsmfa.organization (name, allowed_methods) values (%s, %s) returning id", name,
                            allowed)
        if enforce is not None:
            self.sql("insert into wsmfa.organization_schedule (organization_id, announce_from, enforce_from) "
                     "values (%s, %s, %s)", number, announce or enforce - 30 * DAY, enforce)
        return number

    def announced(self):
        """An organization in the stage announce."""
        return self.organization(now() - 10 * DAY, now() + 20 * DAY)

    def observed(self):
        return self.organization(now() + 10 * DAY, now() + 20 * DAY)

    def person(self, name=None, password=None, region="EMEA", services=("elements",), organization=None, phone=None,
               created=None, disabled=None, exempt=None, totp=False, sms=None, push=False, recovery=False,
               preferred=None, language=None, seal_for=None):
        """An account. totp: True, or a dict of key, algorithm, digits, period."""
        number = next(self.numbers)
        name = name or f"user{number}"
        password = "correct horse %d" % number if password is None else password
        account = self.value(
            "insert into wsmfa.account (name, organization_id, region, password, phone, created_at, disabled_at) "
            "values (%s, %s, %s, %s, %s, coalesce(%s, now()), %s) returning id",
            name, organization or self.organization(), region, "{clear}" + password, phone or sms, created, disabled)
        for service in services:
            self.sql("insert into wsmfa.account_service (account_id, service) values (%s, %s)", account, service)
        person = Person(self, account, name, password)
        if exempt is not None:
            self.sql("insert into wsmfa.exemption (account_id, until, reason) values (%s, %s, 'test')", account, exempt)
        if totp:
            person.add_totp(**({} if totp is True else totp), seal_for=seal_for)
        if sms:
            self.sql("insert into wsmfa.authenticator (account_id, kind, phone, confirmed_at) values (%s, 'sms', %s, now())",
                     account, sms)
        if push:
            self.sql("insert into wsmfa.authenticator (account_id, kind, provider, device, confirmed_at) "
                     "values (%s, 'push', 'local', %s, now())", account, f"phone {number}")
        if recovery:
            person.recovery = json.loads(self.wsmfactl("recovery", "new", name, "--json").stdout)["codes"]
        for column, value in (("preferred", preferred), ("language", language)):
            if value is not None:
                self.sql(f"update wsmfa.account set {column} = %s where id = %s", value, account)
        return person

    def events(self, name):
        """What login_event shows of an account, oldest first."""
        columns = ("at", "account", "organization", "client", "calling_station", "service", "region", "stage",
                   "decision", "method", "outcome", "reason")
        rows = self.sql(f"select {', '.join(columns)} from wsmfa.login_event where account = %s order by at", name)
        return [dict(zip(columns, row)) for row in rows]

    def event(self, name, outcome, reason=None, seconds=5.0):
        """Waits for an event."""
        def there():
            for e in self.events(name):
                if e["outcome"] == outcome and reason in (None, e["reason"]):
                    return e
            return None
        return wait_for(there, f"{name} has an event {outcome} {reason or ''}", seconds)

    def logs(self):
        """Both logs, for a failed test."""
        parts = [("PostgreSQL", world.tail(self.cluster.log, 40))]
        for server in self.servers:
            if server.fresh_log():
                parts.append((server.radiusd.home.name, "\n".join(server.fresh_log().splitlines()[-80:])))
        return parts


class Person:
    """An account and what its owner knows."""

    def __init__(self, place, number, name, password):
        self.place, self.id, self.name, self.password = place, number, name, password
        self.keys = []
        self.recovery = []
        self.used = {}
        place.people.append(self)

    def add_totp(self, key=None, algorithm="sha1", digits=6, period=30, confirmed=True, seal_for=None, key_id="first",
                 ring_key=None):
        key = key or secrets.token_bytes(20)
        number = self.place.value(
            "insert into wsmfa.authenticator (account_id, kind, label, confirmed_at, sealed, algorithm, digits, period) "
            "values (%s, 'totp', 'app', %s, 'x', %s, %s, %s) returning id", self.id, now() if confirmed else None, algorithm, digits, period)
        sealed = seal(ring_key or self.place.key, key, *(seal_for or (self.id, number)), key_id)
        self.place.sql("update wsmfa.authenticator set sealed = %s where id = %s", sealed, number)
        self.keys.append({"id": number, "key": key, "algorithm": algorithm, "digits": digits, "period": period})
        return number

    def code(self, steps=0, which=0, at=None):
        """The code of now, or of some steps later."""
        k = self.keys[which]
        step = int((time.time() if at is None else at) // k["period"]) + steps
        return totp(k["key"], step, k["algorithm"], k["digits"])

    def wrong_code(self, which=0):
        """A code that is right at no time near now."""
        right = {self.code(s, which) for s in range(-10, 11)}
        return next(c for c in iter(lambda: "%06d" % secrets.randbelow(10**6), None) if c not in right)

    def status(self):
        rows = self.place.sql("select row_to_json(s) from wsmfa.mfa_status s where account = %s", self.name)
        return rows[0][0]


def seal(ring_key, key, account, authenticator, key_id="first"):
    """A TOTP key as core/seal.h says, written again here from that description."""
    head = bytes([1, len(key_id)]) + key_id.encode()
    nonce = os.urandom(12)
    bound = head + struct.pack("!qq", account, authenticator) + b"rlm_wsmfa totp key"
    return head + nonce + AESGCM(ring_key).encrypt(nonce, key, bound)


def totp(key, step, algorithm="sha1", digits=6):
    """RFC 6238, from the RFC and not from the module."""
    mac = hmac.new(key, struct.pack("!Q", step), getattr(hashlib, algorithm)).digest()
    at = mac[-1] & 15
    return str((int.from_bytes(mac[at:at + 4], "big") & 0x7FFFFFFF) % 10**digits).zfill(digits)


class Server:
    """One radiusd of the test world, stopped at first. Keyword arguments as of world.Radiusd.assemble, and:

    edit: changes the text of our site; clients: replaces the table above; more_clients: text added to clients.conf.
    """

    def __init__(self, place, home, settings=None, sections=None, edit=None, clients=None, more_clients="", site=None,
                 server=None, modules=(), without=(), files=None, secret=SECRET, module=MODULE,
                 env=None, port=None):
        self.place, self.secret = place, secret
        self.radiusd = world.Radiusd(home)
        self.radiusd.env = env or {}
        self.port, self.park_port = world.free_port(port), world.free_port()
        self.outbox = place.home / f"{home.name}.outbox"
        self.opened = []
        self.seen = 0
        self.stopped = True
        if site is None:
            site = (TOP / "raddb/sites-available/wsmfa").read_text()
        if edit is not None:
            changed = edit(site)
            assert changed != site, "the edit changes the site"
            site = changed
        table = CLIENTS if clients is None else clients
        text = "".join(world.client("c" + address.replace(".", "_"), address, secret, **items)
                       for address, items in table.items()) + more_clients
        if sections is None:
            sections = f"\n\tsms file {{\n\t\tpath = {world.quoted(self.outbox)}\n\t}}\n\tpush local {{\n\t}}\n"
        self.sections = sections
        if "wsmfa" not in without:
            self.radiusd.install_module(module)
        self.outbox.touch()
        world.give(self.outbox, self.radiusd.user)
        self.radiusd.assemble(
            self.port, self.park_port, text,
            {"connection": world.quoted(place.conninfo()), "key_file": world.quoted(place.key_file),
             "default_service": "elements", "enroll_url": world.quoted(ENROLL_URL), **(settings or {})},
            sections, [m for m in (*world.MODULES, *modules) if m not in without], site,
            {"reject_delay": 0, **(server or {})}, files=files)

    def start(self, *words):
        if os.environ.get("WSMFA_DEBUG"):
            words = ("-xx", *words)
        self.radiusd.start(*words)
        self.stopped = False
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for client in self.opened:
            client.close()
        self.opened.clear()
        self.radiusd.stop()
        self.stopped = True

    def check(self):
        """`-C`: exit status and what it says."""
        done = subprocess.run(self.radiusd.command("-C", "-l", "stdout"), cwd="/", stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def refuses(self):
        """What it says when it does not start."""
        try:
            self.start()
        except world.Trouble as t:
            return str(t)
        self.stop()
        raise AssertionError("radiusd started")

    def client(self, source="127.0.0.1", **how):
        client = Client(self.port, how.pop("secret", self.secret), source, **how)
        self.opened.append(client)
        return client

    def log(self):
        try:
            return self.radiusd.log.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def mark(self):
        self.seen = len(self.log())

    def fresh_log(self):
        return self.log()[self.seen:]

    def texts(self, to=None):
        """SMS sent, oldest first."""
        lines = [json.loads(line) for line in self.outbox.read_text().splitlines()]
        return [line for line in lines if to in (None, line["to"])]

    def text_code(self, to):
        """The code in the last SMS to a number."""
        text = wait_for(lambda: self.texts(to), f"an SMS to {to} is in the outbox")[-1]["text"]
        return re.findall(r"\d+", text)[0]
