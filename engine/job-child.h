/* SPDX-License-Identifier: MIT */
#pragma once
/* The other side of job.h: what the child does. */

/* `arguments`: the job's name, the home, and what the job takes. Prints the answer on standard output; the
 * exit status. */
int job_child(int count, char **arguments);
