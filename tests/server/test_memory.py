"""What stays in the server's memory after logins: the raw key of nobody's app, however a login with it ended.

Apart from test_logs.py: who reads memory is root, or a core file that somebody left about. The host's own copies of what was typed
are its own.
"""
import base64
import re

from place import totp


def memory(pid):
    """All that the process could write to, region by region."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            start, end, mode = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            if mode.startswith("rw") and "[v" not in line:
                mem.seek(int(start, 16))
                try:
                    yield mem.read(int(end, 16) - int(start, 16))
                except OSError:
                    pass


def kept(server, secrets):
    """Names of those secrets that are in it."""
    found = {name for region in memory(server.radiusd.pid()) for name, secret in secrets.items() if secret in region}
    return sorted(found)


def test_no_raw_key_stays(place, make_server):
    server = make_server().start()
    client, append = server.client(), server.client("127.0.0.2")
    right, wrong, out, spoilt = (place.person(totp=True) for _ in range(4))
    assert client.ask(right.name, right.code(), client.ask(right.name, right.password).state).code == "accept"
    assert append.ask(right.name, f"{right.password},{right.code(1)}").code == "accept"
    reply = client.ask(wrong.name, wrong.password)
    while reply.code == "challenge":
        reply = client.ask(wrong.name, wrong.wrong_code(), reply.state)
    assert client.ask(out.name, out.password).code == "challenge"
    place.sql("update wsmfa.authenticator set sealed = set_byte(sealed, length(sealed) - 1, 255 - get_byte(sealed, length(sealed) - 1)) "
              "where account_id = %s", spoilt.id)
    assert client.ask(spoilt.name, spoilt.password).code == "reject"
    fresh = place.person()
    reply = client.ask(fresh.name, fresh.password)
    shown = re.search(r": ([A-Z2-7 ]+)\.", reply.message).group(1).replace(" ", "")
    key = base64.b32decode(shown + "=" * (-len(shown) % 8))
    code = totp(key, int(place.value("select extract(epoch from now())")) // 30)
    assert client.ask(fresh.name, code, reply.state).code == "accept"
    keys = {who: p.keys[0]["key"] for who, p in {"right": right, "wrong": wrong, "asked": out, "spoilt": spoilt}.items()}
    assert kept(server, {**keys, "enrolled": key}) == []
    # Control: it looks where keys would be. The ring itself has to stay.
    assert kept(server, {"ring": place.key, "name": right.name.encode()}) == ["name", "ring"]
