import pytest

from iwae.config import yaml
from iwae.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("1e-3", 0.001), ("-1e3", -1000.0), ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("1.5e3", 1500.0)],
        *[("0", 0), ("-3", -3), ("1_000", 1000), ("0x1F", 31), ("0o17", 15), ("true", True), ("~", None)],
        *[("1:30", "1:30"), ("1:30.5", "1:30.5"), ("2026-02-03", "2026-02-03"), ("2026-02-30", "2026-02-30")],
        *[("2026-02-03 10:00:00", "2026-02-03 10:00:00"), ("1e", "1e"), ("v1.2", "v1.2"), ("1.2.3", "1.2.3")],
    ],
)
def test_a_scalar_is_what_people_mean_by_it(text: str, value: object) -> None:
    found = yaml.load(f"x: {text}")["x"]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 010", "line 2: 010 is not allowed: must be 10, or '010' where it is text"),
        ("a: -007", "must be -7, or '-007' where it is text"),
        ("a: 08", "must be 8"),
        ("a: !!int x", "line 1: x is not allowed: must be a whole number"),
        ("a: !!float x", "line 1: x is not allowed: must be a number"),
        ("a: !!bool x", "line 1: x is not allowed: must be true or false"),
        ("a: " + "9" * 5000, "99... is not allowed: must be a whole number of at most 4300 digits"),
        ("a: " + "[" * 1000, "nested 51 deep is not allowed: must be <= 50"),
        ("a: " + "{b: " * 1000, "nested 51 deep is not allowed: must be <= 50"),
        ("a: &a [*a]", "more than 1,000,000 values are not allowed"),
        ("a: &a {b: *a}", "more than 1,000,000 values are not allowed"),
        ("a: !!set {x}", "the tag tag:yaml.org,2002:set is not allowed: must be plain data"),
        ("a: !!binary aGk=", "the tag tag:yaml.org,2002:binary is not allowed"),
        ("a: !!timestamp 2026-02-30", "the tag tag:yaml.org,2002:timestamp is not allowed"),
        ("a: !!python/name:os.system x", "is not allowed: must be plain data"),
        ("a: {<<: 3}", "expected a mapping"),
        ("a: \0", "not valid YAML: unacceptable character"),
        ("a: *nothing", "found undefined alias"),
    ],
)
def test_what_cannot_be_plain_data_is_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        yaml.load(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_merge_keys_take_over_and_own_keys_win() -> None:
    text = "base: &base {x: 1, y: 2}\nmore: &more {z: 3}\nall: {<<: [*base, *more], y: 5}"
    assert yaml.load(text)["all"] == {"x": 1, "y": 5, "z": 3}
    with pytest.raises(ConfigError, match="the key 'y' stands twice"):
        yaml.load("base: &base {x: 1}\nall: {<<: *base, y: 5, y: 6}")


def test_aliases_that_multiply_are_refused_at_once() -> None:
    lines = ["a0: &a0 [" + ", ".join("x" * 10) + "]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, 30)]
    with pytest.raises(ConfigError, match="more than 1,000,000 values"):
        yaml.load("\n".join(lines))


def test_text_that_looks_like_something_else_survives() -> None:
    words = [
        "010",
        "1e5",
        "1:30",
        "2026-02-03",
        "0o7",
        "1_0",
        "null",
        "true",
        "<<",
        "=",
        ".5e3",
        "0x1F",
        "-",
        "",
    ]
    document = {"words": words, **{word: word for word in words}}
    assert yaml.load(yaml.dump(document)) == document
