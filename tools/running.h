/* SPDX-License-Identifier: MIT */
/*
 * running.h - which processes of a table run on when the program has ended: by who has the table
 * mapped (sharers.h), by what the table tells, and by a lock on it that lasts as long as they do.
 */
#ifndef TOOLS_RUNNING_H
#define TOOLS_RUNNING_H

#include "handover.h"

/*
 * Their number. *unsure: some of them may have ended, for they have not registered and may not be
 * looked at, or /proc tells nothing.
 */
size_t running_count(const struct handover *handover, bool *unsure);

/* What so many processes do: "run", or as is right. */
const char *running_verb(size_t running, bool unsure);

#define RUNNING_ADVICE                                                                             \
	"what is needed later is not counted\n"                                                    \
	"  (a daemon is measured to its end if it stays in the foreground)"

#endif
