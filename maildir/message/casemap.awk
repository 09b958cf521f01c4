# casemap.awk: UnicodeData.txt to casemap_table.h, what casemap.c looks characters up in.
# unicode.awk is read before it.
#
# For each character that i;unicode-casemap changes: its titlecase, decomposed until nothing more
# decomposes (RFC 5051, section 2), as UTF-8.  The texts lie in one pool, each after its length, equal
# ones once; a character's place there is found through two tables, as most blocks of characters are
# alike.  Hangul syllables are not here: casemap.c takes them apart by arithmetic.  Any POSIX awk, mawk
# with its bytes too, will do.

function octets(code) {
	if (code < 128)
		return code ","
	if (code < 2048)
		return 192 + int(code / 64) "," 128 + code % 64 ","
	if (code < 65536)
		return 224 + int(code / 4096) "," 128 + int(code / 64) % 64 "," 128 + code % 64 ","
	return 240 + int(code / 262144) "," 128 + int(code / 4096) % 64 "," \
	    128 + int(code / 64) % 64 "," 128 + code % 64 ","
}

# The characters of a decomposition to their end, as UTF-8.  No decomposition leads back to itself.
function decomposed(code,	part, n, i, out) {
	if (!(code in decomposition))
		return octets(code)
	n = split(decomposition[code], part, " ")
	out = ""
	for (i = 1; i <= n; i++)
		out = out decomposed(hex(part[i]))
	return out
}

function place(text,	n, part) {
	if (!(text in placed)) {
		n = split(text, part, ",") - 1
		placed[text] = used
		used += n + 1
		printf "\t%d,%s\n", n, text
	}
	return placed[text]
}

BEGIN {
	FS = ";"
	BLOCK = 128
	last = 0
}

$6 != "" || $15 != "" {
	code = hex($1)
	order[++count] = code
	if (code > last)
		last = code
	if ($15 != "" && $15 != $1)
		title[code] = hex($15)
	if ($6 != "") {
		sub(/^<[^>]*> */, "", $6)
		decomposition[code] = $6
	}
}

END {
	if (failed)
		exit 1
	if (count < 1000)
		fail("it is another file")
	print "/* Made from UnicodeData.txt by casemap.awk. */"
	print "static const unsigned char casemap_pool[] = {\n\t0,"
	used = 1 # place 0: the character stays
	for (i = 1; i <= count; i++) {
		code = order[i]
		text = decomposed(code in title ? title[code] : code)
		if (text != octets(code))
			at[code] = place(text)
	}
	print "};"
	if (used > 65536)
		fail("the pool has outgrown its 16 bits")
	blocks = int(last / BLOCK) + 1
	print "static const uint16_t casemap_place[][" BLOCK "] = {"
	for (b = 0; b < blocks; b++) {
		row = ""
		for (i = 0; i < BLOCK; i++)
			row = row (at[b * BLOCK + i] + 0) ","
		if (!(row in rows)) {
			rows[row] = kinds++
			printf "\t{%s},\n", row
		}
		kind[b] = rows[row]
	}
	print "};"
	if (kinds > 256)
		fail("more kinds of blocks than 8 bits tell")
	print "static const unsigned char casemap_block[] = {"
	for (b = 0; b < blocks; b++)
		printf "\t%d,\n", kind[b]
	print "};"
}
