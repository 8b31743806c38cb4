/* SPDX-License-Identifier: MIT */
/*
 * test_version.c - the version of the library and that of its header.
 */
#include "support.h"

START_TEST(version)
{
	ck_assert_str_eq(bheap_version(), BHEAP_VERSION_STRING);
	ck_assert_int_eq(BHEAP_VERSION_NUMBER, BHEAP_VERSION_MAJOR * 10000 +
						       BHEAP_VERSION_MINOR * 100 +
						       BHEAP_VERSION_PATCH);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("version", &tcase, 10);

	tcase_add_test(tcase, version);
	return suite_run(suite);
}
