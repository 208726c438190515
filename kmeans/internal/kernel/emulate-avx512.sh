#!/bin/sh
# Runs the equality tests of the avx512 tier on a machine that has no AVX-512: in Bochs, whose model of a
# Skylake-X processor executes it. A Debian kernel boots with the test binary as its only program.
#
# Needs Debian or Ubuntu, and root if packages are missing. Takes two to four minutes on an idle core.
# LIMIT (seconds, default 1200) bounds the wait. Exits with 0 only if all tests passed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
limit=${LIMIT:-1200}
work=$(mktemp -d)
emulator=
cleanup() {
	[ -z "$emulator" ] || kill "$emulator" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

missing=
for package in bochs bochsbios vgabios isolinux syslinux-common genisoimage cpio; do
	dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
if [ -n "$missing" ]; then
	# shellcheck disable=SC2086 # a list of words
	apt-get install -y --no-install-recommends $missing
fi

# A kernel is unpacked, not installed. It must not use the compacted XSAVE format, whose size Bochs reports
# wrongly: Linux would then switch off everything from AVX on.
image=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: *\(linux-image-[0-9].*\)/\1/p' | head -n 1)
[ -n "$image" ] || { echo "no linux-image-cloud-amd64 in the package lists: run apt-get update" >&2; exit 1; }
(cd "$work" && apt-get -q download "$image" && dpkg-deb -x ./linux-image*.deb kernel)

mkdir -p "$work/root" "$work/iso/isolinux"
cd "$here"
CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -ldflags='-s -w' -o "$work/root/init" _emulate/init.go
CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go test -c -ldflags='-s -w' -o "$work/root/kernel.test" .
(cd "$work/root" && find . | cpio --quiet -o -H newc | gzip -1 >"$work/iso/initrd.gz")
cp "$work"/kernel/boot/vmlinuz-* "$work/iso/vmlinuz"
cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$work/iso/isolinux/"
cat >"$work/iso/isolinux/isolinux.cfg" <<END
default tests
label tests
 kernel /vmlinuz
 append initrd=/initrd.gz rdinit=/init console=ttyS0 quiet panic=0 lpj=100000 tsc=reliable nokaslr no_timer_check nosmp noapic nolapic acpi=off mitigations=off clearcpuid=xsaves,xsavec
END
genisoimage -quiet -R -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 \
	-boot-info-table -o "$work/boot.iso" "$work/iso"

cat >"$work/bochsrc" <<END
display_library: rfb, options="timeout=0"
config_interface: textconfig
cpu: model=corei7_skylake_x, count=1, ips=20000000, reset_on_triple_fault=0
memory: guest=512, host=512
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
ata0-master: type=cdrom, path=$work/boot.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$work/serial
log: $work/log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
clock: sync=none
sound: driver=dummy
END
echo c >"$work/commands" # Debian's Bochs has a debugger, which waits for "continue"
: >"$work/serial"
bochs-bin -q -f "$work/bochsrc" -rc "$work/commands" </dev/null >"$work/bochs.out" 2>&1 &
emulator=$!

waited=0
while ! grep -q '^init: tests ended' "$work/serial"; do
	if ! kill -0 "$emulator" 2>/dev/null; then
		cat "$work/serial" "$work/bochs.out" >&2
		tail -n 20 "$work/log" >&2 || true
		echo "the emulator stopped early" >&2
		emulator=
		exit 1
	fi
	if [ "$waited" -ge "$limit" ]; then
		cat "$work/serial" >&2
		echo "no result within $limit s" >&2
		exit 1
	fi
	sleep 2
	waited=$((waited + 2))
done
cat "$work/serial"
grep -q '^init: tests ended with 0' "$work/serial"
