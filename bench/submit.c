/* SPDX-License-Identifier: MIT */
/* Running a workflow through the mount. */
#include "bench/submit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/bench.h"

void workflow_init(struct workflow *workflow, const char *mount, const char *name, const char *text)
{
	char *folder = text_of("%s/stacks/%s", mount, name);

	if (mkdir(folder, 0755) < 0)
		die("%s: %s", folder, strerror(errno));
	workflow->text = text;
	workflow->file = text_of("%s/runs/%s.sloth", folder, name);
	workflow->wait = text_of("%s/runs/latest/wait", folder);
	free(folder);
}

void workflow_done(struct workflow *workflow)
{
	free(workflow->file);
	free(workflow->wait);
}

void workflow_run(void *data)
{
	struct workflow *workflow = data;
	char status[64];

	file_write(workflow->file, workflow->text);
	file_read(workflow->wait, status, sizeof(status));
	if (strcmp(status, "success\n") != 0)
		die("%s: %s", workflow->wait, status);
}
