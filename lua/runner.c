/* SPDX-License-Identifier: MIT */
/*
 * sloth-runner: executes one run. The daemon starts it with the submitter's rights and one end of a socket
 * pair as descriptor 3 (doc/protocol.md, "Runners").
 */
#include "lua/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/process.h"
#include "build.h"
#include "engine/spawner-serve.h"
#include "lua/check.h"
#include "lua/detect.h"
#include "lua/exec.h"
#include "lua/scope.h"
#include "lua/spawn.h"
#include "lua/supervise.h"
#include "lua/value.h"
#include "lua/watch.h"
#include "lua/web.h"
#include "lua/workflow.h"

enum { DAEMON_FD = 3, GRACE_MS = 10000 };

static const char ROOM[] = "room on the line to the daemon";

int runner_wait_room(lua_State *L)
{
	return fiber_park(L, ROOM, NULL, NULL, NULL);
}

static void runner_room(struct link *link)
{
	struct runner *runner = link->userdata;
	struct scope *scope;
	struct fiber *fiber;

	exec_pause_all(runner, false);
	LIST_FOREACH (scope, &runner->scopes, link)
		TAILQ_FOREACH (fiber, &scope->fibers, link)
			if (fiber->waits_for == ROOM)
				fiber_wake(fiber);
}

void runner_leave(struct runner *runner, int exit_status)
{
	runner->last_seq = runner->link.seq;
	runner->exit_status = exit_status;
	if (runner->abandoned)
		ev_break(runner->loop, EVBREAK_ALL);
}

/* Frames. */

static char *copy_text(json_t *head, const char *name)
{
	const char *text = json_string_value(json_object_get(head, name));

	return text ? strdup(text) : NULL;
}

static void replace_text(char **text, json_t *head, const char *name)
{
	if (!json_object_get(head, name))
		return;
	free(*text);
	*text = copy_text(head, name);
}

static void replace_json(json_t **json, json_t *head, const char *name)
{
	json_decref(*json);
	*json = json_incref(json_object_get(head, name));
}

static void refuse(struct runner *runner, const struct fault *fault)
{
	link_send(&runner->link,
		json_pack("{ss ss so}", "op", "refused", "errno", fault_errno_name(fault->code), "text",
			value_text(fault->text, strlen(fault->text))));
	runner_leave(runner, 0);
}

/* Puts the values where the workflow sees them; the same table both times. */
static int set_values(lua_State *L)
{
	struct runner *runner = runner_of(L);

	vm_push_library(L, "prelude");
	lua_getfield(L, -1, "set_values");
	value_push(L, runner->values);
	lua_call(L, 1, 0);
	return 0;
}

static int runner_set_values(struct runner *runner, struct fault *fault)
{
	lua_pushcfunction(runner->vm.L, set_values);
	if (vm_call(&runner->vm, 0, 0) == LUA_OK)
		return 0;
	return fault_set(fault, EINVAL, "values: %s", lua_tostring(runner->vm.L, -1));
}

