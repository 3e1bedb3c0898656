/* SPDX-License-Identifier: MIT */
/* json: text from values and back. json.null stands for null inside lists; lib/json.lua adds it. */
#include "lua/modules/codecs.h"

const struct function module_json[] = {
	{ "decode", codec_json_decode, .args = { TEXT_ARG } },
	{ "encode", codec_json_encode, .args = { VALUE_ARG, PRETTY_ARG } },
	{ "parse", codec_json_decode, .args = { TEXT_ARG } },
	{ "parse_json", codec_json_decode, .args = { TEXT_ARG } },
	{ "pretty", codec_json_pretty, .args = { VALUE_ARG } },
	{ "stringify", codec_json_encode, .args = { VALUE_ARG, PRETTY_ARG } },
	{ "to_json", codec_json_encode, .args = { VALUE_ARG, PRETTY_ARG } },
	{ "validate", codec_json_validate, .args = { TEXT_ARG } },
	{ NULL },
};
