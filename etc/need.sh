#!/bin/sh
# need.sh KIND...: installs those Debian packages of each kind that are missing.
#   build    for building sallyport
#   test     for the tests, in addition
#   desktop  large mail programs; their tests are skipped if the programs are missing.  Also Evolution's mail library:
#            two of its packages are only unpacked, below /var/cache/sallyport-test, since they depend on ninety others
#   kernels  for the tests under other kernels, in addition
#   bench    for the benchmark, in addition; its peers are installed in chroots of their own
#   X.deb    that file, by its path
# It first says how many packages it installs and how large they are, and then reports its progress.  It needs no
# privilege if nothing is missing.
#
# Some of the packages are services (Postfix, Dovecot).  The tests run these programs themselves, so need.sh neither
# starts nor enables the services: the machine boots afterwards as it did before.
set -eu

packages() {
	case $1 in
	build) echo gcc make libc6-dev libmbedtls-dev libcrypt-dev openssl unicode-data ;;
	test)
		echo bzip2 clang clang-format clang-tidy cppcheck mandoc libcmocka-dev python3 python3-pytest python3-pytest-xdist \
			procps strace curl fetchmail mpop getmail6 mutt neomutt isync offlineimap3 expect postfix \
			dovecot-core dovecot-pop3d dovecot-imapd git passwd iproute2 e2fsprogs
		# the run time of this version of clang, for sanitizers and fuzzers
		dpkg-query -W -f '${Version}' clang 2>/dev/null | sed -n 's/^[0-9]*:\([0-9]*\)\..*/libclang-rt-\1-dev/p'
		;;
	desktop) echo thunderbird libcamel1.2-dev libical-dev pkg-config ;;
	kernels) echo qemu-system-x86 debootstrap e2fsprogs util-linux ;;
	bench) echo python3 libssl-dev debootstrap util-linux ;;
	*.deb) echo "$1" ;;
	*) echo "need.sh: there is no kind $1" >&2; exit 2 ;;
	esac
}

missing() {
	for kind; do
		for p in $(packages "$kind"); do
			dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || echo "$p"
		done
	done
}

# The links that start services at boot: those of systemd (a link to /dev/null is a mask) and of init scripts.
enabled() {
	find /etc/systemd/system /etc/systemd/user -type l ! -lname /dev/null 2>/dev/null || :
	find /etc/rc[2-5].d -name 'S*' 2>/dev/null || :
}

newly_enabled() {
	enabled | grep -vxF -e "$before" || :
}

disable() {
	while read -r link; do
		case $link in
		/etc/rc*) update-rc.d "$(basename "$link" | sed 's/^S[0-9]*//')" disable >/dev/null 2>&1 ;;
		*) rm -f "$link" ;;
		esac
	done
}

# policy-rc.d keeps Debian's packages from starting services, and a preset keeps systemd from enabling them.  The preset
# is in /run, so it is gone after the next boot even if this script is killed.
forbid_services() {
	before=$(enabled)
	policy=/usr/sbin/policy-rc.d
	if [ -e $policy ]; then
		policy=
	else
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
	fi
	for i in system user; do
		mkdir -p /run/systemd/$i-preset
		echo 'disable *' >/run/systemd/$i-preset/00-need.preset
	done
}

allow_services() {
	[ -z "$policy" ] || rm -f "$policy"
	for i in system user; do
		rm -f /run/systemd/$i-preset/00-need.preset
		rmdir /run/systemd/$i-preset 2>/dev/null || :
	done
	rmdir /run/systemd 2>/dev/null || :
}

# apt's status lines: "dlstatus:N:PERCENT:TEXT", "pmstatus:PACKAGE:PERCENT:TEXT".
progress() {
	awk -F: '
		$1 == "dlstatus" { step = "downloaded" }
		$1 == "pmstatus" { step = "installed" }
		step != "" && step " " int($3 / 10) != last {
			last = step " " int($3 / 10)
			printf "  %s %d %%\n", step, int($3 / 10) * 10
			fflush()
		}'
}

apt() {
	apt-get -q --no-install-recommends "$@"
}

# Installs the packages; runs as root.
install_packages() {
	export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
	dir=$(mktemp -d)
	policy=
	trap 'allow_services; rm -rf "$dir"' EXIT
	trap 'exit 130' HUP INT TERM
	echo "installing:" "$@"
	apt install --download-only --assume-no "$@" 2>/dev/null | awk '
		/ newly installed/ { count = $3 }
		/^Need to get/ { get = $4 " " $5; sub("/.*", "", get) }
		/^After this operation/ { disk = $4 " " $5 }
		END { printf "  packages, with those that they need: %s; to download: %s; on disk: %s\n", count, get, disk }'
	forbid_services
	{
		apt install -y -o APT::Status-Fd=3 -o Dpkg::Use-Pty=0 "$@" 3>&1 >"$dir/log" 2>&1 || echo failed >"$dir/failed"
	} | progress
	newly_enabled | disable
	if [ -e "$dir/failed" ]; then
		tail -n 20 "$dir/log" >&2
		exit 1
	fi
	left=$(newly_enabled)
	if [ -n "$left" ]; then
		echo "need.sh: the installation enabled these services; disable them:" $left >&2
		exit 1
	fi
}

evolution=/var/cache/sallyport-test/evolution-data-server
unpack_evolution() {
	mkdir -p "${evolution%/*}"
	dir=$(mktemp -d "${evolution%/*}/unpack.XXXXXX") # in the same folder, so that a rename gives it its name when it is complete
	trap 'rm -rf "$dir"' EXIT
	cd "$dir"
	apt download -o APT::Sandbox::User=root evolution-data-server evolution-data-server-common >/dev/null
	for package in *.deb; do
		dpkg-deb -x "$package" root
	done
	chmod 755 root
	mv root $evolution
}

if [ "${1:-}" = --unpack ]; then
	unpack_evolution
	exit
fi
if [ "${1:-}" = --install ]; then
	shift
	install_packages "$@"
	exit
fi

[ -x /usr/bin/apt-get ] || { echo "need.sh: no apt-get here; install the packages that this script names" >&2; exit 0; }
lacking=$(missing "$@")
case " $* " in
*" desktop "*) [ -d $evolution ] || unpack=yes ;;
esac
[ -n "$lacking${unpack:=}" ] || exit 0
root=
[ "$(id -u)" = 0 ] || root=sudo
$root apt-get update -q >/dev/null
[ -z "$unpack" ] || $root "$0" --unpack
[ -n "$lacking" ] || exit 0
$root "$0" --install $lacking
# The name of clang's run time depends on the version of clang that was just installed.
lacking=$(missing "$@" | grep -v '\.deb$' || :)
[ -z "$lacking" ] || $root "$0" --install $lacking
