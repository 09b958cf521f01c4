#!/bin/sh
# peers.sh: the servers beside which the benchmark measures sallyport, each in its own Debian below $BENCH_DIR.
#   peers.sh make NAME...                         makes the missing ones (as root, with the network, in minutes)
#   peers.sh run NAME IMAP IMAPS POP3 POP3S       serves on these ports of 127.0.0.1 until it is killed
# NAME: dovecot24 (Debian 13), dovecot23, courier, solid (Debian 12; solid-pop3d, TLS by stunnel).
# BENCH_CERT, BENCH_KEY: the certificate; BENCH_USERS, BENCH_HASH, BENCH_UID: who may log in.
#
# Each peer has its own namespaces for mounts and processes.  A mount is invisible outside and ends with the last
# process of its namespace, so nothing is left to unmount.  Killing this script ends all processes of the peer.
set -eu

DIR=${BENCH_DIR:?}
MIRROR=${BENCH_MIRROR:-http://deb.debian.org/debian}

suite() {
	case $1 in
	dovecot24) echo trixie ;;
	dovecot23 | courier | solid) echo bookworm ;;
	*) echo "peers.sh: there is no peer $1" >&2; return 1 ;;
	esac
}

packages() {
	case $1 in
	dovecot*) echo dovecot-imapd dovecot-pop3d ;;
	courier) echo courier-imap courier-pop courier-authdaemon gamin ;;
	solid) echo solid-pop3d stunnel4 openbsd-inetd ;;
	esac
}

# alone COMMAND...: runs the command in its own namespaces for mounts and processes.
alone() {
	unshare --mount --propagation private --pid --fork --kill-child "$@"
}

make_suite() {
	[ -d "$DIR/$1" ] && return
	rm -rf "$DIR/$1.new"
	alone debootstrap --variant=minbase --include=openssl "$1" "$DIR/$1.new" "$MIRROR"
	printf '#!/bin/sh\nexit 101\n' >"$DIR/$1.new/usr/sbin/policy-rc.d"
	chmod 755 "$DIR/$1.new/usr/sbin/policy-rc.d"
	mv "$DIR/$1.new" "$DIR/$1"
}

make_peer() {
	s=$(suite "$1")
	[ -d "$DIR/$1" ] && return
	echo "making $1 in $DIR"
	make_suite "$s"
	rm -rf "$DIR/$1.new"
	cp -a "$DIR/$s" "$DIR/$1.new"
	# shellcheck disable=SC2046
	alone sh -euc '
		root=$1
		shift
		mount -t proc proc "$root/proc"
		mount --bind /dev "$root/dev"
		export DEBIAN_FRONTEND=noninteractive LC_ALL=C
		chroot "$root" apt-get update -q
		chroot "$root" apt-get install -y -q --no-install-recommends "$@"
		chroot "$root" apt-get clean' peer "$DIR/$1.new" $(packages "$1")
	mv "$DIR/$1.new" "$DIR/$1"
}

# --- configurations: as Debian ships them but for names, ports, and limits that 500 sessions of a user need ---

users() {
	for u in $BENCH_USERS; do
		grep -q "^$u:" "$root/etc/passwd" && continue
		echo "$u:x:$BENCH_UID:$BENCH_UID::/home/$u:/bin/sh" >>"$root/etc/passwd"
		echo "$u:$BENCH_HASH:20000::::::" >>"$root/etc/shadow"
	done
	grep -q "^bench:" "$root/etc/group" || echo "bench:x:$BENCH_UID:" >>"$root/etc/group"
}

certificate() {
	mkdir -p "$root/etc/bench"
	cp "$BENCH_CERT" "$root/etc/bench/cert.pem"
	cp "$BENCH_KEY" "$root/etc/bench/key.pem"
	cat "$BENCH_KEY" "$BENCH_CERT" >"$root/etc/bench/both.pem"
	chmod 600 "$root/etc/bench/key.pem" "$root/etc/bench/both.pem"
}

listener() {
	cat <<-E
		service $1-login {
		  process_limit = 4000
		  inet_listener $1 {
		    port = $2
		  }
		  inet_listener ${1}s {
		    port = $3
		    ssl = yes
		  }
		}
		service $1 {
		  process_limit = 4000
		}
	E
}

