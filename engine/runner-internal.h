/* SPDX-License-Identifier: MIT */
#pragma once
/* One run's conversation. Shared by runner.c (life) and runner-calls.c (what the process asks for). */
#include <sys/queue.h>

#include "base/conn.h"
#include "engine/cgroup.h"
#include "engine/mask.h"
#include "engine/runner.h"

enum runner_state {
	RUNNER_QUEUED,	/* not started yet: others are loading */
	RUNNER_LOADING, /* the process reads the workflow */
	RUNNER_WAITING, /* loaded; waits for the lock, or for a slot */
	RUNNER_RUNNING,
	RUNNER_FINISHED, /* its end is stored; the process may take its leave */
	RUNNER_AWAY,	 /* of a former daemon: expected to come back */
};

/* Whether its stack must be validated before it begins. */
enum runner_validate { RUNNER_VALIDATION_UNKNOWN, RUNNER_VALIDATE, RUNNER_VALID };

/* Whether drift was looked for at its end: runner-drift.c. */
enum runner_drift { RUNNER_DRIFT_UNASKED, RUNNER_DRIFT_LOOKING, RUNNER_DRIFT_LOOKED };

/* Of max_concurrent_executions: see runner-slot.c. */
enum slot { SLOT_NONE, SLOT_OWN, SLOT_BORROWED };

enum { RUNNER_WAIT_UNSAID = -1 };

struct validation;
struct held;
struct lock_wait;
struct group;
struct watches;

enum { RUNNER_MARK_SIZE = 64, RUNNER_SECRET_SIZE = 65 };

struct runner {
	TAILQ_ENTRY(runner) runners;
	struct runners *of;
	int64_t run_id;
	int64_t ticket; /* by which the spawner tells of its process; 0: it was asked for none */
	enum runner_state state;
	bool lost; /* its turn failed, and where it stands by what is on disk could not be read yet */
	struct caller submitter;
	struct conn conn;
	bool connected;
	enum runner_validate validate;
	struct validation *validation; /* that is going on */
	int events;		       /* that it has added to the audit trail */
	bool own_lock;		       /* the run holds the stack's lock itself */
	struct lock_wait *lock_wait;   /* it stands in the lock's queue; NULL: it does not */
	int64_t stack_id;	       /* 0: not known yet */
	int64_t parent;		       /* the run whose task submitted it; 0: none */
	enum slot slot;		       /* … that it takes */
	bool artifacts;		       /* its tasks keep some, or may have */
	pid_t pid;
	char mark[RUNNER_MARK_SIZE];   /* NAME=VALUE in the environment of all that it starts */
	char cgroup[CGROUP_PATH_SIZE]; /* its group; "": it has none */
	int64_t last_seq;	       /* of the frames that were applied */
	int64_t stored_seq;	       /* … and of those that are on disk, */
	int64_t turn_seq;	       /* … and those that will be when the turn is */
	size_t unstored;	       /* bytes of frames that are not */
	bool condemned;		       /* it was killed for what it said, and is not heard any more */
	bool stalled;		       /* a frame could not be applied: it is asked for again */
	bool told;		       /* in this turn: whoever submitted it, that it was loaded */
	bool disowned;		       /* … and that turn was not stored */
	unsigned cancels;
	char why[512]; /* it is ended from outside: what its error will say; "": it is not */
	TAILQ_HEAD(, call_wait) call_waits; /* calls-lock.c's */
	ev_timer deadline;		    /* loading, coming back, ending after a cancel */
	/* runner-limit.c's: task ("": the run) → when it should be over, its limit; in ms. */
	json_t *limits;
	ev_timer limit;
	bool asked;  /* whether it lives */
	ev_io death; /* the pidfd */
	int pidfd;
	bool gone;	      /* its process has ended; it is freed when the end of the run is on disk */
	bool child;	      /* of this daemon's spawner, which tells how it ended */
	int exit_status;      /* as of wait(2); -1: unknown */
	json_t *after_commit; /* frames that leave when this turn is on disk */
	size_t answered;      /* bytes of values in those, about */
	const char *drowned;  /* why it was ended and is sent nothing more; NULL: it was not */
	json_t *plan;	      /* `config`, `lock_wait_ms`, `limits` of it: runner_plan() */
	json_t *outputs;      /* what the run has set, for its own file `outputs` */
	json_t *options;
	enum runner_drift drift;
	json_t *drift_result; /* what came of it, NULL: nobody looked */
	/* runner-mask.c's: the values that it may not tell, NULL: none; known: as on disk. */
	struct mask *mask;
	bool mask_known;
	uint64_t mask_undo_count; /* the store's, when that was read */
	SLIST_HEAD(, held) held;
	int64_t image_bytes; /* that it keeps of before-images; 0: nobody asked */
	int64_t retry_of;
	char stack[NAME_SIZE]; /* that was asked for; "": the workflow says */
	/* Who submitted it and waits for loaded(). */
	void (*loaded)(void *userdata, int result, const struct fault *fault);
	void *userdata;
};

