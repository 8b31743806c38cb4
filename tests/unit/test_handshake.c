/* SPDX-License-Identifier: MIT */
/*
 * test_handshake.c - a model of the handshake of handle/caches.h: each order of the steps of an
 * owner and of a closer, each moment at which their stores may reach memory, and each at which they
 * may load what they work with. The two are never at work at once, and neither works with what was
 * loaded before the other ended; and a model without the barrier, the fence, a release or an
 * acquire shows that they are.
 */
#include "support.h"

/* What is stored to. The work of each is two stores: begun, and done. */
enum variable { BUSY, CLOSED, OWNER_WORK, CLOSER_WORK };

enum side { OWNER, CLOSER };

/* How stores that were made reach memory, and when the loads of the work may be made. */
enum ordering {
	TOTAL, /* in order: x86 */
	WEAK   /* in any order; those to one variable in order, and a release after all before it;
		  loads before the look at the other side, unless that acquires */
};

enum barrier {
	BARRIER_NONE,
	BARRIER_OWN, /* the closer's own stores are in memory */
	BARRIER_ALL  /* and the owner's: membarrier(2) */
};

/* What a model lacks. */
enum lack {
	NOTHING = 0,
	OWNER_RELEASE = 1 << 0, /* of its store that it is idle */
	OWNER_ACQUIRE = 1 << 1, /* of its look whether the caches are closed */
	CLOSER_RELEASE = 1 << 2,
	CLOSER_ACQUIRE = 1 << 3,
	ALL_FOUR = 15
};

static const struct model {
	const char *name;
	enum ordering ordering;
	enum barrier barrier;
	bool owner_fences;
	enum lack lacks;
	bool is_safe;
} models[] = {
	{"total order, membarrier", TOTAL, BARRIER_ALL, false, NOTHING, true},
	{"total order, fences", TOTAL, BARRIER_OWN, true, NOTHING, true},
	{"total order, no fence of the owner", TOTAL, BARRIER_OWN, false, NOTHING, false},
	{"total order, no barrier", TOTAL, BARRIER_NONE, true, NOTHING, false},
	{"total order, nothing released or acquired", TOTAL, BARRIER_ALL, false, ALL_FOUR, true},
	{"weak order, membarrier", WEAK, BARRIER_ALL, false, NOTHING, true},
	{"weak order, fences", WEAK, BARRIER_OWN, true, NOTHING, true},
	{"weak order, no fence of the owner", WEAK, BARRIER_OWN, false, NOTHING, false},
	{"weak order, no barrier", WEAK, BARRIER_NONE, true, NOTHING, false},
	{"weak order, no release of the owner", WEAK, BARRIER_ALL, false, OWNER_RELEASE, false},
	{"weak order, no release of the closer", WEAK, BARRIER_ALL, false, CLOSER_RELEASE, false},
	{"weak order, no acquire of the owner", WEAK, BARRIER_ALL, false, OWNER_ACQUIRE, false},
	{"weak order, no acquire of the closer", WEAK, BARRIER_ALL, false, CLOSER_ACQUIRE, false},
	{"fences, no acquire of the owner", WEAK, BARRIER_OWN, true, OWNER_ACQUIRE, false},
	{"fences, no acquire of the closer", WEAK, BARRIER_OWN, true, CLOSER_ACQUIRE, false},
};

#define ROUNDS 2
#define STORES_MAX 5

struct store {
	uint8_t variable, value, release;
};

/* Made and not yet in memory. */
struct stores {
	uint8_t count;
	struct store made[STORES_MAX];
};

/* Of what a side works with: whether it was loaded before the side may work. */
enum early { NOT_LOADED, LOADED, STALE /* the other side has worked since */ };

struct state {
	uint8_t memory[4];
	uint8_t step[2], rounds[2], early[2];
	struct stores stores[2];
};

/* ---- the states that were seen ---- */

#define SEEN (1u << 20)
static struct state seen[SEEN];
static bool is_seen[SEEN];
static unsigned states, ends;
static bool overlapped;

