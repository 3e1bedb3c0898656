/* SPDX-License-Identifier: MIT */
/* YAML to JSON values, from libyaml's events. */
#include "engine/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "base/text.h"

enum {
	DEPTH_MAX = 64,
	NODES_MAX = 100000,
	REPEATED_MAX = 16 << 20, /* bytes of texts and keys that aliases may repeat */
	LINE_PATH_MAX = 512,
};

struct parser {
	yaml_parser_t yaml;
	const char *file;
	struct fault *fault;
	json_t *anchors; /* name → value */
	json_t *lines;	 /* "a.b" → line, or NULL: nobody asked */
	bool wants_marks;
	char path[LINE_PATH_MAX];
	int nodes;
	size_t repeated; /* bytes, by aliases */
};

/* A value, and with wants_marks where what is below it stands (else NULL): for each key or item [line,
 * column, marks below]. */
struct node {
	json_t *value, *marks;
};

static int node_parse(struct parser *parser, const yaml_event_t *event, int depth, struct node *ret_node);

static int parse_fault(struct parser *parser, yaml_mark_t mark, const char *what, const char *word)
{
	return fault_set(parser->fault, EINVAL, "%s:%zu:%zu: %s%s%s", parser->file, mark.line + 1,
		mark.column + 1, what, word ? " " : "", word ? word : "");
}

/* libyaml's own words; for tabs, which it calls "a character that cannot start any token", better ones. */
static int syntax_fault(struct parser *parser)
{
	const yaml_parser_t *yaml = &parser->yaml;
	yaml_mark_t mark = yaml->problem_mark;
	const char *problem = yaml->problem ? yaml->problem : "is no YAML";

	if (yaml->error == YAML_MEMORY_ERROR)
		return fault_set(parser->fault, ENOMEM, "%s: out of memory", parser->file);
	if (yaml->error == YAML_READER_ERROR)
		return fault_set(parser->fault, EINVAL, "%s:1:1: byte %zu: %s", parser->file,
			yaml->problem_offset, problem);
	if (strstr(problem, "cannot start any token") && yaml->buffer.pointer < yaml->buffer.last &&
		*yaml->buffer.pointer == '\t')
		return parse_fault(parser, mark, "a tab; YAML is indented with blanks", NULL);
	return parse_fault(parser, mark, problem, yaml->context);
}

static int next_event(struct parser *parser, yaml_event_t *ret_event)
{
	return yaml_parser_parse(&parser->yaml, ret_event) ? 0 : syntax_fault(parser);
}

static void event_done(yaml_event_t *event)
{
	yaml_event_delete(event);
}

static bool is_number(const char *text, bool *ret_whole)
{
	const char *p = text + (*text == '-' || *text == '+');
	size_t digits = strspn(p, "0123456789"), fraction = 0;

	p += digits;
	*ret_whole = *p == '\0';
	if (*p == '.') {
		fraction = strspn(p + 1, "0123456789");
		p += 1 + fraction;
	}
	if (digits + fraction == 0)
		return false;
	if (*p == 'e' || *p == 'E') {
		p++;
		p += *p == '-' || *p == '+';
		if (!strspn(p, "0123456789"))
			return false;
		p += strspn(p, "0123456789");
	}
	return *p == '\0';
}

static json_t *number_value(const char *text, bool whole)
{
	double real;

	if (whole) {
		char *end;
		long long value;

		errno = 0;
		value = strtoll(text, &end, 10);
		if (errno == 0)
			return json_integer(value);
	}
	real = strtod(text, NULL);
	return isfinite(real) ? json_real(real) : NULL;
}

static const struct {
	const char *word;
	char kind;
} words[] = {
	{ "null", 'n' },
	{ "Null", 'n' },
	{ "NULL", 'n' },
	{ "~", 'n' },
	{ "", 'n' },
	{ "true", 't' },
	{ "True", 't' },
	{ "TRUE", 't' },
	{ "false", 'f' },
	{ "False", 'f' },
	{ "FALSE", 'f' },
};

