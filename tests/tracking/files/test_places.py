"""A place has one address, however it is written."""

import os
from pathlib import Path

import pytest

from tracking.errors import RecordError
from tracking.files.places import open_storage, same_place


def test_each_way_to_write_a_folder_gives_one_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    place = tmp_path / "a b%41?#ü"
    (place / "sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to(place)
    monkeypatch.chdir(place / "sub")
    monkeypatch.setenv("HOME", str(tmp_path))
    spellings = [
        place,
        f"{place}/",
        f"{place}//.",
        f"{place}/sub/..",
        "..",
        "../",
        tmp_path / "link",
        "~/link/",
        tmp_path / "link" / "sub" / "..",
        place.as_uri(),
        f"file://localhost{place.as_uri()[7:]}/",
    ]
    assert {open_storage(str(spelling)).uri for spelling in spellings} == {str(place)}
    assert all(same_place(str(spelling), str(place)) for spelling in spellings)
    assert not same_place(str(place), str(place / "sub"))


@pytest.mark.parametrize(
    "uri",
    [
        "s3://bucket/some/where",
        "s3://bucket/some/where/",
        "s3://bucket//some/where//",
        "S3://bucket/some/where",
    ],
)
def test_each_way_to_write_a_prefix_gives_one_address(uri: str):
    assert open_storage(uri).uri == "s3://bucket/some/where"


def test_a_bucket_is_the_same_whether_its_endpoint_stands_in_the_address_or_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
):
    here = "s3://bucket/x?endpoint_override=http://s3:9000"
    assert open_storage(here).uri == here
    assert not same_place(here, "s3://bucket/x/")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://s3:9000/")
    assert same_place(here, "s3://bucket/x/")
    assert not same_place(here, "s3://bucket/y")


@pytest.mark.parametrize(
    ("uri", "fix"),
    [
        ("~nouser_of_this_name/x", "must be a folder"),
        ("/dev/null", "/dev/null is no folder"),
        ("file://sweeps-storage", "three slashes"),
        ("file:///tmp/a?b", "must have %3F"),
        ("file:///tmp/a#b", "%23"),
        ("s3://bucket/a#b", "without '#'"),
        ("s3://bucket/a?b", "b is not allowed"),
        ("x" * 300, "File name too long"),
        ("a/" + "x" * 300 + "/b", "File name too long"),
        ("\udcff", "must be a folder"),
        ("a\x00b", "must be a folder"),
        ("gs://bucket/x", "must be a folder, file:// or s3://"),
    ],
)
def test_what_is_no_place_is_one_line(uri: str, fix: str):
    with pytest.raises(RecordError, match=r"^storage: ") as told:
        open_storage(uri)
    assert fix in str(told.value)
    assert len(str(told.value)) < 300


def test_a_file_a_pipe_and_a_circle_of_links_are_no_storage(tmp_path: Path):
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for name in ("file", "pipe", "circle"):
        with pytest.raises(RecordError, match="is not allowed: must be a folder"):
            open_storage(str(tmp_path / name))
