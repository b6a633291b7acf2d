#!/usr/bin/python3
"""A private world for the module: a PostgreSQL cluster, a raddb folder and a radiusd, apart from the system's own.

It stands apart because quickstart (as a command) and the tests (as a library) need the same pieces, once.
"""
import argparse
import grp
import os
import pathlib
import pwd
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
SYSTEM_RADDB = pathlib.Path("/etc/freeradius/3.0")
OURS = TOP / "raddb"
MODULES = ("always", "attr_filter", "chap", "expr", "mschap", "pap", "wsmfa")
DATABASE = "wsmfa"
# Tests wait this many times as long: everything takes longer under an analyser.
PATIENCE = float(os.environ.get("WSMFA_PATIENCE", 1))
SUPERUSER = "postgres"
ROLES = ("wsmfa_radius", "wsmfa_push", "wsmfa_admin", "wsmfa_auditor", "wsmfa_org_admin")


class Trouble(Exception):
    """Something a person can act upon; its text is the whole message."""


def wait_for(condition, sentence, seconds=20.0):
    """Calls condition() until it is true, and gives its value back. `sentence` says what was waited for."""
    deadline = time.monotonic() + seconds * PATIENCE
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Trouble(f"waited {seconds:g} s, and it did not come true: {sentence}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def radiusd():
    """The server's program, or what takes its place."""
    return os.environ.get("WSMFA_RADIUSD") or shutil.which("freeradius") or shutil.which("radiusd") or "/usr/sbin/freeradius"


def can_enter(user, folder):
    """Can this user read what is in the folder?"""
    command = ["runuser", "-u", user, "--", "test", "-r", folder, "-a", "-x", folder]
    return subprocess.run(command, cwd="/", check=False).returncode == 0


def server_user(folder):
    """Whom radiusd runs as: the package's user, or root where that one can't enter the folder."""
    for name in ("freerad", "radiusd"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name if can_enter(name, folder) else "root"
    return "root"


def give(path, user):
    """Hands a file or folder to a user."""
    entry = pwd.getpwnam(user)
    os.chown(path, entry.pw_uid, entry.pw_gid)


ports_given = set()


def free_port(wanted=None):
    """A loopback UDP port that nobody uses, the wanted one if it can be had; else one below those of clients, never the same twice:
    who was given one may not have begun to use it."""
    for port in ([int(wanted)] if wanted else []) + [p for p in random.sample(range(20000, 32000), 2000) if p not in ports_given]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            ports_given.add(port)
            return port
    raise Trouble("found no free port on 127.0.0.1")


def tail(path, lines=60):
    """The last lines of a log, or nothing."""
    try:
        return "\n".join(pathlib.Path(path).read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


class Cluster:
    """A PostgreSQL cluster on a unix socket of its own. The system's users decide who may be whom (peer)."""

    def __init__(self, home):
        self.home = pathlib.Path(home)
        self.data = self.home / "data"
        self.log = self.home / "postgresql.log"
        self.port = 5432
        found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
        if not found:
            raise Trouble("no PostgreSQL here: install the package postgresql")
        self.bin = found[-1].parent

    def env(self, user=SUPERUSER, database=DATABASE):
        """libpq's environment."""
        return {"PGHOST": str(self.home), "PGPORT": str(self.port), "PGDATABASE": database, "PGUSER": user}

    def _run(self, program, *words):
        command = ["runuser", "-u", "postgres", "--", str(self.bin / program), *map(str, words)]
        done = subprocess.run(command, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def create(self, server, settings=(), initdb=()):
        """Makes the cluster, with the first database. `server` is the user that radiusd runs as."""
        self.home.mkdir(mode=0o755, parents=True, exist_ok=True)
        give(self.home, "postgres")
        shutil.rmtree(self.data, ignore_errors=True)
        code, said = self._run("initdb", "-D", self.data, "-U", SUPERUSER, "-A", "peer", "-E", "UTF8",
                               "--locale=C.UTF-8", *initdb)
        if code:
            raise Trouble(f"initdb failed:\n{said}")
        lines = ["listen_addresses = ''", f"unix_socket_directories = '{self.home}'", f"port = {self.port}",
                 "max_connections = 200", "cluster_name = 'wsmfa'", *settings]
        with open(self.data / "postgresql.conf", "a") as f:
            f.write("\n".join(lines) + "\n")
        (self.data / "pg_hba.conf").write_text("local all all peer map=world\n")
        who = [(user, role) for user in ("root", "postgres") for role in (SUPERUSER, *ROLES)]
        (self.data / "pg_ident.conf").write_text(
            "".join(f"world {user} {role}\n" for user, role in [*who, (server, "wsmfa_radius")]))

    def running(self):
        return self.data.exists() and self._run("pg_ctl", "-D", self.data, "status")[0] == 0

    def start(self):
        if self.running():
            return
        code, said = self._run("pg_ctl", "-D", self.data, "-l", self.log, "-s", "-w", "start")
        if code:
            raise Trouble(f"PostgreSQL did not start:\n{said}\n{tail(self.log)}")

    def stop(self, mode="fast"):
        if self.running():
            self._run("pg_ctl", "-D", self.data, "-s", "-w", "-m", mode, "stop")

    def pid(self):
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def family(self):
        """The postmaster's process and its children's."""
        pid = self.pid()
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
        return [pid, *map(int, children.stdout.split())]

    def signal(self, number):
        """To all of them; those that are gone by now do not matter."""
        for pid in self.family():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def ensure_database(self, name=DATABASE):
        env = {**os.environ, **self.env(database="postgres")}
        there = subprocess.run(["psql", "-XAtqc", f"select 1 from pg_database where datname = '{name}'"], env=env,
                               capture_output=True, text=True, check=True).stdout.strip()
        if not there:
            subprocess.run(["createdb", name], env=env, check=True)

    def migrate(self, database=DATABASE):
        subprocess.run([TOP / "sql" / "migrate"], env={**os.environ, **self.env(database=database)}, check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def set_items(text, items, where):
    """Gives settings of a configuration file new values, commented out or not; each must be there."""
    for name, value in items.items():
        pattern = re.compile(rf"^([ \t]*)#?[ \t]*{re.escape(name)}[ \t]*=[^\n]*$", re.M)
        text, n = pattern.subn(lambda m: f"{m.group(1)}{name} = {value}", text, count=1)
        if not n:
            raise Trouble(f"{where} has no setting {name}")
    return text


def quoted(value):
    """A string of the server's configuration."""
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


class Radiusd:
    """One FreeRADIUS in a folder: HOME/raddb, HOME/lib, HOME/log, HOME/run."""

    def __init__(self, home):
        self.home = pathlib.Path(home)
        self.raddb = self.home / "raddb"
        self.lib = self.home / "lib"
        self.log = self.home / "log" / "radius.log"
        self.run = self.home / "run"
        self.env = {}
        self.process = None
        self.user = server_user(self.home.parent if self.home.parent.exists() else "/")

    def assemble(self, port, park_port, clients, settings, sections="", modules=MODULES, site=None, server=None,
                 park_secret=None, files=None):
        """Makes raddb anew from the system's and ours.

        settings: of the module; sections: text inside it; site: text of the virtual server (ours, with its ports);
        server: further items of radiusd.conf; files: further files of raddb, name to text.
        """
        for folder in (self.home, self.lib, self.log.parent, self.run):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        for folder in (self.log.parent, self.run):
            give(folder, self.user)
        new = self.home / "raddb.new"
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(SYSTEM_RADDB, new, symlinks=True)
        for folder in ("sites-enabled", "mods-enabled"):
            for link in (new / folder).iterdir():
                link.unlink()
        for file in (p for p in OURS.rglob("*") if p.is_file() and p.name != "local.mk"):
            to = new / file.relative_to(OURS)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, to)
        for name in modules:
            (new / "mods-enabled" / name).symlink_to(f"../mods-available/{name}")

        self._edit(new / "dictionary", lambda t: t + "\n$INCLUDE dictionary.wsmfa\n")
        self._edit(new / "radiusd.conf", lambda t: set_items(t, {
            "raddbdir": self.raddb, "libdir": f"{self.lib}:/usr/lib/freeradius", "logdir": self.log.parent,
            "run_dir": self.run, "pidfile": "${run_dir}/radiusd.pid", "user": self.user, "group": self._group(),
            "max_request_time": 60, "suppress_secrets": "yes", **(server or {})}, "radiusd.conf"))
        self._edit(new / "proxy.conf", lambda t: t.replace(
            "default_fallback = no", "default_fallback = no\n\twake_all_if_all_dead = yes", 1))
        (new / "clients.conf").write_text(clients)
        self._edit(new / "mods-available/wsmfa", lambda t: set_items(
            t, settings, "mods-available/wsmfa").rstrip().removesuffix("}") + sections + "\n}\n")
        self._edit(new / "mods-config/wsmfa/proxy-wsmfa.conf", lambda t: set_items(
            t, {"port": park_port, "secret": park_secret or secrets.token_hex(16)}, "proxy-wsmfa.conf"))
        if site is None:
            site = (new / "sites-available/wsmfa").read_text()
        at = re.search(r"^listen \{$", site, re.M).start()
        (new / "sites-available/wsmfa").write_text(
            site[:at] + set_items(site[at:], {"ipaddr": "127.0.0.1", "port": port}, "the site"))
        (new / "sites-enabled/wsmfa").symlink_to("../sites-available/wsmfa")
        for name, text in (files or {}).items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_text(text)
        for path in new.rglob("*"):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() else 0o640)
                give(path, self.user)
        new.chmod(0o755)
        old = self.home / "raddb.old"
        if self.raddb.exists():
            self.raddb.rename(old)
        new.rename(self.raddb)
        shutil.rmtree(old, ignore_errors=True)

    def install_module(self, module):
        """Copies the module, so that a build does not change what runs. True if it is another one than before."""
        to = self.lib / "rlm_wsmfa.so"
        if to.exists() and to.read_bytes() == pathlib.Path(module).read_bytes():
            return False
        self.lib.mkdir(parents=True, exist_ok=True)
        new = self.lib / "rlm_wsmfa.so.new"
        shutil.copyfile(module, new)
        new.chmod(0o755)
        new.rename(to)
        return True

    def _group(self):
        return grp.getgrgid(pwd.getpwnam(self.user).pw_gid).gr_name

    @staticmethod
    def _edit(path, change):
        path.write_text(change(path.read_text()))

    def command(self, *words):
        return [radiusd(), *words, "-d", str(self.raddb)]

    def pidfile(self):
        return self.home / "pid"

    def pid(self):
        """Of a server started here, by this process or another; None when it does not run."""
        if self.process is not None:
            return self.process.pid if self.process.poll() is None else None
        try:
            pid = int(self.pidfile().read_text())
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if str(self.raddb).encode() in words else None

    def ready(self, since=0):
        try:
            return "Ready to process requests" in self.log.read_text(errors="replace")[since:]
        except FileNotFoundError:
            return False

    def start(self, *words, seconds=20.0):
        """Starts it in the foreground, with nothing of ours open but its log, and waits until it answers."""
        since = len(self.log.read_text(errors="replace")) if self.log.exists() else 0
        with open(self.home / "log" / "output", "ab") as out:
            self.process = subprocess.Popen(self.command("-f", "-l", str(self.log), *words), cwd="/",
                                            env={**os.environ, **self.env}, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            start_new_session=True)
        self.pidfile().write_text(f"{self.process.pid}\n")
        try:
            wait_for(lambda: self.ready(since) or self.process.poll() is not None, "radiusd is ready", seconds)
        except Trouble as t:
            self.stop()
            raise Trouble(f"{t}\n{tail(self.log)}") from None
        if self.process.poll() is not None:
            raise Trouble(f"radiusd ended with {self.process.returncode}:\n{tail(self.home / 'log' / 'output')}\n"
                          + self.log.read_text(errors="replace")[since:])

    def stop(self, seconds=15.0):
        pid = self.pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, signal.SIGTERM)
        try:
            wait_for(lambda: self.pid() is None, "radiusd has ended", seconds)
        except Trouble:
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: self.pid() is None, "radiusd is gone after SIGKILL")
            raise


def client(name, address, secret, **items):
    """A client section. Hosts from 3.2.5 on would by themselves drop what is not signed after the first packet that is: it is said."""
    items = {"require_message_authenticator": "no", **items}
    lines = [f"\tipaddr = {address}", f"\tsecret = {quoted(secret)}", *(f"\t{k} = {v}" for k, v in items.items())]
    return f"client {name} {{\n" + "\n".join(lines) + "\n}\n"


def read_env(path):
    """Lines NAME=value."""
    try:
        return dict(line.split("=", 1) for line in pathlib.Path(path).read_text().splitlines() if "=" in line)
    except FileNotFoundError:
        return {}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("cluster", "server", "stop", "status", "reset"))
    parser.add_argument("home", type=pathlib.Path, help="folder of the world, e.g. .quickstart")
    parser.add_argument("--module", type=pathlib.Path, help="server: the module to load")
    parser.add_argument("--env", action="append", default=[], help="NAME=value, further lines for HOME/env")
    args = parser.parse_args()
    try:
        return Quickstart(args.home.resolve()).act(args)
    except (Trouble, subprocess.CalledProcessError) as t:
        print(f"world: {t}", file=sys.stderr)
        return 1


