"""Whether anything that a run wrote holds a secret of it: the servers' logs, PostgreSQL's, and every table.

Apart from test_logs.py, which looks for each secret of some logins: this looks for those of all tests, when they are over.
"""
import base64
import os
import re
import subprocess
import urllib.parse

import radius
from place import SECRET

OCTETS = {**os.environ, "LC_ALL": "C"}  # a log may hold anything
SHORT = 9  # what is shorter may be found by chance, or stand for something else
# Items of a provider's section that are nobody else's business.
ITEMS = re.compile(r"^\s*(?:password|auth_token|secret_key|token|client_secret|skey) = '(.*)'$", re.M)


def forms(text):
    """A text as it is, as octets that are printed, and within a URL."""
    return {text, text.encode().hex(), base64.b64encode(text.encode()).decode(), urllib.parse.quote(text, safe="")}


def key_forms(key):
    return {key.hex(), base64.b32encode(key).decode().rstrip("="), base64.b64encode(key).decode()}


def secrets_of(place):
    """What must be nowhere, a line each."""
    found = forms(SECRET) | key_forms(place.key) | place.shown
    for person in place.people:
        found |= {person.password}.union(*map(forms, person.recovery))
        for k in person.keys:
            found |= key_forms(k["key"])
    for words in place.shown | {code for person in place.people for code in person.recovery}:
        found |= forms(words.replace("-", ""))
    for key in radius.SHOWN:
        found |= key_forms(base64.b32decode(key + "=" * (-len(key) % 8)))
    # Ours are text; those of EAP are not. The host prints octets of packets in a log that debugs, and those as digits.
    found |= {state.decode() for state in radius.STATES if state.isascii()}
    for server in place.servers:
        park = (server.radiusd.raddb / "mods-config/wsmfa/proxy-wsmfa.conf").read_text()
        found |= {line.split("=")[1].strip() for line in park.splitlines() if line.strip().startswith("secret")}
        found |= {item for text in ITEMS.findall(server.sections) for item in forms(text)}
    return {s for s in found if len(s) >= SHORT and s.isprintable()}


def rows(place):
    """All that the tables hold, a line each row, but the accounts' passwords: most of those that tests make are {clear}."""
    columns = place.sql("select a.attrelid::regclass::text, string_agg(quote_ident(a.attname) || '::text', ', ' order by a.attnum) "
                        "from pg_class c join pg_attribute a on a.attrelid = c.oid "
                        "where c.relnamespace = 'wsmfa'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped and not (c.relname = 'account' and a.attname = 'password') group by 1")
    for table, names in columns:
        for (row,) in place.sql(f"select concat_ws(' ', {names}) from {table}"):
            yield f"{table}: {row}\n"


def written(place):
    """Files that this run wrote."""
    dump = place.home / "tables"
    with open(dump, "w", encoding="utf-8") as out:
        out.writelines(rows(place))
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
