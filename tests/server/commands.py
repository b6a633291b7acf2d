"""wsmfactl as the tests of its commands run it: fixtures that a file takes by name."""
import json

import pytest

HEADER = "name,organization,region,services,password,phone,totp_secret,push_provider,push_device"


def runner(place, quiet=False):
    """Runs wsmfactl, of which an exit code is expected, and gives the finished process. quiet: it says something just when it fails."""
    def run(*words, stdin=None, code=0):
        done = place.wsmfactl(*words, stdin=stdin, check=False)
        assert "Sanitizer" not in done.stderr, done.stderr
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        assert not quiet or (done.stderr == "") == (code == 0), done.stderr
        return done
    return run


@pytest.fixture
def ctl(place):
    return runner(place)


@pytest.fixture
def js(ctl):
    return lambda *words, stdin=None: json.loads(ctl(*words, "--json", stdin=stdin).stdout)


@pytest.fixture
def csv(tmp_path):
    def write(text, header=HEADER, encoding="utf-8", newline="\n"):
        path = tmp_path / "people.csv"
        path.write_bytes((header + "\n" + text).replace("\n", newline).encode(encoding))
        return path
    return write
