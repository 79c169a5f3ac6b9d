"""What `tracking` raises, in the tree of `iwae.errors`.

SweepError
├── UserError
│   ├── RecordError             a sweep, run, store or storage that is not as asked for
│   │   ├── RefusedError        the tracking store answers, and refuses: asking again does not help
│   │   └── AwayError           the tracking store does not answer
│   └── DataError
│       └── OtherDataError      a data set that is not the one that the sweep began with
├── IncompleteError             a command that had begun could not record everything: exit code 1
└── StorageError                storage does not answer, is full or refuses

zipfile.BadZipFile
└── AlteredError                a whole file that is not as it was written; it is read as a torn one is
"""

import zipfile

from iwae.errors import DataError, SweepError, UserError


class RecordError(UserError):
    """A sweep, run, tracking store or storage that is not what the command needs."""


class RefusedError(RecordError):
    """The tracking store refuses what it was asked for, and will until something is changed."""


class AwayError(RecordError):
    """The tracking store does not answer, or its answer is a failure that may pass."""


class OtherDataError(DataError):
    """A data set is not the one that the sweep began with."""


class IncompleteError(SweepError):
    """A command changed something and could not record everything; given again, it goes on."""


class StorageError(SweepError):
    """Storage does not answer, is full, or refuses; what was written before is whole."""


class AlteredError(zipfile.BadZipFile):
    """A whole file that is not as it was written, or not where it was written."""
