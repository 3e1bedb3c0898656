/* SPDX-License-Identifier: MIT */
/* For the library that is written in Lua: the machine. */
#include <errno.h>
#include <ifaddrs.h>
#include <lauxlib.h>
#include <net/if.h>
#include <netdb.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "lua/box.h"
#include "lua/core.h"
#include "lua/runner.h"
#include "lua/scope.h"

/* Seconds of a clock that nobody sets. */
static int core_clock(lua_State *L)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
	return 1;
}

/* statfs(path) → bytes in all, free ones, those free for us; or nil and a message */
static int core_statfs(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct statvfs fs;

	if (statvfs(path, &fs) < 0) {
		lua_pushnil(L);
		lua_pushfstring(L, "%s: %s", path, strerror(errno));
		return 2;
	}
	lua_pushinteger(L, (lua_Integer)(fs.f_blocks * fs.f_frsize));
	lua_pushinteger(L, (lua_Integer)(fs.f_bfree * fs.f_frsize));
	lua_pushinteger(L, (lua_Integer)(fs.f_bavail * fs.f_frsize));
	return 3;
}

/* fibers(): how many tasks, hooks and goroutines there are */
static int core_fibers(lua_State *L)
{
	struct scope *scope;
	struct fiber *fiber;
	lua_Integer count = 0;

	LIST_FOREACH (scope, &runner_of(L)->scopes, link)
		TAILQ_FOREACH (fiber, &scope->fibers, link)
			count++;
	lua_pushinteger(L, count);
	return 1;
}

static void set_text(lua_State *L, const char *name, const char *text)
{
	lua_pushstring(L, text);
	lua_setfield(L, -2, name);
}

static int core_uname(lua_State *L)
{
	struct utsname names;

	if (uname(&names) < 0)
		return luaL_error(L, "uname: %s", strerror(errno));
	lua_createtable(L, 0, 4);
	set_text(L, "sysname", names.sysname);
	set_text(L, "nodename", names.nodename);
	set_text(L, "release", names.release);
	set_text(L, "machine", names.machine);
	return 1;
}

static void free_interfaces(void *list)
{
	freeifaddrs(list);
}

/* interfaces() → a list of { name, address (without its prefix's length), up } */
static int core_interfaces(lua_State *L)
{
	void **all = box_push(L, free_interfaces);
	struct ifaddrs *list;
	lua_Integer n = 0;

	lua_newtable(L);
	if (getifaddrs(&list) < 0)
		return 1;
	*all = list;
	for (const struct ifaddrs *one = list; one; one = one->ifa_next) {
		char address[NI_MAXHOST] = "";
		socklen_t size = one->ifa_addr && one->ifa_addr->sa_family == AF_INET6
					 ? sizeof(struct sockaddr_in6)
					 : sizeof(struct sockaddr_in);

		if (one->ifa_addr &&
			(one->ifa_addr->sa_family == AF_INET || one->ifa_addr->sa_family == AF_INET6))
			getnameinfo(one->ifa_addr, size, address, sizeof(address), NULL, 0, NI_NUMERICHOST);
		lua_createtable(L, 0, 3);
		set_text(L, "name", one->ifa_name);
		if (*address)
			set_text(L, "address", address);
		lua_pushboolean(L, one->ifa_flags & IFF_UP);
		lua_setfield(L, -2, "up");
		lua_rawseti(L, -2, ++n);
	}
	box_empty(all);
	return 1;
}

static int core_page_size(lua_State *L)
{
	lua_pushinteger(L, sysconf(_SC_PAGESIZE));
	return 1;
}

static int core_zone(lua_State *L)
{
	tzset();
	lua_pushstring(L, tzname[0]);
	return 1;
}

const luaL_Reg core_machine[] = {
	{ "clock", core_clock },
	{ "fibers", core_fibers },
	{ "interfaces", core_interfaces },
	{ "page_size", core_page_size },
	{ "statfs", core_statfs },
	{ "uname", core_uname },
	{ "zone", core_zone },
	{ NULL, NULL },
};
