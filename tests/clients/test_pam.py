"""pam_radius, as sshd or sudo use it: the Reply-Message is the prompt."""
import pytest

import pam


@pytest.fixture
def login(place, server, tmp_path):
    """Logs in over pam_radius; answers are given in this order."""
    conf = tmp_path / "pam_radius.conf"
    conf.write_text(f"127.0.0.1:{server.port} {server.secret} 5\n")
    conf.chmod(0o600)
    (tmp_path / "wsmfa").write_text(f"auth required pam_radius_auth.so conf={conf} prompt=Password\n")

    def run(user, *answers):
        waiting = list(answers)

        def answer(text):
            given = waiting.pop(0)
            return given(text) if callable(given) else given
        ok, shown = pam.login(tmp_path, "wsmfa", user, answer)
        return ok, [text for _, text in shown], waiting
    return run


def test_password_and_code(place, login):
    person = place.person(totp=True)
    ok, shown, left = login(person.name, person.password, lambda _: person.code())
    assert ok and not left
    assert "code" in shown[1] and shown[1].endswith(": ")


def test_wrong_code_then_right(place, login):
    person = place.person(totp=True)
    ok, shown, left = login(person.name, person.password, person.wrong_code(), lambda _: person.code())
    assert ok and not left
    assert "not right" in shown[2]


def test_wrong_codes(place, login):
    person = place.person(totp=True)
    ok, _, _ = login(person.name, person.password, *[person.wrong_code() for _ in range(3)])
    assert not ok


def test_wrong_password(place, login):
    person = place.person(totp=True)
    ok, shown, left = login(person.name, "wrong", "never asked")
    assert not ok and left == ["never asked"]


def test_push(place, login):
    person = place.person(push=True)

    def approve(text):
        pushes = place.sql("select id, number from wsmfa.challenge where account_id = %s and kind = 'push'", person.id)
        number, shown = pushes[-1]
        place.sql("select wsmfa.answer_push(%s, true, %s)", number, shown)
        return ""
    ok, _, _ = login(person.name, person.password, approve)
    assert ok


def test_enrolment_at_the_prompt(place, login):
    import base64
    import re
    import time

    from place import totp
    person = place.person()

    def prove(text):
        key = re.search(r": ([A-Z2-7 ]+)\.", text).group(1).replace(" ", "")
        return totp(base64.b32decode(key + "=" * (-len(key) % 8)), int(time.time() // 30))
    ok, shown, _ = login(person.name, person.password, prove)
    assert ok
    assert place.value("select count(*) from wsmfa.authenticator where account_id = %s and confirmed_at is not null",
                       person.id) == 1
