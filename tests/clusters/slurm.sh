#!/usr/bin/env bash
# clusters/slurm.sh, really run on three machines that are namespaces of this one (machines.sh): `ray symmetric-run` starts Ray on
# them, a study runs, and Ray ends; then once more, with Slurm's warning in the middle, and the study continued.
#
# COMMAND   bash tests/clusters/slurm.sh         from the root, with an environment that has '.[cluster]' and hatchling first on PATH
# NEEDS     root, Linux; apt-get install openssh-server rsync iproute2 netcat-openbsd; about 5 GB of memory; 3 to 6 minutes
# FAKED     Slurm itself: srun runs a command on each machine and hands SIGTERM on, scontrol names the machines and notes a requeue
set -euo pipefail

repository=$(cd "$(dirname "$0")/../.." && pwd)
if [ "${1:-}" != inside ]; then
  [ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
  work=$(mktemp -d /var/tmp/raysernas-slurm.XXXXXX)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/laptop"
  unshare --net --mount --uts --pid --fork --mount-proc --kill-child bash "$0" inside "$work"
  exit
fi

# --- inside: this shell is the login node -----------------------------------------------------------------------------------
work=$2
. "$repository/tests/clusters/machines.sh"
laptop "$work" 10.77.0.1/24
cd /home
export PIP_NO_BUILD_ISOLATION=0 # pip's word for: build the wheel with the hatchling that is here, there is no network
say sh "$repository/clusters/prepare.sh"
ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519
printf '127.0.0.1 localhost\n10.77.0.11 node-1\n10.77.0.12 node-2\n10.77.0.13 node-3\n' >"$work/hosts"
mount --bind "$work/hosts" /etc/hosts
for number in 1 2 3; do
  machine "$number" "node-$number" "10.77.0.1$number" 24 10.77.0.1
  cp -a /home/.raysernas "$work/node-$number/" # Slurm's homes are shared
done

mkdir "$work/slurm"
cat >"$work/slurm/scontrol" <<FAKE
#!/bin/bash
case \$1 in show) printf 'node-1\nnode-2\nnode-3\n' ;; *) echo "scontrol \$*" | tee -a "$work/requeued" ;; esac
FAKE
cat >"$work/slurm/srun" <<FAKE
#!/bin/bash
while [[ \$1 == --* ]]; do shift; done
for name in node-1 node-2 node-3; do
  nsenter -t "\$(cat "$work/run/\$name")" -n -m -p -u -- "\$@" &
  tasks+=(\$!)
done
tell() { for task in "\${tasks[@]}"; do pkill -TERM -P "\$task"; done; }
trap tell TERM
status=0
for task in "\${tasks[@]}"; do
  while kill -0 "\$task" 2>/dev/null; do wait "\$task"; last=\$?; done
  [ "\${last:-0}" = 0 ] || status=\$last
done
exit "\$status"
FAKE
chmod 755 "$work/slurm"/*
export PATH="$work/slurm:$PATH" SLURM_JOB_NUM_NODES=3 SLURM_JOB_NODELIST='node-[1-3]' SLURM_JOB_ID=27182 SLURM_CPUS_PER_TASK=1
study=(laptop study.storage=/srv/raysernas/results study.name=slurm "study.arms=[cnn]" study.candidates=1 "study.seeds=[0,1,2]"
  retrain.epochs=40)

cd "$repository"
printf '\n== bash clusters/slurm.sh %s\n' "${study[*]}"
bash clusters/slurm.sh "${study[@]}" "study.folds=[0,1]"
printf '\n== trials on each machine\n'
python "$repository/tests/clusters/hosts.py" /srv/raysernas/results/slurm 3
wait_until_nothing_runs

printf '\n== the same with six more trials, and the warning when two of them have ended\n'
bash clusters/slurm.sh "${study[@]}" "study.folds=[0,1,2,3]" &
job=$!
until [ "$(find /srv/raysernas/results/slurm/trials -name '*.parquet' | wc -l)" -ge 8 ]; do sleep 0.5; done
kill -TERM "$job"
wait "$job"
grep requeue "$work/requeued"
wait_until_nothing_runs
printf '\n== taken from the queue again\n'
bash clusters/slurm.sh "${study[@]}" "study.folds=[0,1,2,3]"
python "$repository/tests/clusters/hosts.py" /srv/raysernas/results/slurm 3
wait_until_nothing_runs
echo "slurm: three nodes, a study, Slurm's warning, the queue again, twelve trials, nothing left running"
