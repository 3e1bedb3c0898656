/* SPDX-License-Identifier: MIT */
/* The daemon: puts the parts together, in the order in which they may exist, and runs the loop. slothd(8). */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "build.h"
#include "engine/auto-fixer.h"
#include "engine/job-child.h"
#include "engine/lock.h"
#include "engine/runner.h"
#include "engine/spawner.h"
#include "engine/upkeep.h"
#include "fs/harden.h"
#include "fs/mount.h"
#include "fs/offline.h"
#include "fs/place.h"
#include "fs/socket.h"
#include "fs/tree.h"
#include "fs/turn.h"

enum { MOUNTS_MAX = 16 };

struct daemon {
	/* From the command line. */
	bool automatic; /* started by a command: ends by itself when nobody needs it */
	int ready_fd;
	const char *mount_directories[MOUNTS_MAX];
	size_t mount_count;
	const char *mount_options;

	struct place place;
	struct ev_loop *loop;
	struct seed seed;
	struct spawner *spawner;
	struct engine *engine;
	struct turn turn;
	struct tree *tree;
	struct runners *runners;
	struct auto_fixer *fixer;
	struct upkeep *upkeep;
	struct mount_context mounts;
	struct door *door;
	ev_signal on_term, on_int, on_hup;
	ev_io on_seed;
	bool again;   /* end, and begin as a new program: see restart() */
	bool stopped; /* end, whatever else: somebody said so */
	ev_timer idle, ending;
	ev_tstamp idle_since;
};

static const struct option options[] = {
	{ "auto", no_argument, NULL, 'a' },
	{ "ready-fd", required_argument, NULL, 'r' },
	{ "mount", required_argument, NULL, 'm' },
	{ "options", required_argument, NULL, 'o' },
	{ "debug", no_argument, NULL, 'd' },
	{ "restore", required_argument, NULL, 'R' },
	{ "check", no_argument, NULL, 'c' },
	{ "seed", required_argument, NULL, 'S' }, /* of the program before this one: see restart() */
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static const char usage[] =
	"Usage: slothd [--mount DIR]... [--options MOUNT-OPTIONS] [--auto] [--ready-fd N] [--debug]\n"
	"       slothd --restore BACKUP | --check | --version | --help\n"
	"\n"
	"  --mount DIR      mount the tree at DIR\n"
	"  --options OPTS   options of these mounts, as for mount(8)\n"
	"  --auto           end when there are no mounts, runs, locks or clients for a while\n"
	"  --ready-fd N     write \"1\" to descriptor N when the socket listens, else a sentence\n"
	"  --debug          log more\n"
	"  --restore NAME   put the backup into the database's place, without a daemon, and end\n"
	"  --check          look for damage in the database, thoroughly, without a daemon, and end\n"
	"  --version, --help\n";

static int parse(struct daemon *daemon, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "m:o:hV", options, NULL)) >= 0) {
		switch (c) {
		case 'a':
			daemon->automatic = true;
			break;
		case 'r':
			daemon->ready_fd = (int)strtol(optarg, NULL, 10);
			break;
		case 'm':
			if (daemon->mount_count == MOUNTS_MAX)
				return 1;
			daemon->mount_directories[daemon->mount_count++] = optarg;
			break;
		case 'o':
			daemon->mount_options = optarg;
			break;
		case 'd':
			log_set_level(LOG_LEVEL_DEBUG);
			break;
		case 'R':
			exit(offline_restore(optarg));
		case 'c':
			exit(offline_check());
		case 'S':
			if (seed_adopt(optarg, &daemon->seed) < 0)
				return 1;
			break;
		case 'V':
			printf("slothd %s\n", SLOTH_VERSION);
			exit(0);
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			return 1;
		}
	}
	if (optind < argc)
		fputs(usage, stderr);
	return optind < argc;
}

/* Whoever started us waits for this: one line, then the end of the file. */
static void tell_ready(struct daemon *daemon, const char *text)
{
	if (daemon->ready_fd < 0)
		return;
	if (write(daemon->ready_fd, text, strlen(text)) < 0)
		log_debug("nobody waits for us");
	close(daemon->ready_fd);
	daemon->ready_fd = -1;
}

