#!/bin/sh
# lint.sh [walls]: checks what no compiler sees.  It prints every finding and fails if there is one.
# With "walls" it checks only the first part: which file includes which.  That part takes a second.
set -u
bad=0
say() {
	echo "lint: $*"
	bad=1
}
sources=$(git ls-files 'server/*.[ch]' 'auth/*.[ch]' 'maildir/*.[ch]' 'tls/*.[ch]' 'tests/*.[ch]' 2>/dev/null)
[ -n "$sources" ] || sources=$(find server auth maildir tls tests -name '*.[ch]')

# 1. Walls.  A leaf library includes only its own headers, and so never those of the program.  mbedTLS
# belongs to tls/ (its hashes also to auth/), and crypt(3) to auth/.
for lib in auth maildir tls; do
	grep -rnE '#include "' $lib --include='*.[ch]' | grep -v "#include \"$lib/" && say "$lib/ is a leaf"
done

# The rooms of maildir/, from the ground up.  The first argument names the room; its files may include
# headers of that room, of the rooms that follow in the same line, and maildir/maildir.h.
room() {
	grep -rnoE '#include "maildir/[a-z]+/[a-z_0-9]+\.h' "maildir/$1" --include='*.[ch]' |
		grep -vE "\"maildir/($(echo "$@" | tr ' ' '|'))/" &&
		say "maildir/$1/ includes what stands above it"
}
room base
room message base
grep -rn '#include "maildir/maildir\.h"' maildir/message && say "maildir/message/ knows no Maildir"
room uids base
room index base
room folder base message uids index
room tree base uids folder
room courier base uids folder tree
room check base message uids index folder tree courier

# Circles: a file must not lead back to itself by its includes.  A .c and the .h of the same path count as
# one file.  The includes in `circular` still close a circle and are left out ("A B": A includes B).  The
# list may only become shorter.
circular='
maildir/index/index_compare maildir/index/index
maildir/index/index_view maildir/index/index
maildir/message/mime_internal maildir/message/mime'
grep -rnE '#[[:space:]]*include "' server auth maildir tls --include='*.[ch]' |
	grep -vE '#include "(server|auth|maildir|tls)/[a-z_0-9/]+\.h"' &&
	say "an own header is named by its path from the top"
# tsort(1) names the members of each circle in the order in which they include each other.
circles=$(grep -roE '#include "[a-z_0-9/]+\.h"' server auth maildir tls --include='*.[ch]' |
	sed -E 's/^([^:]*)\.[ch]:#include "(.*)\.h"$/\1 \2/' | grep -vxF "$circular" | awk '$1 != $2' |
	LC_ALL=C tsort 2>&1 >/dev/null | awk '
		/contains a loop/ { if (circle) print circle first; circle = ""; next }
		{ if (circle == "") first = $2; circle = circle $2 " -> " }
		END { if (circle) print circle first }')
[ -z "$circles" ] || {
	echo "$circles"
	say "these files include each other in a circle"
}

# Long files: a file with more lines than `longest` does two jobs, unless it is a table.  In a table more
# than half of the lines are rows, each in its own braces.  The files in `long` still are too long.  The
# list may only become shorter.
longest=600
long='
maildir/folder/deliver.c
maildir/folder/sync.c
maildir/index/index.c
maildir/message/charset.c
server/imap/mailbox.c'
find server auth maildir tls -name '*.[ch]' | sort | grep -vxF "$long" | xargs awk -v longest=$longest '
	function judge() {
		if (lines > longest && rows * 2 <= lines) {
			print file ": " lines " lines"
			found = 1
		}
	}
	FNR == 1 { judge(); file = FILENAME; rows = 0 }
	{ lines = FNR }
	/^[[:space:]]*\{.*\},?$/ { rows++ }
	END { judge(); exit !found }' && say "a file of more than $longest lines that is no table"

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
part spawner worker reader
part master spawner reader
part logger
part cmd master key spawner logger
grep -noE '#include "server/[a-z0-9]+/[a-z_0-9]+\.h' server/*.[ch] |
	grep -vE '^server/sallyport\.c:.*"server/cmd/' && say "server/ itself includes a part"

grep -nE '#include <syslog\.h>|#include <linux/(landlock|seccomp)' -r server auth maildir tls --include='*.[ch]' |
	grep -vE '^server/(logger/sink|confine)\.c' && say "syslog belongs to server/logger/sink.c, Landlock and seccomp to server/confine.c"
grep -nE '\b(setuid|setgid|setresuid|setresgid|setgroups|chroot)\(' -r server auth maildir tls --include='*.c' |
	grep -v '^server/privdrop\.c' && say "identities change in server/privdrop.c only"
grep -nE '\b(strcpy|strcat|sprintf|gets|strtok|system|popen)\(' -r server auth maildir tls --include='*.c' &&
	say "a function that must not be used"
grep -rlE 'Runs as:' server auth maildir tls --include='*.c' | sort >/tmp/lint.$$
find server auth maildir tls -name '*.c' | sort | comm -13 /tmp/lint.$$ - | grep . &&
	say "the head of these files does not say under which uid they run"
rm -f /tmp/lint.$$

# The pages for developers name functions, tables and fields.  A name that is gone sends its reader on a search.
grep -rohE '[a-z]+(_[a-z0-9]+)+' server auth maildir tls tests --include='*.[ch]' --include='*.py' | sort -u >/tmp/lint.$$
grep -ohE '`[a-z]+(_[a-z0-9]+)+`' README.md */README.md | tr -d '\140' | sort -u | comm -23 - /tmp/lint.$$ | grep . &&
	say "a page names what is not in the tree"
rm -f /tmp/lint.$$
[ "${1:-}" != walls ] || exit $bad

# 2. Layout.  Releases of clang-format differ a little in it; the one of Debian 12 decides.
case $(clang-format --version) in
*"version 14."*) clang-format --dry-run --Werror $sources || say "clang-format would change these: clang-format -i" ;;
*) echo "lint: layout not checked: that takes clang-format 14, the one of Debian 12" ;;
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
