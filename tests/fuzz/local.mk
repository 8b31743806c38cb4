# SPDX-License-Identifier: MIT
# Fuzz targets. make check replays the seeds; make fuzz builds the targets for libFuzzer (README.md).

if HAVE_CHECK
fuzz_targets = %D%/fuzz_api %D%/fuzz_file
check_PROGRAMS += $(fuzz_targets)
TESTS += $(fuzz_targets)

# What the model asserts with makes a jump that only Check's runner awaits: fuzz_api.c has its own.
FUZZ_WRAP = -Wl,--wrap=_ck_assert_failed

%C%_fuzz_api_SOURCES = %D%/fuzz_api.c %D%/input.h %D%/replay.c
%C%_fuzz_api_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"corpus/api"'
%C%_fuzz_api_LDFLAGS = $(FUZZ_WRAP)

%C%_fuzz_file_SOURCES = %D%/fuzz_file.c %D%/input.h %D%/replay.c
%C%_fuzz_file_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"corpus/file"'
%C%_fuzz_file_LDADD = $(TEST_LIBS)
endif

EXTRA_DIST += %D%/README.md %D%/corpus

FUZZ_CC = clang
FUZZ_SANITIZERS = address,undefined
FUZZ_CFLAGS = -g -O1 -fno-omit-frame-pointer -fno-sanitize-recover=undefined
FUZZ_FOLDER = %D%/$(FUZZ_SANITIZERS)
FUZZ_BUILD = $(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer,$(FUZZ_SANITIZERS) $(DEFS) \
	-DBH_ASSERTIONS -I. \
	$(LIB_CPPFLAGS) $(TEST_CPPFLAGS) \
	$(addprefix $(srcdir)/,$(filter %.c,$(lib_libbheap_core_la_SOURCES)))
FUZZ_LIBS = $(CHECK_LIBS) $(PTHREAD_CFLAGS)

.PHONY: fuzz
fuzz: config.h
	$(MKDIR_P) $(FUZZ_FOLDER)
	$(FUZZ_BUILD) $(srcdir)/tests/support/model.c $(srcdir)/tests/support/support.c $(srcdir)/%D%/fuzz_api.c \
		$(FUZZ_WRAP) $(FUZZ_LIBS) -o $(FUZZ_FOLDER)/fuzz_api
	$(FUZZ_BUILD) $(srcdir)/%D%/fuzz_file.c $(FUZZ_LIBS) -o $(FUZZ_FOLDER)/fuzz_file

clean-local: fuzz-clean
.PHONY: fuzz-clean
fuzz-clean:
	rm -rf $(FUZZ_FOLDER)
