#!/bin/bash
# One sweep on the nodes of a Slurm job:
#
#   SPEC=k-tradeoff NAME=k-tradeoff sbatch slurm.sh
#
# SWEEPS_STORAGE is a folder that every node sees (or s3://bucket/path), MLFLOW_TRACKING_URI a tracking store that
# the first node reaches: a server, or sqlite:////shared/folder/mlflow.db, which this driver alone writes. The
# environment must have `ray` and `sweeps` on PATH on every node, in the same versions.
# Five minutes before the time limit every trial writes a checkpoint. Submitted again, or requeued, it goes on.
#SBATCH --job-name=sweep
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@300
#SBATCH --requeue
set -euo pipefail
: "${SPEC:?a file, or the name of a ready spec}" "${NAME:?the name of the sweep}"
: "${SWEEPS_STORAGE:?storage that every node sees}" "${MLFLOW_TRACKING_URI:?a tracking store}"
: "${SLURM_JOB_ID:?this runs in a Slurm job}" "${SLURM_JOB_NUM_NODES:?}" "${SLURM_CPUS_PER_TASK:?}"
export SWEEPS_STORAGE MLFLOW_TRACKING_URI

# A token of this job's own: other users reach the nodes' ports too. `srun` hands it on in the environment.
RAY_AUTH_TOKEN=$(python -c 'import secrets; print(secrets.token_hex(24))')
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN RAY_USAGE_STATS_ENABLED=0

address=$(hostname --ip-address | cut -d' ' -f1)
port=$((20000 + SLURM_JOB_ID % 10000))  # two jobs may share a node
read -r -a options <<<"${RAY_START_OPTIONS:-}"
nodes=()
finish() {
    kill -TERM "${nodes[@]}" 2>/dev/null || true  # these alone: `ray stop` would end other jobs' nodes too
    wait "${nodes[@]}" 2>/dev/null || true
}
trap finish EXIT

# The driver has one CPU of the first node to itself, so that it takes none from a trial whose seconds are measured.
ray start --head --block --node-ip-address "$address" --port "$port" --include-dashboard=false \
    --num-cpus $((SLURM_CPUS_PER_TASK > 1 ? SLURM_CPUS_PER_TASK - 1 : 1)) "${options[@]}" &
nodes+=($!)
for _ in $(seq 60); do
    ray status --address "$address:$port" >/dev/null 2>&1 && break
    sleep 2
done
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
    others=$((SLURM_JOB_NUM_NODES - 1))
    srun --nodes="$others" --ntasks="$others" --relative=1 \
        ray start --block --address "$address:$port" --num-cpus "$SLURM_CPUS_PER_TASK" "${options[@]}" &
    nodes+=($!)
fi

if sweeps status "$NAME" >/dev/null 2>&1; then
    sweeps resume "$NAME" --address "$address:$port" &
else
    sweeps run "$SPEC" --name "$NAME" --address "$address:$port" &
fi
driver=$!
trap 'kill -TERM "$driver" 2>/dev/null || true' TERM
code=0
wait "$driver" || code=$?
while kill -0 "$driver" 2>/dev/null; do  # the signal ended the wait, not the driver
    code=0
    wait "$driver" || code=$?
done
exit "$code"
