/* SPDX-License-Identifier: MIT */
/*
 * Whether histories are linearizable: whether what many clients were answered at the same time could have
 * been answered to one after the other, each at some moment between its question and its answer (Herlihy and
 * Wing; searched as Wing and Gong do, in Lowe's form: "Testing for linearizability", with a memory of what
 * was tried).
 *
 * Standard input has histories, each a line "history NAME" and then a line an operation:
 *
 *     BEGIN END OP A B   times as integers; END is -1 when no answer came: it was done at any time after, or
 * never
 *
 *     set A, get A
 *     cas A B            A was found, and B set; miss A: another than A was found
 *     add A B            A was added, B answered
 *
 *     lock A B           A was granted the lock, with token B (0: not told); busy A: another than A has it
 *     force A B          the same, whoever had it
 *     free A B           A released it; not A: A has nothing to release
 *     end A              the time of A's grant may be over
 *     held A B           it is shown as A's, with token B; A is 0: as free
 *
 * Values and holders are integers from 1, 0 is none. A history is either of the first row, of one register,
 * or of the others, of one lock.
 *
 * Prints a line for each history that is not, with the operation behind which nothing fits, and at the end
 * figures. 1 when there are some.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { SET, GET, CAS, MISS, ADD, LOCK, BUSY, FORCE, FREE, NOT, END_OF, HELD, KINDS };

static const char *const kind_names[KINDS] = {
	[SET] = "set",
	[GET] = "get",
	[CAS] = "cas",
	[MISS] = "miss",
	[ADD] = "add",
	[LOCK] = "lock",
	[BUSY] = "busy",
	[FORCE] = "force",
	[FREE] = "free",
	[NOT] = "not",
	[END_OF] = "end",
	[HELD] = "held",
};

struct operation {
	enum kind kind;
	int64_t begin, end, a, b;
	uint64_t bits[2]; /* random: the set of what was done is the sum of these, see struct tried */
	int line;
};

/* Of a register `a` is its value; of a lock `a` is who has it, and `b` twice the last token that was given,
 * and one more where that is not known exactly: then it is at least so much. */
struct state {
	int64_t a, b;
};

/* A question or an answer, in the order of time. */
struct event {
	struct event *next, *previous;
	struct operation *operation;
	struct event *answer; /* of a question; NULL: none came */
	int64_t time;
	bool is_answer;
};

struct tried {
	uint64_t done[2];
	struct state state;
	bool used;
};

struct search {
	struct tried *tried;
	size_t size, count; /* size is a power of two */
	struct {
		struct event *event;
		struct state before;
	} * stack;
	size_t depth, deepest;
	uint64_t done[2];
	struct event head;
	size_t answers; /* that are not accounted for yet */
	struct operation *stuck;
};

enum { TRIED_MAX = 1 << 24 };

