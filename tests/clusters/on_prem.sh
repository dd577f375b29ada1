#!/usr/bin/env bash
# clusters/on_prem.yaml, really run: `ray up`, a study, its results fetched, `ray down`, on three machines that are network, process
# and mount namespaces of this one, each with its own sshd, home, /tmp, /dev/shm and host name. Everything lives in an outer
# namespace with throwaway keys, so nothing of it touches this machine's Ray or network, and nothing is left.
#
# COMMAND   bash tests/clusters/on_prem.sh       from the root, with an environment that has '.[cluster]' and hatchling first on PATH
# NEEDS     root, Linux; apt-get install openssh-server rsync iproute2 netcat-openbsd; about 5 GB of memory; 3 to 6 minutes
# FAKED     the network between the machines (a bridge) and NFS (a folder that all of them see)
set -euo pipefail

repository=$(cd "$(dirname "$0")/../.." && pwd)
if [ "${1:-}" != inside ]; then
  for needed in sshd ssh rsync ip nc unshare nsenter ray python; do
    PATH=$PATH:/usr/sbin command -v "$needed" >/dev/null || { echo "missing: $needed" >&2; exit 2; }
  done
  [ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
  work=$(mktemp -d /var/tmp/raysernas-on-prem.XXXXXX)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/laptop"
  unshare --net --mount --uts --pid --fork --mount-proc --kill-child bash "$0" inside "$work"
  exit
fi

# --- inside: this shell is the laptop ---------------------------------------------------------------------------------------
work=$2
. "$repository/tests/clusters/machines.sh"
laptop "$work" 10.77.0.1/24
cd /home
export PIP_NO_BUILD_ISOLATION=0 # pip's word for: build the wheel with the hatchling that is here, there is no network
say sh "$repository/clusters/prepare.sh"
ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519
for number in 1 2 3; do machine "$number" "node-$number" "10.77.0.1$number" 24 10.77.0.1; done

sed -e 's/YOUR_FIRST_ADDRESS/10.77.0.11/' -e 's/YOUR_SECOND_ADDRESS/10.77.0.12/' -e 's/YOUR_THIRD_ADDRESS/10.77.0.13/' \
  -e 's|YOUR_USER|root|' "$repository/clusters/on_prem.yaml" >my_on_prem.yaml
diff "$repository/clusters/on_prem.yaml" my_on_prem.yaml || true

export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=/home/.raysernas/auth_token RAY_USAGE_STATS_ENABLED=0
say ray up -y my_on_prem.yaml
ray dashboard my_on_prem.yaml >dashboard.log 2>&1 &
dashboard=$!
until nc -z 127.0.0.1 8265; do sleep 1; done
printf '\n== the nodes that Ray knows, once there are three\n'
wait_for_nodes my_on_prem.yaml 3

cd "$repository"
say ray job submit --address http://127.0.0.1:8265 --working-dir . -- python -m raysernas.launch configs/laptop.yaml \
  study.name=on_prem study.storage=/srv/raysernas/results study.resources.address=auto "study.arms=[cnn]" \
  study.candidates=1 "study.folds=[0,1,2,3]" "study.seeds=[0,1,2]" retrain.epochs=40
cd /home
say ray rsync-down my_on_prem.yaml /srv/raysernas/results/ results/
printf '\n== trials on each machine, from the ledger that was fetched\n'
python "$repository/tests/clusters/hosts.py" results/on_prem 3

kill "$dashboard"
say ray down -y my_on_prem.yaml
for each in 10.77.0.11 10.77.0.12 10.77.0.13; do
  say ssh -i .ssh/id_ed25519 -o StrictHostKeyChecking=no "root@$each" "bash -lc 'ray stop; pkill -KILL -f [r]aysernas.fleet.notice'" || true
done
printf '\n== Ray processes on all machines, 300 s later at most\n'
wait_until_nothing_runs
echo "on_prem: up, submit, trials on three machines, results fetched, down, nothing left running"
