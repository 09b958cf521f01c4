#!/bin/sh
# run.sh BUILD SECONDS [FUZZER]: runs every fuzzer, or the named one, for so many seconds each, as many at once as
# there are processors.  A fuzzer starts from its corpus in tests/fuzz/corpus and keeps new inputs in
# BUILD/fuzz/corpus.  A finding is left in BUILD/fuzz, and the run fails.
set -eu
build=$1 seconds=$2

if [ $# = 3 ]; then # one fuzzer
	name=$3 learnt=$build/fuzz/corpus/$3 seeds=tests/fuzz/corpus/$3 dictionary=tests/fuzz/$3.dict
	mkdir -p "$learnt"
	[ -d "$seeds" ] || seeds=
	[ ! -e "$dictionary" ] && dictionary= || dictionary=-dict=$dictionary
	if "$build/fuzz/$name" -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 \
		-artifact_prefix="$build/fuzz/$name-" $dictionary "$learnt" $seeds >"$build/fuzz/$name.log" 2>&1; then
		echo "fuzz: $name: $(sed -n 's/^Done \([0-9]* runs\).*/\1/p' "$build/fuzz/$name.log"), no finding"
		exit 0
	fi
	tail -n 40 "$build/fuzz/$name.log"
	echo "fuzz: $name found something: $build/fuzz/$name-*"
	exit 1
fi

targets=$(cd "$build/fuzz" && ls -d fuzz_* | grep -v '[.-]')
echo "$targets" | xargs -P "$(nproc)" -n 1 "$0" "$build" "$seconds"
echo "fuzz: $(echo "$targets" | wc -l) passed, 0 failed"
