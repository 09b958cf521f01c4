#!/bin/sh
# demo.sh PROGRAM: runs sallyport as the current user on high loopback ports, with a mailbox, an
# account and a certificate of its own, until ^C.  All of it lies in one temporary folder.
#
# DEMO_POP3, DEMO_POP3S, DEMO_IMAP, DEMO_IMAPS: other ports.
set -eu

program=$(realpath "$1")
pop3=${DEMO_POP3:-10110} pop3s=${DEMO_POP3S:-10995} imap=${DEMO_IMAP:-10143} imaps=${DEMO_IMAPS:-10993}
dir=$(mktemp -d /tmp/sallyport-demo.XXXXXX)
chmod 755 "$dir"
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

# Mail is never served as root: there the demo's account gets a uid that nobody has.
uid=$(id -u) gid=$(id -g)
[ "$uid" != 0 ] || uid=61000 gid=61000

mkdir -p "$dir/home/Maildir/cur" "$dir/home/Maildir/new" "$dir/home/Maildir/tmp"
message() {
	cat >"$dir/home/Maildir/new/$(date +%s).M$1.demo"
}
message 1 <<EOF
From: The sallyport demo <demo@localhost>
To: demo@localhost
Subject: Welcome through both doors
Date: $(date -R)
Message-ID: <1.demo@localhost>

This message came over TLS from a process that cannot open a single file,
which had it from one that can open this mailbox and nothing else.
EOF
message 2 <<EOF
From: =?utf-8?q?Z=C3=B6e?= <zoe@example.org>
To: demo@localhost
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_aus_dem_Maildir?=
Date: $(date -R)
Message-ID: <2.demo@localhost>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Schöne Grüße.
.
The line above is a dot: POP3 has to double it on the way.
EOF

(cd "$dir" && "$program" cert ca >/dev/null && "$program" cert server localhost 127.0.0.1 ::1 >/dev/null)
printf 'secret\n' | "$program" passwd -u "$uid" -g "$gid" -h "$dir/home" demo >"$dir/users"
chmod 600 "$dir/users"
[ "$(id -u)" != 0 ] || chown -R "$uid:$gid" "$dir/home"

cat >"$dir/sallyport.conf" <<EOF
listen_pop3 = 127.0.0.1:$pop3
listen_pop3s = 127.0.0.1:$pop3s
listen_imap = 127.0.0.1:$imap
listen_imaps = 127.0.0.1:$imaps
make_special_folders = yes
certificate = $dir/localhost.crt $dir/localhost.key
accounts = file
users_file = $dir/users
min_uid = 1
maildir = ~/Maildir
log = stderr
worker_user = nobody
key_user = daemon
empty_dir = $dir/empty
EOF
"$program" check -c "$dir/sallyport.conf"

cat <<EOF

sallyport serves IMAP with STARTTLS on port $imap and over TLS on port $imaps,
and POP3 with STLS on port $pop3 and over TLS on port $pop3s.
User: demo   Password: secret   ^C ends it.  In another terminal, IMAP:

  curl --cacert $dir/ca.crt --user demo:secret imaps://localhost:$imaps/
  curl --cacert $dir/ca.crt --user demo:secret 'imaps://localhost:$imaps/INBOX;UID=1'
  curl --cacert $dir/ca.crt --user demo:secret 'imaps://localhost:$imaps/INBOX?SUBJECT%20Maildir'
  curl --cacert $dir/ca.crt --user demo:secret --ssl-reqd imap://localhost:$imap/INBOX -X 'FETCH 1:* ENVELOPE'
  openssl s_client -quiet -crlf -CAfile $dir/ca.crt -connect localhost:$imaps
      (type: a LOGIN demo secret, b SELECT INBOX, c FETCH 1 BODY[], d LOGOUT)
  openssl s_client -quiet -crlf -CAfile $dir/ca.crt -starttls imap -connect localhost:$imap

POP3:

  curl --cacert $dir/ca.crt --user demo:secret pop3s://localhost:$pop3s/
  curl --cacert $dir/ca.crt --user demo:secret pop3s://localhost:$pop3s/1
  curl --cacert $dir/ca.crt --user demo:secret --ssl-reqd pop3://localhost:$pop3/2
  openssl s_client -quiet -crlf -CAfile $dir/ca.crt -connect localhost:$pop3s
      (type: USER demo, PASS secret, STAT, RETR 1, QUIT)
  openssl s_client -quiet -crlf -CAfile $dir/ca.crt -starttls pop3 -connect localhost:$pop3

Thunderbird, or any other mail program: server localhost, user name demo, normal password;
  incoming IMAP, port $imaps with SSL/TLS or port $imap with STARTTLS, or
  incoming POP3, port $pop3s with SSL/TLS or port $pop3 with STARTTLS; accept the demo's certificate.

EOF
"$program" run -c "$dir/sallyport.conf" &
server=$!
trap 'kill $server 2>/dev/null || :; wait $server 2>/dev/null || :; exit 130' INT TERM
wait $server
