"""Whether anything that a run wrote holds a secret of it: the servers' logs, PostgreSQL's, and the tables that auditors read.

Apart from test_logs.py, which looks for each secret of some logins: this looks for those of all tests, when they are over.
"""
import base64
import os
import subprocess

import radius
from place import SECRET

TABLES = ("event", "audit", "server")
OCTETS = {**os.environ, "LC_ALL": "C"}  # a log may hold anything
SHORT = 9  # what is shorter may be found by chance, or stand for something else


def secrets_of(place):
    """What must be nowhere, a line each."""
    found = {SECRET, base64.b64encode(place.key).decode(), place.key.hex()}
    for person in place.people:
        found |= {person.password, *person.recovery}
        for k in person.keys:
            found |= {k["key"].hex(), base64.b32encode(k["key"]).decode().rstrip("="), base64.b64encode(k["key"]).decode()}
    found |= {state.decode() for state in radius.STATES if state.isascii()}  # ours are; those of EAP are not
    for server in place.servers:
        park = (server.radiusd.raddb / "mods-config/wsmfa/proxy-wsmfa.conf").read_text()
        found |= {line.split("=")[1].strip() for line in park.splitlines() if line.strip().startswith("secret")}
    return {s for s in found if len(s) >= SHORT and s.isprintable()}


def written(place):
    """Files that this run wrote."""
    dump = place.home / "tables"
    with open(dump, "w", encoding="utf-8") as out:
        for table in TABLES:
            out.writelines(f"{row}\n" for (row,) in place.sql(f"select t::text from wsmfa.{table} t"))
    logs = [log for server in place.servers for log in (server.radiusd.home / "log").iterdir() if log.is_file()]
    return [log for log in (*logs, place.cluster.log, dump) if log.exists()]


def told(place):
    """How many secrets were looked for in how many octets, and the lines that hold one."""
    files, secrets = written(place), secrets_of(place)
    patterns = place.home / "secrets"
    patterns.write_text("".join(s + "\n" for s in secrets))
    found = subprocess.run(["grep", "-aF", "-f", patterns, *files], capture_output=True, text=True, errors="replace", check=False, env=OCTETS)
    assert found.returncode in (0, 1), found.stderr
    control = subprocess.run(["grep", "-aFc", "-f", patterns, patterns], capture_output=True, text=True, check=False, env=OCTETS)
    assert int(control.stdout) == len(secrets), "control: each of them would be found"
    return len(secrets), sum(f.stat().st_size for f in files), found.stdout.splitlines()