static uint64_t state_hash(const struct state *state)
{
	const unsigned char *bytes = (const unsigned char *)state;
	uint64_t hash = 14695981039346656037u;

	for (size_t index = 0; index < sizeof(*state); index++)
		hash = (hash ^ bytes[index]) * 1099511628211u;
	return hash >> 20;
}

/* False if it was seen before. */
static bool state_add(const struct state *state)
{
	size_t at = state_hash(state) % SEEN;

	for (; is_seen[at]; at = (at + 1) % SEEN)
		if (!memcmp(&seen[at], state, sizeof(*state)))
			return false;
	require(states < SEEN / 2);
	is_seen[at] = true;
	seen[at] = *state;
	states++;
	return true;
}

/* ---- memory ---- */

static bool store_add(struct state *state, enum side side, enum variable variable, uint8_t value,
		      bool release)
{
	struct stores *stores = &state->stores[side];

	if (stores->count == STORES_MAX)
		return false;
	stores->made[stores->count++] = (struct store){(uint8_t)variable, value, release};
	return true;
}

/* A store of the work, begun or done, is to what the other side may have loaded. */
static void loads_age(struct state *state, enum side side, uint8_t variable)
{
	uint8_t *early = &state->early[side == OWNER ? CLOSER : OWNER];

	if ((variable == OWNER_WORK || variable == CLOSER_WORK) && *early)
		*early = STALE;
}

static void store_drain(struct state *state, enum side side, unsigned index)
{
	struct stores *stores = &state->stores[side];

	loads_age(state, side, stores->made[index].variable);
	state->memory[stores->made[index].variable] = stores->made[index].value;
	stores->count--;
	memmove(&stores->made[index], &stores->made[index + 1],
		(stores->count - index) * sizeof(struct store));
	stores->made[stores->count] = (struct store){0, 0, 0};
}

static bool may_drain(const struct stores *stores, unsigned index, enum ordering ordering)
{
	if (ordering == TOTAL || stores->made[index].release)
		return !index;
	for (unsigned before = 0; before < index; before++)
		if (stores->made[before].variable == stores->made[index].variable)
			return false;
	return true;
}

/* A full fence: what was loaded for later is loaded again. */
static void fence(struct state *state, enum side side)
{
	while (state->stores[side].count)
		store_drain(state, side, 0);
	state->early[side] = NOT_LOADED;
}

static bool has_stores_to(const struct state *state, enum side side, enum variable variable)
{
	for (unsigned index = 0; index < state->stores[side].count; index++)
		if (state->stores[side].made[index].variable == variable)
			return true;
	return false;
}

/* ---- the steps ---- */

enum owner_step { OWNER_BUSY, OWNER_FENCE, OWNER_LOOK, OWNER_WORKS, OWNER_IDLE, OWNER_ENDED };
enum closer_step {
	CLOSER_CLOSE,
	CLOSER_BARRIER,
	CLOSER_WAIT,
	CLOSER_WORKS,
	CLOSER_OPEN,
	CLOSER_ENDED
};

static void round_end(struct state *state, enum side side, uint8_t ended)
{
	state->step[side] = ++state->rounds[side] < ROUNDS ? 0 : ended;
}

/* The side may work. */
static bool work_begin(struct state *state, enum side side)
{
	overlapped |= state->early[side] == STALE;
	state->early[side] = NOT_LOADED;
	state->step[side]++;
	return store_add(state, side, side == OWNER ? OWNER_WORK : CLOSER_WORK, 1, false);
}

/* Each step, or false if it cannot be made now. */
static bool owner_step(struct state *state, const struct model *model)
{
	uint8_t *step = &state->step[OWNER];

	switch (*step) {
	case OWNER_BUSY: ++*step; return store_add(state, OWNER, BUSY, 1, false);
	case OWNER_FENCE:
		if (model->owner_fences)
			fence(state, OWNER);
		++*step;
		return true;
	case OWNER_LOOK:
		if (!state->memory[CLOSED])
			return work_begin(state, OWNER);
		state->early[OWNER] = NOT_LOADED;
		*step = OWNER_IDLE;
		return true;
	case OWNER_WORKS: ++*step; return store_add(state, OWNER, OWNER_WORK, 0, false);
	case OWNER_IDLE:
		round_end(state, OWNER, OWNER_ENDED);
		return store_add(state, OWNER, BUSY, 0, !(model->lacks & OWNER_RELEASE));
	default: return false;
	}
}

