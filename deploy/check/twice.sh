#!/usr/bin/env bash
# A release made twice, from two folders, at two times, by two settings of the clock and the rights: the bytes must be the same.
# TARGETS (linux/arm64 and windows/amd64) are what is built.
set -euo pipefail
cd "$(dirname "$0")/../.."
export TARGETS=${TARGETS:-linux/arm64 windows/amd64}
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
for folder in here "a folder/elsewhere"; do
    mkdir -p "$work/$folder"
    git ls-files -z --cached --others --exclude-standard | xargs -0 tar -cf - --ignore-failed-read 2>/dev/null | tar -C "$work/$folder" -xf -
done
export VERSION=0.0.0-check REVISION=0000000000000000000000000000000000000000 SOURCE_DATE_EPOCH=1764547200
"$work/here/deploy/release.sh" "$work/first"
(umask 077; TZ=Asia/Tokyo LANG=tr_TR.UTF-8 "$work/a folder/elsewhere/deploy/release.sh" "$work/second")
diff "$work/first/SHA256SUMS" "$work/second/SHA256SUMS"
for file in "$work"/first/*.tar.gz "$work"/first/*.zip; do
    cmp "$file" "$work/second/$(basename "$file")"
done
(cd "$work/second" && sha256sum -c --quiet SHA256SUMS)
echo "the same bytes twice"
