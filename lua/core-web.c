/* SPDX-License-Identifier: MIT */
/* For the library that is written in Lua: transfers over the network. */
#include <errno.h>
#include <lauxlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "lua/box.h"
#include "lua/core.h"
#include "lua/runner.h"
#include "lua/web.h"

/* Fields of the request that libcurl takes as they are. */
static const struct {
	const char *name;
	CURLoption option;
	bool number;
} options[] = {
	{ "ca", CURLOPT_CAINFO },
	{ "cert", CURLOPT_SSLCERT },
	{ "connect_only", CURLOPT_CONNECT_ONLY, .number = true },
	{ "connect_timeout_ms", CURLOPT_CONNECTTIMEOUT_MS, .number = true },
	{ "custom", CURLOPT_CUSTOMREQUEST },
	{ "follow", CURLOPT_FOLLOWLOCATION, .number = true },
	{ "fresh", CURLOPT_FRESH_CONNECT, .number = true },
	{ "key", CURLOPT_SSLKEY },
	{ "mail_from", CURLOPT_MAIL_FROM },
	{ "nobody", CURLOPT_NOBODY, .number = true },
	{ "password", CURLOPT_PASSWORD },
	{ "post", CURLOPT_POST, .number = true },
	{ "proxy", CURLOPT_PROXY },
	{ "redirects", CURLOPT_MAXREDIRS, .number = true },
	{ "stall_rate", CURLOPT_LOW_SPEED_LIMIT, .number = true },
	{ "stall_seconds", CURLOPT_LOW_SPEED_TIME, .number = true },
	{ "timeout_ms", CURLOPT_TIMEOUT_MS, .number = true },
	{ "tls", CURLOPT_USE_SSL, .number = true },
	{ "unix_socket", CURLOPT_UNIX_SOCKET_PATH },
	{ "url", CURLOPT_URL },
	{ "user", CURLOPT_USERNAME },
	{ "verify_host", CURLOPT_SSL_VERIFYHOST, .number = true },
	{ "verify_peer", CURLOPT_SSL_VERIFYPEER, .number = true },
};

static void transfer_empty(void *content)
{
	transfer_free(content);
}

static void transfer_gone(void *work)
{
	box_empty(work);
}

/* nil, the sentence, its kind. */
static int push_failure(lua_State *L, const char *text, const char *kind)
{
	lua_pushnil(L);
	lua_pushstring(L, text);
	lua_pushstring(L, kind);
	return 3;
}

static bool check(lua_State *L, int r, const char *what)
{
	if (r == -ENOMEM)
		luaL_error(L, "not enough memory");
	if (r < 0)
		push_failure(L, what, "limit");
	return r == 0;
}

/* The text of a field of the request at 1; stays on the stack. */
static const char *text_field(lua_State *L, const char *name, size_t *ret_size)
{
	lua_getfield(L, 1, name);
	return lua_tolstring(L, -1, ret_size);
}

static bool set_options(lua_State *L, struct transfer *transfer)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const char *text = text_field(L, options[i].name, NULL);
		int r = 0;

		if (text && options[i].number)
			r = transfer_set_number(transfer, options[i].option, (long)lua_tointeger(L, -1));
		else if (text)
			r = transfer_set_text(transfer, options[i].option, text);
		if (r < 0) {
			lua_pushfstring(
				L, "the libcurl that is installed does not know '%s'", options[i].name);
			return check(L, r, lua_tostring(L, -1));
		}
		lua_pop(L, 1);
	}
	return true;
}

static bool add_list(lua_State *L, struct transfer *transfer, const char *name,
	int (*add)(struct transfer *transfer, const char *text))
{
	lua_getfield(L, 1, name);
	for (lua_Integer i = 1; lua_istable(L, -1); i++) {
		if (lua_rawgeti(L, -1, i) == LUA_TNIL)
			break;
		if (!check(L, add(transfer, luaL_checkstring(L, -1)), name))
			return false;
		lua_pop(L, 1);
	}
	return true;
}

static bool set_content(lua_State *L, struct transfer *transfer)
{
	struct fault fault = { 0 };
	size_t size;
	const char *text;

	text = text_field(L, "body", &size);
	if (text && !check(L, transfer_set_body(transfer, text, size), "body"))
		return false;
	text = text_field(L, "mail", &size);
	if (text && !check(L, transfer_set_mail(transfer, text, size), "mail"))
		return false;
	text = text_field(L, "file", NULL);
	return !text || check(L, transfer_set_file(transfer, text, &fault), fault.text);
}

