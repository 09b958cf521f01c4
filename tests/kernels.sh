#!/bin/sh
# kernels.sh: runs the tests that depend on the kernel under those of Debian 12 (6.1) and Debian 13 (6.12), in a machine
# that qemu emulates.  Each release has its own compiler, C library, mbedTLS, Python and systemd, too.  A second machine
# boots by systemd, with the program installed and etc/sallyport.service enabled, and runs booted.py.
#
# It needs root, but neither KVM nor a network in the machine.  A kernel takes a while: an emulated processor is ten to
# twenty times slower.
#
# KERNELS        the releases
# KERNEL_TESTS   what pytest gets instead of the files below; none: only systemd is booted
# KERNEL_ROOTS   the folder that keeps a root for each release between runs: about 1 GB each
# KERNEL_SECONDS how long a machine may run before it is given up
set -eu
cd "$(dirname "$0")/.."
. tests/debian.sh

: "${KERNELS:=bookworm trixie}" "${KERNEL_ROOTS:=/var/cache/sallyport-test/kernels}" "${KERNEL_SECONDS:=5400}"
# Those that attack; then all that a session asks of Landlock, of the filter and of the kernel's news about files.  Floods
# are left out: they cost time, and an emulated processor has none left.
: "${KERNEL_TESTS:=$(printf 'tests/run/test_%s.py ' captured spawners processes logger unit accounts key_siege \
	limits log readonly imap_sessions) tests/run/test_maildir_command.py::test_confined_when_typed_by_root \
	--deselect tests/run/test_key_siege.py::test_flood_of_rsa_signatures}"
PACKAGES="gcc make libc6-dev libmbedtls-dev libcrypt-dev libcmocka-dev unicode-data bzip2 openssl procps iproute2 \
	e2fsprogs python3-pytest strace systemd linux-image-cloud-amd64"

[ "$(id -u) $(uname -m)" = "0 x86_64" ] || { echo "kernels.sh: this needs root, and x86-64 for the roots" >&2; exit 1; }
root=
trap '[ -z "$root" ] || { debian_leave "$root"; rm -f "$root.img"; }' EXIT
trap 'exit 130' HUP INT TERM

# The sources as they are here, also what is not committed.  They are built anew: those of the last run may be newer.
copy_sources() {
	rm -rf "$root/root/sallyport"
	mkdir -p "$root/root/sallyport"
	tar -c --exclude=./.git --exclude=./build --exclude='./build-*' . | tar -x -C "$root/root/sallyport"
}

# The first process of the machine.  The initial RAM disk has mounted /proc, /sys, /dev and /run.  The last line that
# init.sh writes says whether a test failed.
write_init() {
	cat >"$root/init.sh" <<EOF
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 SALLYPORT_SLOW=10
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
for d in /dev/shm /tmp; do mount -t tmpfs -o mode=1777 tmpfs \$d; done
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
printf '127.0.0.1 localhost\\n::1 localhost\\n' >/etc/hosts
cd /root/sallyport
echo "kernel: \$(uname -r)"
etc/demo.sh build/sallyport >/tmp/demo 2>&1 &
until grep 'master ready' /tmp/demo; do kill -0 \$! || break; sleep 1; done
kill \$!; wait \$!
failed=0 passed=0
for t in build/unit/test_server_*; do
	case \$t in *.*) continue ;; esac
	if \$t >/tmp/unit 2>&1; then passed=\$((passed + 1)); else cat /tmp/unit; echo "FAIL \$t"; failed=1; fi
done
echo "unit tests: \$passed passed"
python3 -m pytest -p no:cacheprovider --color=no -v -rs --durations=10 $KERNEL_TESTS || failed=1
echo "kernels.sh: failed=\$failed"
echo o >/proc/sysrq-trigger
sleep 60
EOF
	chmod 755 "$root/init.sh"
}

newest() {
	printf '%s\n' "$@" | sort -V | tail -n 1
}

# The program as the README has it installed, and an account to log in.
install_program() {
	printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
	cat >"$root/etc/systemd/system/booted.service" <<-EOF
		[Service]
		ExecStart=/usr/bin/python3 /root/sallyport/tests/booted.py
		[Install]
		WantedBy=multi-user.target
	EOF
	chroot "$root" sh -e <<-'EOF'
		cd /root/sallyport
		make install
		install -m 644 etc/sallyport.service etc/sallyport.socket /etc/systemd/system/
		for u in sallyport sallyport-key; do id $u || useradd -r -M -d /nonexistent -s /usr/sbin/nologin $u; done
		id anna || useradd -m -u 1000 anna
		echo anna:sesame | chpasswd
		cd /etc/sallyport
		rm -f *.crt *.key
		sallyport cert ca
		sallyport cert server localhost 127.0.0.1 ::1
		mv localhost.crt mail.crt
		mv localhost.key mail.key
		systemctl enable sallyport.socket sallyport.service booted.service
		systemctl mask serial-getty@ttyS0.service # it hangs up whoever writes there
	EOF
}

# boot INIT: boots a machine whose first process is INIT, and takes down whether a test failed.
boot() {
	rm -f "$root.img"
	truncate -s 4G "$root.img"
	mkfs.ext4 -q -d "$root" "$root.img"
	# Protections that slow the kernel down, and the fifth level of page tables, change nothing that a test sees.
	timeout --foreground "$KERNEL_SECONDS" qemu-system-x86_64 -accel tcg,thread=multi -cpu max,la57=off -smp 2 -m 2048 -nodefaults \
		-display none -serial stdio -no-reboot -drive file="$root.img",format=raw,if=virtio,cache=unsafe \
		-kernel "$(newest "$root"/boot/vmlinuz-*)" -initrd "$(newest "$root"/boot/initrd.img-*)" \
		-append "root=/dev/vda rw fsck.mode=skip init=$1 console=ttyS0 quiet panic=-1 mitigations=off" \
		</dev/null 2>&1 | sed -u 's/\r$//' | tee "$root.log"
	rm -f "$root.img"
	grep -q '^kernels.sh: failed=0' "$root.log" || { echo "kernels.sh: $release, $1 failed"; status=1; }
}

status=0
for release in $KERNELS; do
	root=$KERNEL_ROOTS/$release
	debian_root "$root" "$release" $PACKAGES
	copy_sources
	chroot "$root" sh -c 'cd /root/sallyport && make -j"$(nproc)" CI=1 all unit captured' >"$root.log" 2>&1 ||
		{ tail -n 40 "$root.log"; exit 1; }
	debian_leave "$root"
	write_init
	install_program >"$root.log" 2>&1 || { tail -n 40 "$root.log"; exit 1; }
	boot /lib/systemd/systemd
	[ "$KERNEL_TESTS" = none ] || boot /init.sh
done
exit $status
