#!/usr/bin/env bash
# The files of a release: deploy/release.sh [FOLDER] (dist), from the top of a checkout or anywhere.
#
# For each system and processor an archive coterie_VERSION_OS_ARCH.tar.gz (Windows: .zip) with the binary, LICENSE, NOTICE,
# THIRD_PARTY_LICENSES, README, completions for four shells and a manual page for each command; beside it the bill of materials of
# the binary, coterie_VERSION_OS_ARCH.cdx.json (CycloneDX); and SHA256SUMS. The same commit and the same Go give the same bytes,
# wherever and whenever: paths are trimmed, and times are that of the commit.
#
# VERSION, REVISION and SOURCE_DATE_EPOCH (seconds since 1970) overrule what git says; TARGETS names some of the targets.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
out=${1:-dist}
targets=${TARGETS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64}
changes=$(git status --porcelain 2>/dev/null | head -n 1 || true)
version=${VERSION:-$(git describe --tags --always ${changes:+--dirty})}
version=${version#v}
revision=${REVISION:-$(git rev-parse HEAD)${changes:++changes}}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export CGO_ENABLED=0 GOFLAGS='' GOAMD64=v1 LC_ALL=C TZ=UTC
umask 022

mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build TARGET FILE: the binary. The linker stamps what git said, so that it does not depend on how the tree is seen.
build() {
    GOOS=${1%/*} GOARCH=${1#*/} "$go" build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.release=$version -X main.revision=$revision" -o "$2" ./cmd/coterie
}

# What is linked may be passed on, and THIRD_PARTY_LICENSES has its words.
"$go" -C internal/audit build -o "$work/audit" .
audit() { (cd internal/audit && PATH=$(dirname "$(command -v "$go")"):$PATH "$work/audit" "$@"); }
audit licences

# Completions and pages are the same for all; the binary of this machine writes them.
build "$("$go" env GOHOSTOS)/$("$go" env GOHOSTARCH)" "$work/coterie"
mkdir -p "$work/common/completions" "$work/common/man"
for shell in bash zsh fish powershell; do
    ending=$shell
    if [ "$shell" = powershell ]; then ending=ps1; fi # it reads no file with another
    "$work/coterie" completion "$shell" >"$work/common/completions/coterie.$ending"
done
"$work/coterie" man -o "$work/common/man" >/dev/null
cp LICENSE NOTICE THIRD_PARTY_LICENSES README.md "$work/common/"

# pack FOLDER: an archive beside the others, with fixed order, owner, rights and time.
pack() {
    local name=$1
    find "$work/$name" -type d -exec chmod 755 {} + -o -type f -exec chmod 644 {} +
    chmod 755 "$work/$name"/coterie*
    find "$work/$name" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    case $name in
    *_windows_*)
        rm -f "$work/$name.zip"
        (cd "$work" && find "$name" | sort | zip -q -X -D -@ "$name.zip")
        mv "$work/$name.zip" "$out/" ;;
    *)
        tar -C "$work" --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -cf - "$name" | gzip -n -9 >"$work/$name.tar.gz"
        mv "$work/$name.tar.gz" "$out/" ;;
    esac
}

names=()
for target in $targets; do
    name=coterie_${version}_${target%/*}_${target#*/}
    cp -R "$work/common" "$work/$name"
    suffix=""
    if [ "${target%/*}" = windows ]; then suffix=.exe; fi
    build "$target" "$work/$name/coterie$suffix"
    size=$(wc -c <"$work/$name/coterie$suffix")
    # What people load, and what a cluster pulls to each machine.
    if [ "$size" -ge 60000000 ]; then
        echo "the binary for $target has $size bytes, 60 MB are the limit" >&2
        exit 1
    fi
    audit sbom -binary "$work/$name/coterie$suffix" -version "$version" -time "$SOURCE_DATE_EPOCH" -o "$out/$name.cdx.json"
    pack "$name"
    archive=$name.tar.gz
    if [ "${target%/*}" = windows ]; then archive=$name.zip; fi
    names+=("$archive" "$name.cdx.json")
    printf '%-45s binary %5.1f MB, archive %5.1f MB\n' "$archive" "$(awk "BEGIN { print $size / 1e6 }")" "$(awk "BEGIN { print $(wc -c <"$out/$archive") / 1e6 }")"
    rm -rf "${work:?}/$name"
done
(cd "$out" && sha256sum "${names[@]}" >SHA256SUMS)
echo "checksums in $out/SHA256SUMS"
