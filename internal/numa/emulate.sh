#!/bin/sh
# Asks a machine of two nodes where rows lie and where threads run: an emulated one (QEMU), in which a Debian kernel boots with
# the test binary of the worker as its only program.
#
# Needs Debian or Ubuntu on amd64, and root if packages are missing. Takes about half a minute.
# LIMIT (seconds, default 300) bounds the wait. Exits with 0 only if the test has passed; skipped is not passed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
limit=${LIMIT:-300}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

missing=
for package in qemu-system-x86 cpio; do
	dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
if [ -n "$missing" ]; then
	# shellcheck disable=SC2086 # a list of words
	apt-get install -y --no-install-recommends $missing
fi

# A kernel is unpacked, not installed.
image=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: *\(linux-image-[0-9].*\)/\1/p' | head -n 1)
[ -n "$image" ] || { echo "no linux-image-cloud-amd64 in the package lists: run apt-get update" >&2; exit 1; }
(cd "$work" && apt-get -q download "$image" && dpkg-deb -x ./linux-image*.deb kernel)

mkdir "$work/root"
cd "$here"
CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -ldflags='-s -w' -o "$work/root/init" _emulate/init.go
CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go test -c -ldflags='-s -w' -o "$work/root/worker.test" ../../worker
(cd "$work/root" && find . | cpio --quiet -o -H newc >"$work/initrd")

# Pages are to stay where they were touched first: the kernel would move them in time.
timeout "$limit" qemu-system-x86_64 -accel tcg -cpu max -smp 4 -m 1G \
	-object memory-backend-ram,id=near,size=512M -numa node,nodeid=0,cpus=0-1,memdev=near \
	-object memory-backend-ram,id=far,size=512M -numa node,nodeid=1,cpus=2-3,memdev=far \
	-kernel "$work"/kernel/boot/vmlinuz-* -initrd "$work/initrd" \
	-append "rdinit=/init console=ttyS0 quiet panic=-1 numa_balancing=disable mitigations=off" \
	-nodefaults -display none -no-reboot -serial stdio </dev/null >"$work/serial" 2>&1 || {
	cat "$work/serial" >&2
	echo "no result within $limit s, or no emulator" >&2
	exit 1
}
cat "$work/serial"
grep -q '^--- PASS: TestRowsLieWithTheThreadsThatWalkThem' "$work/serial"
grep -q '^init: tests ended with 0' "$work/serial"
