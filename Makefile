# sallyport: a POP3 and IMAP server for Maildirs.
#
#   make                build/sallyport
#   make demo           install what is missing, build, run with a sample mailbox
#   make check          install what the tests need, build, lint, run all tests
#   make check-asan     the same tests with AddressSanitizer and UBSan
#   make check-kernels  the tests that depend on the kernel, under those of Debian 12 and 13 in qemu
#   make lint           check what no compiler sees: includes, layout, manuals; run clang-tidy and cppcheck
#   make fuzz           run every fuzzer for FUZZ_SECONDS
#   make torture        run every fault at every call; then many clients at once, with kills, for SECONDS
#   make bench          measure time, CPU and memory beside Dovecot, Courier and solid-pop3d
#   make install        DESTDIR, PREFIX
#
# BUILD names the build folder, so that builds with different flags can exist side by side.

VERSION = 0.1
PREFIX = /usr/local
SYSCONFDIR = /etc
BUILD = build
CC ?= gcc
OPT = -O2 -g
WERROR =
SANITIZE =
FUZZ_SECONDS = 300

ifdef CI
WERROR = -Werror
endif

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wcast-qual -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wimplicit-fallthrough -Wno-missing-field-initializers
# Flags that not every compiler knows: $(call has,FLAG) is FLAG where it works without a warning.  Variables that are
# zero at their start and registers that are cleared at a return leave an attacker less to find; no row of the
# benchmark shows what they cost.
has = $(shell printf '\043include <stdio.h>\nint x;\n' | $(CC) -O2 -Werror $(1) -x c -c -o /dev/null - 2>/dev/null && echo '$(1)')
HARDEN := -fPIE -fstack-protector-strong -fno-strict-aliasing $(call has,-fcf-protection) \
	$(call has,-fstack-clash-protection) $(call has,-ftrivial-auto-var-init=zero) \
	$(call has,-fzero-call-used-regs=used-gpr)
ifeq ($(SANITIZE),)
HARDEN += $(firstword $(call has,-D_FORTIFY_SOURCE=3) -D_FORTIFY_SOURCE=2)
endif
CPPFLAGS += -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DSALLYPORT_VERSION='"$(VERSION)"' \
	-DSALLYPORT_ETC='"$(SYSCONFDIR)"'
CFLAGS += -std=c11 $(OPT) $(WARN) $(WERROR) $(HARDEN) $(SANITIZE) -MMD -MP
LDFLAGS += -pie -Wl,-z,relro,-z,now,-z,noexecstack $(SANITIZE)
LIBS_tls = -lmbedtls -lmbedx509 -lmbedcrypto
LIBS_auth = -lcrypt
LIBS_maildir =

LIBRARIES = auth maildir tls
ARCHIVES = $(LIBRARIES:%=$(BUILD)/lib%.a)
# The objects of a folder and of the rooms in it.
objects = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)/*.c $(1)/*/*.c))
SERVER = $(call objects,server)
UNIT = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))

all: $(BUILD)/sallyport

$(BUILD)/sallyport: $(SERVER) $(ARCHIVES)
	@echo "  LD $@"
	@$(CC) $(LDFLAGS) -o $@ $(SERVER) $(ARCHIVES) $(LIBS_tls) $(LIBS_auth)

$(BUILD)/libauth.a: $(call objects,auth)
$(BUILD)/libmaildir.a: $(call objects,maildir)
$(BUILD)/libtls.a: $(call objects,tls)
$(ARCHIVES):
	@rm -f $@
	@$(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# Tables that the build makes from the data of Unicode and from the charsets of iconv(1).
UNICODE_DATA = /usr/share/unicode/UnicodeData.txt
EXCLUSIONS = /usr/share/unicode/CompositionExclusions.txt
TABLES = $(patsubst %,$(BUILD)/maildir/message/%_table.h,casemap charset nfc)
$(TABLES:%_table.h=%.o): CPPFLAGS += -I$(BUILD)
$(TABLES:%_table.h=%.o): %.o: %_table.h
$(BUILD)/maildir/message/casemap_table.h: $(UNICODE_DATA)
$(BUILD)/maildir/message/nfc_table.h: $(EXCLUSIONS) $(UNICODE_DATA)
$(BUILD)/maildir/message/%_table.h: maildir/message/unicode.awk maildir/message/%.awk
	@mkdir -p $(@D)
	@awk $(patsubst %,-f %,$(filter %.awk,$^)) $(filter %.txt,$^) >$@.new && mv $@.new $@
$(BUILD)/maildir/message/charset_table.h: maildir/message/charset.sh
	@mkdir -p $(@D)
	@maildir/message/charset.sh >$@.new && mv $@.new $@
tables: $(TABLES)

# Unit tests: a test of a leaf library (test_<library>_*.c) links that library and nothing else; a test of
# the server links everything but main.
unit: $(UNIT)
UNIT_LD = @$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^)
define unit_rules
$(BUILD)/unit/test_$(1)_%: $(BUILD)/tests/unit/test_$(1)_%.o $(BUILD)/lib$(1).a
	@mkdir -p $$(@D)
	$$(UNIT_LD) $$(LIBS_$(1)) -lcmocka
endef
$(foreach l,$(LIBRARIES),$(eval $(call unit_rules,$(l))))
$(BUILD)/unit/test_server_%: $(BUILD)/tests/unit/test_server_%.o \
    $(filter-out %/sallyport.o,$(SERVER)) $(ARCHIVES)
	@mkdir -p $(@D)
	$(UNIT_LD) $(LIBS_tls) $(LIBS_auth) -lcmocka