static void stop_signal(struct ev_loop *loop, ev_signal *signal, int revents)
{
	struct daemon *daemon = signal->data;

	log_info("stopping");
	daemon->stopped = true;
	ev_break(loop, EVBREAK_ALL);
}

/* A signal that asks us to end while we start waits for its watchers, so that it never finds us half made.
 * One that comes while we start anew stays pending over execve(2), for the program that comes. */
static void hold_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(how, &set, NULL);
}

static void start_anew(struct daemon *daemon)
{
	hold_signals(SIG_BLOCK);
	daemon->again = true;
	ev_break(daemon->loop, EVBREAK_ALL);
}

static void restart_signal(struct ev_loop *loop, ev_signal *signal, int revents)
{
	struct daemon *daemon = signal->data;

	log_info("starting anew");
	start_anew(daemon);
}

static void spawner_died(void *userdata)
{
	struct daemon *daemon = userdata;

	/* A new one must be forked from a process that has nothing yet. */
	log_error("starting anew, because no run can be started without the spawner");
	start_anew(daemon);
}

/* Whoever starts anew when the spawner is gone needs it. */
static void renew_seed(struct daemon *daemon)
{
	int r = seed_lives(&daemon->seed) ? 0 : spawner_renew_seed(daemon->spawner, &daemon->seed);

	if (r < 0)
		log_error("the process that spawners come from is gone, and there is no other one: %s",
			strerror(-r));
}

static void watch_seed(struct daemon *daemon)
{
	if (daemon->seed.fd < 0)
		return;
	ev_io_set(&daemon->on_seed, daemon->seed.fd, EV_READ);
	ev_io_start(daemon->loop, &daemon->on_seed);
	ev_unref(daemon->loop);
}

static void unwatch_seed(struct daemon *daemon)
{
	if (!ev_is_active(&daemon->on_seed))
		return;
	ev_ref(daemon->loop);
	ev_io_stop(daemon->loop, &daemon->on_seed);
}

static void seed_died(struct ev_loop *loop, ev_io *io, int revents)
{
	struct daemon *daemon = io->data;

	log_warning("the process that spawners come from was killed: the spawner makes another one");
	unwatch_seed(daemon);
	renew_seed(daemon);
	watch_seed(daemon);
}

static void keep_mount(void *userdata, const char *directory)
{
	struct daemon *daemon = userdata;

	if (daemon->mount_count < MOUNTS_MAX)
		daemon->mount_directories[daemon->mount_count++] = strdup(directory);
}

static void forget_mounts(struct daemon *daemon)
{
	while (daemon->mount_count)
		free((char *)(uintptr_t)daemon->mount_directories[--daemon->mount_count]);
}

/* The same program, perhaps a newer file of it, with the mounts of now. Runs go on meanwhile and come back.
 */
static int restart(struct daemon *daemon)
{
	const char *argv[10 + 2 * MOUNTS_MAX] = { "slothd" };
	char seed[32];
	size_t n = 1;
	int r;

	renew_seed(daemon);
	r = seed_hand_on(&daemon->seed, seed, sizeof(seed));
	spawner_free(daemon->spawner);
	if (r < 0) {
		/* Somebody has ended it and the spawner at once. What we are by now, no run may be: a service
		 * manager, or the next command, has to start the next daemon. */
		log_error("can't start anew: the process that spawners come from is gone");
		forget_mounts(daemon);
		return 1;
	}
	argv[n++] = "--seed";
	argv[n++] = seed;

	if (daemon->automatic)
		argv[n++] = "--auto";
	for (size_t i = 0; i < daemon->mount_count; i++) {
		argv[n++] = "--mount";
		argv[n++] = daemon->mount_directories[i];
	}
	if (daemon->mount_options) {
		argv[n++] = "--options";
		argv[n++] = daemon->mount_options;
	}
	FAILPOINT("restart.exec");
	execv("/proc/self/exe", (char **)(uintptr_t)argv);
	log_error("can't start anew: %s", strerror(errno));
	forget_mounts(daemon);
	return 1;
}

static void count_mount(void *userdata, const char *directory)
{
	++*(int *)userdata;
}

