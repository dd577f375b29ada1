#!/bin/bash
# A study on a Slurm cluster: Ray starts on every node of the job, the first node drives too. Before the time is up, or when the
# job is pre-empted, trials write a checkpoint and the job goes back into the queue, where it continues.
#
# ONCE      sh clusters/prepare.sh                                      on the login node: the token in ~/.raysernas (a shared home)
#           pip install -e '.[cluster]'                                 in an environment that the nodes see and ~/.bashrc activates
# SUBMIT    sbatch clusters/slurm.sh configs/emodb.yaml corpus.root=/shared/corpora/emodb compute.device=cuda study.storage=/shared/raysernas/results
# WATCH     squeue --me
#           tail -f raysernas-JOB.out
#           ssh -N -L 8265:127.0.0.1:8265 FIRST_NODE                    the dashboard, http://127.0.0.1:8265, asks for the token
#           tensorboard --logdir /shared/raysernas/results/emodb/tensorboard
# FETCH     rsync -a LOGIN_NODE:/shared/raysernas/results/ results/
# STOP      scancel JOB
#
# COST of 100 trials: 8.3 GPU hours of your allocation, if a trial takes 300 s on one GPU. That is an assumption: no GPU has
# been measured; the longest arm of EmoDB takes 236 s on one CPU core.
#
# SECURITY  Ray's ports are open inside the cluster, so every Ray process asks for the token; the dashboard listens on loopback;
#           no usage statistics.
# NEEDS     Ray 2.60 on all nodes, one file system, pkill. Whole nodes: at its end Ray stops every Ray of yours on them.
#SBATCH --job-name=raysernas
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=1
#SBATCH --exclusive
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@180
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=raysernas-%j.out
set -euo pipefail

export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$HOME/.raysernas/auth_token" RAY_USAGE_STATS_ENABLED=0
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=600 # seconds; the usual 30 are too few for a cold file system
export GRPC_DNS_RESOLVER=native # as the node itself does, /etc/hosts included; Ray's own asks a DNS server, or waits for one
nodes=$SLURM_JOB_NUM_NODES
read -r first < <(scontrol show hostnames "$SLURM_JOB_NODELIST") # no pipe: `head` may kill scontrol, and pipefail the job
port=$((20000 + SLURM_JOB_ID % 10000)) # of this job alone
each=(--nodes="$nodes" --ntasks="$nodes" --ntasks-per-node=1 --kill-on-bad-exit=0)

# Hears SIGTERM on every node; `--overlap`: it takes no CPU from the trials.
srun --overlap "${each[@]}" python -m raysernas.fleet.notice &
notice=$!
srun --overlap --cpus-per-task="$SLURM_CPUS_PER_TASK" "${each[@]}" \
  ray symmetric-run --address "$first:$port" --min-nodes "$nodes" --num-cpus="$SLURM_CPUS_PER_TASK" -- \
  python -m raysernas.launch "$@" "study.resources.address=$first:$port" &
study=$!

leave() { # Slurm says so 180 s before the end: checkpoints, then Ray ends, then back into the queue
  trap '' TERM
  echo "$(date): the time is up; trials write their checkpoints"
  pkill -TERM -f "^[^ ]*python[^ ]* -m raysernas.launch .*address=$first:$port" || true # this shell runs on the first node, as the launch does
  for _ in $(seq 120); do kill -0 "$study" 2>/dev/null || break; sleep 1; done
  kill -TERM "$study" "$notice" 2>/dev/null || true
  wait "$study" || true
  scontrol requeue "$SLURM_JOB_ID"
  exit 0
}
trap leave TERM

status=0
wait "$study" || status=$?
kill -TERM "$notice" 2>/dev/null || true
exit "$status"
