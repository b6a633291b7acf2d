"""The scenes of `bench parked`: who waits for what, and what the others see meanwhile.

Apart from parked, which runs them and compares. Each has a radiusd of its own, and all share one database.
"""
import contextlib
import os
import signal
import threading
import time

import ground
from ground import place, radload, status_of, world
from standin import Fake
from world import wait_for

DATABASE = "wsmfa_parked"
RATE = 100           # logins a second of the others
CLIENTS = {a: place.CLIENTS[a] for a in ("127.0.0.1", "127.0.0.3")}
WAIT, ASK = {"mode": "pap", "source": "127.0.0.3", "tries": 1}, {"source": "127.0.0.1"}
MORE_HOLD = 5        # seconds: the first of so many must be answered before its time is up
SOCKETS = 8          # of the load generator, for others
IDS = 256            # requests a socket

AUTH0 = """
	push auth0 {{
		url = '{url}'
		client_id = 'client'
		client_secret = 'client-secret'
	}}
"""
GATEWAY = """
	sms gateway {{
		type = http
		url = '{url}/plain/send'
		body = 'to={{to}}&text={{text}}'
		timeout = 20
	}}
"""


class People:
    """Account numbers, by what they have."""

    def __init__(self, where, pushes, others=20000, http=1000, texts=1000):
        self.push, self.totp, self.auth0, self.sms = 0, pushes, pushes + others, pushes + others + http
        self.total = self.sms + texts
        self.next_other, self.others = self.totp, others
        for kind, first, count, how in (("push", self.push, pushes, {}), ("totp", self.totp, others, {}),
                                        ("push", self.auth0, http, {"provider": "auth0"}), ("sms", self.sms, texts, {})):
            where.load_accounts(DATABASE, count, kind, first=first, **how)


class Watch:
    """Threads and memory of a process, while it lasts."""

    def __init__(self, pid):
        self.pid, self.threads, self.ended = pid, 0, threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def _run(self):
        while not self.ended.wait(0.05):
            with contextlib.suppress(OSError):
                self.threads = max(self.threads, status_of(self.pid)["threads"])


class Stage:
    """Cluster, people and how they are counted."""

    def __init__(self, where, args):
        self.ground, self.args = where, args
        self.people = People(where, max(args.many, args.more))

    def value(self, query, *values):
        with self.ground.session(DATABASE) as sql:
            sql.execute(query, values or None)
            return sql.fetchone()[0]

    @contextlib.contextmanager
    def server(self, sections=None, settings=None, server=None):
        made = self.ground.ours(DATABASE, CLIENTS, sections=sections, settings=settings or {}, server=server)
        made.start()
        try:
            self.warm(made)
            yield made
        finally:
            made.stop()

    def warm(self, server):
        """A pool opens its connections when they are first needed, and each makes its plans: until a crowd is served well."""
        for _ in range(20):
            got = radload(server, mode="pap", expect="challenge", **ASK, accounts=self.people.total, first=self.people.totp, flight=64,
                          seconds=2)
            if not got["wrong"] and not got["lost"] and not got["retransmits"]:
                self.others(server, 5)
                return
        raise world.Trouble(f"a server does not come to answer all logins: {got}")

    def others(self, server, seconds):
        """Logins with a code, at even distances: latencies of those that began in these seconds."""
        people = self.people
        if people.next_other + (seconds + 3) * RATE > people.totp + people.others:
            people.next_other = people.totp
        got = radload(server, mode="challenge", **ASK, accounts=people.total, first=people.next_other, rate=RATE,
                      flight=SOCKETS * IDS - 8, sockets=SOCKETS, warm=1, seconds=seconds)
        people.next_other = got["next"]
        return got

    def all_wait(self, run, first, count):
        """Until all wait for their phones; or no more do so, since some were refused."""
        seen = [0, time.monotonic()]

        def done():
            time.sleep(1) # to count them costs the database too
            waiting = self.waiting(first, count)
            if waiting > seen[0]:
                seen[:] = waiting, time.monotonic()
            return waiting >= count or run.process.poll() is not None or time.monotonic() > seen[1] + 5
        wait_for(done, "all pushes are asked", 90)

    def waiting(self, first, count):
        return self.value("select count(*) from wsmfa.challenge where kind = 'push' and push_state = 'pending' and settled_at is null "
                          "and account_id > %s and account_id <= %s and expires_at > now()", first, first + count)

    def sends(self, since, first, count, channel="push"):
        """What went to phones: all, and those that an account got beyond its first."""
        with self.ground.session(DATABASE) as sql:
            sql.execute("select count(*), count(*) - count(distinct account_id) from wsmfa.sent "
                        "where at >= %s and channel = %s and account_id > %s and account_id <= %s",
                        (since, channel, first, first + count))
            return dict(zip(("sent", "sent_twice"), sql.fetchone()))

    def woken(self, since):
        """From the answer on the phone to the settled login, milliseconds; answers of this cluster's clock."""
        with self.ground.session(DATABASE) as sql:
            sql.execute("select coalesce(percentile_cont(array[0.5, 0.99, 1]) within group (order by "
                        "extract(epoch from settled_at - push_at)::float8 * 1000), array[0, 0, 0]) from wsmfa.challenge "
                        "where kind = 'push' and opened_at >= %s and push_at is not null and settled_at is not null", (since,))
            return dict(zip(("p50_ms", "p99_ms", "max_ms"), (round(v, 1) for v in sql.fetchone()[0])))

    def counters(self, server):
        """The engine's, of the last heartbeat, which it writes as it ends."""
        server.stop()
        return self.value("select counters from wsmfa.server order by at desc limit 1")