static bool daemon_needed(struct daemon *daemon)
{
	int mounts = 0;

	mount_each(&daemon->mounts, count_mount, &mounts);
	return mounts || upkeep_busy(daemon->upkeep) || runners_count(daemon->runners) ||
	       door_clients(daemon->door) || lock_count(daemon->engine) > 0;
}

static void idle_check(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct daemon *daemon = timer->data;

	if (daemon_needed(daemon)) {
		daemon->idle_since = ev_now(loop);
		return;
	}
	if (ev_now(loop) - daemon->idle_since < (double)daemon->engine->config.idle_timeout_ms / 1000)
		return;
	log_info("nobody needs this daemon: ending");
	ev_break(loop, EVBREAK_ALL);
}

static void start_idle_timer(struct daemon *daemon)
{
	double every = (double)daemon->engine->config.idle_timeout_ms / 4000;

	if (!daemon->automatic)
		return;
	daemon->idle_since = ev_now(daemon->loop);
	ev_timer_init(&daemon->idle, idle_check, every, every);
	daemon->idle.data = daemon;
	ev_timer_start(daemon->loop, &daemon->idle);
}

static void anew_now(struct ev_loop *loop, ev_timer *timer, int revents)
{
	start_anew(timer->data);
}

/* After the turn, so that whoever asked for it still gets the answer. */
static void restored(void *userdata)
{
	struct daemon *daemon = userdata;

	log_info("starting anew with what was restored");
	ev_timer_init(&daemon->ending, anew_now, 0, 0);
	daemon->ending.data = daemon;
	ev_timer_start(daemon->loop, &daemon->ending);
}

static int mount_all(struct daemon *daemon, struct fault *fault)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < daemon->mount_count; i++) {
		CLEANUP(cleanup_free) char *directory = realpath(daemon->mount_directories[i], NULL);

		/* A mount that a dead daemon left can't be resolved; its name is taken as it is. */
		r = mount_open(&daemon->mounts, directory ? directory : daemon->mount_directories[i],
			daemon->mount_options, fault);
	}
	return r;
}

static int start(struct daemon *daemon, struct fault *fault)
{
	int r = place_make(&daemon->place, fault);

	if (r == 0)
		r = engine_new(daemon->place.home, daemon->loop, fault, &daemon->engine);
	if (r < 0)
		return r;
	FAILPOINT("start.engine");
	turn_init(&daemon->turn, daemon->loop, daemon->engine);
	daemon->engine->fair = &daemon->turn.fair;
	r = tree_new(daemon->engine, &daemon->tree);
	if (r == 0)
		r = runners_new(daemon->engine, daemon->spawner, daemon->place.socket, &daemon->runners);
	if (r == 0)
		r = upkeep_new(daemon->engine, "/proc/self/exe", restored, daemon, &daemon->upkeep);
	if (r < 0)
		return r;
	daemon->tree->runners = daemon->runners;
	daemon->tree->upkeep = daemon->upkeep;
	mount_context_init(&daemon->mounts, daemon->tree, &daemon->turn, daemon->loop);
	FAILPOINT("start.recover");
	r = runners_recover(daemon->runners);
	FAILPOINT("start.recovered");
	if (r == 0)
		r = auto_fixer_new(daemon->runners, &daemon->fixer);
	if (r == 0)
		turn_end(&daemon->turn);
	if (r == 0)
		r = door_open(daemon->place.socket, daemon->tree, &daemon->turn, &daemon->mounts,
			daemon->loop, daemon->place.home, fault, &daemon->door);
	FAILPOINT("start.door");
	return r < 0 ? r : mount_all(daemon, fault);
}

/* The mirror of start(); the spawner is left. */
static void stop(struct daemon *daemon)
{
	FAILPOINT("stop.begin");
	if (daemon->tree)
		mount_close_all(&daemon->mounts);
	FAILPOINT("stop.unmounted");
	door_free(daemon->door);
	FAILPOINT("stop.door");
	upkeep_free(daemon->upkeep);
	auto_fixer_free(daemon->fixer);
	runners_free(daemon->runners);
	if (daemon->engine)
		turn_done(&daemon->turn);
	tree_free(daemon->tree);
	FAILPOINT("stop.runners");
	engine_free(daemon->engine);
	FAILPOINT("stop.engine");
}

/* Neither a core dump nor another process of the user's shows the keys in our memory. The spawner has been
 * started: what it starts is not concerned. */
