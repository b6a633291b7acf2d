"""What administrators see and what a login meets are one: next_login of compliance_at against the module's own decision,
over random accounts, schedules and times, many of them on a boundary to the microsecond.

The module's side is what it really does: login_load's rows, through the C decision (tests/unit/decide).
"""
import collections
import datetime
import os
import random
import subprocess

from psycopg2.extras import execute_values

from place import BUILD

UTC = datetime.timezone.utc
MICRO = datetime.timedelta(microseconds=1)
DAYS30 = datetime.timedelta(days=30)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
ACCOUNTS, TIMES = 10000, 4
BITS = {"recovery": 2, "sms": 4, "totp": 8, "push": 16, "fido2": 32}
KINDS = list(BITS)


def micros(t):
    return (t - EPOCH) // MICRO


class Draw:
    """Random facts about a few points in time, so that boundaries meet often."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.points = [datetime.datetime(2024, 6, 1, tzinfo=UTC) + datetime.timedelta(days=20 * i) for i in range(8)]

    def chance(self, p):
        return self.random.random() < p

    def time(self, points=None):
        return self.random.choice(points or self.points) + self.random.choice((-1, 0, 0, 1)) * MICRO

    def times(self):
        """One of each part of the time in which things begin and end, so that nothing is always before or after."""
        part = len(self.points) // TIMES
        return [self.time(self.points[i * part:(i + 1) * part]) for i in range(TIMES)]

    def schedule(self):
        return tuple(sorted((self.time(), self.time())))

    def some(self, things, most):
        return self.random.sample(things, self.random.randint(0, most))


def fill(c, draw):
    """Regions, services, organizations, accounts and all that hangs on them."""
    def insert(table, columns, rows, returning=""):
        return execute_values(c, f"insert into wsmfa.{table} ({columns}) values %s {returning}", rows, page_size=2000,
                              fetch=bool(returning))

    regions = [f"R{i}" for i in range(12)]
    insert("region", "code, name, time_zone, announce_from, enforce_from",
           [(r, r, draw.random.choice(("Asia/Kathmandu", "America/New_York", "UTC")), *draw.schedule()) for r in regions])
    services = [f"s{i}" for i in range(6)]
    insert("service", "code, name, requires_mfa_from",
           [(s, s, draw.time(draw.points[:3])) for s in services[:2]]
           + [(s, s, None if draw.chance(0.4) else draw.time()) for s in services[2:]] + [("free", "free", None)])
    organizations = [row[0] for row in insert(
        "organization", "name, allowed_methods",
        [(f"o{i}", draw.some(KINDS, 5) if draw.chance(0.4) else None) for i in range(60)], "returning id")]
    insert("organization_schedule", "organization_id, announce_from, enforce_from",
           [(o, *draw.schedule()) for o in organizations if draw.chance(0.4)])
    accounts = [row[0] for row in insert(
        "account", "name, organization_id, region, password, disabled_at",
        [(f"a{i}", draw.random.choice(organizations), draw.random.choice(regions), "{clear}x",
          draw.time() if draw.chance(0.08) else None) for i in range(ACCOUNTS)], "returning id")]
    insert("account_service", "account_id, service", [(a, s) for a in accounts for s in draw.some(services, 3)])
    insert("exemption", "account_id, until, reason, revoked_at",
           [(a, draw.time(), "x", draw.time() if draw.chance(0.2) else None)
            for a in accounts if draw.chance(0.4) for _ in range(draw.random.randint(1, 2))])
    insert("station_wait", "account_id, station, locked_until, at",
           [(a, "client:127.0.0.1", draw.time(), draw.points[0]) for a in accounts if draw.chance(0.1)])
    factors(insert, accounts, draw)


def factors(insert, accounts, draw):
    nothing = dict.fromkeys(("sealed", "algorithm", "digits", "period", "provider", "device", "phone", "salt",
                             "iterations"))
    of_kind = {"totp": {"sealed": b"x", "algorithm": "sha1", "digits": 6, "period": 30},
               "push": {"provider": "local", "device": "d"}, "sms": {"phone": "+358401234567"}, "fido2": {},
               "recovery": {"salt": bytes(16), "iterations": 1000}}
    rows, failures = [], []
    for a in accounts:
        for kind in draw.some(KINDS, 2) if draw.chance(0.7) else ():
            counts = [draw.time() - DAYS30 for _ in range(draw.random.choice((29, 30, 30, 31)))] \
                if draw.chance(0.15) else []
            failures.append(counts)
            rows.append((a, kind, None if draw.chance(0.15) else draw.points[0],
                         draw.time() if draw.chance(0.2) else None, draw.time() if draw.chance(0.1) else None,
                         max(counts, default=None), *{**nothing, **of_kind[kind]}.values()))
    ids = insert("authenticator", "account_id, kind, confirmed_at, disabled_at, removed_at, last_failure_at, "
                 + ", ".join(nothing), rows, "returning id, account_id, kind")
    insert("failure", "account_id, authenticator_id, at",
           [(account, number, at) for (number, account, _), ats in zip(ids, failures) for at in ats])
    insert("recovery_code", "authenticator_id, hash, used_at",
           [(number, bytes([i]) * 32, draw.points[0] if draw.chance(0.7) else None)
            for number, _, kind in ids if kind == "recovery" for i in range(2)])


def logins(c, at, group):
    """What the module loads for a login of a group's accounts to one of their own services, as lines for decide."""
    c.execute("""
        select l.name, l.disabled_at, l.locked_until, l.in_scope, l.stage, l.exempt_until, l.allowed_kinds,
            l.auth_kind, l.auth_disabled_at, l.auth_failures, l.auth_codes_left
        from wsmfa.account a cross join lateral wsmfa.login_load(a.name, '127.0.0.1', '', coalesce(
            (select min(service) from wsmfa.account_service s where s.account_id = a.id), 'free'), %s) l
        where a.id %% %s = %s order by a.id, l.auth_id""", (at, TIMES, group))
    grouped = collections.OrderedDict()
    for row in c.fetchall():
        grouped.setdefault(row[0], []).append(row)
    return {name: line(at, rows) for name, rows in grouped.items()}