def compared(before, meanwhile, after):
    """What others saw while all wait, against the better of before and after: a neighbour must not pass for the rule."""
    alone = min(before, after, key=lambda got: got["p99_ms"])
    return {"alone": alone, "alone_too": after if alone is before else before, "meanwhile": meanwhile,
            "p99_ratio": meanwhile["p99_ms"] / alone["p99_ms"] if alone["p99_ms"] else 0.0}


def crowd(stage, server, count, first=0, **options):
    """Pushes asked by clients that wait; flight and sockets for all of them at a time."""
    return ground.loading(server, **{**WAIT, "accounts": stage.people.total, "first": first, "count": count, "flight": count,
                                     "sockets": count // IDS + 2, "timeout": 60, **options})


def wait_and_answer(stage, count, hold, settings=None, host=None):
    """A crowd asks, waits, and is answered; others log in between the last push asked and the first one answered."""
    with stage.server(settings={"push_timeout": 55, **(settings or {})}, server=host) as server:
        pid = server.radiusd.pid()
        before = stage.others(server, hold)
        since = stage.value("select clock_timestamp()")
        idle = status_of(pid)
        with Watch(pid) as watch:
            began = time.monotonic()
            with crowd(stage, server, count, rate=stage.args.rate) as run:
                stage.all_wait(run, 0, count)
                asked = time.monotonic()
                full = status_of(pid)
                meanwhile = stage.others(server, hold)
                waited = time.monotonic()
                with ground.Phones(stage.ground, DATABASE):
                    got = run.result()
                ended = time.monotonic()
        after = stage.others(server, hold)
        return {"pushes": count, **stage.sends(since, 0, count), "threads": watch.threads,
                "idle_kib": idle["resident_kib"], "full_kib": full["resident_kib"],
                "kib_each": (full["resident_kib"] - idle["resident_kib"]) / count, "asking_s": asked - began,
                "holding_s": waited - asked, "answering_s": ended - waited, "woken": stage.woken(since), "logins": got,
                **compared(before, meanwhile, after), "engine": stage.counters(server)}


def many(stage):
    """Pushes that wait, with all settings but push_timeout at their defaults."""
    return wait_and_answer(stage, stage.args.many, stage.args.hold)


def more(stage):
    """Three times as many, with park_max and max_requests raised; asking them takes most of the 55 s that a push may wait."""
    return wait_and_answer(stage, stage.args.more, min(stage.args.hold, MORE_HOLD), {"park_max": stage.args.more}, {"max_requests": 65536})


def all_or_no_more(number, count, run):
    """A condition: so many, or none more for a while. What was lost on the way is for the table to tell."""
    most, since = 0, time.monotonic()

    def holds():
        nonlocal most, since
        if (now := number()) > most:
            most, since = now, time.monotonic()
        return now >= count or run.process.poll() is not None or time.monotonic() - since > 5

    return holds


def http(stage):
    """Pushes of Auth0, all asked at once and polled."""
    count, people = stage.args.http, stage.people
    fake = Fake()
    try:
        fake.reset(push="wait", password=None)
        with stage.server(sections=AUTH0.format(url=fake.url)) as server:
            pid = server.radiusd.pid()
            before = stage.others(server, stage.args.hold)
            fake.reset(push="wait", password=None)
            since = stage.value("select clock_timestamp()")
            with Watch(pid) as watch, crowd(stage, server, count, people.auth0) as run:
                wait_for(all_or_no_more(lambda: len(fake.requests("/mfa/challenge")), count, run),
                         "all pushes are asked over HTTP, or no more of them come", 60)
                meanwhile = stage.others(server, stage.args.hold)
                fake.call("/_default", {"push": "approve"})
                got = run.result()
            asked = len(fake.requests("/mfa/challenge"))
            after = stage.others(server, stage.args.hold)
            return {"pushes": count, **stage.sends(since, people.auth0, count), "challenges_over_http": asked,
                    "requests_over_http": len(fake.requests("")), "threads": watch.threads, "logins": got,
                    **compared(before, meanwhile, after), "engine": stage.counters(server)}
    finally:
        fake.close()


def gateway(stage):
    """Texts by a gateway that takes 10 s to answer; each login's question comes after sms_wait."""
    count, people = stage.args.http, stage.people
    fake = Fake()
    try:
        fake.reset(action="slow:10")
        with stage.server(sections=GATEWAY.format(url=fake.url)) as server:
            pid = server.radiusd.pid()
            before = stage.others(server, stage.args.hold)
            since = stage.value("select clock_timestamp()")
            rate = count / (stage.args.hold + 1)
            with Watch(pid) as watch, ground.loading(
                    server, mode="pap", expect="challenge", **ASK, accounts=people.total, first=people.sms, count=count, flight=count,
                    sockets=count // IDS + 2, rate=rate, timeout=30, tries=1) as run:
                meanwhile = stage.others(server, stage.args.hold)
                got = run.result()
            sent = "select (counters->>'sms_sent')::int + (counters->>'sms_failed')::int from wsmfa.server order by at desc limit 1"
            wait_for(lambda: stage.value(sent) >= count, "the gateway has answered for all texts", 30)
            after = stage.others(server, stage.args.hold)
            return {"texts": count, "rate": rate, **stage.sends(since, people.sms, count, "sms"),
                    "requests_over_http": len(fake.requests("/plain/send")), "threads": watch.threads, "logins": got,
                    **compared(before, meanwhile, after), "engine": stage.counters(server)}
    finally:
        fake.close()


def pair(stage):
    """Two radiusd on one database: asked at one and answered through the other; then one of them stops in the middle."""
    count = stage.args.pair
    result = {"pushes": count}
    with stage.server() as one, stage.server() as two:
        since = stage.value("select clock_timestamp()")
        with ground.loading([one, two], "alternate", mode="push", **ASK, accounts=stage.people.total, count=count, flight=count,
                            rate=stage.args.rate, sockets=count // IDS * 2 + 2, timeout=30, tries=1) as run:
            stage.all_wait(run, 0, count)
            with ground.Phones(stage.ground, DATABASE, numbers=True):
                result["across"] = {"logins": run.result(), **stage.sends(since, 0, count)}
        since = stage.value("select clock_timestamp()")
        with ground.loading([one, two], "fail-over", **WAIT, accounts=stage.people.total, count=count, flight=count,
                            rate=stage.args.rate, sockets=count // IDS * 2 + 2, timeout=12) as run:
            stage.all_wait(run, 0, count)
            os.kill(one.radiusd.pid(), signal.SIGSTOP)
            joined = "select count(*) from wsmfa.server s where s.at > now() - interval '15 s' and s.parked >= %s"
            wait_for(lambda: stage.value(joined, count) or run.process.poll() is not None, "all wait at the other server", 60)
            with ground.Phones(stage.ground, DATABASE):
                result["fail_over"] = {"logins": run.result(), **stage.sends(since, 0, count)}
            os.kill(one.radiusd.pid(), signal.SIGKILL) # it does not come back
        result["fail_over"]["accepted_twice"] = stage.value(
            "select count(*) from (select account_id from wsmfa.event where at >= %s and outcome = 'accepted' "
            "group by account_id having count(*) > 1) x", since)
    return result


def silence(stage):
    """Pushes that nobody ever answers: each ends when its time is up."""
    count, timeout = stage.args.many, 20
    with stage.server(settings={"push_timeout": timeout}) as server:
        since = stage.value("select clock_timestamp()")
        with crowd(stage, server, count, rate=stage.args.rate, expect="reject") as run:
            got = run.result()
        late = {name: got[name] - timeout * 1000 for name in ("p50_ms", "p99_ms", "max_ms")}
        return {"pushes": count, **stage.sends(since, 0, count), "timeout_s": timeout, "late": late, "logins": got,
                "engine": stage.counters(server)}


def fatigue(stage):
    """One stolen password asks for as many pushes as it can: what its owner's phone gets, and what the thief sees."""
    count = stage.args.many
    with stage.server() as server:
        since = stage.value("select clock_timestamp()")
        file = stage.ground.home / "thief"
        file.write_text(f"user{0:06d} secret-{0:06d}\n")
        got = radload(server, **{**WAIT, "timeout": 60}, file=file, count=count, flight=64, expect="reject")
        return {"logins": got, **stage.sends(since, 0, 1), "engine": stage.counters(server)}


SCENES = (many, more, http, gateway, pair, silence, fatigue)
