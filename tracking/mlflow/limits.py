"""How long a text may be in MLflow, and what is stored of one that is longer. No MLflow.

The limits are those of MLflow 3.17's checks and of the columns of its tables, whichever is smaller: SQLite
holds no text to its column, PostgreSQL refuses it.
"""

import hashlib
import re

MAX_RUN_NAME = 250
MAX_PARAM = 6000
MAX_TAG = 8000
MAX_EXPERIMENT_NAME = 256
MAX_ARTIFACT_ROOT = 200  # of a run: its experiment's, the run's id and a word
_DIGITS = 10
_REFUSED = re.compile("[\0\ud800-\udfff]")


def stored(text: str, limit: int) -> str:
    """The text as MLflow holds it; what is as short as that stays as it is.

    Of a longer one the beginning, an ellipsis and ten digits of the SHA-256 of the whole: two long texts that
    differ stay different, and what was stored can be compared. A character that some databases refuse (NUL,
    half of a pair) becomes U+FFFD.
    """
    clean = _REFUSED.sub("\N{REPLACEMENT CHARACTER}", text)
    if len(clean) <= limit:
        return clean
    digest = hashlib.sha256(clean.encode()).hexdigest()[:_DIGITS]
    return f"{clean[: limit - _DIGITS - 2]}… {digest}"
