/* SPDX-License-Identifier: MIT */
/* For the library that is written in Lua: letters of all alphabets. */
#include <lauxlib.h>
#include <limits.h>
#include <locale.h>
#include <wchar.h>
#include <wctype.h>

#include "lua/core.h"

/* The one that every C library has; the runner's own is "C", where no letter beyond ASCII has a capital. */
static locale_t letters(void)
{
	static locale_t locale;

	if (!locale)
		locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
	return locale;
}

/* One character of `text`, changed, into `bytes`; bytes that are no text stay. The size of the one,
 * `ret_size` that of the other. */
static size_t change_one(const char *text, size_t left, wint_t (*change)(wint_t, locale_t),
	char bytes[MB_LEN_MAX], size_t *ret_size)
{
	mbstate_t in = { 0 }, out = { 0 };
	wchar_t letter;
	size_t n = mbrtowc(&letter, text, left, &in);

	*ret_size = n <= left && n > 0 ? wcrtomb(bytes, (wchar_t)change((wint_t)letter, letters()), &out)
				       : (size_t)-1;
	if (*ret_size != (size_t)-1)
		return n;
	bytes[0] = *text;
	*ret_size = 1;
	return 1;
}

static int change_case(lua_State *L, wint_t (*change)(wint_t, locale_t))
{
	size_t left;
	const char *text = luaL_checklstring(L, 1, &left);
	luaL_Buffer result;

	luaL_buffinit(L, &result);
	while (left) {
		char bytes[MB_LEN_MAX];
		/* Around each: an error of memory jumps out of here. */
		locale_t old = uselocale(letters());
		size_t size, n = change_one(text, left, change, bytes, &size);

		uselocale(old);
		luaL_addlstring(&result, bytes, size);
		text += n;
		left -= n;
	}
	luaL_pushresult(&result);
	return 1;
}

static int core_upper(lua_State *L)
{
	return change_case(L, towupper_l);
}

static int core_lower(lua_State *L)
{
	return change_case(L, towlower_l);
}

const luaL_Reg core_letters[] = {
	{ "lower", core_lower },
	{ "upper", core_upper },
	{ NULL, NULL },
};