static int64_t limit_of(const json_t *limits, const char *name, int64_t otherwise)
{
	const json_t *value = json_object_get(limits, name);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

int runner_prepare(struct runner *runner, json_t *head, struct fault *fault)
{
	json_t *limits = json_object_get(head, "limits");
	const char *socket = json_string_value(json_object_get(head, "socket"));
	const char *secret = json_string_value(json_object_get(head, "secret"));
	int r;

	runner->begun = true;
	runner->id = json_integer_value(json_object_get(head, "run"));
	replace_text(&runner->file, head, "file");
	replace_text(&runner->stack, head, "stack");
	replace_text(&runner->workdir, head, "workdir");
	leaves_set(&runner->leaves, copy_text(head, "cgroup"));
	replace_json(&runner->values, head, "values");
	replace_json(&runner->options, head, "options");
	replace_json(&runner->resume, head, "resume");
	replace_json(&runner->imports, head, "imports");
	replace_text(&runner->local_agents, head, "local_agents");
	runner->parallel_limit = (int)json_integer_value(json_object_get(limits, "max_parallel_tasks"));
	if (!runner->file || !runner->workdir)
		return fault_set(fault, EINVAL, "the frame 'run' lacks 'file' or 'workdir'");
	if (socket && secret && link_identify(&runner->link, runner->id, secret, socket) < 0)
		return fault_set(fault, ENOMEM, "not enough memory");
	r = runner->vm.L ? 0 : vm_init(&runner->vm, runner);
	runner->vm.limit = (size_t)json_integer_value(json_object_get(limits, "memory_bytes"));
	if (r == 0)
		r = sched_init(&runner->sched, runner->loop, runner->vm.L);
	if (r < 0)
		return fault_set(fault, -r, "can't make the Lua state: %s", strerror(-r));
	runner->image_limit = limit_of(limits, "max_before_image", 1 << 20);
	runner->unpacked_size = limit_of(limits, "max_unpacked_size", INT64_C(4) << 30);
	runner->unpacked_files = limit_of(limits, "max_unpacked_files", 100000);
	runner->loading_ms = json_integer_value(json_object_get(limits, "loading_ms"));
	return runner_set_values(runner, fault);
}

int runner_load_text(struct runner *runner, const char *text, size_t size, struct fault *fault)
{
	int r;

	sched_loading(&runner->sched, runner->loading_ms);
	r = workflow_new(runner, text, size, &runner->workflow, fault);
	sched_loading(&runner->sched, 0);
	return r;
}

int runner_load(struct runner *runner, json_t *head, const struct frame *frame, struct fault *fault)
{
	int r = runner_prepare(runner, head, fault);

	return r < 0 ? r : runner_load_text(runner, frame->body, frame->body_size, fault);
}

static void on_run(struct runner *runner, json_t *head, const struct frame *frame)
{
	struct fault fault = { 0 };

	if (runner->begun)
		return;
	FAILPOINT("runner.run");
	if (runner_load(runner, head, frame, &fault) < 0 || workflow_report(runner->workflow, &fault) < 0)
		refuse(runner, &fault);
}

static void on_start(struct runner *runner, json_t *head, const struct frame *frame)
{
	struct fault fault = { 0 };
	const char *name;
	json_t *value;

	if (!runner->workflow || runner->workflow->phase != PHASE_LOADED)
		return;
	replace_text(&runner->stack, head, "stack");
	runner->token = json_integer_value(json_object_get(head, "token"));
	json_object_foreach (json_object_get(head, "env"), name, value)
		if (json_is_string(value))
			environment_set(&runner->environment, name, json_string_value(value));
	if (json_is_object(json_object_get(head, "values"))) {
		replace_json(&runner->values, head, "values");
		if (runner_set_values(runner, &fault) < 0)
			log_error("%s", fault.text);
	}
	workflow_start(runner->workflow);
}

static void runner_cancel(struct runner *runner, int64_t grace_ms)
{
	if (runner->last_seq)
		return; /* it is over anyway */
	if (runner->detect)
		detect_cancel(runner->detect);
	else if (runner->workflow)
		workflow_cancel(runner->workflow, grace_ms);
	else
		ev_break(runner->loop, EVBREAK_ALL);
}

static void on_cancel(struct runner *runner, json_t *head, const struct frame *frame)
{
	json_t *grace = json_object_get(head, "grace_ms");

	runner_cancel(runner, grace ? json_integer_value(grace) : GRACE_MS);
}

/* That this is read says that the loop turns. */
static void on_ping(struct runner *runner, json_t *head, const struct frame *frame)
{
	link_send(&runner->link, json_pack("{ss}", "op", "pong"));
}

static const struct {
	const char *op;
	void (*handle)(struct runner *runner, json_t *head, const struct frame *frame);
} ops[] = {
	{ "run", on_run },
	{ "check", check_frame },
	{ "detect", detect_frame },
	{ "glance", detect_glance_frame },
	{ "resources", detect_resources_frame },
	{ "watch", watch_frame },
	{ "forget", watch_forget_frame },
	{ "start", on_start },
	{ "cancel", on_cancel },
	{ "ping", on_ping },
};

static void runner_frame(struct link *link, json_t *head, const struct frame *frame)
{
	const char *op = json_string_value(json_object_get(head, "op"));

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (strcmp(ops[i].op, op) != 0)
			continue;
		ops[i].handle(link->userdata, head, frame);
		return;
	}
	log_error("the daemon sent an unknown op: %s", op);
}

static void runner_lost(struct link *link, const char *text)
{
	struct runner *runner = link->userdata;

	if (!runner->watch)
		log_error("run %lld is given up: %s", (long long)runner->id,
			text ? text : "the daemon refused it");
	runner->abandoned = true;
	if (runner->last_seq)
		ev_break(runner->loop, EVBREAK_ALL);
	else
		runner_cancel(runner, GRACE_MS);
}

static const struct link_callbacks link_callbacks = {
	.frame = runner_frame, .room = runner_room, .lost = runner_lost
};

/* The loop. */

static void runner_turn(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
	struct runner *runner = prepare->data;
	bool more = false;

	if (runner->sched.nested)
		return; /* inside of a function that can't yield */
	if (runner->sched.loop)
		more = sched_run(&runner->sched);
	if (runner->workflow) {
		workflow_turn(runner->workflow);
		/* Code that never comes back keeps to itself no more than what it did. */
		link_flush(&runner->link);
		more = sched_run(&runner->sched) || workflow_has_turn(runner->workflow);
	}
	if (runner->detect && detect_turn(runner->detect))
		more = true;
	if (!more && runner->sched.loop)
		more = sched_break_deadlock(&runner->sched);
	if (more)
		ev_idle_start(loop, &runner->more);
	else
		ev_idle_stop(loop, &runner->more);
	if (runner->last_seq && runner->link.acked >= runner->last_seq) {
		FAILPOINT("runner.leave");
		ev_break(loop, EVBREAK_ALL);
	}
}