class Quickstart:
    """The world of ./quickstart, which outlives the command that made it."""

    def __init__(self, home):
        self.home = home
        self.env_file = home / "env"
        self.env = read_env(self.env_file)
        self.server = Radiusd(home)
        self.server.user = server_user(home) if home.exists() else "root"
        place = self.env.get("PGHOST")
        if not place:
            inside = home / "pg"
            fits = len(str(inside)) < 90 and home.exists() and can_enter("postgres", home)
            place = inside if fits else pathlib.Path("/var/tmp") / f"wsmfa-quickstart-{os.getpid()}-{int(time.time())}"
        self.cluster = Cluster(place)

    def act(self, args):
        actions = {"cluster": self.up_cluster, "server": self.up_server, "stop": self.stop, "status": self.status,
                   "reset": self.reset}
        return actions[args.action](args) or 0

    def write_env(self, lines):
        self.env.update(lines)
        new = self.env_file.with_suffix(".new")
        new.write_text("".join(f"{k}={v}\n" for k, v in self.env.items()))
        new.chmod(0o600)
        new.rename(self.env_file)

    def up_cluster(self, args):
        """Makes and starts what is missing, with the schema."""
        if not (self.cluster.data / "PG_VERSION").exists():
            self.cluster.create(self.server.user)
        self.write_env({**self.cluster.env(), "WSMFA_KEY_FILE": self.home / "wsmfa.key",
                        **dict(word.split("=", 1) for word in args.env)})
        self.cluster.start()
        self.cluster.ensure_database()
        self.cluster.migrate()

    def up_server(self, args):
        """Starts radiusd, or starts it anew if module or configuration changed."""
        running = self.server.pid() is not None
        secret = self.env.get("RADIUS_SECRET") or secrets.token_hex(12)
        park_secret = self.env.get("PARK_SECRET") or secrets.token_hex(16)
        port, park = (self.env[name] if running else free_port(self.env.get(name))
                      for name in ("RADIUS_PORT", "PARK_PORT"))
        outbox = self.home / "sms-outbox"
        key = self.home / "wsmfa.key"
        outbox.touch()
        for path, mode in ((outbox, 0o640), (key, 0o600)):
            path.chmod(mode)
            give(path, self.server.user)
        self.write_env({"RADIUS_HOST": "127.0.0.1", "RADIUS_PORT": port, "RADIUS_SECRET": secret,
                        "RADDB": self.server.raddb, "WSMFA_KEY_FILE": key, "SMS_OUTBOX": outbox, "PARK_PORT": park,
                        "PARK_SECRET": park_secret})
        before = self._fingerprint()
        clients = "".join((
            client("challenge", "127.0.0.1", secret, wsmfa_mode="challenge", wsmfa_service="elements",
                   wsmfa_enroll="yes"),
            client("append", "127.0.0.2", secret, wsmfa_mode="append", wsmfa_service="elements"),
            client("wait", "127.0.0.3", secret, wsmfa_mode="wait", wsmfa_service="elements"),
            client("community", "127.0.0.4", secret, require_message_authenticator="yes", wsmfa_mode="challenge",
                   wsmfa_service="community")))
        connection = " ".join(f"{k}={v}" for k, v in (
            ("host", f"'{self.cluster.home}'"), ("port", self.cluster.port), ("dbname", DATABASE),
            ("user", "wsmfa_radius")))
        self.server.assemble(
            port, park, clients,
            {"connection": quoted(connection), "key_file": quoted(key), "default_service": "elements",
             "enroll_url": quoted("https://mfa.example/enroll")},
            f"\n\tsms file {{\n\t\tpath = {quoted(outbox)}\n\t}}\n\tpush local {{\n\t}}\n", park_secret=park_secret)
        changed = self.server.install_module(args.module)
        if running and not changed and before == self._fingerprint():
            return
        self.server.stop()
        self.server.start()

    def _fingerprint(self):
        return {str(p): p.read_bytes() for p in sorted(self.server.raddb.rglob("*"))
                if p.is_file()} if self.server.raddb.exists() else {}

    def stop(self, _):
        self.server.stop()
        self.cluster.stop()

    def status(self, _):
        radius, sql = self.server.pid(), self.cluster.running()
        print(f"radiusd     {'runs, process ' + str(radius) if radius else 'does not run'}")
        print(f"PostgreSQL  {'runs, ' + str(self.cluster.home) if sql else 'does not run'}")
        return 0 if radius and sql else 1

    def reset(self, args):
        self.stop(args)
        home = self.cluster.home
        if home.parent == self.home or (home.parent == pathlib.Path("/var/tmp")
                                        and home.name.startswith("wsmfa-quickstart-")):
            shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(self.home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