# Faults: a libmaildir.a whose calls into the file system are renamed, so that they go to the layer.
FAULT = $(BUILD)/fault
fault: $(FAULT)/script $(FAULT)/damage $(FAULT)/sallyport
$(FAULT)/libmaildir.a: $(BUILD)/libmaildir.a $(BUILD)/tests/fault/layer.o
	@mkdir -p $(@D)
	@nm $(BUILD)/tests/fault/layer.o | sed -n 's/.* [TW] fault_\(.*\)/\1 fault_\1/p' >$(FAULT)/names
	@objcopy --redefine-syms=$(FAULT)/names $< $@
$(FAULT)/script $(FAULT)/damage: $(FAULT)/%: $(BUILD)/tests/fault/%.o \
    $(patsubst %,$(BUILD)/tests/fault/%.o,session world layer) $(FAULT)/libmaildir.a
	$(UNIT_LD) $(LIBS_maildir)
$(FAULT)/sallyport: $(SERVER) $(BUILD)/tests/fault/arm.o $(BUILD)/tests/fault/layer.o \
    $(FAULT)/libmaildir.a $(BUILD)/libauth.a $(BUILD)/libtls.a
	$(UNIT_LD) $(LIBS_tls) $(LIBS_auth)

# Captured: the program with a hole, through which a test runs an attack in a worker or reader.
CAPTURED = $(BUILD)/captured
captured: $(CAPTURED)/sallyport
$(CAPTURED)/sallyport: LDFLAGS += -Wl,--wrap=channel_line,--wrap=ipc_recv,--wrap=courier_import
$(CAPTURED)/sallyport: $(SERVER) $(call objects,tests/captured) $(ARCHIVES)
	@mkdir -p $(@D)
	$(UNIT_LD) $(LIBS_tls) $(LIBS_auth)

# --- the two commands of the README, and the others ---

demo:
	@etc/need.sh build
	@$(MAKE) --no-print-directory all
	@etc/demo.sh $(BUILD)/sallyport

check:
	@etc/need.sh build test
	@$(MAKE) --no-print-directory all unit fault captured
	@CPATH=$(BUILD) tests/check.sh $(BUILD)

SANITIZERS = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
check-asan:
	@etc/need.sh build test
	@$(MAKE) --no-print-directory BUILD=build-asan OPT='-O1 -g' SANITIZE='$(SANITIZERS)' all unit fault captured
	@tests/check.sh build-asan

# KERNELS: the releases of Debian.  The other settings are in tests/kernels.sh.
check-kernels:
	@etc/need.sh kernels
	@tests/kernels.sh

# CPATH tells clang-tidy where the tables are.
lint:
	@etc/need.sh build test
	@$(MAKE) --no-print-directory tables
	@CPATH=$(BUILD) tests/lint.sh

# Fuzzers need clang.  Each links the whole program but main.
FUZZERS = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(filter-out %/sallyport.o,$(SERVER)) $(ARCHIVES)
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS_tls) $(LIBS_auth)
fuzzers: $(FUZZERS:%=$(BUILD)/fuzz/%)
fuzz:
	@etc/need.sh build test
	@$(MAKE) --no-print-directory BUILD=build-fuzz CC=clang OPT='-O1 -g' \
	    SANITIZE='-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all' fuzzers
	@tests/fuzz/run.sh build-fuzz $(FUZZ_SECONDS)

# Every fault, then many clients at once on one server for SECONDS.  SEED repeats the decisions of a run.
SECONDS = 600
SEED =
torture:
	@etc/need.sh build test
	@$(MAKE) --no-print-directory all fault
	@$(FAULT)/script
	@$(FAULT)/damage || [ $$? = 77 ]
	@PYTHONDONTWRITEBYTECODE=1 SALLYPORT_BUILD=$(BUILD) /usr/bin/python3 tests/torture/torture.py \
	    --seconds $(SECONDS) $(SEED:%=--seed %)

# PEERS: the servers to measure beside sallyport; missing ones are installed in BENCH_DIR; PEERS= for none.
# ROWS: only rows with these words.  QUICK=1: small folders, one round.  VAST=1: also a folder of 300,000.
# README=1: writes the table into tests/bench/README.md.
PEERS = dovecot24 dovecot23 courier solid
BENCH_DIR = /var/cache/sallyport-bench
$(BUILD)/bench/client: $(patsubst %,$(BUILD)/tests/bench/%.o,client conn imap pop3)
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS) -o $@ $^ -lssl -lcrypto
$(BUILD)/bench/mail: $(BUILD)/tests/bench/mail.o
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS) -o $@ $^
bench:
	@etc/need.sh build bench
	@$(MAKE) --no-print-directory all $(BUILD)/bench/client $(BUILD)/bench/mail
	@PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/bench/bench.py $(if $(QUICK),--quick) \
	    $(if $(README),--readme) $(if $(VAST),--vast) --dir '$(BENCH_DIR)' --rows '$(ROWS)' --peers '$(PEERS)' $(BUILD)

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(SYSCONFDIR)/sallyport \
	    $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 755 $(BUILD)/sallyport $(DESTDIR)$(PREFIX)/sbin/
	install -m 644 server/*.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 server/*.8 $(DESTDIR)$(PREFIX)/share/man/man8/
	test -e $(DESTDIR)$(SYSCONFDIR)/sallyport/sallyport.conf || \
	    install -m 644 etc/sallyport.conf $(DESTDIR)$(SYSCONFDIR)/sallyport/

clean:
	rm -rf build build-*

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.PHONY: all unit fault captured tables demo check check-asan check-kernels lint fuzzers fuzz torture bench install clean
.SECONDARY:
