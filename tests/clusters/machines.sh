# shellcheck shell=bash
# Machines for the scripts of this folder: namespaces with an sshd each, on a bridge. Sourced inside an outer namespace; `work` is
# a folder of throwaway files. Ray finds its processes in /proc, so each machine has a process namespace of its own. Root's home
# is /home on all of them, because the Python that they share may lie in the real one.

# laptop WORK ADDRESS/BITS: home and temporary folder of its own, the bridge, and host keys for the machines.
laptop() {
  export HOME=/home work=$1
  mkdir -p "$work/srv" "$work/run" "$work/laptop/.ssh"
  bin=$(dirname "$(command -v python)")
  { echo 'root:x:0:0:root:/home:/bin/bash'; echo 'ubuntu:x:0:0:root:/home:/bin/bash'; grep -v '^root:\|^ubuntu:' /etc/passwd; } >"$work/passwd"
  mount --bind "$work/passwd" /etc/passwd
  mount --bind "$work/laptop" /home
  mount -t tmpfs tmpfs /tmp
  mount -t tmpfs tmpfs /dev/shm
  mount --bind "$work/srv" /srv
  mkdir -p /run/sshd
  hostname laptop
  ip link set lo up
  ip link add bridge type bridge
  ip address add "$2" dev bridge
  ip link set bridge up
  ssh-keygen -q -t ed25519 -N '' -f "$work/host_key"
  sshd_config >"$work/sshd_config"
}

# machine NUMBER NAME ADDRESS BITS GATEWAY [PUBLIC_ADDRESS]: its first process is written to $work/run/NAME.
machine() {
  local number=$1 name=$2 address=$3 bits=$4 gateway=$5 public=${6:-} home="$work/$2"
  mkdir -p "$home/.ssh"
  cat /home/.ssh/*.pub >"$home/.ssh/authorized_keys" 2>/dev/null || true
  { echo "export PATH=$bin:\$PATH"; cat "$work/environment" 2>/dev/null || true; } | tee "$home/.bashrc" >"$home/.profile"
  unshare --net --mount --uts --pid --fork --mount-proc --kill-child bash -c "
    hostname $name
    mount --bind $home /home
    mount -t tmpfs tmpfs /tmp
    mount -t tmpfs tmpfs /dev/shm
    ip link set lo up
    mkfifo /tmp/ready
    read -r _ </tmp/ready
    exec $(PATH=$PATH:/usr/sbin command -v sshd) -D -f $work/sshd_config" </dev/null >>"$work/$name.log" 2>&1 &
  local parent=$! first
  until first=$(pgrep -P "$parent") && nsenter -t "$first" -m test -p /tmp/ready 2>/dev/null; do sleep 0.2; done
  echo "$first" >"$work/run/$name"
  ip link add "to-$number" type veth peer name eth0 netns "$first"
  ip link set "to-$number" master bridge up
  on_machine "$name" ip address add "$address/$bits" dev eth0
  on_machine "$name" ip link set eth0 up
  on_machine "$name" ip route add default via "$gateway" # without it Ray takes 127.0.0.1 for the address of the machine
  if [ -n "$public" ]; then
    on_machine "$name" ip address add "$public/32" dev eth0
    ip route add "$public/32" via "$address" dev bridge
  fi
  on_machine "$name" sh -c 'echo >/tmp/ready'
  until nc -z "$address" 22; do sleep 0.2; done
}

on_machine() { nsenter -t "$(cat "$work/run/$1")" -n -m -p -u -- "${@:2}"; }

sshd_config() {
  cat <<CONFIG
Port 22
HostKey $work/host_key
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
StrictModes no
MaxStartups 50
CONFIG
}

say() { printf '\n== %s\n' "$*"; "$@"; }

# wait_for_nodes CLUSTER_FILE COUNT: asks the head, and prints what Ray says of its nodes.
wait_for_nodes() {
  local ask='import ray; ray.init(address="auto", logging_level="ERROR"); alive = [n for n in ray.nodes() if n["Alive"]];'
  ask="$ask print(len(alive), *sorted(n[\"NodeManagerHostname\"] + \"=\" + n[\"NodeManagerAddress\"] for n in alive))"
  local told="" deadline=$((SECONDS + 180))
  until [ "${told%% *}" = "$2" ]; do
    [ $SECONDS -lt $deadline ] || { echo "only: $told" >&2; return 1; }
    sleep 2
    told=$(ray exec "$1" "RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=~/.raysernas/auth_token python -c '$ask'" 2>/dev/null |
      tr -d '\r' | grep '^[0-9]* [a-z0-9-]*=' || true)
  done
  echo "$told"
}

# wait_until_nothing_runs: no Ray process and no trial on any machine, within 300 s. The laptop sees the processes of all of them.
wait_until_nothing_runs() {
  local deadline=$((SECONDS + 300)) left=some
  until [ -z "$left" ]; do
    left=$(pgrep -fa 'raylet|gcs_server|ray::|python.* -m raysernas|site-packages/ray/' || true)
    [ $SECONDS -lt $deadline ] || { echo "still running: $left" >&2; return 1; }
    [ -z "$left" ] || sleep 2
  done
  echo none
}