/* Results. */

/* A file is kept when its content is what was asked for. */
static int push_file(lua_State *L, struct transfer *transfer, long status)
{
	char hash[TRANSFER_HASH_SIZE];
	struct fault fault = { 0 };
	const char *wanted = text_field(L, "sha256", NULL);

	transfer_hash(transfer, hash);
	lua_getfield(L, 1, "mode");
	if (status / 100 == 2 && (!wanted || !strcasecmp(wanted, hash)) &&
		transfer_keep(transfer, (mode_t)lua_tointeger(L, -1), &fault) < 0)
		return push_failure(L, fault.text, "limit");
	lua_pop(L, 2);
	lua_pushstring(L, hash);
	lua_setfield(L, -2, "sha256");
	lua_pushinteger(L, (lua_Integer)transfer->received);
	lua_setfield(L, -2, "size");
	return 1;
}

static int push_answer(lua_State *L, struct transfer *transfer)
{
	struct transfer_facts facts;

	transfer_facts(transfer, &facts);
	lua_createtable(L, 0, 6);
	lua_pushinteger(L, facts.status);
	lua_setfield(L, -2, "status");
	lua_pushstring(L, facts.url);
	lua_setfield(L, -2, "url");
	lua_pushnumber(L, facts.seconds);
	lua_setfield(L, -2, "duration");
	lua_pushlstring(L, buffer_text(&transfer->head), transfer->head.size);
	lua_setfield(L, -2, "head");
	if (transfer->fd >= 0)
		return push_file(L, transfer, facts.status);
	lua_pushlstring(L, buffer_text(&transfer->body), transfer->body.size);
	lua_setfield(L, -2, "body");
	return 1;
}

static int transfer_collect(lua_State *L, void *work)
{
	void **box = work;
	struct fault fault = { 0 };
	const char *kind = NULL;
	int n = transfer_result(*box, &fault, &kind) < 0 ? push_failure(L, fault.text, kind)
							 : push_answer(L, *box);

	box_empty(box);
	return n;
}

static void transfer_wakes(struct transfer *transfer)
{
	fiber_wake(transfer->userdata);
}

static bool need_web(lua_State *L)
{
	struct runner *runner = runner_of(L);
	struct fault fault = { 0 };

	return runner->web || check(L, web_new(runner->loop, &fault, &runner->web), fault.text);
}

/* transfer{ url, …: see above } → { status, url, head, body or (sha256, size), duration }, or nil, the
 * sentence, its kind */
static int core_transfer(lua_State *L)
{
	struct fiber *fiber = fiber_check(L, "the network");
	struct transfer *transfer;
	const char *protocols;
	void **box;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	box = box_push(L, transfer_empty);
	protocols = text_field(L, "protocols", NULL);
	if (!need_web(L))
		return 3;
	*box = transfer = transfer_new(runner_of(L)->web, protocols ? protocols : "http,https");
	if (!transfer)
		return luaL_error(L, "not enough memory");
	lua_getfield(L, 1, "max_size");
	transfer->limit = lua_tointeger(L, -1);
	if (!set_options(L, transfer) || !add_list(L, transfer, "headers", transfer_add_header) ||
		!add_list(L, transfer, "recipients", transfer_add_recipient) || !set_content(L, transfer)) {
		box_empty(box);
		return 3;
	}
	transfer_start(transfer, transfer_wakes, fiber);
	return fiber_park(L, "the network", transfer_collect, transfer_gone, box);
}

/* file_mode(path) → the permissions of what is there, or those of a new file */
static int core_file_mode(lua_State *L)
{
	struct stat st;
	mode_t mask;

	if (stat(luaL_checkstring(L, 1), &st) == 0) {
		lua_pushinteger(L, st.st_mode & 07777);
		return 1;
	}
	mask = umask(0);
	umask(mask);
	lua_pushinteger(L, 0666 & ~mask);
	return 1;
}

const luaL_Reg core_web[] = {
	{ "file_mode", core_file_mode },
	{ "transfer", core_transfer },
	{ NULL, NULL },
};
