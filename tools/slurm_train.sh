#!/usr/bin/env bash
# Train on a Slurm cluster.
#   GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=8 SRUN_ARGS='--time=2-0' \
#     tools/slurm_train.sh PARTITION JOB_NAME CONFIG [flags of tools/train.py]
set -euo pipefail
partition=${1:?partition}
job=${2:?job name}
config=${3:?config file}
shift 3
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-8}
read -ra extra <<<"${SRUN_ARGS:-}"
exec srun -p "$partition" --job-name="$job" --gres="gpu:$per_node" \
    --ntasks="$gpus" --ntasks-per-node="$per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-8}" --kill-on-bad-exit=1 "${extra[@]}" \
    "${PYTHON:-python}" -u "$(dirname "$0")/train.py" "$config" --launcher slurm "$@"
