#!/bin/sh
# run.sh BUILD SECONDS: every fuzzer for so many seconds, from its corpus in tests/fuzz/corpus; what
# it learns is kept in BUILD/fuzz/corpus.  Fails at the first finding, which is left in BUILD/fuzz.
set -eu
build=$1 seconds=$2 n=0
for target in "$build"/fuzz/fuzz_*; do
	name=${target##*/}
	case $name in *.*) continue ;; esac
	learnt="$build/fuzz/corpus/$name"
	mkdir -p "$learnt"
	seeds="tests/fuzz/corpus/$name"
	[ -d "$seeds" ] || seeds=
	dictionary="tests/fuzz/$name.dict"
	[ -e "$dictionary" ] && dictionary="-dict=$dictionary" || dictionary=
	if ! "$target" -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 -print_final_stats=0 \
		-artifact_prefix="$build/fuzz/$name-" $dictionary "$learnt" $seeds >"$build/fuzz/$name.log" 2>&1; then
		tail -n 40 "$build/fuzz/$name.log"
		echo "fuzz: $name found something: $build/fuzz/$name-*"
		exit 1
	fi
	echo "fuzz: $name: $(grep -c . "$build/fuzz/$name.log") lines, $(ls "$learnt" | wc -l) inputs, no finding"
	n=$((n + 1))
done
echo "fuzz: $n passed, 0 failed"
