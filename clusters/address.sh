#!/bin/sh
# The addresses that may reach SSH: prints them if they are at most 256, else says why not. The setup scripts of this folder call it.
# COMMAND   sh clusters/address.sh YOUR_ADDRESS/32     your address: curl -s https://checkip.amazonaws.com
# WIDER     wide:YOUR_NETWORK/16 lets in more, down to a /8
set -eu

given=${1-} block=${1#wide:} largest=24
[ "$given" = "$block" ] || largest=8
refuse() { echo "SSH from $given: $1" >&2; exit 2; }
case $block in
*/*/* | *[!0-9./]*) refuse "give your own IPv4 address, such as 203.0.113.7/32" ;;
*/[0-9] | */[12][0-9] | */3[0-2]) ;;
*) refuse "an address block such as 203.0.113.7/32" ;;
esac
size=${block#*/} IFS=.
# shellcheck disable=SC2086 # the four numbers are words
set -- ${block%/*}
[ $# -eq 4 ] || refuse "an IPv4 address has four numbers"
for number; do
  case $number in [0-9] | [1-9][0-9] | 1[0-9][0-9] | 2[0-4][0-9] | 25[0-5]) ;; *) refuse "an IPv4 address has four numbers, 0 to 255" ;; esac
done
[ "$size" -ge "$largest" ] ||
  refuse "a /$size is too many machines; give your own address with /32, a block of at most /24, or say wide:$block (at most /8)"
echo "$block"
