"""wsmfactl account import: what a file may hold, what it may not, and that it is all or nothing."""
import base64
import time

import pytest

from commands import HEADER, csv, ctl, js  # noqa: F401
from place import totp


@pytest.fixture
def name(place):
    return f"imp{next(place.numbers)}"


def accounts(place, prefix):
    return [n for n, in place.sql("select name from wsmfa.account where name like %s order by name", prefix + "%")]


def test_import_takes_everything_the_header_names(place, js, csv, name):
    path = csv(f'{name}A,"Import, Ltd",EMEA,elements;community,{{clear}}x,+358401234567,JBSWY3DPEHPK3PXP,,\n'
               f'"{name}""b""",New {name},APAC,elements,hello,,,local,phone 1\n')
    assert js("account", "import", path, "--iterations", 1000) == [{"added": 2, "updated": 0, "authenticators": 2}]
    assert accounts(place, name) == [f'{name}"b"', f"{name}a"]
    shown = js("account", "show", f"{name}a")
    assert shown["organization"] == "Import, Ltd" and shown["services"] == ["community", "elements"]
    assert shown["phone"] == "+358401234567" and shown["methods"] == ["totp"] and shown["next_login"] == "challenge"
    assert js("account", "show", f'{name}"b"')["methods"] == ["push"]
    passwords = dict(place.sql("select name, password from wsmfa.account where name like %s", name + "%"))
    assert passwords[f"{name}a"] == "{clear}x"
    assert passwords[f'{name}"b"'].startswith("{x-pbkdf2}HMACSHA2+256:AAAD6A==:")


