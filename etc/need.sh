#!/bin/sh
# need.sh KIND...: installs the Debian packages of each kind that are missing.
#   build  what sallyport is built with
#   test   what the tests use besides
#   bench  what the benchmark uses besides; its peers are installed in a place of their own
# Does nothing, and needs no privilege, where all are there.
set -eu

packages() {
	case $1 in
	build) echo gcc make libc6-dev libmbedtls-dev libcrypt-dev openssl unicode-data ;;
	test)
		echo clang clang-format clang-tidy cppcheck mandoc libcmocka-dev python3 python3-pytest \
			procps strace curl fetchmail mpop getmail6 mutt neomutt thunderbird isync offlineimap3 expect postfix \
			dovecot-core dovecot-pop3d dovecot-imapd git passwd iproute2 e2fsprogs
		# the compiler's own run time for the sanitizers and fuzzers
		dpkg-query -W -f '${Version}' clang 2>/dev/null | sed -n 's/^[0-9]*:\([0-9]*\)\..*/libclang-rt-\1-dev/p'
		;;
	bench) echo python3 libssl-dev debootstrap util-linux ;;
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

[ -x /usr/bin/apt-get ] || { echo "need.sh: no apt-get here; install what README.md names" >&2; exit 0; }
lacking=$(missing "$@")
[ -n "$lacking" ] || exit 0
root=
[ "$(id -u)" = 0 ] || root=sudo

# Services among the packages (Postfix, Dovecot) are not started: the tests run their own.
install() {
	$root env DEBIAN_FRONTEND=noninteractive sh -euc '
		policy=/usr/sbin/policy-rc.d
		if [ ! -e $policy ]; then
			printf "#!/bin/sh\nexit 101\n" >$policy
			chmod 755 $policy
			trap "rm -f $policy" EXIT
		fi
		apt-get install -y -q --no-install-recommends "$@" >/dev/null' install "$@"
}

echo "installing:" $lacking
$root apt-get update -q >/dev/null
install $lacking
# clang's run time has a name that is known only now.
lacking=$(missing "$@")
[ -z "$lacking" ] || install $lacking