/* The core schema (YAML 1.2.2, 10.3.2): what is quoted is a text, the rest by its looks. */
static json_t *plain_value(const char *text, size_t size)
{
	bool whole;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].word) == size && !memcmp(words[i].word, text, size))
			return words[i].kind == 'n' ? json_null() : json_boolean(words[i].kind == 't');
	if (size > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'o')) {
		const char *digits = text[1] == 'x' ? "0123456789abcdefABCDEF" : "01234567";

		errno = 0;
		if (strspn(text + 2, digits) == size - 2) {
			long long value = strtoll(text + 2, NULL, text[1] == 'x' ? 16 : 8);

			if (errno == 0)
				return json_integer(value);
		}
	}
	if (is_number(text, &whole)) {
		json_t *number = number_value(text, whole);

		if (number)
			return number;
	}
	return json_stringn(text, size);
}

static void node_done(struct node *node)
{
	json_decref(node->value);
	json_decref(node->marks);
}

static int no_memory(struct parser *parser)
{
	return fault_set(parser->fault, ENOMEM, "%s: out of memory", parser->file);
}

static json_t *mark_of(yaml_mark_t mark, json_t *below)
{
	return json_pack("[i, i, O?]", (int)mark.line + 1, (int)mark.column + 1, below);
}

static int scalar_parse(struct parser *parser, const yaml_event_t *event, struct node *ret_node)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t size = event->data.scalar.length;
	json_t *value;

	if (memchr(text, '\0', size))
		return parse_fault(parser, event->start_mark, "a NUL character in a text", NULL);
	value = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain_value(text, size)
								    : json_stringn(text, size);
	if (!value)
		return no_memory(parser);
	ret_node->value = value;
	return 0;
}

/* What an alias repeats counts as if it were written again: that stops bombs, and JSON has no references
 * anyway. */
static int count_nodes(struct parser *parser, const json_t *value, yaml_mark_t mark, int depth)
{
	const char *key;
	size_t i;
	json_t *item;
	int r = 0;

	if (++parser->nodes > NODES_MAX)
		return parse_fault(parser, mark, "more than 100,000 values", NULL);
	if (depth > DEPTH_MAX)
		return parse_fault(parser, mark, "nested deeper than 64 levels", NULL);
	parser->repeated += json_string_length(value);
	if (parser->repeated > REPEATED_MAX)
		return parse_fault(parser, mark, "aliases repeat more than 16 MiB of text", NULL);
	json_object_foreach ((json_t *)value, key, item) {
		parser->repeated += strlen(key);
		r = count_nodes(parser, item, mark, depth + 1);
		if (r < 0)
			return r;
	}
	json_array_foreach (value, i, item) {
		r = count_nodes(parser, item, mark, depth + 1);
		if (r < 0)
			return r;
	}
	return r;
}

static int alias_parse(struct parser *parser, const yaml_event_t *event, int depth, struct node *ret_node)
{
	const char *name = (const char *)event->data.alias.anchor;
	json_t *kept = json_object_get(parser->anchors, name);
	json_t *value = json_array_get(kept, 0), *marks = json_array_get(kept, 1);
	int r;

	if (!value)
		return parse_fault(parser, event->start_mark, "no anchor of that name above:", name);
	r = count_nodes(parser, value, event->start_mark, depth);
	if (r < 0)
		return r;
	value = json_deep_copy(value);
	if (!value)
		return no_memory(parser);
	ret_node->value = value;
	ret_node->marks = json_is_null(marks) ? NULL : json_incref(marks);
	return 0;
}

static int append(struct parser *parser, struct node *list, struct node *item, yaml_mark_t mark)
{
	if (json_array_append(list->value, item->value) < 0)
		return no_memory(parser);
	if (list->marks && json_array_append_new(list->marks, mark_of(mark, item->marks)) < 0)
		return no_memory(parser);
	return 0;
}