def line(at, rows):
    _, disabled, locked, in_scope, stage, exempt, allowed = rows[0][:7]
    words = [f"at={micros(at)}", f"scope={'yes' if in_scope else 'no'}", f"stage={stage}"]
    for word, value in (("disabled", disabled), ("locked", locked), ("exempt", exempt)):
        if value is not None:
            words.append(f"{word}={micros(value)}")
    words.append("allowed=" + (",".join(k for k in KINDS if allowed & BITS[k]) or "none"))
    auths = [":".join([kind, *(["disabled"] if off is not None else []), f"failures={failures}", f"codes={codes}"])
             for *_, kind, off, failures, codes in rows if kind is not None]
    if auths:
        words.append("auth=" + ",".join(auths))
    return " ".join(words)


def test_next_login_is_what_the_module_decides(place):
    seed = int(os.environ.get("WSMFA_SEED", random.randrange(2**32)))
    print("WSMFA_SEED", seed)
    draw = Draw(seed)
    place.cluster.ensure_database("property")
    place.cluster.migrate("property")
    with place.connect("property") as connection, connection.cursor() as c:
        c.execute("begin")
        fill(c, draw)
        c.execute("commit")
        c.execute("analyze")
        seen = collections.Counter()
        for group, at in enumerate(draw.times()):
            lines = logins(c, at, group)
            done = subprocess.run([BUILD / "tests/unit/decide"], input="\n".join(lines.values()) + "\n", text=True,
                                  capture_output=True, check=True)
            decided = dict(zip(lines, done.stdout.splitlines()))
            c.execute("select account, next_login from wsmfa.compliance_at(%s)", (at,))
            for name, next_login in c.fetchall():
                if name not in decided:
                    continue
                word, reason = decided[name].split()
                seen[word, reason] += 1
                assert next_login == word, f"{name} at {at}: {lines[name]} => {decided[name]}, but next_login {next_login}"
    assert sum(seen.values()) == ACCOUNTS
    # Every row of the table came up, or the test would prove less than it says.
    rows = {"disabled", "locked", "enrolled", "no_usable_method", "not_in_scope", "observe", "announce", "exempt",
            "enroll"}
    assert rows <= {reason for _, reason in seen}, seen
