"""Our own statements of one login under pgbench, on the cluster of the benchmark: what the database alone can do.

Apart from sides.py: here is no RADIUS at all.
"""
import re
import subprocess

from ground import median, world

# psql variables: n the account, id its number. A settlement's step is always newer than the one before.
ACCOUNT = """\\set n random(0, {last})
\\set id :n + 1
\\set s random(1, 9000000000000000000)
"""
NAME = "'user' || lpad((:n)::text, 6, '0')"
LIMITS = "10, 30, 30"                # lock_after, failure_budget, failure_days
OPENING_LIMITS = "5, 5, 10, 0, 0"    # push_max, sms_max ...
STEP = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"
NONE = ", ".join(["null"] * 16)

LOAD = f"SELECT * FROM wsmfa.login_load({NAME}, '{{client}}', '02-00', '{{service}}', clock_timestamp());\n"
SETTLE = (f"SELECT * FROM wsmfa.challenge_settle(clock_timestamp(), :id, '{{client}}', '02-00', 'elements', {{challenge}}, "
          f"'right', 'totp', array[(:id)::bigint], {STEP}, 0, null, false, null, null, false, null, '', 'accepted', 'proven', "
          f"{LIMITS}, 3, {OPENING_LIMITS}, {NONE});\n")
OPEN = (f"SELECT challenge_id FROM wsmfa.challenge_open(clock_timestamp(), :id, '{{client}}', '02-00', 'elements', 'totp', "
        "sha256(int8send(:s)), '\\x00112233445566778899aabbccddeeff', 1, clock_timestamp() + interval '120 s', :id, false, null, "
        f"null, '', '', '', null, 0, null, false, {OPENING_LIMITS}) \\gset\n")
TAKE = (f"SELECT status FROM wsmfa.challenge_take(sha256(int8send(:s)), {NAME}, '{{client}}', '02-00', 'elements', "
        "clock_timestamp(), sha256('answer'), null);\n")

LOGINS = {
    "d": ("wsmfa_plain", ACCOUNT + LOAD.format(client="127.0.0.4", service="community")),
    "e": ("wsmfa_totp", ACCOUNT + LOAD.format(client="127.0.0.2", service="elements")
          + SETTLE.format(client="127.0.0.2", challenge="null")),
    "f": ("wsmfa_totp", ACCOUNT + LOAD.format(client="127.0.0.1", service="elements") + OPEN.format(client="127.0.0.1")
          + TAKE.format(client="127.0.0.1") + SETTLE.format(client="127.0.0.1", challenge=":challenge_id")),
}


# New connections make their plans first, and pgbench's all do so at once: not measured.
WARM = 3

# As the module sets on its connections.
OPTIONS = ("-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off "
           "-c join_collapse_limit=1 -c jit=off")


def pgbench(ground, database, script, last, seconds, clients=32):
    """Transactions a second, once it is warm."""
    path = ground.home / "script.sql"
    path.write_text(script.replace("{last}", str(last)))
    command = [str(ground.cluster.bin / "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-P", "1",
               "-T", str(WARM + seconds), "-f", str(path)]
    done = subprocess.run(command, env={**ground.cluster.env("wsmfa_radius", database), "PGOPTIONS": OPTIONS}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    rates = [float(tps) for at, tps in re.findall(r"^progress: ([\d.]+) s, ([\d.]+) tps", done.stderr, re.M) if float(at) > WARM + 0.5]
    if done.returncode or not rates:
        raise world.Trouble(f"pgbench failed with {done.returncode}: {done.stdout}{done.stderr}")
    failed = re.search(r"^number of failed transactions: (\d+)", done.stdout, re.M)
    if failed and int(failed[1]):
        raise world.Trouble(f"pgbench: {failed[1]} transactions failed: {done.stderr}")
    return median(rates)


def copies(ground):
    """Databases of their own for pgbench, since its steps are far in the future. Before anything is connected."""
    for name in {name for name, _ in LOGINS.values()}:
        with ground.session("postgres") as sql:
            sql.execute(f"create database {name}_statements template {name}")


def rate(ground, letter, last, seconds):
    database, script = LOGINS[letter]
    return pgbench(ground, f"{database}_statements", script, last, seconds)
