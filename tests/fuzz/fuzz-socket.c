/* SPDX-License-Identifier: MIT */
/*
 * What clients send to the daemon's socket: frames with any head and body, and bytes that are no frames. Of
 * the input, lines are heads; a line that begins with '+' is the body of the head before; one that begins
 * with '!' is sent as it is, without sizes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/frame.h"
#include "fs/socket.h"
#include "tests/fuzz/home.h"
#include "tests/fuzz/input.h"

/* No input mounts anything. */

int mount_open(struct mount_context *context, const char *directory, const char *options, struct fault *fault)
{
	return -ENOSYS;
}

int mount_close(struct mount_context *context, const char *directory, struct fault *fault)
{
	return -ENOENT;
}

void mount_each(
	struct mount_context *context, void (*each)(void *userdata, const char *directory), void *userdata)
{
}

struct play {
	struct home home;
	struct turn turn;
	struct door *door;
	int fd;
};

static void play_new(struct play *play)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct fault fault = { 0 };

	home_new(&play->home);
	turn_init(&play->turn, play->home.loop, play->home.engine);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", play->home.path);
	must(door_open(address.sun_path, play->home.tree, &play->turn, NULL, play->home.loop, play->home.path,
		     &fault, &play->door) == 0);
	play->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	must(connect(play->fd, (struct sockaddr *)&address, sizeof(address)) == 0);
}

/* Lets the daemon work, and reads what it says. */
static void settle(struct play *play)
{
	char text[65536];

	for (int i = 0; i < 4; i++) {
		ev_run(play->home.loop, EVRUN_NOWAIT);
		turn_end(&play->turn);
		while (recv(play->fd, text, sizeof(text), MSG_DONTWAIT) > 0)
			;
	}
}

static void say(struct play *play, const char *text, size_t size)
{
	while (size) {
		ssize_t n = send(play->fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN)
			return;
		text += n < 0 ? 0 : n;
		size -= n < 0 ? 0 : (size_t)n;
		settle(play);
	}
}

static void play_line(struct play *play, struct input *input)
{
	static char line[65536], body[65536];
	size_t size = input_text(input, '\n', line, sizeof(line)), body_size = 0;
	struct frame_sizes sizes;

	if (*line == '!') {
		say(play, line + 1, size - 1);
		return;
	}
	if (input->left && *input->at == '+')
		body_size = input_text(input, '\n', body, sizeof(body));
	sizes = (struct frame_sizes){ (uint32_t)size, (uint32_t)(body_size ? body_size - 1 : 0) };
	say(play, (const char *)&sizes, sizeof(sizes));
	say(play, line, size);
	if (body_size)
		say(play, body + 1, body_size - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	struct play play = { 0 };

	play_new(&play);
	while (input.left)
		play_line(&play, &input);
	settle(&play);
	close(play.fd);
	for (int i = 0; i < 3; i++) {
		ev_run(play.home.loop, EVRUN_NOWAIT);
		turn_end(&play.turn);
	}
	must(door_clients(play.door) == 0);
	door_free(play.door);
	turn_done(&play.turn);
	home_check(&play.home);
	home_free(&play.home);
	return 0;
}
