# SPDX-License-Identifier: MIT
# What people who use the library touch: the examples, the headers, the debugger, the probes, and
# the reports of memcheck and AddressSanitizer.

%C%_scripts = \
	%D%/annotate.sh \
	%D%/attributes.sh \
	%D%/damages.sh \
	%D%/examples.sh \
	%D%/gdb.sh \
	%D%/header.sh \
	%D%/leaks.sh \
	%D%/probes.sh \
	%D%/resource.sh \
	%D%/warnings.sh
dist_check_SCRIPTS += $(%C%_scripts)
TESTS += $(%C%_scripts)
EXTRA_DIST += \
	%D%/common.sh \
	%D%/damages.c \
	%D%/damages.py \
	%D%/debuggee.c \
	%D%/valid_use.c \
	%D%/misuse.c \
	%D%/observed.c \
	%D%/orders.json \
	%D%/orders.out \
	%D%/resource.cpp \
	%D%/typed.c \
	%D%/usable.c \
	%D%/annotate.c
AM_TESTS_ENVIRONMENT += CXX='$(CXX)' CXXFLAGS='$(CXXFLAGS)'; export CXX CXXFLAGS;