def test_imported_people_log_in(client, ctl, csv, name):
    ctl("account", "import", csv(f"{name},Acme,EMEA,elements,open sesame,,JBSWY3DPEHPK3PXP,,\n"))
    asked = client.ask(name, "open sesame")
    assert asked.code == "challenge"
    code = totp(base64.b32decode("JBSWY3DPEHPK3PXP"), int(time.time()) // 30)
    assert client.ask(name, code, asked.state).code == "accept"


@pytest.mark.parametrize("variant", [{"newline": "\r\n"}, {"encoding": "utf-8-sig"},
                                     {"header": HEADER.replace("name,organization", "organization,name"), "swap": True}])
def test_import_takes_line_ends_marks_and_orders(place, ctl, csv, name, variant):
    swap = variant.pop("swap", False)
    row = f"Acme,{name}" if swap else f"{name},Acme"
    ctl("account", "import", csv(row + ",EMEA,elements,,,,,\n", **variant))
    assert accounts(place, name) == [name]


def test_import_needs_four_columns_only(place, ctl, csv, name):
    ctl("account", "import", csv(f"{name},Acme,EMEA,elements\n", header="name,organization,region,services"))
    assert place.value("select password from wsmfa.account where name = %s", name) is None


def test_import_tells_every_bad_line_and_imports_none(place, ctl, csv, name):
    lines = [
        (f"{name}1,Acme,EMEA,elements,x,,,,", None),
        (f"{name.upper()}1,Acme,EMEA,elements,x,,,,", "line 2"),
        (f"{name}2,Acme,NOWHERE,elements,x,,,,", "no region NOWHERE"),
        (f"{name}3,Acme,EMEA,elements;nothing,x,,,,", "no service nothing"),
        (f"{name}4,Acme,EMEA,elements;,x,,,,", "service is empty"),
        (f"{name}5,Acme,EMEA,elements,x,12345,,,", "no number"),
        (f"{name}6,Acme,EMEA,elements,x,,AB1,,", "no base32"),
        (f"{name}7,Acme,EMEA,elements,x,,,local,", "go together"),
        (f",Acme,EMEA,elements,x,,,,", "name is empty"),
        (f"{name}8,,EMEA,elements,x,,,,", "organization"),
        (f"{name}9,Acme,,elements,x,,,,", "region is empty"),
        (f"{name}10,Acme,EMEA,,x,,,,", "no service"),
        (f"{name}11,Acme,EMEA,elements,{'x' * 129},,,,", "128 octets"),
        (f"{name}12,Acme,EMEA", "3 fields where the header has 9"),
        (f"{name}13,Acme,EMEA,elements,x,,,,,", "more fields"),
        (f'{name}"14,Acme,EMEA,elements,x,,,,', "quote"),
        (f'" {name}15",Acme,EMEA,elements,x,,,,', "name begins or ends with a blank"),
        (f'{name}15,"Acme ",EMEA,elements,x,,,,', "organization begins or ends"),
        (f'{name}15,Acme,EMEA ,elements,x,,,,', "region begins or ends"),
        (f"{name}\x0115,Acme,EMEA,elements,x,,,,", "control character"),
        (f'"{name}\n16",Acme,EMEA,elements,x,,,,', "control character"),
    ]
    path = csv("\n".join(line for line, _ in lines) + "\n")
    place.person(name=f"{name}17")
    said = ctl("account", "import", path, code=1).stderr
    number = 2
    for line, reason in lines:
        told = [t for t in said.splitlines() if t.startswith(f"{path}:{number}: ")]
        assert bool(told) == (reason is not None), (number, said)
        assert reason is None or any(reason in t for t in told), (number, reason, told)
        number += 1 + line.count("\n")
    assert f"{len(lines) - 1} lines of the file are wrong" in said
    assert accounts(place, name) == [f"{name}17"]
    assert "\x01" not in said


def test_import_of_broken_utf8_and_nul(place, ctl, tmp_path, name):
    path = tmp_path / "people.csv"
    path.write_bytes(HEADER.encode() + b"\n" + name.encode() + b"\xff,Acme,EMEA,elements,x,,,,\n" + name.encode() +
                     b"\0,Acme,EMEA,elements,x,,,,\n")
    said = ctl("account", "import", path, code=1).stderr
    assert f"{path}:2: name is not UTF-8" in said and f"{path}:3: a NUL octet" in said


@pytest.mark.parametrize("text, said", [
    (b"", "no header"), (b"name,organization\n", "lacks the column region"), (b"name,name,region,services\n", "twice"),
    (b"name,organization,region,services,shoe\n", "unknown column")])
def test_import_judges_the_header(ctl, tmp_path, text, said):
    path = tmp_path / "people.csv"
    path.write_bytes(text)
    assert said in ctl("account", "import", path, code=1).stderr
    assert "can't be read" in ctl("account", "import", tmp_path / "nothing.csv", code=1).stderr


def test_import_of_nobody(js, csv):
    assert js("account", "import", csv("")) == [{"added": 0, "updated": 0, "authenticators": 0}]


def test_import_updates_when_told(place, js, ctl, csv, name):
    row = f"{name},Acme,EMEA,elements,{{clear}}x,,JBSWY3DPEHPK3PXP,local,phone 1\n"
    ctl("account", "import", csv(row))
    assert "--update" in ctl("account", "import", csv(row), code=1).stderr
    assert js("account", "import", csv(row), "--update") == [{"added": 0, "updated": 0, "authenticators": 0}], "all is there"
    changed = f"{name},Other {name},APAC,community,,+358401234567,KRSXG5BAKRSXG5BA,local,phone 2\n"
    assert js("account", "import", csv(changed), "--update") == [{"added": 0, "updated": 1, "authenticators": 2}]
    shown = js("account", "show", name)
    assert (shown["organization"], shown["region"], shown["services"]) == (f"Other {name}", "APAC", ["community"])
    assert place.value("select password from wsmfa.account where name = %s", name) == "{clear}x", "an empty one changes none"
    assert len(js("method", "list", name)) == 4


def test_one_bad_row_in_a_hundred_thousand(place, ctl, csv, name):
    rows = [f"{name}x{i},Acme,EMEA,elements,{{clear}}x,,,," for i in range(100_000)]
    rows[77_777] = f"{name}x77777,Acme,EMEA,elements,{{clear}}x,not a phone,,,"
    path = csv("\n".join(rows))
    said = ctl("account", "import", path, code=1).stderr
    assert said.startswith(f"{path}:77779: ") and "1 line of the file is wrong" in said
    assert place.value("select count(*) from wsmfa.account where name like %s", name + "x%") == 0
