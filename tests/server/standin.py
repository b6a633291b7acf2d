"""The scripted provider of tests/fake/provider.py as a process, and what it is told and asked.

Apart from the tests, because benchmarks use it too.
"""
import json
import pathlib
import subprocess
import sys
import urllib.request

FAKE = pathlib.Path(__file__).resolve().parent.parent / "fake/provider.py"


class Fake:
    def __init__(self, port=0):
        self.process = subprocess.Popen([sys.executable, "-B", FAKE, "--port", str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = json.loads(self.process.stdout.readline())["url"]

    def call(self, path, value=None):
        data = None if value is None else json.dumps(value).encode()
        with urllib.request.urlopen(self.url + path, data=data, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text.strip() else None

    def reset(self, **default):
        self.call("/_reset", {})
        if default:
            self.call("/_default", default)

    def requests(self, path, method=None):
        found = [r for r in self.call("/_requests") if r["path"].endswith(path) or (path == "/push" and r["path"] == path)]
        return [r for r in found if method in (None, r["method"])]

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
