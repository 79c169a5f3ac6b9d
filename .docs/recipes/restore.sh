#!/bin/bash
# What backup.sh wrote, into an empty database and empty folders: restore.sh FOLDER
#
# The variables are those of backup.sh. No server and no sweep may run on them meanwhile. Afterwards, with a newer
# MLflow, `mlflow db upgrade ADDRESS_OF_THE_DATABASE`, and for each sweep `sweeps verify NAME --repair`.
set -euo pipefail
from=${1:?the folder that backup.sh wrote}
: "${SWEEPS_STORAGE:?a folder}" "${ARTIFACTS:?a folder}"
(cd "$from" && sha256sum --check --quiet SHA256SUMS)
for folder in "$SWEEPS_STORAGE" "$ARTIFACTS"; do
    mkdir -p "$folder"
    [ -z "$(ls -A "$folder")" ] || { echo "error: $folder is not empty" >&2; exit 2; }
done
if [ -n "${SQLITE:-}" ]; then
    [ ! -e "$SQLITE" ] || { echo "error: $SQLITE is there already" >&2; exit 2; }
    cp "$from/mlflow.db" "$SQLITE"
else
    pg_restore --no-owner --exit-on-error --single-transaction --dbname="${PGDATABASE:?}" "$from/mlflow.dump"
fi
tar --extract --file="$from/storage.tar" --directory="$SWEEPS_STORAGE"
tar --extract --file="$from/artifacts.tar" --directory="$ARTIFACTS"
