#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Looks for jobs in /queue/in and does them: `count FILE`, `copy FILE`, and so on; the answer is a
# file in /queue/out.
set -u
trap 'exit 0' TERM
limit=10
trap 'limit=$(cat /queue/limit)' HUP

work() {
  case $1 in
    count) wc -l <"$2" ;;
    copy) cp "$2" /queue/out/copy && echo copied ;;
    words) tr -s ' ' '\n' <"$2" | sort | uniq -c | sort -rn | head -n "$limit" ;;
    pack) tar -C / -czf /queue/out/pack.tar.gz "${2#/}" && echo packed ;;
    sums) find "$2" -type f -exec sha256sum {} + | wc -l ;;
    replace) sed -i 's/one/two/' "$2" && grep -c two "$2" ;;
    link) ln -s "$2" /queue/out/link && readlink /queue/out/link ;;
    pipe)
      mkfifo /queue/pipe && (echo through >/queue/pipe &) && cat /queue/pipe && rm /queue/pipe ;;
    clean) rm -rf /queue/out/copy /queue/out/pack.tar.gz && echo cleaned ;;
    free) df -P "$2" | awk 'END { print NF }' ;;
    who) ps -e -o comm= | grep -c sh ;;
    both) sleep 0.2 & sleep 0.1 & wait; echo both ;;
    *) echo "no such job: $1" >&2; return 1 ;;
  esac
}

while :; do
  for job in /queue/in/*; do
    [ -e "$job" ] || continue
    name=${job##*/}
    read -r kind argument <"$job"
    work "$kind" "$argument" >"/queue/out/.$name" 2>&1 || echo failed >>"/queue/out/.$name"
    rm "$job"
    mv "/queue/out/.$name" "/queue/out/$name"
  done
  sleep 0.1
done