static bool closer_step(struct state *state, const struct model *model)
{
	uint8_t *step = &state->step[CLOSER];

	switch (*step) {
	case CLOSER_CLOSE: ++*step; return store_add(state, CLOSER, CLOSED, 1, false);
	case CLOSER_BARRIER:
		if (model->barrier != BARRIER_NONE)
			fence(state, CLOSER);
		if (model->barrier == BARRIER_ALL)
			fence(state, OWNER);
		++*step;
		return true;
	case CLOSER_WAIT: return !state->memory[BUSY] && work_begin(state, CLOSER);
	case CLOSER_WORKS: ++*step; return store_add(state, CLOSER, CLOSER_WORK, 0, false);
	case CLOSER_OPEN:
		round_end(state, CLOSER, CLOSER_ENDED);
		return store_add(state, CLOSER, CLOSED, 0, !(model->lacks & CLOSER_RELEASE));
	default: return false;
	}
}

/* Of what it will work with, before it looks whether it may. */
static bool load_early(struct state *state, const struct model *model, enum side side)
{
	bool acquires = !(model->lacks & (side == OWNER ? OWNER_ACQUIRE : CLOSER_ACQUIRE));
	uint8_t look = side == OWNER ? (uint8_t)OWNER_LOOK : (uint8_t)CLOSER_WAIT;

	if (model->ordering == TOTAL || acquires || state->step[side] > look || state->early[side])
		return false;
	state->early[side] = LOADED;
	return true;
}

/* From the decision to work until its last store is in memory. */
static bool is_at_work(const struct state *state, enum side side)
{
	enum variable work = side == OWNER ? OWNER_WORK : CLOSER_WORK;

	return state->step[side] ==
		       (side == OWNER ? (uint8_t)OWNER_WORKS : (uint8_t)CLOSER_WORKS) ||
	       state->memory[work] || has_stores_to(state, side, work);
}

static void explore(const struct state *state, const struct model *model);

static void explore_drains(const struct state *state, const struct model *model, enum side side)
{
	for (unsigned index = 0; index < state->stores[side].count; index++) {
		struct state next = *state;

		if (!may_drain(&state->stores[side], index, model->ordering))
			continue;
		store_drain(&next, side, index);
		explore(&next, model);
	}
}

static void explore(const struct state *state, const struct model *model)
{
	struct state next = *state;

	if (!state_add(state))
		return;
	overlapped |= is_at_work(state, OWNER) && is_at_work(state, CLOSER);
	ends += state->step[OWNER] == OWNER_ENDED && state->step[CLOSER] == CLOSER_ENDED;
	if (owner_step(&next, model))
		explore(&next, model);
	next = *state;
	if (closer_step(&next, model))
		explore(&next, model);
	for (enum side side = OWNER; side <= CLOSER; side++) {
		next = *state;
		if (load_early(&next, model, side))
			explore(&next, model);
	}
	explore_drains(state, model, OWNER);
	explore_drains(state, model, CLOSER);
}

START_TEST(each_order_of_the_steps)
{
	const struct model *model = &models[_i];
	struct state start;

	memset(&start, 0, sizeof(start));
	explore(&start, model);
	ck_assert_uint_gt(states, 500);
	ck_assert_uint_gt(ends, 0);
	ck_assert_msg(overlapped != model->is_safe, "%s: %s", model->name,
		      overlapped ? "both are at work" : "the model sees no mistake");
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("handshake", &tcase, 120);

	tcase_add_loop_test(tcase, each_order_of_the_steps, 0,
			    (int)(sizeof(models) / sizeof(*models)));
	return suite_run(suite);
}
