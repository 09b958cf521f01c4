#!/bin/sh
# charset.sh: rows for charset.c's table, one for each charset of single octets, made with iconv(1).
# A row has the characters that octets 0x80 to 0xff are; 0: no character.  (The lower half of all of them is ASCII.)
# A charset that this machine's iconv lacks is left out.  In the list at the end: the charset's name, its name for
# iconv, and the keys of its names (see name_key in charset.c).
set -eu
export LC_ALL=C

# An octet and a line end each: what is no character leaves an empty line (-c), the others keep their place.
all=$(mktemp)
trap 'rm -f "$all"' EXIT
awk 'BEGIN { for (i = 128; i < 256; i++) printf "%c\n", i }' >"$all"

echo "/* Made by charset.sh. */"
while read -r name iconv keys; do
	{ iconv -c -f "$iconv" -t UTF-16BE "$all" 2>/dev/null || :; } | od -An -v -tx1 | awk -v name="$name" -v keys="$keys" '
		{
			for (i = 1; i <= NF; i++) {
				half = half $i
				if (length(half) < 4)
					continue
				if (half == "000a") {
					row = row (code == "" ? "0" : "0x" code) (++lines % 12 ? "," : ",\n\t ")
					some += code != ""
					code = ""
				} else if (code == "")
					code = half
				half = ""
			}
		}
		END {
			if (some > 0 && lines == 128)
				printf "\t{\"%s\", CHARSET_OCTETS, \"%s\", NULL, (const uint16_t[CHARSET_HIGH]){\n\t %s}},\n", name, keys, row
		}'
done <<'EOF'
iso-8859-2 ISO-8859-2 iso88592 latin2 csisolatin2
iso-8859-3 ISO-8859-3 iso88593 latin3
iso-8859-4 ISO-8859-4 iso88594 latin4
iso-8859-5 ISO-8859-5 iso88595 cyrillic
iso-8859-6 ISO-8859-6 iso88596 arabic iso88596i
iso-8859-7 ISO-8859-7 iso88597 greek
iso-8859-8 ISO-8859-8 iso88598 hebrew iso88598i iso88598e
iso-8859-9 ISO-8859-9 iso88599 latin5 csisolatin5
iso-8859-10 ISO-8859-10 iso885910 latin6
iso-8859-11 ISO-8859-11 iso885911
iso-8859-13 ISO-8859-13 iso885913 latin7
iso-8859-14 ISO-8859-14 iso885914 latin8
iso-8859-15 ISO-8859-15 iso885915 latin9
iso-8859-16 ISO-8859-16 iso885916 latin10
windows-874 CP874 cp874 dos874
windows-1250 CP1250 cp1250
windows-1251 CP1251 cp1251
windows-1253 CP1253 cp1253
windows-1254 CP1254 cp1254
windows-1255 CP1255 cp1255
windows-1256 CP1256 cp1256
windows-1257 CP1257 cp1257
windows-1258 CP1258 cp1258
koi8-r KOI8-R koi8r koi8 koi cskoi8r cp20866
koi8-u KOI8-U koi8u koi8ru cp21866
ibm437 CP437 cp437
ibm775 CP775 cp775
ibm850 CP850 cp850
ibm852 CP852 cp852
ibm855 CP855 cp855
ibm857 CP857 cp857
ibm858 CP858 cp858
ibm860 CP860 cp860
ibm861 CP861 cp861
ibm862 CP862 cp862
ibm863 CP863 cp863
ibm865 CP865 cp865
ibm866 CP866 cp866
ibm869 CP869 cp869
macintosh MACINTOSH macintosh mac macroman csmacintosh
x-mac-cyrillic MAC-CYRILLIC maccyrillic
tis-620 TIS-620 tis620 tis6202533
EOF
