"""./quickstart as a newcomer meets it, and every command and answer of README.md."""
import os
import re
import shutil
import subprocess
import tempfile

import pytest

import world
from place import MODULE, TOP, wait_for

README = (TOP / "README.md").read_text()
NAMES = ("RADIUS_HOST", "RADIUS_PORT", "RADIUS_SECRET", "RADDB", "PGHOST", "PGPORT", "PGDATABASE", "PGUSER",
         "WSMFA_KEY_FILE", "SMS_OUTBOX", "WSMFACTL")


class Quickstart:
    def __init__(self, mode):
        self.home = tempfile.mkdtemp(prefix="wsmfa-quickstart-test-", dir="/var/tmp")
        os.chmod(self.home, mode)
        self.folder = os.path.join(self.home, "quickstart")

    def run(self, *words, seconds=900):
        """Its output is a pipe that has to end: a daemon that held it would keep this waiting."""
        done = subprocess.run([TOP / "quickstart", *words], env={**os.environ, "WSMFA_QUICKSTART": self.folder},
                              cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=seconds, check=False)
        return done.returncode, done.stdout

    def up(self):
        code, said = self.run()
        assert code == 0, said
        return said

    @property
    def env(self):
        return world.read_env(os.path.join(self.folder, "env"))

    def pids(self):
        return (int(open(os.path.join(self.folder, "pid")).read()),
                int(open(os.path.join(self.env["PGHOST"], "data/postmaster.pid")).readline()))

    def shell(self, line):
        return subprocess.run(["bash", "-c", line], env={**os.environ, **self.env}, cwd="/", stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)

    def value(self, query):
        return self.shell(f'psql -XAtqc "{query}"').stdout.strip()

    def close(self):
        self.run("reset")
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture(scope="module")
def quick():
    made = Quickstart(0o755)
    try:
        made.first = made.up()
        yield made
    finally:
        made.close()


def test_up_shows_logins(quick):
    assert quick.first.count("Access-Accept") >= 4
    assert "Access-Challenge" in quick.first and "radtest" in quick.first
    assert "the outbox: {" in quick.first and "the phone answers: wsmfactl push answer" in quick.first


def test_env(quick):
    assert set(NAMES) <= set(quick.env)
    for name in ("RADDB", "PGHOST", "WSMFA_KEY_FILE", "SMS_OUTBOX", "WSMFACTL"):
        assert os.path.isabs(quick.env[name]) and os.path.exists(quick.env[name]), name
    assert quick.value("select rolsuper from pg_roles where rolname = current_user") == "t"
    assert quick.value("select pg_get_userbyid(datdba) from pg_database where datname = current_database()") \
        == quick.env["PGUSER"]
    for name in ("fsync", "synchronous_commit"):
        assert quick.value(f"show {name}") == "on"


def test_daemons_hold_none_of_its_descriptors(quick):
    for pid in quick.pids():
        for fd in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            assert not target.endswith("/lock") and "pipe:" not in target or own_pipe(pid, target), (pid, fd, target)


def own_pipe(pid, target):
    """Both ends are the daemon's own."""
    ends = [fd for fd in os.listdir(f"/proc/{pid}/fd") if os.readlink(f"/proc/{pid}/fd/{fd}") == target]
    return len(ends) > 1


def test_status(quick):
    code, said = quick.run("status")
    assert code == 0 and "does not run" not in said


def test_every_row_of_the_decision_table(quick):
    words = quick.value("select string_agg(distinct next_login, ' ' order by next_login) from wsmfa.mfa_status").split()
    assert words == ["accept", "accept_with_banner", "challenge", "deny", "enroll"]


def test_again_keeps_data_and_processes(quick):
    before, people = quick.pids(), int(quick.value("select count(*) from wsmfa.account"))
    key = open(quick.env["WSMFA_KEY_FILE"]).read()
    said = quick.up()
    assert quick.pids() == before, "nothing changed, so nothing was restarted"
    assert int(quick.value("select count(*) from wsmfa.account")) > people
    assert open(quick.env["WSMFA_KEY_FILE"]).read() == key
    assert said.count("Access-Accept") >= 4


def test_stop_and_up_keeps_data(quick):
    people = int(quick.value("select count(*) from wsmfa.account"))
    port = quick.env["RADIUS_PORT"]
    assert quick.run("stop")[0] == 0
    assert quick.run("status")[0] == 1
    quick.up()
    assert int(quick.value("select count(*) from wsmfa.account")) > people
    assert quick.env["RADIUS_PORT"] == port


def test_a_changed_configuration_restarts_radiusd_only(quick):
    before = quick.pids()
    site = os.path.join(quick.env["RADDB"], "clients.conf")
    with open(site, "a") as f:
        f.write("\n# edited\n")
    subprocess.run([TOP / "build-aux/world.py", "server", quick.folder, "--module", MODULE], check=True)
    after = quick.pids()
    assert after[0] != before[0] and after[1] == before[1]


def test_usage():
    done = subprocess.run([TOP / "quickstart", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "reset" in done.stdout
    assert subprocess.run([TOP / "quickstart", "dance"], capture_output=True, check=False).returncode == 2


def test_in_a_folder_that_others_can_not_enter():
    """As below /root: the cluster is elsewhere, and reset takes it away too."""
    made = Quickstart(0o700)
    try:
        made.up()
        cluster = made.env["PGHOST"]
        assert cluster.startswith("/var/tmp/")
        assert made.run("reset")[0] == 0
        assert not os.path.exists(cluster) and not os.path.exists(made.folder)
    finally:
        made.close()


# README.md

ROWS = re.findall(r"^\| `(\w+)` \| [^|]+ \| (Access-\w+)(?:: ([^|]+))? \|$", README, re.M)
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.M | re.S)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
TWO = ["./quickstart", "./tests/run"]


def test_the_readme_has_a_table_and_commands():
    assert len(ROWS) == 8 and len(COMMANDS) > 8
    assert [c for c in COMMANDS if c.startswith("./")] == TWO, "the two commands, which this test and its caller are"


@pytest.mark.parametrize("name,answer,text", ROWS, ids=[r[0] for r in ROWS])
def test_radtest_of_a_demo_account(quick, name, answer, text):
    said = quick.shell(f"radtest {name} demo $RADIUS_HOST:$RADIUS_PORT 0 $RADIUS_SECRET").stdout
    assert f"Received {answer} " in said, said
    message = re.search(r'^\tReply-Message = "(.*)"$', said, re.M)
    assert (message.group(1) if message else "").startswith(text.strip()), said
    if not text:
        assert message is None, said


@pytest.mark.parametrize("line", [c for c in COMMANDS if c not in TWO and not c.startswith("set -a")])
def test_command_of_the_readme(quick, line):
    done = quick.shell(line)
    assert done.returncode == 0 or "Received Access-" in done.stdout, done.stdout
    follows = re.search(r"```sh\n[^`]*" + re.escape(line) + r"\n```\n\nanswers (Access-\w+)(?:: ([^\n]+))?", README)
    if follows:
        assert f"Received {follows.group(1)} " in done.stdout and (follows.group(2) or "") in done.stdout, done.stdout


def test_pasted_lines_work(quick):
    """The lines that quickstart prints, but those that never end."""
    said = quick.first[quick.first.index("Paste"):]
    lines = [line.split("   ")[0] for line in said.splitlines() if re.match(r"(radtest|env) ", line)]
    assert len(lines) >= 6
    for line in lines:
        done = wait_for(lambda line=line: quick.shell(line), line)
        assert done.returncode == 0 or "Received Access-" in done.stdout, f"{line}\n{done.stdout}"