static uint64_t random_bits(void)
{
	static uint64_t x = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = (x += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void *checked(void *memory)
{
	if (!memory) {
		fputs("linear: out of memory\n", stderr);
		exit(2);
	}
	return memory;
}

static bool grant(const struct operation *op, const struct state *s, struct state *ret)
{
	if (op->kind == LOCK && s->a)
		return false;
	*ret = (struct state){ op->a, op->end < 0 || !op->b ? (s->b / 2 + 1) * 2 + 1 : op->b * 2 };
	return ret->b / 2 > s->b / 2;
}

/* Whether the holder may have this token. */
static bool has_token(const struct operation *op, const struct state *s, struct state *ret)
{
	if (op->end < 0 || !op->b)
		return true;
	ret->b = op->b * 2;
	return s->b % 2 ? op->b >= s->b / 2 : op->b == s->b / 2;
}

/* Whether it could be done in state `s`, and what the state is then. */
static bool step(const struct operation *op, const struct state *s, struct state *ret)
{
	*ret = *s;
	switch (op->kind) {
	case SET:
		ret->a = op->a;
		return true;
	case GET:
		return s->a == op->a;
	case CAS:
		ret->a = op->b;
		return s->a == op->a;
	case MISS:
		return s->a != op->a;
	case ADD:
		ret->a = s->a + op->a;
		return op->end < 0 || ret->a == op->b;
	case LOCK:
	case FORCE:
		return grant(op, s, ret);
	case BUSY:
		return s->a && s->a != op->a;
	case FREE:
		ret->a = 0;
		return s->a == op->a && has_token(op, s, ret);
	case NOT:
		return s->a != op->a;
	case END_OF:
		ret->a = 0;
		return s->a == op->a;
	case HELD:
		return s->a == op->a && (!op->a || has_token(op, s, ret));
	default:
		return false;
	}
}

static bool same(const struct tried *t, const struct search *search, const struct state *state)
{
	return t->done[0] == search->done[0] && t->done[1] == search->done[1] && t->state.a == state->a &&
	       t->state.b == state->b;
}

static struct tried *place(struct search *search, const struct tried *wanted)
{
	size_t i = (wanted->done[0] ^ (uint64_t)wanted->state.a * 31 ^ (uint64_t)wanted->state.b) &
		   (search->size - 1);

	while (search->tried[i].used && memcmp(&search->tried[i], wanted, offsetof(struct tried, used)) != 0)
		i = (i + 1) & (search->size - 1);
	return &search->tried[i];
}

static void grow(struct search *search)
{
	struct tried *old = search->tried;
	size_t size = search->size;

	search->size = size ? size * 2 : 1 << 12;
	search->tried = checked(calloc(search->size, sizeof(*search->tried)));
	for (size_t i = 0; i < size; i++)
		if (old[i].used)
			*place(search, &old[i]) = old[i];
	free(old);
}

/* Whether what is done now, with this state, is tried for the first time. */
static bool is_new(struct search *search, const struct state *state)
{
	struct tried wanted = { .done = { search->done[0], search->done[1] }, .state = *state, .used = true };
	struct tried *t;

	if (search->count * 2 >= search->size)
		grow(search);
	t = place(search, &wanted);
	if (t->used && same(t, search, state))
		return false;
	*t = wanted;
	search->count++;
	return true;
}

static void take_out(struct event *event)
{
	event->previous->next = event->next;
	if (event->next)
		event->next->previous = event->previous;
}

static void put_back(struct event *event)
{
	event->previous->next = event;
	if (event->next)
		event->next->previous = event;
}

static void toggle(struct search *search, const struct operation *op)
{
	search->done[0] ^= op->bits[0];
	search->done[1] ^= op->bits[1];
}

/* Does the operation next, if it can be. */
static bool go_on(struct search *search, struct event *event, struct state *state)
{
	struct state after;

	if (!step(event->operation, state, &after))
		return false;
	toggle(search, event->operation);
	if (!is_new(search, &after)) {
		toggle(search, event->operation);
		return false;
	}
	search->stack[search->depth].event = event;
	search->stack[search->depth++].before = *state;
	*state = after;
	take_out(event);
	if (event->answer) {
		take_out(event->answer);
		search->answers--;
	}
	return true;
}

/* Undoes the last one: the event behind which to look for another. */
static struct event *go_back(struct search *search, struct state *state)
{
	struct event *event = search->stack[--search->depth].event;

	*state = search->stack[search->depth].before;
	toggle(search, event->operation);
	if (event->answer) {
		put_back(event->answer);
		search->answers++;
	}
	put_back(event);
	return event;
}

/* 1: it is; 0: it is not; -1: given up. */
static int linearizable(struct search *search)
{
	struct state state = { 0, 0 };
	struct event *event = search->head.next;

	while (search->answers > 0) {
		if (search->count > TRIED_MAX)
			return -1;
		if (!event->is_answer) {
			event = go_on(search, event, &state) ? search->head.next : event->next;
			continue;
		}
		/* Here one was answered that could not have been done yet. */
		if (search->depth >= search->deepest) {
			search->deepest = search->depth;
			search->stuck = event->operation;
		}
		if (search->depth == 0)
			return 0;
		event = go_back(search, &state)->next;
	}
	return 1;
}

static int by_time(const void *left, const void *right)
{
	const struct event *a = left, *b = right;

	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	return a->is_answer - b->is_answer; /* what touches, overlaps */
}

static size_t make_events(struct operation *ops, size_t count, struct event *events)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		ops[i].bits[0] = random_bits();
		ops[i].bits[1] = random_bits();
		events[n++] = (struct event){ .operation = &ops[i], .time = ops[i].begin };
		if (ops[i].end >= 0)
			events[n++] =
				(struct event){ .operation = &ops[i], .time = ops[i].end, .is_answer = true };
	}
	qsort(events, n, sizeof(*events), by_time);
	return n;
}

