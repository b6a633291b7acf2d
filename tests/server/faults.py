"""What breaks under a server, and who logs in meanwhile: a crowd with codes, a wire that delays and cuts, a database's processes.

Apart from the tests, because several files of them break the same things.
"""
import collections
import pathlib
import shutil
import signal
import socket
import threading
import time

import psycopg2

from place import wait_for


def kill(cluster):
    """As if the power had gone, but that what the kernel was given is still there."""
    pid = cluster.pid()
    cluster.signal(signal.SIGKILL)
    wait_for(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "the postmaster is gone")


def cut_all(place):
    place.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'wsmfa_radius'")


def at_once(things):
    """Runs all of them in threads that begin together."""
    results = [None] * len(things)
    barrier = threading.Barrier(len(things))

    def run(i, thing):
        barrier.wait()
        results[i] = thing()
    threads = [threading.Thread(target=run, args=(i, t)) for i, t in enumerate(things)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results


class Crowd:
    """People who log in, each with one code, half of them by append and half by a question; who is refused tries again. The last
    quarter comes when `rest` is set."""

    def __init__(self, place, server, size=64, threads=8):
        # Codes of a minute, so that those of before a fault are still in their window after it.
        self.people = [place.person(totp={"period": 60}) for _ in range(size)]
        self.server = server
        self.sent = []
        self.accepted = collections.Counter()
        self.saw = collections.Counter()
        self.slowest = 0.0
        self.over, self.rest = threading.Event(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(self.people[i::threads],)) for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self, people):
        with self.server.client("127.0.0.1") as ask, self.server.client("127.0.0.2") as append:
            for i, person in enumerate(people):
                if 4 * i >= 3 * len(people):
                    self.rest.wait()
                code = person.code()
                self.sent.append((person, code))
                while not (self.over.is_set() or self.login(i % 2, ask, append, person, code)):
                    self.over.wait(0.02)  # who types is not faster than that

    def login(self, appends, ask, append, person, code):
        if appends:
            reply = self.timed(append, person.name, f"{person.password},{code}")
        else:
            reply = self.timed(ask, person.name, person.password)
            if reply is not None and reply.code == "challenge":
                reply = self.timed(ask, person.name, code, reply.state)
        said = reply.code if reply is not None else "silence"
        self.saw[said] += 1
        self.accepted[person.name] += said == "accept"
        return said == "accept"

    def timed(self, client, *words):
        began = time.monotonic()
        reply = client.ask(*words, timeout=6)
        self.slowest = max(self.slowest, time.monotonic() - began)
        return reply

    def inside(self):
        return sum(self.accepted.values())

    def refused(self):
        return sum(self.saw[word] for word in ("reject", "silence"))

    def stop(self):
        self.over.set()
        self.rest.set()
        for thread in self.threads:
            thread.join()

    def __str__(self):
        return ", ".join(f"{n} {word}" for word, n in sorted(self.saw.items())) + f"; the slowest after {self.slowest:.1f} s"

    def replay(self):
        """Each code that was sent, once more in either way: the names that it let in more than once, and how many codes were still
        those of their minute or of one beside it, so that nothing but their use was against them."""
        fresh = 0
        with self.server.client("127.0.0.1") as ask, self.server.client("127.0.0.2") as append:
            for person, code in self.sent:
                fresh += code in (person.code(-1), person.code(), person.code(1))
                for appends in (0, 1):
                    self.login(appends, ask, append, person, code)
        return [name for name, n in self.accepted.items() if n > 1], fresh


class Hog:
    """Takes all room of a cluster's file system, also what PostgreSQL had set aside, for as long as it runs."""

    def __init__(self, place):
        self.place, self.ballast = place, place.home / "ballast"
        self.over = threading.Event()
        self.failed = 0
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over.is_set():
            try:
                with open(self.ballast, "ab", buffering=0) as f:
                    f.write(bytes(4096 + shutil.disk_usage(self.ballast.parent).free))
            except OSError:
                pass
            try:
                self.place.sql("select pg_logical_emit_message(false, 'hog', repeat('x', 300000))")
            except psycopg2.Error:
                self.failed += 1
                self.over.wait(0.05)

    def begin(self, _):
        self.thread.start()
        wait_for(lambda: self.failed, "PostgreSQL has no room")

    def end(self, _):
        self.over.set()
        self.thread.join()
        self.ballast.unlink()
        self.place.mend()


class Proxy:
    """A wire to the database that can be slow, or be cut after a question and before its answer."""

    def __init__(self, cluster, home):
        self.target = str(pathlib.Path(cluster.home) / f".s.PGSQL.{cluster.port}")
        self.home = pathlib.Path(home)
        self.home.mkdir(mode=0o755)
        self.delay = 0.0
        self.cutting = False
        self.cut_after = None  # octets: the connection is cut after the next statement that holds them, and before its answer
        self.doomed = set()
        self.open = []
        self.socket = socket.socket(socket.AF_UNIX)
        path = self.home / f".s.PGSQL.{cluster.port}"
        self.socket.bind(str(path))
        path.chmod(0o777)
        self.socket.listen(200)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                near, _ = self.socket.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(self.target)
            except OSError:
                near.close()
                continue
            self.open.extend((near, far))
            for pair in ((near, far, False), (far, near, True)):
                threading.Thread(target=self.carry, args=pair, daemon=True).start()

    def carry(self, source, to, answers):
        try:
            while data := source.recv(65536):
                if answers and (self.cutting or to in self.doomed):
                    break
                if not answers and self.cut_after and self.cut_after in data:
                    self.cut_after = None
                    self.doomed.add(source)
                time.sleep(self.delay / 2)
                to.sendall(data)
        except OSError:
            pass
        for s in (source, to):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.socket.close()
        for s in self.open:
            s.close()
