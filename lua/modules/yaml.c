/* SPDX-License-Identifier: MIT */
/* yaml: text from values and back. */
#include "lua/modules/codecs.h"

const struct function module_yaml[] = {
	{ "decode", codec_yaml_decode, .args = { TEXT_ARG } },
	{ "dump", codec_yaml_encode, .args = { VALUE_ARG } },
	{ "encode", codec_yaml_encode, .args = { VALUE_ARG } },
	{ "parse", codec_yaml_decode, .args = { TEXT_ARG } },
	{ "parse_yaml", codec_yaml_decode, .args = { TEXT_ARG } },
	{ "to_yaml", codec_yaml_encode, .args = { VALUE_ARG } },
	{ NULL },
};
