#!/bin/sh
# check.sh BUILD: runs the linters and all tests on the program in the folder BUILD; the last line counts them.
# SALLYPORT_TESTS has the arguments for pytest, to run fewer tests.
set -u
build=$1
passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

one() {
	name=$1
	shift
	if "$@" >"$log" 2>&1; then
		passed=$((passed + 1))
		echo "ok   $name"
	else
		failed=$((failed + 1))
		echo "FAIL $name"
		tail -n 60 "$log"
	fi
}

# The sources are the same for a build with sanitizers, so lint runs only for the other.
case $build in
*asan*) ;;
*) one lint tests/lint.sh ;;
esac
for t in "$build"/unit/test_*; do
	[ -x "$t" ] && case $t in *.*) ;; *) one "unit ${t##*/}" "$t" ;; esac
done
one "messages" /usr/bin/python3 tests/messages/wire.py

export SALLYPORT_BUILD="$build" PYTHONDONTWRITEBYTECODE=1
# Four tests at once, since a test mostly waits: on two processors that takes a third less time than two at once.
/usr/bin/python3 -m pytest -p no:cacheprovider -n 4 --dist loadfile -q -rs --durations=5 \
	${SALLYPORT_TESTS:-tests/run} >"$log" 2>&1
status=$?
cat "$log"
count() {
	sed -n '$p' "$log" | grep -o "[0-9]* $1" | cut -d' ' -f1 | head -n 1
}
p=$(count passed) f=$(count failed) e=$(count error) s=$(count skipped)
passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0} + ${e:-0})) skipped=$((skipped + ${s:-0}))
[ $status = 0 ] || [ $((${f:-0} + ${e:-0})) -gt 0 ] || failed=$((failed + 1))
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
