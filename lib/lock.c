/* SPDX-License-Identifier: MIT */
/*
 * lock.c - private and process-shared mutexes, and what a fork or a death does to them.
 * A fork may copy a heap while another thread is inside it: the child finds its lock stale, makes
 * a new one, and treats the copy as torn, as if that thread had been killed. So heaps need no list.
 */
#include "lock.h"

#include <errno.h>
#include <unistd.h>

unsigned bh_lock_generation;

static pthread_mutex_t renew_lock = PTHREAD_MUTEX_INITIALIZER;
static int fork_error;

static void fork_child(void)
{
	pthread_mutex_init(&renew_lock, NULL);
	bh_lock_generation++;
}

/* When the library is loaded: pthread_once() would make a system call in bheap_create_in(). */
__attribute__((constructor)) static void fork_watch(void)
{
	fork_error = pthread_atfork(NULL, NULL, fork_child);
}

/* Spins a little before it sleeps: the lock is held for a few hundred instructions. */
static int own_init(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attributes;
	int error = pthread_mutexattr_init(&attributes);

	if (error)
		return error;
	error = pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
	if (!error)
		error = pthread_mutex_init(mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return error;
}

int bh_lock_init_shared(pthread_mutex_t *shared)
{
	pthread_mutexattr_t attributes;
	int error = pthread_mutexattr_init(&attributes);

	if (error)
		return error;
	error = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	if (!error)
		error = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	/* Who holds it, by another handle or below a signal handler, is refused instead of hanging. */
	if (!error)
		error = pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	if (!error)
		error = pthread_mutex_init(shared, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return error;
}

int bh_lock_init(struct bh_lock *lock, enum bh_lock_kind kind, pthread_mutex_t *shared)
{
	int error = 0;

	*lock = (struct bh_lock){.kind = kind, .shared = shared};
	if (kind != BH_LOCK_NONE) {
		error = fork_error ? fork_error : own_init(&lock->own);
		lock->generation = bh_lock_generation;
	}
	if (error)
		errno = error;
	return error ? -1 : 0;
}

void bh_lock_destroy(struct bh_lock *lock)
{
	if (lock->kind != BH_LOCK_NONE && lock->generation == bh_lock_generation)
		pthread_mutex_destroy(&lock->own);
}

/* In the child of a fork: the first thread here makes the lock anew. */
static void own_renew(struct bh_lock *lock)
{
	pthread_mutex_lock(&renew_lock);
	if (lock->generation != bh_lock_generation) {
		own_init(&lock->own);
		lock->torn = lock->torn || lock->held;
		__atomic_store_n(&lock->generation, bh_lock_generation, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&renew_lock);
}

static enum bh_lock_result lock_refused(int error)
{
	errno = error;
	return BH_LOCK_REFUSED;
}

static enum bh_lock_result shared_acquire(struct bh_lock *lock)
{
	int error = pthread_mutex_lock(lock->shared);

	if (error == EOWNERDEAD)
		return BH_LOCK_TORN;
	return error ? lock_refused(error) : BH_LOCK_HELD;
}

/*
 * A fork during a walk: in the child the walker is the thread that forked, now the first one, or is
 * not there any more, and a new thread may have got its identity.
 */
bool bh_lock_is_walking(const struct bh_lock *lock)
{
	if (BH_LIKELY(__atomic_load_n(&lock->walker, __ATOMIC_RELAXED) != pthread_self()))
		return false;
	return __atomic_load_n(&lock->walk_generation, __ATOMIC_RELAXED) == bh_lock_generation ||
	       gettid() == getpid();
}

static enum bh_lock_result own_acquire(struct bh_lock *lock)
{
	pthread_mutex_lock(&lock->own);
	lock->held = true;
	return lock->torn ? BH_LOCK_TORN : BH_LOCK_HELD;
}

static void own_renew_after_fork(struct bh_lock *lock)
{
	if (__atomic_load_n(&lock->generation, __ATOMIC_ACQUIRE) != bh_lock_generation)
		own_renew(lock);
}

enum bh_lock_result bh_lock_hold(struct bh_lock *lock)
{
	if (bh_lock_is_walking(lock))
		return lock_refused(EDEADLK);
	switch (lock->kind) {
	case BH_LOCK_NONE:
		return BH_LOCK_SKIPPED;
	case BH_LOCK_SHARED:
		own_renew_after_fork(lock);
		return shared_acquire(lock);
	default:
		own_renew_after_fork(lock);
		return own_acquire(lock);
	}
}

enum bh_lock_result bh_lock_acquire(struct bh_lock *lock)
{
	if (lock->kind == BH_LOCK_PRIVATE && !bh_lock_is_walking(lock)) {
		own_renew_after_fork(lock);
		if (__libc_single_threaded && !lock->torn)
			return BH_LOCK_SKIPPED;
	}
	return bh_lock_hold(lock);
}

void bh_lock_walk(struct bh_lock *lock, bool walking)
{
	__atomic_store_n(&lock->walk_generation, bh_lock_generation, __ATOMIC_RELAXED);
	__atomic_store_n(&lock->walker, walking ? pthread_self() : 0, __ATOMIC_RELAXED);
}

void bh_lock_repaired(struct bh_lock *lock)
{
	if (lock->kind == BH_LOCK_SHARED)
		pthread_mutex_consistent(lock->shared);
	lock->torn = false;
}

void bh_lock_release(struct bh_lock *lock)
{
	lock->held = false;
	if (lock->kind == BH_LOCK_SHARED)
		pthread_mutex_unlock(lock->shared);
	else
		pthread_mutex_unlock(&lock->own);
}
