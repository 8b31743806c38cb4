/* SPDX-License-Identifier: MIT */
/*
 * wraps.h - names of functions that the linker's --wrap replaces: where a long has 32 bits, those
 * that have an off_t or a time_t in them are known to the linker by other names (m4/bheap_wraps.m4
 * has them too). Comes before the functions' declarations.
 */
#ifndef TEST_WRAPS_H
#define TEST_WRAPS_H

#include <features.h>

#if __SIZEOF_LONG__ == 4
#pragma redefine_extname __real_ftruncate __real_ftruncate64
#pragma redefine_extname __wrap_ftruncate __wrap_ftruncate64
#pragma redefine_extname __real_mmap __real_mmap64
#pragma redefine_extname __wrap_mmap __wrap_mmap64
#pragma redefine_extname __real_open __real_open64
#pragma redefine_extname __wrap_open __wrap_open64
#pragma redefine_extname __real_posix_fallocate __real_posix_fallocate64
#pragma redefine_extname __wrap_posix_fallocate __wrap_posix_fallocate64
#pragma redefine_extname __real_pread __real_pread64
#pragma redefine_extname __wrap_pread __wrap_pread64
#pragma redefine_extname __real_pwrite __real_pwrite64
#pragma redefine_extname __wrap_pwrite __wrap_pwrite64
#ifdef __USE_TIME_BITS64
#pragma redefine_extname __real_fcntl __real___fcntl_time64
#pragma redefine_extname __wrap_fcntl __wrap___fcntl_time64
#pragma redefine_extname __real_fstat __real___fstat64_time64
#pragma redefine_extname __wrap_fstat __wrap___fstat64_time64
#pragma redefine_extname __real_stat __real___stat64_time64
#pragma redefine_extname __wrap_stat __wrap___stat64_time64
#else
#pragma redefine_extname __real_fcntl __real_fcntl64
#pragma redefine_extname __wrap_fcntl __wrap_fcntl64
#pragma redefine_extname __real_fstat __real_fstat64
#pragma redefine_extname __wrap_fstat __wrap_fstat64
#pragma redefine_extname __real_stat __real_stat64
#pragma redefine_extname __wrap_stat __wrap_stat64
#endif
#endif

#endif
