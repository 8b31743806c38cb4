# SPDX-License-Identifier: MIT
# The manual pages; tests/man/ holds them.
dist_man_MANS = \
	%D%/balloc.3 \
	%D%/bfree.3 \
	%D%/bheap.1 \
	%D%/bheap.7 \
	%D%/bheap_aligned_alloc.3 \
	%D%/bheap_aligned_realloc.3 \
	%D%/bheap_alloc.3 \
	%D%/bheap_alloc_into.3 \
	%D%/bheap_calloc.3 \
	%D%/bheap_check.3 \
	%D%/bheap_close.3 \
	%D%/bheap_create.3 \
	%D%/bheap_create_in.3 \
	%D%/bheap_default.3 \
	%D%/bheap_destroy.3 \
	%D%/bheap_display.3 \
	%D%/bheap_free.3 \
	%D%/bheap_free_from.3 \
	%D%/bheap_limit.3 \
	%D%/bheap_offset.3 \
	%D%/bheap_open.3 \
	%D%/bheap_open_fd.3 \
	%D%/bheap_owns.3 \
	%D%/bheap_pointer.3 \
	%D%/bheap_realloc.3 \
	%D%/bheap_reclaim.3 \
	%D%/bheap_reset.3 \
	%D%/bheap_resize.3 \
	%D%/bheap_root.3 \
	%D%/bheap_root_alloc.3 \
	%D%/bheap_set_fault_handler.3 \
	%D%/bheap_set_limit.3 \
	%D%/bheap_set_refusal_handler.3 \
	%D%/bheap_set_root.3 \
	%D%/bheap_stats.3 \
	%D%/bheap_sync.3 \
	%D%/bheap_trim.3 \
	%D%/bheap_unlink.3 \
	%D%/bheap_usable_size.3 \
	%D%/bheap_version.3 \
	%D%/bheap_walk.3 \
	%D%/disp_heap.3 \
	%D%/init_heap.3 \
	%D%/libbheap-malloc.7 \
	%D%/libbheap.7
