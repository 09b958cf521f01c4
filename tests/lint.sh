#!/bin/sh
# lint.sh [walls]: what no compiler sees.  Says every finding; fails if there is one.  walls: only the
# first part, who includes whom.
set -u
bad=0
say() {
	echo "lint: $*"
	bad=1
}
sources=$(git ls-files 'server/*.[ch]' 'auth/*.[ch]' 'maildir/*.[ch]' 'tls/*.[ch]' 'tests/*.[ch]')
[ -n "$sources" ] || sources=$(find server auth maildir tls tests -name '*.[ch]')

# 1. Who may include whom: leaf libraries know themselves only; mbedTLS is in tls/ (its hashes in
# auth/), crypt(3) in auth/; nobody includes the program.
for lib in auth maildir tls; do
	grep -rnE '#include "' $lib --include='*.[ch]' | grep -v "#include \"$lib/" && say "$lib/ is a leaf"
done

# The rooms of maildir/, from the ground up: a room includes itself, those that stand here behind it, and
# maildir.h.
room() {
	grep -rnoE '#include "maildir/[a-z]+/[a-z_0-9]+\.h' "maildir/$1" --include='*.[ch]' |
		grep -vE "\"maildir/($(echo "$@" | tr ' ' '|'))/" | grep -vE "$upward" &&
		say "maildir/$1/ includes what stands above it"
}
# Includes that still go up.  None may be added.
upward='^maildir/(folder/sync\.c:.*courier/takeover\.h|tree/subscriptions\.c:.*courier/takeover\.h'
upward="$upward"'|uids/keywords\.c:.*(folder/(scan|folder)|index/index)\.h)'
room base
room message base
grep -rn '#include "maildir/maildir\.h"' maildir/message && say "maildir/message/ knows no Maildir"
room uids base
room index base
room folder base message uids index
room tree base uids folder
room courier base uids folder tree
room check base message uids index folder tree courier
grep -nE '#include [<"](mbedtls|psa)/' -r server auth maildir --include='*.[ch]' |
	grep -vE '^auth/.*mbedtls/(md|sha256|sha512)\.h' && say "mbedTLS belongs to tls/"
grep -nE '#include <crypt\.h>' -r server maildir tls --include='*.[ch]' && say "crypt(3) belongs to auth/"

# The parts of server/.  What all processes share lies in server/ itself and includes no part; sallyport.c, which
# calls the subcommands, is the exception.  A part includes itself, those that stand here after it, and the shared.
part() {
	grep -rnoE '#include "server/[a-z0-9]+/[a-z_0-9]+\.h' "server/$1" --include='*.[ch]' |
		grep -vE "\"server/($(echo "$@" | tr ' ' '|'))/" && say "server/$1/ includes a part that it may not know"
}
part key
part worker
part reader
part imap worker reader
part pop3 worker reader
part master key worker reader
part cmd master
grep -noE '#include "server/[a-z0-9]+/[a-z_0-9]+\.h' server/*.[ch] |
	grep -vE '^server/sallyport\.c:.*"server/cmd/' && say "server/ itself includes a part"

grep -nE '#include <syslog\.h>|#include <linux/(landlock|seccomp)' -r server auth maildir tls --include='*.[ch]' |
	grep -vE '^server/(log|confine)\.c' && say "the log and the confinement have a room each"
grep -nE '\b(setuid|setgid|setresuid|setresgid|setgroups|chroot)\(' -r server auth maildir tls --include='*.c' |
	grep -v '^server/privdrop\.c' && say "identities change in server/privdrop.c only"
grep -nE '\b(strcpy|strcat|sprintf|gets|strtok|system|popen)\(' -r server auth maildir tls --include='*.c' &&
	say "a function that is not used here"
grep -rlE 'Runs as:' server auth maildir tls --include='*.c' | sort >/tmp/lint.$$
find server auth maildir tls -name '*.c' | sort | comm -13 /tmp/lint.$$ - | grep . &&
	say "these do not say under which uid they run"
rm -f /tmp/lint.$$
[ "${1:-}" != walls ] || exit $bad

# 2. Layout.  Each release of clang-format sees it a little differently: Debian 12's decides.
case $(clang-format --version) in
*"version 14."*) clang-format --dry-run --Werror $sources || say "clang-format would change these: clang-format -i" ;;
*) echo "lint: layout not looked at: it is clang-format 14's, Debian 12's" ;;
esac

# 3. Manuals.
for m in server/*.[58]; do
	mandoc -T lint -W warning "$m" || say "mandoc dislikes $m"
done

# 4. The analyzers.
flags='-std=c11 -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DSALLYPORT_VERSION=\"0\" -DSALLYPORT_ETC=\"/etc\"'
code=$(echo "$sources" | grep -E '^(server|auth|maildir|tls)/.*\.c$')
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
	--suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches --suppress=ctunullpointer \
	--suppress=ctuuninitvar --suppress=nullPointerOutOfMemory --error-exitcode=1 -I. -D_GNU_SOURCE -D__x86_64__ \
	-DSALLYPORT_VERSION='"0"' -DSALLYPORT_ETC='"/etc"' $code || say "cppcheck"
echo "$code" | xargs -P "$(nproc)" -n 8 sh -c '
	clang-tidy --quiet --warnings-as-errors="*" "$@" -- '"$flags"' 2>/dev/null' tidy ||
	say "clang-tidy"

[ $bad = 0 ] && echo "lint: clean"
exit $bad
