/* SPDX-License-Identifier: MIT */
/*
 * test_region.c - mappings: inaccessible pages where they must be, nothing left after an end or a
 * failure, and pages given back that read as zero.
 */
#include "support.h"

#include <sys/mman.h>
#include <unistd.h>

#include "os/region.h"

/* A multiple of the page that is more than any address space has. */
#define IMPOSSIBLE ((SIZE_MAX / 16 + 1) * 15)

static size_t page;

static void setup(void)
{
	page = bh_region_page();
	ck_assert_uint_eq(page, (size_t)sysconf(_SC_PAGESIZE));
}

START_TEST(inaccessible_pages_around_the_back)
{
	struct bh_region region;
	const char *back;

	ck_assert_int_eq(bh_region_map(&region, 2 * page, 3 * page), 0);
	back = region.start + 3 * page;
	ck_assert_uint_eq(region.size, 7 * page);
	ck_assert_int_eq(region.fd, -1);
	ck_assert_str_eq(protection_of(region.start), "rw-p");
	ck_assert_str_eq(protection_of(back - page - 1), "rw-p");
	ck_assert_str_eq(protection_of(back - page), "---p");
	ck_assert_str_eq(protection_of(back - 1), "---p");
	ck_assert_str_eq(protection_of(back), "rw-p");
	ck_assert_str_eq(protection_of(back + 3 * page - 1), "rw-p");
	ck_assert_str_eq(protection_of(back + 3 * page), "---p");
	ck_assert_int_eq(bh_region_unmap(&region), 0);
}
END_TEST

START_TEST(nothing_is_left_after_unmap)
{
	struct bh_region region;
	size_t before = mappings_count();

	for (int round = 0; round < 20; round++) {
		ck_assert_int_eq(bh_region_map(&region, page, 16 * page), 0);
		ck_assert_int_eq(bh_region_unmap(&region), 0);
	}
	ck_assert_uint_eq(mappings_count(), before);
}
END_TEST

START_TEST(the_impossible_is_refused)
{
	struct bh_region region = {.start = NULL};
	size_t before = mappings_count();

	if (is_watched()) /* tools have an errno of their own for it */
		return;
	ck_assert_int_eq(bh_region_map(&region, page, IMPOSSIBLE), -1);
	ck_assert_errno(ENOMEM);
	ck_assert_ptr_null(region.start);
	ck_assert_uint_eq(mappings_count(), before);
}
END_TEST

START_TEST(a_callers_memory_is_not_unmapped)
{
	struct bh_region region = {.fd = -1};
	char buffer[64];

	ck_assert_int_eq(bh_region_unmap(&region), 0);
	ck_assert_uint_eq(bh_region_decommit(&region, buffer, sizeof(buffer)), 0);
}
END_TEST

START_TEST(given_back_pages_are_zero)
{
	struct bh_region region;
	char *back;

	ck_assert_int_eq(bh_region_map(&region, page, 8 * page), 0);
	back = region.start + 2 * page;
	memset(back, 1, 8 * page);
	ck_assert_uint_eq(bh_region_decommit(&region, back + 1, 3 * page), 2 * page);
	ck_assert_int_eq(back[page - 1], 1);
	for (size_t index = page; index < 3 * page; index++)
		require_equal(back[index], 0);
	ck_assert_int_eq(back[3 * page], 1);
	ck_assert_uint_eq(bh_region_decommit(&region, back + 1, 2 * page - 2), 0);
	ck_assert_uint_eq(bh_region_decommit(&region, back + page, page - 1), 0);
	ck_assert_uint_eq(bh_region_decommit(&region, back, 0), 0);
	ck_assert_int_eq(bh_region_unmap(&region), 0);
}
END_TEST

static int file_make(size_t size)
{
	int fd = memfd_create("region", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bh_region_resize(fd, size, true), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), (off_t)size);
	return fd;
}

START_TEST(attached_regions_share_a_file)
{
	struct bh_region first = {.fd = file_make(4 * page)}, second = first;

	ck_assert_int_eq(bh_region_attach(&first, 4 * page, false), 0);
	ck_assert_int_eq(bh_region_attach(&second, 4 * page, true), 0);
	ck_assert_ptr_ne(first.start, second.start);
	ck_assert_str_eq(protection_of(first.start), "rw-s");
	ck_assert_str_eq(protection_of(second.start), "r--s");
	first.start[2 * page] = 'x';
	ck_assert_int_eq(second.start[2 * page], 'x');
	ck_assert_int_eq(bh_region_sync(&first), 0);
	ck_assert_uint_eq(bh_region_decommit(&first, first.start + page, 3 * page), 3 * page);
	if (!is_emulated())
		ck_assert_int_eq(second.start[2 * page], 0);
	ck_assert_int_eq(bh_region_unmap(&first), 0);
	ck_assert_int_eq(bh_region_unmap(&second), 0);
	close(first.fd);
}
END_TEST

START_TEST(attach_of_what_is_no_file)
{
	struct bh_region region = {.fd = -1};

	ck_assert_int_eq(bh_region_attach(&region, page, false), -1);
	ck_assert_errno(EBADF);
	ck_assert_ptr_null(region.start);
	ck_assert_int_eq(bh_region_resize(-1, page, false), -1);
	ck_assert_errno(EBADF);
}
END_TEST

START_TEST(pages_beside_a_region)
{
	size_t before = mappings_count();
	char *pages = bh_region_pages(2 * page);

	ck_assert_ptr_nonnull(pages);
	ck_assert_int_eq(pages[0] | pages[2 * page - 1], 0);
	ck_assert_int_eq(bh_region_pages_free(pages, 2 * page), 0);
	ck_assert_uint_eq(mappings_count(), before);
	if (is_watched())
		return;
	ck_assert_ptr_null(bh_region_pages(IMPOSSIBLE));
	ck_assert_errno(ENOMEM);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("region", &tcase, 10);

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, inaccessible_pages_around_the_back);
	tcase_add_test(tcase, nothing_is_left_after_unmap);
	tcase_add_test(tcase, the_impossible_is_refused);
	tcase_add_test(tcase, a_callers_memory_is_not_unmapped);
	tcase_add_test(tcase, given_back_pages_are_zero);
	tcase_add_test(tcase, attached_regions_share_a_file);
	tcase_add_test(tcase, attach_of_what_is_no_file);
	tcase_add_test(tcase, pages_beside_a_region);
	return suite_run(suite);
}