static int sequence_parse(struct parser *parser, int depth, struct node *ret_node)
{
	CLEANUP(node_done)
	struct node list = { json_array(), parser->wants_marks ? json_array() : NULL };
	int r;

	for (;;) {
		CLEANUP(event_done) yaml_event_t event = { 0 };
		CLEANUP(node_done) struct node item = { 0 };

		r = next_event(parser, &event);
		if (r < 0)
			return r;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			break;
		r = node_parse(parser, &event, depth + 1, &item);
		if (r == 0)
			r = append(parser, &list, &item, event.start_mark);
		if (r < 0)
			return r;
	}
	*ret_node = list;
	list = (struct node){ 0 };
	return 0;
}

/* Notes where the key stands; returns the length of the path before it, to which it is cut again afterwards.
 */
static size_t path_push(struct parser *parser, const char *key, yaml_mark_t mark)
{
	size_t n = strlen(parser->path);

	if (!parser->lines)
		return n;
	snprintf(parser->path + n, sizeof(parser->path) - n, "%s%s", n ? "." : "", key);
	json_object_set_new(parser->lines, parser->path, json_integer((json_int_t)mark.line + 1));
	return n;
}

static int entry_parse(struct parser *parser, const yaml_event_t *key, struct node *object, int depth)
{
	CLEANUP(event_done) yaml_event_t event = { 0 };
	CLEANUP(node_done) struct node item = { 0 };
	const char *name = (const char *)key->data.scalar.value;
	size_t n;
	int r;

	if (key->type != YAML_SCALAR_EVENT)
		return parse_fault(parser, key->start_mark, "a key must be a plain word or a text", NULL);
	if (strlen(name) != key->data.scalar.length)
		return parse_fault(parser, key->start_mark, "a NUL character in a key", NULL);
	if (json_object_get(object->value, name))
		return parse_fault(parser, key->start_mark, "this key stands here twice:", name);
	r = next_event(parser, &event);
	if (r < 0)
		return r;
	n = path_push(parser, name, key->start_mark);
	r = node_parse(parser, &event, depth + 1, &item);
	parser->path[n] = '\0';
	if (r < 0)
		return r;
	if (json_object_set(object->value, name, item.value) < 0)
		return no_memory(parser);
	if (object->marks &&
		json_object_set_new(object->marks, name, mark_of(key->start_mark, item.marks)) < 0)
		return no_memory(parser);
	return 0;
}

static int mapping_parse(struct parser *parser, int depth, struct node *ret_node)
{
	CLEANUP(node_done)
	struct node object = { json_object(), parser->wants_marks ? json_object() : NULL };
	int r;

	for (;;) {
		CLEANUP(event_done) yaml_event_t event = { 0 };

		r = next_event(parser, &event);
		if (r < 0)
			return r;
		if (event.type == YAML_MAPPING_END_EVENT)
			break;
		r = entry_parse(parser, &event, &object, depth);
		if (r < 0)
			return r;
	}
	*ret_node = object;
	object = (struct node){ 0 };
	return 0;
}

static const char *event_anchor(const yaml_event_t *event)
{
	const yaml_char_t *anchor =
		event->type == YAML_SCALAR_EVENT	   ? event->data.scalar.anchor
		: event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.anchor
		: event->type == YAML_MAPPING_START_EVENT  ? event->data.mapping_start.anchor
							   : NULL;

	return (const char *)anchor;
}

static const char *event_tag(const yaml_event_t *event)
{
	const yaml_char_t *tag = event->type == YAML_SCALAR_EVENT	    ? event->data.scalar.tag
				 : event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.tag
				 : event->type == YAML_MAPPING_START_EVENT  ? event->data.mapping_start.tag
									    : NULL;

	return (const char *)tag;
}

