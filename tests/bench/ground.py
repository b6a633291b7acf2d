"""The ground that all sides of a benchmark stand on: one cluster, the accounts, the load generator, clocks and machine.

Apart from login.py and parked.py, which say what runs there; built on tests/server/place.py.
"""
import contextlib
import hashlib
import hmac
import io
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "server"))

import psycopg2  # noqa: E402

import place  # noqa: E402
from place import BUILD, SECRET, world  # noqa: E402

RADLOAD = BUILD / "tests" / "bench" / "radload"
RESULTS = pathlib.Path(os.environ.get("WSMFA_RESULTS", BUILD / "results" / "bench"))
TICK = os.sysconf("SC_CLK_TCK")


def key_of(number):
    """The TOTP key of an account: the rule of person.h, written again from its sentence."""
    return hmac.new(b"rlm_wsmfa bench", str(number).encode(), hashlib.sha1).digest()


class Ground(place.Place):
    """A cluster as an administrator would run it: everything durable, autovacuum on, nothing watching."""

    settings = ("log_line_prefix = '%m [%p] %u '", "shared_buffers = 512MB", "max_wal_size = 8GB",
                "checkpoint_timeout = 30min", "log_min_duration_statement = -1", "max_connections = 400")

    def __init__(self, profile=False):
        if profile:
            self.settings += ("shared_preload_libraries = 'pg_stat_statements'", "pg_stat_statements.track = all")
        super().__init__()
        with self.session("postgres") as sql:
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                sql.execute(f"show {name}")
                if sql.fetchone()[0] != "on":
                    self.close()
                    raise world.Trouble(f"PostgreSQL's {name} is not on")

    def make_database(self, name):
        """A database with our schema and one organization that uses both services."""
        self.cluster.ensure_database(name)
        if name != "radius":
            self.cluster.migrate(name)

    @contextlib.contextmanager
    def session(self, database, role=None):
        """A connection with the cluster's own settings, durable commits among them; in a role that need not log in."""
        connection = psycopg2.connect(host=str(self.cluster.home), port=self.cluster.port, user=world.SUPERUSER,
                                      dbname=database)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                if role:
                    cursor.execute(f"set role {role}")
                yield cursor
        finally:
            connection.close()

    def load_accounts(self, database, count, kind=None, service="elements", first=0, provider="local"):
        """Accounts by the rule of person.h, from the number `first` on, each with one authenticator of this kind, or none."""
        self.make_database(database)
        last = first + count - 1
        with self.session(database) as sql:
            sql.execute("set session_replication_role = replica") # rows that need no trigger: folded, one method each
            sql.execute("insert into wsmfa.organization (id, name) values (1, 'Bench') on conflict do nothing")
            sql.execute("insert into wsmfa.account (id, name, organization_id, region, password) "
                        "select n + 1, 'user' || lpad(n::text, 6, '0'), 1, 'EMEA', '{clear}secret-' || lpad(n::text, 6, '0') "
                        "from generate_series(%s, %s) n", (first, last))
            sql.execute("insert into wsmfa.account_service (account_id, service) "
                        "select n + 1, %s from generate_series(%s, %s) n", (service, first, last))
            if kind == "totp":
                rows = io.StringIO("".join(
                    f"{n + 1}\t{n + 1}\ttotp\tapp\tnow\t\\\\x{place.seal(self.key, key_of(n), n + 1, n + 1).hex()}\tsha1\t6\t30\n"
                    for n in range(first, last + 1)))
                sql.copy_expert("copy wsmfa.authenticator (id, account_id, kind, label, confirmed_at, sealed, algorithm, "
                                "digits, period) from stdin", rows)
            elif kind == "push":
                sql.execute("insert into wsmfa.authenticator (id, account_id, kind, confirmed_at, provider, device) "
                            "select n + 1, n + 1, 'push', now(), %s, 'auto' from generate_series(%s, %s) n",
                            (provider, first, last))
            elif kind == "sms":
                sql.execute("insert into wsmfa.authenticator (id, account_id, kind, confirmed_at, phone) "
                            "select n + 1, n + 1, 'sms', now(), '+35840' || lpad(n::text, 7, '0') from generate_series(%s, %s) n",
                            (first, last))
            for table in ("account", "authenticator"):
                sql.execute(f"select setval(pg_get_serial_sequence('wsmfa.{table}', 'id'), %s)", (last + 1,))
            sql.execute("vacuum (analyze, freeze)")

    def ours(self, database, clients, **variant):
        """A radiusd with our shipped site on one of the databases."""
        settings = {"connection": world.quoted(self.conninfo(dbname=database)), **variant.pop("settings", {})}
        return self.server(clients=clients, settings=settings, **variant)


def radload(server, *words, ours=True, **options):
    """Runs the load generator and gives back what it says. Options by their names, flags as words."""
    with loading(server, *words, ours=ours, **options) as run:
        return run.result()


