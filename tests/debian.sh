# debian.sh: roots of other releases of Debian, to build and run in; for scripts that source it at the top of the tree,
# as root.  All functions end the script on a failure if it has set -e.

# debian_root ROOT RELEASE PACKAGE...: makes the folder ROOT a root of that release with these packages, or updates it.
# /proc and /dev are mounted in it afterwards.
debian_root() {
	root=$1 release=$2
	shift 2
	mkdir -p "$root"
	chmod 755 "$root" # so that the user of apt can enter
	[ -x "$root/usr/bin/apt-get" ] || debootstrap --variant=minbase "$release" "$root" >/dev/null
	for m in proc dev; do
		mountpoint -q "$root/$m" || { mount --rbind "/$m" "$root/$m" && mount --make-rslave "$root/$m"; }
	done
	for f in /etc/apt/apt.conf.d/*proxy* /etc/resolv.conf; do
		[ ! -f "$f" ] || cp "$f" "$root$f"
	done
	chroot "$root" sh -c 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
		--no-install-recommends "$@"' sh "$@" >/dev/null
}

# debian_leave ROOT: removes what debian_root has mounted.
debian_leave() {
	for m in proc dev; do
		mountpoint -q "$1/$m" && umount -R -l "$1/$m" || :
	done
}