static void link_events(struct search *search, struct operation *ops, struct event *events, size_t n)
{
	struct event *last = &search->head, **answers;
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += !events[i].is_answer;
	answers = checked(calloc(count + 1, sizeof(struct event *)));
	for (size_t i = 0; i < n; i++)
		if (events[i].is_answer)
			answers[events[i].operation - ops] = &events[i];
	for (size_t i = 0; i < n; i++) {
		events[i].previous = last;
		last->next = &events[i];
		last = &events[i];
		if (!events[i].is_answer)
			events[i].answer = answers[events[i].operation - ops];
		search->answers += events[i].is_answer;
	}
	free(answers);
}

static int check(struct operation *ops, size_t count, const struct operation **ret_stuck)
{
	struct search search = { 0 };
	struct event *events = checked(calloc(count * 2 + 1, sizeof(*events)));
	int r;

	search.stack = checked(calloc(count + 1, sizeof(*search.stack)));
	link_events(&search, ops, events, make_events(ops, count, events));
	r = linearizable(&search);
	*ret_stuck = search.stuck;
	free(search.tried);
	free(search.stack);
	free(events);
	return r;
}

static enum kind kind_of(const char *word, int line)
{
	for (enum kind i = 0; i < KINDS; i++)
		if (!strcmp(kind_names[i], word))
			return i;
	fprintf(stderr, "linear: line %d: there is no operation \"%s\"\n", line, word);
	exit(2);
}

struct figures {
	size_t histories, operations, bad, given_up;
};

static void judge(const char *name, struct operation *ops, size_t count, struct figures *figures)
{
	const struct operation *stuck;
	int r;

	if (!*name)
		return;
	r = check(ops, count, &stuck);
	figures->histories++;
	figures->operations += count;
	figures->bad += r == 0;
	figures->given_up += r < 0;
	if (r == 0)
		printf("%s is not linearizable: nothing fits line %d, %" PRId64 " %" PRId64 " %s %" PRId64
		       " %" PRId64 "\n",
			name, stuck->line, stuck->begin, stuck->end, kind_names[stuck->kind], stuck->a,
			stuck->b);
	else if (r < 0)
		printf("%s: given up\n", name);
}

int main(void)
{
	struct figures figures = { 0 };
	struct operation *ops = NULL;
	char line[512], name[256] = "", word[16];
	size_t count = 0, room = 0;

	for (int number = 1; fgets(line, sizeof(line), stdin); number++) {
		struct operation op = { .line = number };

		if (!strncmp(line, "history ", 8)) {
			judge(name, ops, count, &figures);
			count = 0;
			snprintf(name, sizeof(name), "%.*s", (int)strcspn(line + 8, "\n"), line + 8);
			continue;
		}
		if (sscanf(line, "%" SCNd64 " %" SCNd64 " %15s %" SCNd64 " %" SCNd64, &op.begin, &op.end,
			    word, &op.a, &op.b) != 5) {
			fprintf(stderr, "linear: line %d: what is \"%.100s\"?\n", number, line);
			return 2;
		}
		op.kind = kind_of(word, number);
		if (count == room) {
			room = room ? room * 2 : 1024;
			ops = checked(realloc(ops, room * sizeof(*ops)));
		}
		ops[count++] = op;
	}
	judge(name, ops, count, &figures);
	free(ops);
	printf("histories=%zu operations=%zu bad=%zu given_up=%zu\n", figures.histories, figures.operations,
		figures.bad, figures.given_up);
	return figures.bad > 0;
}