class Loading:
    """A load generator that runs."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.PIPE)

    def result(self):
        out, said = self.process.communicate()
        if self.process.returncode:
            raise world.Trouble(f"radload ended with {self.process.returncode}: {said}")
        return json.loads(out)


@contextlib.contextmanager
def loading(servers, *words, ours=True, **options):
    servers = servers if isinstance(servers, list) else [servers]
    command = [str(RADLOAD), "--secret", SECRET, *(f"--{word}" for word in words)]
    if not ours:
        command.append("--allow-unsigned") # FreeRADIUS 3.2.1 signs no reply of its own accord
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    run = Loading([*command, *(f"127.0.0.1:{s.port}" for s in servers)])
    try:
        yield run
    finally:
        if run.process.poll() is None:
            run.process.terminate()
            run.process.communicate()


class Phones:
    """Everybody's phone: approves the pushes of a database, the oldest first, as a program in the role wsmfa_push."""

    # One that is over by now is nobody's fault: the next one is answered.
    ONE = """create function pg_temp.answered(id bigint, number text) returns boolean language plpgsql as $$
             begin
                 perform wsmfa.answer_push(id, true, number);
                 return true;
             exception when object_not_in_prerequisite_state then
                 return false;
             end $$"""

    def __init__(self, ground, database, numbers=False):
        """numbers: of people who see the prompt too, and type what it shows."""
        self.ground, self.database = ground, database
        self.role = None if numbers else "wsmfa_push"
        number, rows = (("c.number", "wsmfa.push_pending p join wsmfa.challenge c using (id)") if numbers else
                        ("null", "wsmfa.push_pending p"))
        self.query = (f"select count(*) filter (where pg_temp.answered(id, number)) from "
                      f"(select p.id, {number} as number from {rows} order by p.id limit 500) p")
        self.answered = 0
        self.trouble = None
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        if self.trouble:
            raise world.Trouble(f"the phones: {self.trouble}")

    def _run(self):
        try:
            with self.ground.session(self.database, self.role) as sql:
                sql.execute(self.ONE)
                while not self.ended.wait(0.002):
                    sql.execute(self.query)
                    self.answered += sql.fetchone()[0]
        except psycopg2.Error as e:
            self.trouble = e


#
# Time of the processors: on a machine that others use too it says more than the clock does.
#

def process_ticks(pid):
    """Own time, and that of ended children, in ticks."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])


def children(pid):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            if path.read_text().rsplit(")", 1)[1].split()[1] == str(pid):
                found.append(int(path.parent.name))
        except (OSError, IndexError):
            continue
    return found


class Clock:
    """Processor seconds of a radiusd and of the whole cluster, since it was made."""

    def __init__(self, ground, server):
        self.postmaster = ground.cluster.pid()
        self.radiusd = server.radiusd.pid()
        self.at = self.read()

    def read(self):
        own, ended = process_ticks(self.postmaster)
        postgres = own + ended
        for pid in children(self.postmaster):
            with contextlib.suppress(OSError):
                postgres += process_ticks(pid)[0]
        return {"radiusd": process_ticks(self.radiusd)[0] / TICK, "postgres": postgres / TICK}

    def spent(self):
        return {name: value - self.at[name] for name, value in self.read().items()}


def status_of(pid):
    """Threads and resident KiB."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {name: int(re.search(rf"^{word}:\s+(\d+)", text, re.M)[1]) for name, word in
            (("threads", "Threads"), ("resident_kib", "VmRSS"))}


#
# The machine
#

def output(*command):
    return subprocess.run(command, cwd=TOP, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout


def durable_write_ms(folder):
    """What one small durable write takes here, the median of many."""
    path = folder / "durable"
    times = []
    with open(path, "wb", buffering=0) as f:
        f.write(bytes(1 << 20))
        os.fsync(f.fileno())
        for i in range(200):
            start = time.perf_counter()
            os.pwrite(f.fileno(), bytes(8192), i % 128 * 8192)
            os.fdatasync(f.fileno())
            times.append(time.perf_counter() - start)
    path.unlink()
    return statistics.median(times) * 1000


def machine(ground):
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", cpuinfo, re.M)
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]
    system = re.search(r'PRETTY_NAME="(.*)"', pathlib.Path("/etc/os-release").read_text())
    server = world.radiusd()
    return {
        "processors": os.cpu_count(), "model": model[1] if model else platform.machine(),
        "memory_gib": round(int(memory) / 2**20, 1), "kernel": platform.release(),
        "system": system[1] if system else "", "durable_write_ms": round(durable_write_ms(ground.home), 3),
        "freeradius": re.search(r"\d+\.\d+\.\d+", output(server, "-v") or "0.0.0")[0],
        "postgresql": ground.value("show server_version"),
        "rlm_wsmfa": output("git", "-c", "safe.directory=*", "describe", "--always", "--dirty").strip() or "not known",
    }


def load_average():
    return round(os.getloadavg()[0], 1)


def median(values):
    return statistics.median(values) if values else 0.0


def spread(values):
    """Half the distance between the least and the greatest, as a share of the median."""
    return (max(values) - min(values)) / 2 / median(values) if values and median(values) else 0.0


def write_json(name, result):
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


def say(text):
    print(text, flush=True)
