"""wsmfactl setup: from a fresh raddb and cluster to a login in one command, and back when a step fails."""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import time

import pytest

import world
from place import MODULE, TOP, WSMFACTL, totp
from radius import Client

SYSTEM = pathlib.Path("/etc/freeradius/3.0")


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
        connection = f"host={place.cluster.home} port={place.cluster.port} dbname={database} user=wsmfa_radius"
        done = subprocess.run([WSMFACTL, "setup", "--raddb", raddb, "--database", database, "--sql", TOP / "sql", "--connection",
                               more.get("connection", connection), *words], env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
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


def test_a_failed_step_takes_back_the_roles_it_made(place, raddb, setup):
    """Roles belong to the cluster. One whose name begins like ours is not ours."""
    cluster = world.Cluster(place.home / "fresh")
    cluster.create(world.server_user(place.home), initdb=["-N"])
    cluster.start()

    def psql(statement):
        return subprocess.run(["psql", "-XAtqc", statement], env={**os.environ, **cluster.env(database="postgres")},
                              capture_output=True, text=True, check=True).stdout.split()
    try:
        psql("create role wsmfa_admin2; create role wsmfa_auditor")
        text = (raddb / "mods-available/wsmfa").read_text()
        (raddb / "mods-available/wsmfa").write_text(text.replace("key_file = ", "kee_file = "))
        assert "no item key_file" in setup(code=1, cluster=cluster).stderr
        assert psql("select rolname from pg_roles where rolname ~ '^wsmfa' order by 1") == ["wsmfa_admin2", "wsmfa_auditor"]
    finally:
        cluster.stop("immediate")


def test_what_is_missing_is_said_before_anything_is_done(place, raddb, setup):
    (raddb / "dictionary").rename(raddb / "dictionary.gone")
    assert "dictionary is not there" in setup(code=1).stderr
    assert place.value("select count(*) from pg_database where datname = %s", setup.database) == 0


def test_an_existing_database_is_kept(place, raddb, setup):
    place.sql(f"create database {setup.database} encoding 'UTF8' template template0")
    text = (raddb / "mods-available/wsmfa").read_text()
    (raddb / "mods-available/wsmfa").write_text(text.replace("wsmfa {\n", "wsmfa {\n\tno_such_setting = 1\n"))
    setup(code=1)
    assert place.value("select count(*) from pg_database where datname = %s", setup.database) == 1
