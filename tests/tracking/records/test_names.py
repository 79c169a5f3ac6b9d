import pytest

from iwae.errors import ConfigError
from tracking.files.folder import Folder
from tracking.records.names import check_name, is_name
from tracking.storage.sweep import SweepStorage
from tracking.storage.sweep_files import sweeps_in

NO_NAMES = [
    "",
    ".",
    "..",
    "tiny/",
    "../tiny",
    "a/b",
    "/etc",
    "-x",
    ".git",
    "a b",
    "ä",
    "a\n",
    "a\x00",
    "x" * 101,
]


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_could_leave_the_storage_is_no_name(name, tmp_path):
    assert not is_name(name)
    with pytest.raises(ConfigError, match=r"is not allowed: must be (letters, digits|at most 100 long)"):
        check_name(name)
    with pytest.raises(ConfigError, match="is not allowed"):
        SweepStorage(Folder(tmp_path), name)


@pytest.mark.parametrize("name", ["tiny", "K-tradeoff_2.1", "_", "0", "a..b", "x" * 100])
def test_names_are_letters_digits_and_three_signs(name):
    assert check_name(name) == name


def test_a_folder_that_has_no_sweeps_name_is_no_sweep(tmp_path):
    for name in ("tiny", ".tiny", "my notes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "spec.yaml").write_text("name: tiny\n")
    assert sweeps_in(Folder(tmp_path)) == ["tiny"]