conf_dovecot() {
	for u in $BENCH_USERS; do
		echo "$u:{CRYPT}$BENCH_HASH:$BENCH_UID:$BENCH_UID::/home/$u"
	done >"$root/etc/dovecot/users"
	{
		[ "$1" = dovecot23 ] || printf 'dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n'
		cat <<-E
			protocols = imap pop3
			base_dir = /run/dovecot
			listen = 127.0.0.1
			log_path = /var/log/dovecot.log
			ssl = yes
			mail_max_userip_connections = 4000
			default_client_limit = 10000
			namespace inbox {
			  inbox = yes
			  separator = /
			}
		E
		listener imap "$2" "$3"
		listener pop3 "$4" "$5"
		if [ "$1" = dovecot23 ]; then
			cat <<-E
				mail_location = maildir:~/Maildir
				disable_plaintext_auth = no
				ssl_cert = </etc/bench/cert.pem
				ssl_key = </etc/bench/key.pem
				passdb {
				  driver = passwd-file
				  args = /etc/dovecot/users
				}
				userdb {
				  driver = passwd-file
				  args = /etc/dovecot/users
				}
			E
		else
			cat <<-E
				mail_driver = maildir
				mail_path = ~/Maildir
				auth_allow_cleartext = yes
				ssl_server_cert_file = /etc/bench/cert.pem
				ssl_server_key_file = /etc/bench/key.pem
				passdb passwd-file {
				  passwd_file_path = /etc/dovecot/users
				}
				userdb passwd-file {
				  passwd_file_path = /etc/dovecot/users
				}
			E
		fi
	} >"$root/etc/dovecot/dovecot.conf"
	start='mkdir -p /run/dovecot; exec /usr/sbin/dovecot -F'
}

courier_file() {
	file=$root/etc/courier/$1
	shift
	for setting; do
		sed -i "/^${setting%%=*}=/d" "$file"
		echo "$setting" >>"$file"
	done
}

conf_courier() {
	courier_file imapd PORT="$2" ADDRESS=127.0.0.1 MAXDAEMONS=4000 MAXPERIP=4000 IMAP_ENHANCEDIDLE=1
	courier_file imapd-ssl SSLPORT="$3" SSLADDRESS=127.0.0.1 TLS_CERTFILE=/etc/bench/both.pem
	courier_file pop3d PORT="$4" ADDRESS=127.0.0.1 MAXDAEMONS=4000 MAXPERIP=4000
	courier_file pop3d-ssl SSLPORT="$5" SSLADDRESS=127.0.0.1 TLS_CERTFILE=/etc/bench/both.pem
	chroot "$root" chown courier /etc/bench/both.pem
	start='mkdir -p /run/courier/authdaemon; chown courier:courier /run/courier /run/courier/authdaemon
		/usr/sbin/authdaemond start
		for s in imapd imapd-ssl pop3d pop3d-ssl; do /usr/sbin/$s start; done
		exec sleep infinity'
}

conf_solid() {
	cat >"$root/etc/spop3d.conf" <<-E
		<Global>
			MailDropName "/home/%s/Maildir"
			MailDropType maildir
			LogStatistics no
		</Global>
	E
	echo "127.0.0.1:$4 stream tcp nowait.100000 root /usr/sbin/solid-pop3d solid-pop3d" >"$root/etc/inetd.conf"
	cat >"$root/etc/stunnel/pop3s.conf" <<-E
		pid =
		foreground = yes
		output = /var/log/stunnel.log
		[pop3s]
		accept = 127.0.0.1:$5
		connect = 127.0.0.1:$4
		cert = /etc/bench/cert.pem
		key = /etc/bench/key.pem
	E
	start='/usr/sbin/inetd -R 100000 /etc/inetd.conf; exec stunnel4 /etc/stunnel/pop3s.conf'
}

run() {
	root=$DIR/$1
	users
	certificate
	case $1 in
	dovecot*) conf_dovecot "$@" ;;
	*) "conf_$1" "$@" ;;
	esac
	rm -f "$root"/run/*.pid "$root"/run/*/*.pid
	# Process 1 of the namespace reaps the processes that its children leave.
	exec unshare --mount --propagation private --pid --fork --kill-child sh -uc '
		mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev" || exit
		ulimit -n 20000
		chroot "$1" sh -c "$2" &
		wait' peer "$root" "$start"
}

verb=$1
shift
case $verb in
make)
	mkdir -p "$DIR"
	for p; do make_peer "$p"; done
	;;
run) run "$@" ;;
*) echo "peers.sh: make or run" >&2; exit 2 ;;
esac
