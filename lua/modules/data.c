/* SPDX-License-Identifier: MIT */
/* data: JSON and YAML under the names that this module has for them. CSV and nested tables: lib/data.lua. */
#include "lua/modules/codecs.h"

const struct function module_data[] = {
	{ "json_decode", codec_json_decode, .args = { TEXT_ARG } },
	{ "json_encode", codec_json_encode, .args = { VALUE_ARG, PRETTY_ARG } },
	{ "json_pretty", codec_json_pretty, .args = { VALUE_ARG } },
	{ "json_to_yaml", codec_json_to_yaml, .args = { TEXT_ARG } },
	{ "json_validate", codec_json_validate, .args = { TEXT_ARG } },
	{ "parse_json", codec_json_decode, .args = { TEXT_ARG } },
	{ "parse_yaml", codec_yaml_decode, .args = { TEXT_ARG } },
	{ "to_json", codec_json_encode, .args = { VALUE_ARG, PRETTY_ARG } },
	{ "to_yaml", codec_yaml_encode, .args = { VALUE_ARG } },
	{ "yaml_decode", codec_yaml_decode, .args = { TEXT_ARG } },
	{ "yaml_encode", codec_yaml_encode, .args = { VALUE_ARG } },
	{ "yaml_to_json", codec_yaml_to_json, .args = { TEXT_ARG } },
	{ NULL },
};
