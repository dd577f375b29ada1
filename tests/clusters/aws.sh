#!/usr/bin/env bash
# clusters/aws.yaml, really run for a whole cycle: aws_setup.sh, `ray up`, a study on spot machines that the autoscaler starts, its
# results fetched, `ray down`. EC2, IAM, STS and S3 are a local moto server; each instance of it becomes a machine (a network,
# process and mount namespace with its own sshd, home, /tmp and host name) and ends with it. All in an outer namespace, with
# throwaway keys: nothing leaves this computer, nothing of it is left.
#
# COMMAND   bash tests/clusters/aws.sh           from the root, with '.[cluster]', 'moto[server]', hatchling and the AWS command line on PATH
# NEEDS     root, Linux; apt-get install openssh-server rsync iproute2 netcat-openbsd; about 6 GB of memory; 5 to 10 minutes
# FAKED     AWS (moto: it knows no quotas, prices or rights, and starts as few instances as a request allows, on which Ray's second
#           autoscaler waits for 10 minutes: the first one is used); the metadata service (keys stand in each machine's environment);
#           docker (off: the machines see this computer's Python instead); GPUs (the machines say they have one; trials run on CPUs)
set -euo pipefail

repository=$(cd "$(dirname "$0")/../.." && pwd)
if [ "${1:-}" != inside ]; then
  for needed in sshd ssh rsync ip nc unshare nsenter ray python moto_server aws; do
    PATH=$PATH:/usr/sbin command -v "$needed" >/dev/null || { echo "missing: $needed" >&2; exit 2; }
  done
  [ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
  work=$(mktemp -d /var/tmp/raysernas-aws.XXXXXX)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/laptop"
  unshare --net --mount --uts --pid --fork --mount-proc --kill-child bash "$0" inside "$work"
  exit
fi

# --- inside: this shell is the laptop, and the computer that AWS runs on ----------------------------------------------------
work=$2
. "$repository/tests/clusters/machines.sh"
laptop "$work" 172.31.255.254/16 # the addresses of moto's default network
cat >"$work/environment" <<KEYS
export AWS_ENDPOINT_URL=http://172.31.255.254:5000 AWS_DEFAULT_REGION=us-east-1 AWS_REGION=us-east-1
export AWS_ACCESS_KEY_ID=throwaway AWS_SECRET_ACCESS_KEY=throwaway
KEYS
. "$work/environment"
cd /home

# What cloud-init does: the public half of Ray's key pair lets somebody into the machines. sshd takes such a script only from a
# folder of root's.
mount -t tmpfs -o mode=755 tmpfs /mnt
printf '#!/bin/sh\nfor key in %s/laptop/.ssh/*.pem; do ssh-keygen -y -f "$key"; done\n' "$work" >/mnt/keys
chmod 755 /mnt/keys
printf 'AuthorizedKeysCommand /mnt/keys\nAuthorizedKeysCommandUser root\n' >>"$work/sshd_config"

moto_server -H 172.31.255.254 -p 5000 >"$work/moto.log" 2>&1 &
until nc -z 172.31.255.254 5000; do sleep 0.5; done
python "$repository/tests/clusters/cloud.py" "$work" 172.31.255.254 16 >"$work/cloud.log" 2>&1 &

export PIP_NO_BUILD_ISOLATION=0 # pip's word for: build the wheel with the hatchling that is here, there is no network
say env IMAGE="$(aws ec2 describe-images --owners amazon --query 'Images[0].ImageId' --output text)" \
  sh "$repository/clusters/aws_setup.sh" raysernas-results 203.0.113.7/32
aws ec2 describe-security-groups --group-names raysernas --query 'SecurityGroups[0].IpPermissions' --output json | tr -d ' \n'; echo
echo heard | aws s3 cp - s3://raysernas-results/corpora/one/take.txt

printf '\n== the patch\n'
PYTHONPATH="$repository" python -m tests.clusters.patch my_aws.yaml patched.yaml

export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=/home/.raysernas/auth_token RAY_USAGE_STATS_ENABLED=0
say env RAY_UP_enable_autoscaler_v2=0 ray up -y patched.yaml
ray dashboard patched.yaml >dashboard.log 2>&1 &
dashboard=$!
until nc -z 127.0.0.1 8265; do sleep 1; done

cd "$repository"
say ray job submit --address http://127.0.0.1:8265 --working-dir . -- python -m raysernas.launch laptop compute.device=cpu \
  study.storage=s3://raysernas-results/results study.resources.address=auto study.resources.trials_at_once=8 \
  study.name=aws "study.arms=[cnn]" study.candidates=1 "study.folds=[0,1,2,3]" "study.seeds=[0,1,2]" retrain.epochs=40
cd /home
printf '\n== machines that came and went\n'
cat "$work/cloud.log"
printf '\n== the corpus on the head, from the bucket\n'
ray exec patched.yaml 'cat ~/corpora/one/take.txt' 2>/dev/null | grep heard

say aws s3 sync --only-show-errors s3://raysernas-results/results results
printf '\n== trials on each machine, from the ledger that was fetched\n'
python "$repository/tests/clusters/hosts.py" results/aws 2 gpu-spot

kill "$dashboard"
say ray down -y patched.yaml
printf '\n== instances\n'
states=$(aws ec2 describe-instances --filters Name=tag:ray-cluster-name,Values=raysernas \
  --query 'Reservations[].Instances[].[InstanceId,InstanceType,State.Name]' --output text)
echo "$states"
! grep -v terminated <<<"$states"
printf '\n== Ray processes on all machines, 300 s later at most\n'
wait_until_nothing_runs
cat "$work/cloud.log"
echo "aws: setup, up, submit, trials on spot machines, results fetched, down, nothing left running"
