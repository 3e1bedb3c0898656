/* SPDX-License-Identifier: MIT */
/* Workflows: the text is loaded as a run loads it, its plan and its graph are made. Nothing acts while it
 * loads. */
int runner_program(int argc, char **argv);
#define main runner_program
#include "lua/runner.c"
#undef main

#include "tests/fuzz/input.h"

enum { LOADING_MS = 300, MEMORY = 64 << 20 };

static struct runner runner;

/* What is told to the daemon is thrown away. */
static void begin(void)
{
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	must(dup2(pair[0], DAEMON_FD) == DAEMON_FD);
	if (pair[0] != DAEMON_FD)
		close(pair[0]);
	if (pair[1] != DAEMON_FD)
		close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	const char *const files[] = { "fuzz.sloth", "fuzz.yaml" };
	const char *file = files[input_byte(&input) & 1];
	struct fault fault = { 0 };
	json_t *head;
	int r;

	begin();
	runner = (struct runner){ 0 };
	must(runner_init(&runner) == 0);
	head = json_pack("{ss ss s{} s{} s{si si}}", "file", file, "workdir", "/tmp", "values", "options",
		"limits", "memory_bytes", MEMORY, "loading_ms", LOADING_MS);
	must(head);
	r = runner_prepare(&runner, head, &fault);
	must(r == 0);
	r = runner_load_text(&runner, (const char *)input.at, input.left, &fault);
	if (r < 0)
		must(fault.code && *fault.text);
	else
		must(runner.workflow);
	json_decref(head);
	runner_done(&runner);
	return 0;
}
