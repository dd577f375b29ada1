#!/bin/sh
# What every machine of a cluster gets from your laptop, in ~/.raysernas: a token, without which Ray takes no job, and this
# package as a wheel. Run again after a change of the package. The other scripts of this folder call it.
# COMMAND   sh clusters/prepare.sh
set -eu

kept="$HOME/.raysernas"
umask 077 # the token is a password: mode 0600, in a folder that is yours alone
mkdir -p "$kept"
chmod 700 "$kept"
[ -s "$kept/auth_token" ] || python -c 'import secrets; print(secrets.token_hex(32), end="")' >"$kept/auth_token"
chmod 600 "$kept/auth_token"

rm -f "$kept"/raysernas-*.whl
python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$kept" "$(dirname "$0")/.."
ls -l "$kept"
