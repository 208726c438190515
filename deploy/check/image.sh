#!/usr/bin/env bash
# The image of deploy/Dockerfile, built and run: for amd64 and arm64 under 40 MB compressed, its version, and a demo with a
# read-only root as somebody who is not root; where cgroups can be written to, a fit within a limit of memory. Needs buildah, podman and
# runc, as root, and no network: the program is compiled here, and the last stage of the Dockerfile takes it from there, as the
# first stage needs a base image. Status 77, and the reason, where the tools are not there.
set -euo pipefail
cd "$(dirname "$0")/../.."
most=40000000
skip() { echo "skipped: $*"; exit 77; }
for tool in buildah podman runc; do
    command -v "$tool" >/dev/null || skip "no $tool here (apt-get install --no-install-recommends buildah podman runc)"
done
[ "$(id -u)" = 0 ] || skip "images are built as root here"

work=$(mktemp -d)
storage=(--storage-driver vfs --root "$work/storage" --runroot "$work/run")
export TMPDIR=$work
trap 'podman "${storage[@]}" rm -af >/dev/null 2>&1 || true; buildah "${storage[@]}" rmi -af >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
sed -n '/^FROM scratch/,$p' deploy/Dockerfile >"$work/Dockerfile"

# image ARCH: builds it, and says how large it is.
image() {
    local stage=$work/stage-$1 size
    mkdir -p "$stage/out/folders" "$stage/etc/ssl/certs"
    (cd "$stage/out/folders" && mkdir -m 1777 tmp state spill)
    CGO_ENABLED=0 GOOS=linux GOARCH=$1 go build -trimpath -ldflags "-s -w -X main.release=0.0.0-image -X main.revision=none" -o "$stage/out/coterie" ./cmd/coterie
    cat /etc/ssl/certs/ca-certificates.crt >"$stage/etc/ssl/certs/ca-certificates.crt" 2>/dev/null || true
    buildah "${storage[@]}" bud --isolation chroot --arch "$1" --build-context build="$stage" -f "$work/Dockerfile" -t "coterie:$1" . >"$work/bud.out" 2>&1 || {
        cat "$work/bud.out"
        return 1
    }
    buildah "${storage[@]}" push -q --compression-format gzip "coterie:$1" "oci-archive:$work/coterie-$1.tar" >/dev/null
    size=$(wc -c <"$work/coterie-$1.tar")
    echo "$1: $(awk "BEGIN { printf \"%.1f\", $size / 1e6 }") MB compressed"
    rm -rf "$work/coterie-$1.tar" "$stage"
    [ "$size" -lt "$most" ] || { echo "more than $((most / 1000000)) MB"; return 1; }
}

# contained OPTIONS… -- ARGUMENTS…: the program as a container, with nothing that it does not need.
contained() {
    local options=()
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    podman "${storage[@]}" --runtime runc --cgroup-manager cgroupfs run --rm --network none --read-only --read-only-tmpfs=false --cap-drop ALL \
        --security-opt no-new-privileges --log-driver none --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 "${options[@]}" coterie:amd64 "$@"
}

image arm64
image amd64
mkdir -m 1777 "$work/tmp"
contained -- version | tee "$work/version"
grep -q '^coterie 0.0.0-image' "$work/version"

# Nowhere to write: the demo says so. With a folder for its page it ends well, as nobody.
if contained -- demo >"$work/demo" 2>&1; then
    echo "the root can be written to"
    exit 1
fi
contained -v "$work/tmp:/tmp" -- demo | tail -n 3
page=$(find "$work/tmp" -name '*.html')
test -s "$page"
test "$(stat -c %u "$page")" = 65532

# A new volume can be written to.
contained -v state:/state -v "$work/tmp:/tmp" -- fit 'synth://customers?rows=1000&seed=1' -k 2 -o /state/model.json --quiet

if ! contained --memory 400m --memory-swap 400m -- version >/dev/null 2>&1; then
    echo "no fit within a limit of memory: cgroups cannot be used here"
    exit 0
fi
# 3 M rows of 32 columns are 384 MB of points, which with labels and the program itself is more than the container may have:
# the fit has to see its limit, and spill.
contained --memory 400m --memory-swap 400m -v "$work/tmp:/tmp" -- fit 'synth://uniform?rows=3000000&seed=1&d=32' -k 4 --max-iter 3 -o /tmp/model.json --quiet
test -s "$work/tmp/model.json"
echo "a fit of 384 MB of points within 400 MiB of memory"
