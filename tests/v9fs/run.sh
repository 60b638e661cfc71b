#!/bin/sh
# Lets a Linux kernel be the client of ecluse-smol's example `ninep`, in an emulated machine: it mounts the
# server, its readers are killed, and the server's logs are checked. See docs/ninep.md.
#
# For Debian on amd64. KERNEL names another package with a kernel.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=${CARGO_TARGET_DIR:-$here/../../target}/ecluse/v9fs
mkdir -p "$work"
work=$(cd "$work" && pwd)
fail() { echo "$*" >&2; exit 1; }

[ "$(uname -m)" = x86_64 ] && command -v apt-get > /dev/null || fail "this is for Debian on amd64"
if ! command -v qemu-system-x86_64 > /dev/null; then
    [ "$(id -u)" = 0 ] || fail "lacking: sudo apt-get install qemu-system-x86"
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends qemu-system-x86
fi

# A kernel and its modules, and a shell: unpacked here, not installed.
kernel=${KERNEL:-$(apt-cache depends linux-image-amd64 | sed -n 's/ *Depends: //p' | head -n 1)}
[ -n "$kernel" ] || fail "no kernel known: apt-get update"
cd "$work"
for package in "$kernel" busybox-static; do
    [ -d "$package" ] && continue
    rm -f "$package"_*.deb
    apt-get download -qq -o APT::Sandbox::User=root "$package"
    dpkg -x "$package"_*.deb "$package.part"
    rm "$package"_*.deb
    mv "$package.part" "$package"
done
rm -rf guest folder
mkdir -p guest/bin guest/dev guest/mnt/calm guest/mnt/quick guest/modules guest/proc folder
cp busybox-static/bin/busybox guest/bin/
cp "$here/init" guest/init
chmod +x guest/init
for module in netfs fscache 9pnet 9pnet_fd 9p e1000; do
    find "$kernel/lib/modules" -name "$module.ko*" | while read -r file; do
        case $file in
            *.xz) xz -dc "$file" > guest/modules/$module.ko ;;
            *) cp "$file" guest/modules/ ;;
        esac
    done
done
(cd guest && find . | ../busybox-static/bin/busybox cpio -o -H newc 2> /dev/null | gzip > ../guest.gz)

# Two servers, one whose slow reads take seconds, and one where they take milliseconds.
(cd "$here/../.." && cargo build --quiet -p ecluse-smol --example ninep)
binaries=$(cd "$here/../.." && cd "${CARGO_TARGET_DIR:-target}" && pwd)/debug/examples
seq 1 20000 > folder/numbers
servers=
trap '[ -z "$servers" ] || kill $servers' EXIT
# serve NAME MILLIS: leaves the port in `port`.
serve() {
    "$binaries/ninep" --listen 127.0.0.1:0 --folder folder --millis "$2" --log > "$1.log" &
    servers="$servers $!"
    until port=$(sed -n 's/^listening on .*://p' "$1.log") && [ -n "$port" ]; do
        kill -0 $! || fail "the server does not start"
        sleep 0.1
    done
}
serve calm 5000
calm=$port
serve quick 30
quick=$port

# The client. The guest's 10.0.2.2 is this machine's 127.0.0.1.
echo "booting $kernel"
timeout 600 qemu-system-x86_64 -machine q35 -cpu max -accel tcg -m 256 -no-reboot \
    -display none -monitor none -serial stdio -nic user,model=e1000 \
    -kernel "$kernel"/boot/vmlinuz-* -initrd guest.gz \
    -append "console=ttyS0 quiet panic=-1 calm=$calm quick=$quick" < /dev/null > guest.log 2>&1 ||
    fail "the guest did not end: $work/guest.log"
tr -d '\r' < guest.log | grep '^guest:'
grep -q '^guest: unmounted calm' guest.log && grep -q '^guest: unmounted quick' guest.log ||
    fail "the guest is not content: $work/guest.log"
grep -q 'WRONG DATA' guest.log && fail "an answer was taken for another's: $work/guest.log"

# A line of the log: seconds, direction, tag, message. Nothing may be said about a tag that is not in use; an
# `Rflush` frees two.
for log in calm quick; do
    awk -v log_of=$log '
    $2 == "->" {
        if (used[$3]) wrong("a tag in use")
        used[$3] = 1
        if ($4 == "Tflush") {
            old[$3] = $7
            if (used[$7]) told[$7] = 1; else late++
        }
    }
    $2 == "<-" {
        if (!used[$3]) wrong("an answer to nothing")
        used[$3] = 0
        if ($4 == "Rflush") {
            flushed++
            if (used[old[$3]]) taken_back++; else if (told[old[$3]] == 2) answered++
            used[old[$3]] = 0
            told[old[$3]] = 0
        } else {
            told[$3] = told[$3] ? 2 : 0
            requests++
        }
    }
    function wrong(what) { print what ": " $0; bad = 1 }
    END {
        for (tag in used) if (used[tag]) { print "never answered: " tag; bad = 1 }
        printf "%s: %d answers, %d flushes: %d of what was taken back, %d of what was answered all the same, %d too late\n",
            log_of, requests, flushed, taken_back, answered, late
        if (log_of == "calm" && (taken_back < 7 || !answered)) { print "not all cases were seen"; bad = 1 }
        exit bad
    }' $log.log || fail "see $work/$log.log"
done
echo "all in order: $work/calm.log, $work/quick.log"
