"""wsmfactl setup: from a fresh raddb and cluster to a login in one command, and back when a step fails."""
import base64
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

import world
from place import MODULE, TOP, WSMFACTL, totp
from radius import Client

SYSTEM = pathlib.Path("/etc/freeradius/3.0")
EVERY = int(os.environ.get("WSMFA_SETUP_EVERY", "6"))


@pytest.fixture
def raddb(place):
    """The server's own configuration as its package leaves it, with our files beside it, as ours leaves them."""
    home = pathlib.Path(place.home) / f"setup-{next(place.numbers)}"
    new = home / "raddb"
    home.mkdir()
    shutil.copytree(SYSTEM, new, symlinks=True)
    for link in (new / "sites-enabled").iterdir():
        link.unlink()
    for name in ("default", "inner-tunnel"):
        (new / "sites-enabled" / name).symlink_to(f"../sites-available/{name}")
    (new / "mods-enabled" / "wsmfa").unlink(missing_ok=True)
    shutil.copytree(TOP / "raddb" / "mods-config" / "wsmfa", new / "mods-config" / "wsmfa", dirs_exist_ok=True)
    shutil.copy(TOP / "raddb" / "mods-available" / "wsmfa", new / "mods-available")
    shutil.copy(TOP / "raddb" / "dictionary.wsmfa", new)
    port = world.free_port()
    site = (TOP / "raddb" / "sites-available" / "wsmfa").read_text()
    (new / "sites-available" / "wsmfa").write_text(site.replace("ipaddr = *", "ipaddr = 127.0.0.1").replace("port = 0", f"port = {port}", 1))
    text = (new / "radiusd.conf").read_text()
    for name, value in {"raddbdir": new, "libdir": f"{MODULE.parent}:/usr/lib/freeradius", "logdir": home, "run_dir": home,
                        "user": world.server_user(home), "group": world.server_user(home)}.items():
        text = world.set_items(text, {name: value}, "radiusd.conf")
    (new / "radiusd.conf").write_text(text)
    (new / "clients.conf").write_text(world.client("me", "127.0.0.1", "a secret for RADIUS"))
    subprocess.run(["chown", "-R", world.server_user(home), home], check=True)
    (home / "port").write_text(str(port))
    return new


def tree(folder):
    """Every file and link below, with what is in it, its owner and its mode."""
    found = {}
    for path in sorted(folder.rglob("*")):
        st = path.lstat()
        found[str(path.relative_to(folder))] = (
            os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None,
            st.st_uid, st.st_gid, st.st_mode)
    return found


