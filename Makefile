# sallyport: a POP3 and IMAP server for Maildirs.
#
#   make              build/sallyport
#   make demo         install what is missing, build, run with a sample mailbox
#   make check        install what the tests need, build, lint, run every test
#   make check-asan   the same tests with AddressSanitizer and UBSan
#   make fuzz         every fuzzer for FUZZ_SECONDS each
#   make install      DESTDIR, PREFIX
#
# BUILD names the build folder, so that builds with other flags lie side by side.

VERSION = 0.1
PREFIX = /usr/local
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
	-Wcast-qual -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wimplicit-fallthrough
HARDEN = -fPIE -fstack-protector-strong -fno-strict-aliasing -fcf-protection
ifeq ($(SANITIZE),)
HARDEN += -D_FORTIFY_SOURCE=2
endif
CPPFLAGS += -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DSALLYPORT_VERSION='"$(VERSION)"' \
	-DSALLYPORT_ETC='"$(PREFIX)/etc"'
CFLAGS += -std=c11 $(OPT) $(WARN) $(WERROR) $(HARDEN) $(SANITIZE) -MMD -MP
LDFLAGS += -pie -Wl,-z,relro,-z,now,-z,noexecstack $(SANITIZE)
LIBS_tls = -lmbedtls -lmbedx509 -lmbedcrypto
LIBS_auth = -lcrypt
LIBS_maildir =

LIBRARIES = auth maildir tls
ARCHIVES = $(LIBRARIES:%=$(BUILD)/lib%.a)
objects = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)/*.c))
SERVER = $(call objects,server) $(call objects,server/pop3)
UNIT = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))

all: $(BUILD)/sallyport

$(BUILD)/sallyport: $(SERVER) $(ARCHIVES)
	$(CC) $(LDFLAGS) -o $@ $(SERVER) $(ARCHIVES) $(LIBS_tls) $(LIBS_auth)

$(BUILD)/libauth.a: $(call objects,auth)
$(BUILD)/libmaildir.a: $(call objects,maildir)
$(BUILD)/libtls.a: $(call objects,tls)
$(ARCHIVES):
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# Unit tests: a leaf library's test (test_<library>_*.c) links that library and nothing else;
# the server's link everything but main.
unit: $(UNIT)
UNIT_LD = $(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^)
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

clean:
	rm -rf build build-*

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.PHONY: all unit clean
.SECONDARY:
