/* SPDX-License-Identifier: MIT */
/* Loading and planning a workflow, by a runner of the spawner as the daemon has it, beside the Lua
 * interpreter that runs the same file with words that only remember what they were given. Both begin with a
 * new process. */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/frame.h"
#include "bench/measure.h"
#include "bench/server.h"
#include "engine/spawner.h"

static const char stub[] = "local meta = {}\n"
			   "local function new(name) return setmetatable({ name = name }, meta) end\n"
			   "function meta.__index(_, word)\n"
			   "\treturn function(self, value) rawset(self, word, value); return self end\n"
			   "end\n"
			   "all = {}\n"
			   "function task(name) local t = new(name); all[#all + 1] = t; return t end\n"
			   "workflow = { define = new }\n";

struct load {
	struct seed seed;
	struct spawner *spawner;
	struct ev_loop *loop;
	pid_t pid; /* of the runner that was started last */
	char *work, *script, *file, *text;
	char program[4200];
};

static void started(void *userdata, int64_t run_id, pid_t pid)
{
	struct load *load = userdata;

	load->pid = pid;
}

static void exited(void *userdata, pid_t pid, int status)
{
}

static void died(void *userdata)
{
	die("the spawner is gone");
}

static const struct spawner_callbacks spawner_callbacks = { started, exited, died };

/* What the daemon sends; `loaded` is the answer. */
static void load_once(void *data)
{
	struct load *load = data;
	static const char head[] = "{\"op\": \"run\", \"run\": 1, \"file\": \"many.sloth\", \"workdir\": "
				   "\"/nowhere\", \"values\": {}, "
				   "\"options\": {}, \"resume\": null, \"stack\": null, "
				   "\"limits\": {\"max_parallel_tasks\": 4, \"memory_bytes\": 536870912}}";
	CLEANUP(buffer_done) struct buffer buffer = { 0 };
	struct frame frame;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		die("socketpair failed");
	load->pid = 0;
	if (spawner_spawn(load->spawner, &(struct spawn){ .ticket = 1,
						 .uid = geteuid(),
						 .gid = getegid(),
						 .program = load->program,
						 .work = load->work,
						 .mark = "SLOTH_BENCH=1",
						 .cgroup = "",
						 .fd = fds[1] }) < 0)
		die("%s can't be started", load->program);
	close(fds[1]);
	frame_send(fds[0], head, strlen(head), load->text, strlen(load->text));
	if (frame_receive(fds[0], &buffer, &frame) < 0 || !strstr(frame.head, "\"loaded\""))
		die("%s does not load: %s", load->file, frame.head);
	while (!load->pid)
		ev_run(load->loop, EVRUN_NOWAIT);
	kill(load->pid, SIGKILL);
	close(fds[0]);
}

static void interpret_once(void *data)
{
	struct load *load = data;
	const char *argv[] = { "lua5.4", load->script, NULL };

	process_wait(process_start(argv));
}

static void compare_load(const struct bench *bench, int count, double aim)
{
	CLEANUP(cleanup_free) char *name = text_of("load-%d", count);
	CLEANUP(cleanup_free) char *script = NULL;
	struct load load = { .loop = ev_loop_new(EVFLAG_AUTO),
		.work = text_of("%s/load-%d", bench->directory, count),
		.script = text_of("%s/load-%d.lua", bench->directory, count),
		.file = text_of("%s.sloth", name),
		.text = text_of("local tasks = {}\n"
				"for i = 1, %d do\n"
				"\tlocal t = task(\"t\" .. i):description(\"task \" .. i):command(\"true\")\n"
				"\tif i > 1 then t:depends_on({ \"t\" .. i // 2 }) end\n"
				"\ttasks[i] = t:timeout(\"5m\"):retries(2):build()\n"
				"end\n"
				"workflow.define(\"many\"):tasks(tasks):config({ max_parallel_tasks = 2 })\n",
			count) };

	script = text_of("%s%s", stub, load.text);
	file_write(load.script, script);
	spawner_find_program(load.program, sizeof(load.program));
	if (!load.loop || seed_start(&load.seed) < 0 || spawner_start(&load.seed, &load.spawner) < 0)
		die("the spawner can't be started");
	spawner_attach(load.spawner, load.loop, &spawner_callbacks, &load);
	compare(&(struct comparison){ .name = name,
		.against = "lua5.4 with the same file",
		.unit = "us",
		.aim = aim,
		.rounds = bench->rounds,
		.samples = 50,
		.ours = { load_once, &load },
		.floor = { interpret_once, &load } });
	spawner_free(load.spawner);
	seed_done(&load.seed);
	ev_loop_destroy(load.loop);
	free(load.work);
	free(load.script);
	free(load.file);
	free(load.text);
}

void case_load(const struct bench *bench)
{
	compare_load(bench, 5, 2);
	compare_load(bench, 1000, 1.5);
}