static void runner_idle(struct ev_loop *loop, ev_idle *idle, int revents)
{
}

static void runner_child(struct ev_loop *loop, ev_child *child, int revents)
{
	exec_reaped(child->data, child->rpid, child->rstatus);
}

static void runner_signal(struct ev_loop *loop, ev_signal *signal, int revents)
{
	runner_cancel(signal->data, GRACE_MS);
}

static int runner_init(struct runner *runner)
{
	runner->loop = ev_default_loop(0);
	runner->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	LIST_INIT(&runner->scopes);
	if (!runner->loop || runner->null_fd < 0 || environment_init(&runner->environment) < 0)
		return -ENOMEM;
	/* What tasks leave behind becomes our child, and no descriptor of ours becomes theirs. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	close_range(DAEMON_FD, ~0U, CLOSE_RANGE_CLOEXEC);
	spawn_raise_files();
	signal(SIGPIPE, SIG_IGN);
	drain_init(&runner->drain, runner->loop);
	asides_init(&runner->asides, runner->loop);
	workdirs_init(&runner->workdirs);
	leaves_init(&runner->leaves);
	link_init(&runner->link, runner->loop, DAEMON_FD, &link_callbacks, runner);
	ev_child_init(&runner->children, runner_child, 0, 0);
	ev_child_start(runner->loop, &runner->children);
	ev_signal_init(&runner->terminate, runner_signal, SIGTERM);
	ev_signal_init(&runner->interrupt, runner_signal, SIGINT);
	ev_signal_start(runner->loop, &runner->terminate);
	ev_signal_start(runner->loop, &runner->interrupt);
	ev_prepare_init(&runner->turn, runner_turn);
	ev_prepare_start(runner->loop, &runner->turn);
	ev_idle_init(&runner->more, runner_idle);
	runner->children.data = runner->terminate.data = runner->interrupt.data = runner->turn.data = runner;
	return 0;
}

static void runner_done(struct runner *runner)
{
	watch_free(runner->watch);
	detect_free(runner->detect);
	workflow_free(runner->workflow);
	sched_done(&runner->sched);
	vm_done(&runner->vm);
	web_free(runner->web);
	asides_done(&runner->asides);
	link_done(&runner->link);
	drain_done(&runner->drain);
	leaves_done(&runner->leaves);
	workdirs_done(&runner->workdirs);
	environment_done(&runner->environment);
	free(runner->file);
	free(runner->stack);
	free(runner->workdir);
	free(runner->left);
	json_decref(runner->values);
	json_decref(runner->options);
	json_decref(runner->resume);
	json_decref(runner->imports);
	free(runner->local_agents);
	close(runner->null_fd);
	ev_loop_destroy(runner->loop);
}

/* One run, from here to its end. */
static int runner_main(struct runner *runner)
{
	if (runner_init(runner) < 0) {
		log_error("can't start: %s", strerror(errno));
		return 1;
	}
	ev_run(runner->loop, 0);
	runner_done(runner);
	return runner->exit_status;
}

/* In a child of the spawner. */
static int runner_of_spawner(void *userdata)
{
	struct runner *runner = userdata;

	vm_seed(&runner->vm);
	return runner_main(runner);
}

/* What nearly every run needs is loaded once, before there is any (engine/spawner-serve.h). */
static void serve(struct runner *runner)
{
	static const char *const warm[] = { "dsl", "flow", "task", "exec", NULL };

	json_object_seed(0);
	process_cpus();
	if (vm_init(&runner->vm, runner) < 0 || vm_warm(&runner->vm, warm) < 0)
		log_error("the Lua state can't be made beforehand: each run makes its own");
	spawner_serve(runner_of_spawner, runner);
}

int main(int argc, char **argv)
{
	static struct runner runner;
	int type;
	socklen_t size = sizeof(type);

	if (argc == 2 && !strcmp(argv[1], "--version")) {
		puts("sloth-runner " SLOTH_VERSION);
		return 0;
	}
#ifdef SLOTH_TORTURE
	if (argc == 2 && !strcmp(argv[1], "--failpoints")) {
		failpoint_print(stdout);
		return 0;
	}
#endif
	if (argc == 3 && !strcmp(argv[1], "--supervise"))
		return supervise(argv[2]);
	if (getsockopt(DAEMON_FD, SOL_SOCKET, SO_TYPE, &type, &size) < 0) {
		fprintf(stderr, "sloth-runner is started by slothd. To run a workflow: sloth run FILE\n");
		return 2;
	}
	if (argc == 2 && !strcmp(argv[1], "--spawner")) {
		/* What ps(1) shows of the children is the word before. */
		memset(argv[1], 0, strlen(argv[1]));
		serve(&runner);
	}
	return runner_main(&runner);
}