struct runners {
	struct engine *engine;
	struct spawner *spawner;
	char socket[4096];
	char program[4096];
	char work[4096];
	TAILQ_HEAD(, runner) list;
	TAILQ_HEAD(, check) checks;	    /* check.c's */
	TAILQ_HEAD(, detection) detections; /* detect.c's */
	struct watches *watches;
	json_t *removed;     /* ids of runs that were deleted in this turn: their artifacts go after it */
	int64_t last_check;  /* below 0 */
	int64_t last_ticket; /* above */
	char base[CGROUP_PATH_SIZE]; /* where groups are made; "": nowhere */
	bool base_known;
	SLIST_HEAD(, group) groups; /* of runs that are over, with somebody in them */
	ev_timer tidy;
	double tidy_wait;     /* seconds */
	ev_timer begin_again; /* a run that may begin could not */
	ev_prepare after;     /* the turn's commit */
	unsigned failed_turns;
	void (*died)(void *userdata);
	void *userdata;
};

enum {
	LOADING_SECONDS = 30,	  /* how long a process may read its workflow */
	LOADING_MS = 27000,	  /* … and when it is asked where it is, before */
	GRACE_MS = 10000,	  /* between SIGTERM and SIGKILL of a cancelled task */
	AFTER_GRACE_SECONDS = 10, /* … and then the process of the run itself is killed */
	STALL_SECONDS = 1,	  /* before a frame that could not be stored is asked for again */
	CONN_ROOM = 1 << 20,	  /* bytes that may wait for a process that only looks at things */
};

/* runner.c: life and death. */
int runner_new(struct runners *runners, struct runner **ret_runner);
void runner_free(struct runner *runner);
struct runner *runner_find(struct runners *runners, int64_t run_id);
size_t runner_count(struct runners *runners, enum runner_state state);
/* Whoever waits for loaded() is told, once. */
void runner_tell_loaded(struct runner *runner, int result, const struct fault *fault);
/* The one way in which a run ends: its tasks, its status, its lock, in one change. */
int runner_finish(
	struct runner *runner, enum run_status status, enum task_status task_status, const char *error);
/* The process is gone, or must go: the run ends, and the runner is freed after the commit. */
void runner_dead(struct runner *runner);
/* Its socket is closed, its process has ended, its exit status has come: whatever of these is last is the
 * end. */
void runner_check_gone(struct runner *runner);
void runner_deadline(struct runner *runner, double seconds);
void runner_deadline_over(struct ev_loop *loop, ev_timer *timer, int revents);
/* Notices the end of the process. */
void runner_watch(struct runner *runner, pid_t pid);

/* runner-turn.c. */
void runners_turns_start(struct runners *runners);
void runners_turns_end(struct runners *runners);
/* Where the conversation stands by what is on disk; the rest never happened. It may free the runner. */
void runner_step_back(struct runner *runner);

/* runner-kill.c. Ends everything that descends from the run, its process included. */
void runner_kill(struct runner *runner);
/* Says where its cgroup shall be, when there are any. */
void runner_name_group(struct runner *runner);
/* The run is over: its group goes, now or when nobody lives in it. */
void runner_drop_group(struct runner *runner);
void runners_tidy_start(struct runners *runners);
/* Groups that a former daemon did not remove. */
void runners_tidy_old(struct runners *runners);
void runners_tidy_end(struct runners *runners);

/* runner-limit.c. The process says that this task ("": the run) has a limit, and will be over within that
 * time; 0: it is. */
void runner_limits_init(struct runner *runner);
void runner_limits_done(struct runner *runner);
void runner_limit(struct runner *runner, const char *task, int64_t timeout_ms, int64_t within_ms);
/* By the plan of a run that a former daemon began. A process that does not come back is at its end when a
 * limit is over, and it has had the time to. */
void runner_recall_limits(struct runner *runner, const struct run *run);
/* It came back. */
void runner_limits_go_on(struct runner *runner);
/* Asks the process whether its loop turns. False: it was asked already, and has not answered; or there is
 * none. */
bool runner_ask(struct runner *runner);
void runner_answered(struct runner *runner);

/* runner-start.c */
extern const struct spawner_callbacks runner_spawner_callbacks;
/* A new secret, and the mark in the environment by which what it is for is known. */
void runner_secret_make(char ret_secret[RUNNER_SECRET_SIZE], char ret_mark[RUNNER_MARK_SIZE]);
void runner_mark_of(const char *secret, char ret_mark[RUNNER_MARK_SIZE]);
void runner_start_queued(struct runners *runners);

/* runner-frames.c */
extern const struct conn_callbacks runner_conn_callbacks;
/* Tells the process to begin: in a change. */
int runner_begin(struct runner *runner);