static int node_parse(struct parser *parser, const yaml_event_t *event, int depth, struct node *ret_node)
{
	struct node node = { 0 };
	int r;

	if (event->type == YAML_ALIAS_EVENT)
		return alias_parse(parser, event, depth, ret_node);
	if (event_tag(event))
		return parse_fault(parser, event->start_mark, "tags are not understood:", event_tag(event));
	if (depth > DEPTH_MAX)
		return parse_fault(parser, event->start_mark, "nested deeper than 64 levels", NULL);
	if (++parser->nodes > NODES_MAX)
		return parse_fault(parser, event->start_mark, "more than 100,000 values", NULL);
	if (event->type == YAML_SCALAR_EVENT)
		r = scalar_parse(parser, event, &node);
	else if (event->type == YAML_SEQUENCE_START_EVENT)
		r = sequence_parse(parser, depth, &node);
	else
		r = mapping_parse(parser, depth, &node);
	if (r < 0)
		return r;
	if (event_anchor(event))
		json_object_set_new(
			parser->anchors, event_anchor(event), json_pack("[O, O?]", node.value, node.marks));
	*ret_node = node;
	return 0;
}

/* The stream's and the document's brackets around the one value. */
static int stream_parse(struct parser *parser, struct node *ret_node)
{
	CLEANUP(node_done) struct node node = { 0 };

	for (;;) {
		CLEANUP(event_done) yaml_event_t event = { 0 };
		int r = next_event(parser, &event);

		if (r < 0)
			return r;
		switch (event.type) {
		case YAML_STREAM_END_EVENT:
			*ret_node = node;
			node = (struct node){ 0 };
			if (!ret_node->value)
				ret_node->value = json_object();
			if (!ret_node->marks && parser->wants_marks)
				ret_node->marks = json_object();
			return ret_node->value ? 0 : no_memory(parser);
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
			break;
		case YAML_DOCUMENT_START_EVENT:
			if (node.value)
				return parse_fault(parser, event.start_mark, "a second document", NULL);
			break;
		default:
			r = node_parse(parser, &event, 0, &node);
			if (r < 0)
				return r;
		}
	}
}

/* libyaml takes UTF-16 as well, and its sentence for bad bytes has no line. */
static int check_utf8(const char *file, const char *text, size_t size, struct fault *fault)
{
	size_t line = 1, start = 0;

	for (size_t i = 0; i <= size; i++) {
		if (i < size && text[i] != '\n')
			continue;
		if (!text_is_utf8(text + start, i - start))
			return fault_set(fault, EINVAL, "%s:%zu:1: this line is no UTF-8 text", file, line);
		line++;
		start = i + 1;
	}
	return 0;
}

static int parse(struct parser *parser, const char *text, size_t size, struct node *ret_node)
{
	json_auto_t *anchors = json_object();
	int r = check_utf8(parser->file, text, size, parser->fault);

	if (r < 0)
		return r;
	parser->anchors = anchors;
	if (!anchors || !yaml_parser_initialize(&parser->yaml))
		return no_memory(parser);
	yaml_parser_set_encoding(&parser->yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser->yaml, (const unsigned char *)text, size);
	r = stream_parse(parser, ret_node);
	yaml_parser_delete(&parser->yaml);
	return r;
}

int yaml_parse_lines(const char *file, const char *text, size_t size, struct fault *fault, json_t **ret_value,
	json_t **ret_lines)
{
	json_auto_t *lines = json_object();
	struct parser parser = { .file = file, .fault = fault, .lines = lines };
	struct node node;
	int r = lines ? parse(&parser, text, size, &node) : no_memory(&parser);

	if (r < 0)
		return r;
	*ret_value = node.value;
	*ret_lines = json_incref(lines);
	return 0;
}

int yaml_parse_marks(const char *file, const char *text, size_t size, struct fault *fault, json_t **ret_value,
	json_t **ret_marks)
{
	struct parser parser = { .file = file, .fault = fault, .wants_marks = true };
	struct node node;
	int r = parse(&parser, text, size, &node);

	if (r < 0)
		return r;
	*ret_value = node.value;
	*ret_marks = node.marks;
	return 0;
}

int yaml_parse(const char *file, const char *text, size_t size, struct fault *fault, json_t **ret_value)
{
	struct parser parser = { .file = file, .fault = fault };
	struct node node;
	int r = parse(&parser, text, size, &node);

	if (r == 0)
		*ret_value = node.value;
	return r;
}
