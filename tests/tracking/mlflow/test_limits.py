import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.mlflow.limits import MAX_RUN_NAME, stored


def test_a_short_text_stays_as_it_is():
    assert stored("K=50 D=20 linear s0", MAX_RUN_NAME) == "K=50 D=20 linear s0"
    assert stored("x" * 250, 250) == "x" * 250


def test_a_long_text_keeps_its_beginning_and_is_told_from_others():
    one, other = ("x" * 300 + end for end in "ab")
    digest = hashlib.sha256(one.encode()).hexdigest()[:10]
    assert stored(one, 250) == "x" * 238 + "… " + digest
    assert stored(one, 250) != stored(other, 250)


@settings(max_examples=50)
@given(st.text(), st.integers(20, 60))
def test_what_is_stored_is_stored_as_it_is_again(text: str, limit: int):
    once = stored(text, limit)
    assert len(once) <= limit
    assert stored(once, limit) == once


def test_what_databases_refuse_is_replaced():
    assert stored("a\0b\udc80c", 100) == "a�b�c"
