"""The shipped configuration and the code agree: every setting, every text, every attribute."""
import re

from place import TOP

MANUAL = (TOP / "raddb/mods-available/wsmfa").read_text()
SOURCES = {p: p.read_text() for p in (TOP / "rlm_wsmfa").rglob("*.[ch]")}


def settings_in_code():
    """Names of the CONF_PARSER tables of the module's own section."""
    names = set()
    for path, text in SOURCES.items():
        if path.name.startswith("rlm_wsmfa"):
            names |= set(re.findall(r'\{\s*"(\w+)",\s*FR_CONF_OFFSET', text))
    return names


def settings_in_manual():
    top = MANUAL[MANUAL.index("\nwsmfa {"):]
    top = re.sub(r"^#?\t(pool|sms|push)\b[^\n]*\{\n(?:.*\n)*?^#?\t\}\n", "", top, flags=re.M)
    return set(re.findall(r"^#?\t(\w+) = ", top, re.M))


def test_every_setting_is_in_the_manual():
    assert settings_in_code(), "there are CONF_PARSER tables"
    assert settings_in_code() == settings_in_manual()


def texts_in_code():
    text = SOURCES[TOP / "rlm_wsmfa/core/text.h"]
    return dict(re.findall(r'X\(\w+, "(\w+)",\s*\\?\s*"((?:[^"\\]|\\.)*)"\)', text))


def texts_of(language):
    text = (TOP / f"raddb/mods-config/wsmfa/texts-{language}.conf").read_text()
    return dict(re.findall(r'^#?\t(\w+) = "((?:[^"\\]|\\.)*)"$', text, re.M))


def test_english_texts_are_the_modules_own():
    assert texts_of("en") == texts_in_code()


def test_finnish_texts_are_complete():
    finnish, english = texts_of("fi"), texts_in_code()
    assert finnish.keys() == english.keys()
    for name, text in finnish.items():
        assert sorted(re.findall(r"\{(\w+)[|}]", text)) == sorted(re.findall(r"\{(\w+)[|}]", english[name])), name
        assert text.endswith(": ") == english[name].endswith(": "), name


def test_every_attribute_is_in_the_dictionary():
    dictionary = set(re.findall(r"^ATTRIBUTE\s+(\S+)", (TOP / "raddb/dictionary.wsmfa").read_text(), re.M))
    used = {name for text in SOURCES.values() for name in re.findall(r'"(WSMFA-[A-Z][A-Za-z-]+)"', text)}
    assert used - {"WSMFA-Login", "WSMFA-Response"} <= dictionary
    assert dictionary <= used | {"WSMFA-Response"}


def test_every_file_of_raddb_is_installed():
    listed = set(re.findall(r"^raddb_files \+= (\S+)", (TOP / "raddb/local.mk").read_text(), re.M))
    there = {str(p.relative_to(TOP)) for p in (TOP / "raddb").rglob("*") if p.is_file() and p.name != "local.mk"}
    assert listed == there
