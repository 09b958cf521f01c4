# nfc.awk: CompositionExclusions.txt and UnicodeData.txt to nfc_table.h, what nfc.c looks characters up in.
# unicode.awk is read before it.
#
# Three tables: decompositions, one step each, by rising character; those of them that are composed again, by
# rising first and second character; combining classes other than 0, as runs.  Any POSIX awk will do.

# Whether the composition of entry a comes before that of b.
function before(a, b) {
	return first[a] < first[b] || (first[a] == first[b] && second[a] < second[b])
}

BEGIN {
	FS = "[;#]"
	count = runs = composed = 0
}

FILENAME ~ /CompositionExclusions/ {
	if ($1 ~ /^[0-9A-F]/) {
		sub(/ .*/, "", $1)
		excluded[hex($1)] = 1
	}
	next
}

$4 != 0 {
	class[hex($1)] = $4
	if (runs && last[runs - 1] == hex($1) - 1 && of[runs - 1] == $4)
		last[runs - 1]++
	else {
		from[runs] = last[runs] = hex($1)
		of[runs++] = $4
	}
}

$6 ~ /^[0-9A-F]/ {
	n = split($6, part, " ")
	if (n > 2)
		fail("a decomposition of more than two characters")
	code[count] = hex($1)
	first[count] = hex(part[1])
	second[count] = n > 1 ? hex(part[2]) : 0
	count++
}

END {
	if (failed)
		exit 1
	if (count < 1000 || runs < 100)
		fail("it is another file")
	print "/* Made from CompositionExclusions.txt and UnicodeData.txt by nfc.awk. */"
	print "static const struct decomposition nfc_decomposed[] = {"
	for (i = 0; i < count; i++) {
		printf "\t{%d,%d,%d},\n", code[i], first[i], second[i]
		decomposed[code[i]] = 1
		# Neither singletons nor what begins with a mark is composed: Unicode, section 3.11.
		if (second[i] == 0 || (code[i] in excluded) || (code[i] in class) || (first[i] in class))
			continue
		for (at = composed++; at > 0 && before(i, pair[at - 1]); at--)
			pair[at] = pair[at - 1]
		pair[at] = i
	}
	print "};"
	for (i = 0; i < count; i++)
		if (second[i] in decomposed)
			fail("a second character that is decomposed")
	print "static const uint16_t nfc_composed[] = {"
	for (i = 0; i < composed; i++)
		printf "\t%d,\n", pair[i]
	print "};"
	print "static const struct class_run nfc_classes[] = {"
	for (i = 0; i < runs; i++)
		printf "\t{%d,%d,%d},\n", from[i], last[i], of[i]
	print "};"
}