static void hide_memory(void)
{
#ifndef __SANITIZE_ADDRESS__ /* LeakSanitizer looks from outside */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

/* Where the kernel, or a container, does not have it, that is no reason to serve nobody. */
static void harden(int result)
{
	if (result < 0)
		log_warning("not all rights that are not needed could be given up: %s", strerror(-result));
}

static int start_spawner(struct daemon *daemon)
{
	int r = daemon->seed.fd < 0 ? seed_start(&daemon->seed) : 0;

	if (r == 0)
		r = spawner_start(&daemon->seed, &daemon->spawner);
	FAILPOINT("start.spawner");
	hide_memory();
	harden(harden_daemon());
	return r;
}

static void prepare_process(void)
{
	struct rlimit files;

	umask(0);
	hold_signals(SIG_BLOCK);
	signal(SIGPIPE, SIG_IGN);
	/* Every client, runner and waiting process is a descriptor. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* Says why, to the log and to whoever waits for us. */
static int give_up(struct daemon *daemon, int error, struct fault *fault)
{
	char line[FAULT_TEXT_MAX + 1];

	fault_default(fault, -error, "%s", strerror(-error));
	log_error("%s", fault->text);
	snprintf(line, sizeof(line), "%s\n", fault->text);
	tell_ready(daemon, line);
	stop(daemon);
	spawner_free(daemon->spawner);
	return fault_exit_status(fault->code);
}

static int run(struct daemon *daemon)
{
	struct fault fault = { 0 };
	int r;

	daemon->loop = ev_default_loop(EVFLAG_AUTO | EVFLAG_NOENV);
	r = daemon->loop ? start(daemon, &fault) : -ENOMEM;
	if (r < 0)
		return give_up(daemon, r, &fault);
	ev_signal_init(&daemon->on_term, stop_signal, SIGTERM);
	ev_signal_init(&daemon->on_int, stop_signal, SIGINT);
	daemon->on_term.data = daemon->on_int.data = daemon;
	ev_signal_start(daemon->loop, &daemon->on_term);
	ev_signal_start(daemon->loop, &daemon->on_int);
	ev_signal_init(&daemon->on_hup, restart_signal, SIGHUP);
	daemon->on_hup.data = daemon;
	ev_signal_start(daemon->loop, &daemon->on_hup);
	hold_signals(SIG_UNBLOCK);
	runners_on_death(daemon->runners, spawner_died, daemon);
	ev_init(&daemon->on_seed, seed_died);
	daemon->on_seed.data = daemon;
	watch_seed(daemon);
	start_idle_timer(daemon);
	log_info("slothd %s: %s, %s", SLOTH_VERSION, daemon->place.home, daemon->place.socket);
	FAILPOINT("start.ready");
	tell_ready(daemon, "1\n");
	ev_run(daemon->loop, 0);
	if (daemon->stopped)
		daemon->again = false;
	unwatch_seed(daemon);
	if (daemon->again) {
		daemon->mount_count = 0;
		mount_each(&daemon->mounts, keep_mount, daemon);
	}
	stop(daemon);
	if (daemon->again)
		return restart(daemon);
	spawner_free(daemon->spawner);
	seed_done(&daemon->seed);
	return 0;
}

int main(int argc, char **argv)
{
	struct daemon daemon = { .ready_fd = -1, .seed.fd = -1 };
	struct fault fault = { 0 };
	int r;

	umask(0);
#ifdef SLOTH_TORTURE
	if (argc == 2 && !strcmp(argv[1], "--failpoints")) {
		failpoint_print(stdout);
		return 0;
	}
#endif
	if (argc > 2 && !strcmp(argv[1], "--job")) {
		hide_memory();
		harden(harden_job());
		return job_child(argc - 2, argv + 2);
	}
	if (parse(&daemon, argc, argv))
		return fault_exit_status(EINVAL);
	if (daemon.ready_fd >= 0)
		fcntl(daemon.ready_fd, F_SETFD, FD_CLOEXEC);
	prepare_process();
	r = start_spawner(&daemon);
	if (r == 0)
		r = place_find(&daemon.place, true, &fault);
	return r < 0 ? give_up(&daemon, r, &fault) : run(&daemon);
}
