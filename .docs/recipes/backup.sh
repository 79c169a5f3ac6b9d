#!/bin/bash
# A copy of everything that sweeps wrote, while they run: backup.sh NEW_FOLDER
#
# SWEEPS_STORAGE is the storage, ARTIFACTS the folder of MLflow's artifacts. The database is PostgreSQL, as PGHOST,
# PGDATABASE, PGUSER and a ~/.pgpass say, or the SQLite file that SQLITE names.
# The database comes first: what is written meanwhile is then only in storage, and `sweeps verify NAME --repair`
# brings it to MLflow. The other way round MLflow would have results that storage lacks.
set -euo pipefail
to=${1:?a folder that is not there yet}
: "${SWEEPS_STORAGE:?a folder}" "${ARTIFACTS:?a folder}"
mkdir "$to"
if [ -n "${SQLITE:-}" ]; then
    python3 -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))' \
        "$SQLITE" "$to/mlflow.db"
else
    pg_dump --format=custom --no-owner --file="$to/mlflow.dump"
fi
# A file that a trial replaces meanwhile is whole in the copy, the old one or the new one: none is written in place.
copy() { tar --create --file="$1" --directory="$2" . || [ $? -eq 1 ]; }  # 1: something changed while it was read
copy "$to/storage.tar" "$SWEEPS_STORAGE"
copy "$to/artifacts.tar" "$ARTIFACTS"
(cd "$to" && sha256sum -- * >SHA256SUMS)
