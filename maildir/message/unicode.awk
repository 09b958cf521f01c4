# unicode.awk: what the scripts share that read UnicodeData.txt.

function hex(text,	i, n) {
	n = 0
	for (i = 1; i <= length(text); i++)
		n = n * 16 + index("0123456789ABCDEF", substr(text, i, 1)) - 1
	return n
}

function fail(why) {
	print "UnicodeData.txt: " why >"/dev/stderr"
	failed = 1
	exit 1
}