/* runner-slot.c: begins what may begin. */
void runner_start_waiting(struct runners *runners);
void runners_slots_init(struct runners *runners);
/* Says `start` once more to a process of a former daemon, which may have died with the word on its lips: one
 * that has begun does not listen. */
void runner_start_again(struct runner *runner);
/* Of a run of which another daemon, or a turn that failed, left this. */
void runner_recall_slot(struct runner *runner, const struct run *run);

/* runner-lock.c. `wait` of the options: RUNNER_WAIT_UNSAID without it; -EINVAL. */
int runner_read_wait(const json_t *options, int64_t *ret_ms, struct fault *fault);
/* Takes the stack's lock, or stands in its queue: then runner->lock_wait is set. In a change; when that
 * fails, runner_leave_lock(). `plan`: the frame `loaded`. */
int runner_take_lock(
	struct runner *runner, const struct stack *stack, const json_t *plan, struct fault *fault);
void runner_leave_lock(struct runner *runner);
/* As runner_recall_slot(). */
void runner_recall_lock(struct runner *runner, const struct run *run);
/* Its place in the queue, from 1, and how many there are. */
size_t runner_lock_place(const struct runner *runner, size_t *ret_count);
/* "alice (uid 1000), pid 7 …" or null: a new reference. */
json_t *runner_lock_holder(struct engine *engine, int64_t stack_id);

/* runner-validate.c: whether the run may begin. When not, its validation has been begun, or has ended it. */
bool runner_is_valid(struct runner *runner);
/* What the frame `loaded` and the options say about that. */
void runner_note_validation(struct runner *runner, json_t *head);
/* runner-lock.c: whether a plan wants what failed to be rolled back, for which it needs the lock. */
bool runner_rolls_back(const json_t *plan);

/* runner-drift.c: whether the end of the run has to wait, because drift is looked for first. The frame
 * `finished` is asked for again when it need not wait any more. */
bool runner_waits_for_drift(struct runner *runner, enum run_status status);
/* The run's log and result say what came of it. In a change. */
int runner_tell_drift(struct runner *runner, json_t *result);
/* It is cancelled: nobody waits. */
void runner_forget_drift(struct runner *runner);
void runner_drift_done(struct runner *runner);

/* runner-plan.c */
/* Stores what the frame `loaded` has, with the run's tasks. 0 or -errno. */
int runner_keep_plan(struct runner *runner, const json_t *head);
/* Its `config`, `lock_wait_ms` and `limits`; NULL: it has none yet. Borrowed. */
const json_t *runner_plan(struct runner *runner);

/* runner-mask.c. Hands a value to the run, which may not tell it from now on: in a change. -EDQUOT: it was
 * handed too many. */
int runner_hand(struct runner *runner, const char *value, size_t size, struct fault *fault);
int runner_hand_json(struct runner *runner, const json_t *value, struct fault *fault);
/* Whether the value has something in it that was handed to the run. */
bool runner_knows(struct runner *runner, const json_t *value);
/* Whether anything was handed to the run. */
bool runner_has_secrets(struct runner *runner);
/* The value without what was handed to the run: a new reference. */
json_t *runner_masked(struct runner *runner, json_t *value);
/* The same for what a workflow can put words into, in the head of a frame. */
void runner_mask_frame(struct runner *runner, json_t *head);
/* Bytes of a file that a task keeps, which come next: one that has something in it that was handed to the run
 * is its owner's alone from then on, and the task's log says so. Its bytes stay as they are. In a change. */
int runner_guard_artifact(struct runner *runner, int64_t id, const char *data, size_t size);
/* A `log` frame. What may be the beginning of a value is held back until its task says more, or ends. */
int runner_log(struct runner *runner, json_t *head, int64_t task_id, const char *text, size_t size);
/* `task` NULL: all of the run. */
int runner_log_end(struct runner *runner, const char *task);
/* The run is over: what was handed to it is not kept any longer. In a change. */
int runner_forget_secrets(struct runner *runner);
void runner_mask_free(struct runner *runner);

/* A `call` frame: runs it and queues the answer. 0, or -errno when nothing was changed because the store
 * failed, so that the frame must come again. */
int runner_call(struct runner *runner, int64_t seq, json_t *head);

/* The stack's values with the run's own over them become the run's. */
int runner_merge_values(struct runner *runner, int64_t stack_id, struct fault *fault);

/* The run has lost its lock: it is cancelled without grace, and its error says why. `userdata` are the
 * runners. In a change. */
void runner_end(void *userdata, int64_t run_id, const char *why);

/* Tells the process that it is cancelled, and when it will be killed. */
void runner_ask_to_end(struct runner *runner);

/* Counts an answer of so many bytes. False: the process reads too little, and is being ended. */
bool runner_answers(struct runner *runner, size_t size);
/* Takes the reference to the head. */
int runner_send(struct runner *runner, json_t *head, const char *body, size_t size);