@pytest.fixture
def setup(place, raddb):
    database = f"setup{next(place.numbers)}"

    def run(*words, code=0, cluster=place.cluster, **more):
        env = {**os.environ, **cluster.env(database="postgres")}
        env.pop("WSMFA_KEY_FILE", None)
        if cluster is place.cluster:
            words += "--connection", f"host={cluster.home} port={cluster.port} dbname={database} user=wsmfa_radius"
        done = subprocess.run([WSMFACTL, "setup", "--raddb", raddb, "--database", database, "--sql", more.get("sql", TOP / "sql"), *words],
                              env={**env, **more.get("env", {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return done
    run.database = database
    return run


def test_one_command_to_a_login(place, raddb, setup, monkeypatch):
    done, = json.loads(setup("--json", "--enroll-url", "https://mfa.example/").stdout)
    assert done == {"database": setup.database, "raddb": str(raddb), "key_file": str(raddb / "wsmfa.key")}
    assert (raddb / "wsmfa.key").stat().st_mode & 0o777 == 0o600
    assert "testing" not in (raddb / "mods-config/wsmfa/proxy-wsmfa.conf").read_text()
    assert not (raddb / "sites-enabled/default").is_symlink()
    before = tree(raddb)
    setup("--enroll-url", "https://mfa.example/")
    after = tree(raddb)
    changed = {k for k in before.keys() | after.keys() if before.get(k) != after.get(k)}
    assert changed <= {"mods-config/wsmfa/proxy-wsmfa.conf"}, "once more changes only the waiting room's secret"

    monkeypatch.setattr(place, "database", setup.database)
    monkeypatch.setattr(place, "key_file", raddb / "wsmfa.key")
    place.wsmfactl("account", "add", "jane", "--org", "Acme", "--region", "EMEA", "--service", "elements", "--password-stdin",
                   stdin="open sesame\n")
    key = json.loads(place.wsmfactl("totp", "add", "jane", "--json").stdout)["secret"]
    log = raddb.parent / "log"
    with open(log, "w") as out, subprocess.Popen([world.radiusd(), "-fxl", "stdout", "-d", raddb], stdin=subprocess.DEVNULL, stdout=out,
                                                 stderr=out) as server:
        try:
            world.wait_for(lambda: "Ready to process requests" in log.read_text(errors="replace") or server.poll() is not None,
                           "the server answers or has ended")
            assert server.poll() is None, log.read_text(errors="replace")[-3000:]
            with Client(int((raddb.parent / "port").read_text()), "a secret for RADIUS") as client:
                asked = client.ask("jane", "open sesame")
                assert asked.code == "challenge"
                code = totp(base64.b32decode(key), int(time.time()) // 30)
                assert client.ask("jane", code, asked.state).code == "accept"
        finally:
            server.terminate()


@pytest.mark.parametrize("file, old, new, said", [
    ("sites-available/wsmfa", "post-auth {\n", "post-auth {\n\tok\n", "does not accept"),
    ("mods-available/wsmfa", "wsmfa {\n", "wsmfa {\n\tno_such_setting = 1\n", "does not accept"),
    ("radiusd.conf", "max_request_time", "max_request_tome", "no item max_request_time"),
    ("mods-available/wsmfa", "key_file = ", "kee_file = ", "no item key_file")])
def test_a_failed_step_leaves_nothing(place, raddb, setup, file, old, new, said):
    text = (raddb / file).read_text()
    assert old in text
    (raddb / file).write_text(text.replace(old, new))
    before = tree(raddb)
    done = setup(code=1)
    assert said in done.stderr and "as it was before" in done.stderr
    assert tree(raddb) == before
    assert place.value("select count(*) from pg_database where datname = %s", setup.database) == 0


@pytest.fixture(scope="module")
def fresh(place):
    """A cluster in which setup has never run, reached by TCP too. Nothing in it has to outlive a crash of the machine."""
    cluster = world.Cluster(place.home / "fresh")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        cluster.port = s.getsockname()[1]
    cluster.create(world.server_user(place.home), initdb=["-N"], settings=["listen_addresses = '127.0.0.1'", "fsync = off"])
    with open(cluster.data / "pg_hba.conf", "a") as f:
        f.write("host all all 127.0.0.1/32 scram-sha-256\n")
    cluster.start()

    def psql(statement):
        return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1"], input=statement, env={**os.environ, **cluster.env(database="postgres")},
                              capture_output=True, text=True, check=True).stdout.splitlines()
    cluster.psql = psql
    yield cluster
    cluster.stop("immediate")


ROLES = "select rolname || coalesce(rolpassword, '') from pg_authid where rolname ~ '^wsmfa' order by 1"


def test_a_failed_step_takes_back_the_roles_it_made(raddb, setup, fresh):
    """Roles belong to the cluster. One whose name begins like ours is not ours, and one that was there keeps its password."""
    fresh.psql("create role wsmfa_admin2; create role wsmfa_auditor; create role wsmfa_radius password 'before'")
    before = fresh.psql(ROLES)
    text = (raddb / "mods-available/wsmfa").read_text()
    (raddb / "mods-available/wsmfa").write_text(text.replace("key_file = ", "kee_file = "))
    assert "no item key_file" in setup(code=1, cluster=fresh).stderr
    assert fresh.psql(ROLES) == before and len(before) == 3
    fresh.psql("".join(f"drop role {name};" for name in ("wsmfa_admin2", "wsmfa_auditor", "wsmfa_radius")))


@pytest.fixture(scope="module")
def killer(place):
    """What a preloaded library needs to end wsmfactl after its Nth step."""
    library = place.home / "kill_at.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, TOP / "tests/server/kill_at.c"], check=True)

    def at(step, by):
        return {"LD_PRELOAD": str(library), "WSMFA_KILL_AT": str(step), "WSMFA_KILL_BY": str(int(by)),
                "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
    return at


def settled(found):
    """A raddb without what is random in it."""
    random = {"wsmfa.key", "wsmfa.pgpass"}
    proxy = "mods-config/wsmfa/proxy-wsmfa.conf"
    return {k: (None if k in random else re.sub(rb"secret = \S+", b"", v[0]) if k == proxy else v[0], *v[1:]) for k, v in found.items()}


def copied(folder, to):
    shutil.rmtree(to, ignore_errors=True)
    subprocess.run(["cp", "-a", folder, to], check=True)


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_setup_may_be_ended_after_any_step(raddb, setup, fresh, killer, by):
    """What can be caught is undone; after what can't, setup goes on where it was. Of the steps of a whole setup every EVERYth is tried."""
    aside = raddb.parent / "aside"
    copied(raddb, aside)
    # The migrations are no steps of setup: each is whole or not there, and one is as good as all, and quicker.
    sql = raddb.parent / "sql"
    sql.mkdir()
    for name in ("migrate", "0001_roles.sql"):
        shutil.copy(TOP / "sql" / name, sql)
    before, roles = tree(raddb), fresh.psql(ROLES)
    clean = f"drop database if exists {setup.database} with (force);" + "".join(f"drop role if exists {r};" for r in world.ROLES)
    whole = None
    for step in itertools.count(1, EVERY):
        done = setup(code=None, cluster=fresh, sql=sql, env=killer(step, by))
        if done.returncode == 0:
            break
        if by == signal.SIGKILL:
            assert done.returncode == -by
            setup(cluster=fresh, sql=sql)
            whole = whole or settled(tree(raddb))
            assert settled(tree(raddb)) == whole, f"killed after step {step}"
        else:
            assert done.returncode == 1 and "as it was before" in done.stderr and "note:" not in done.stderr, done.stderr
            assert tree(raddb) == before, f"ended after step {step}"
            assert fresh.psql(ROLES + f"; select datname from pg_database where datname = '{setup.database}'") == roles
        fresh.psql(clean)
        if by == signal.SIGKILL:
            copied(aside, raddb)
    if whole:
        assert settled(tree(raddb)) == whole
    fresh.psql(clean)
    assert step > 30, "the steps were seen"


def test_what_is_missing_is_said_before_anything_is_done(place, raddb, setup):
    (raddb / "dictionary").rename(raddb / "dictionary.gone")
    assert "dictionary is not there" in setup(code=1).stderr
    assert place.value("select count(*) from pg_database where datname = %s", setup.database) == 0


def test_a_database_that_cant_be_made(raddb, setup, fresh):
    before = tree(raddb)
    fresh.psql("alter database template0 rename to set_aside")
    said = setup(code=1, cluster=fresh).stderr
    assert f"the database {setup.database} can't be made: " in said and "template0" in said and "as it was before" in said
    assert tree(raddb) == before
    fresh.psql("alter database set_aside rename to template0")
    setup(cluster=fresh)


def test_an_existing_database_is_kept(place, raddb, setup):
    place.sql(f"create database {setup.database} encoding 'UTF8' template template0")
    text = (raddb / "mods-available/wsmfa").read_text()
    (raddb / "mods-available/wsmfa").write_text(text.replace("wsmfa {\n", "wsmfa {\n\tno_such_setting = 1\n"))
    setup(code=1)
    assert place.value("select count(*) from pg_database where datname = %s", setup.database) == 1
