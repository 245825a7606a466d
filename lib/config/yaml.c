/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * yaml: a configuration file is one flat mapping of words to values or lists of values. Events are
 * judged as they come, so nothing of a refused file is built: no nesting, no alias is followed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "config_int.h"

struct loader {
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	struct sc_config *c;
	struct cfg_source *src;
	struct sc_err *err;
};

/* The file's name as messages show it: its end, if it is long. */
static const char *
shown_name(const struct cfg_source *src)
{
	size_t len = strlen(src->name);

	return len > 160 ? src->name + len - 160 : src->name;
}

static int
refuse_at(const struct loader *l, unsigned int line, int code, const char *cause)
{
	return sc_err_set(l->err, code, "%s:%u: %s", shown_name(l->src), line, cause);
}

/* Lines count from 1, libyaml's from 0. */
static unsigned int
event_line(const struct loader *l)
{
	return (unsigned int)l->event.start_mark.line + 1;
}

static int
refuse_event(const struct loader *l, const char *cause)
{
	return refuse_at(l, event_line(l), -EINVAL, cause);
}

/* What libyaml says; its reader knows a byte offset instead of a line. */
static int
refuse_syntax(const struct loader *l)
{
	const yaml_parser_t *p = &l->parser;
	const char *problem = p->problem != NULL ? p->problem : "not YAML";
	unsigned int line = (unsigned int)p->problem_mark.line + 1;
	char cause[200];
	size_t i;

	if (p->error == YAML_MEMORY_ERROR)
		return sc_err_set(l->err, -ENOMEM, "%s: no memory to read it", shown_name(l->src));
	if (p->error == YAML_READER_ERROR)
		for (i = 0, line = 1; i < p->problem_offset && i < l->src->len; i++)
			line += l->src->text[i] == '\n';
	snprintf(cause, sizeof(cause), "not valid YAML: %s", problem);
	return refuse_at(l, line, -EINVAL, cause);
}

/* What is refused wherever it stands. */
static int
judge_event(const struct loader *l)
{
	const yaml_event_t *e = &l->event;
	bool has_anchor = (e->type == YAML_SCALAR_EVENT && e->data.scalar.anchor != NULL)
			|| (e->type == YAML_SEQUENCE_START_EVENT
					&& e->data.sequence_start.anchor != NULL)
			|| (e->type == YAML_MAPPING_START_EVENT
					&& e->data.mapping_start.anchor != NULL);
	bool has_tag = (e->type == YAML_SCALAR_EVENT && e->data.scalar.tag != NULL)
			|| (e->type == YAML_SEQUENCE_START_EVENT
					&& e->data.sequence_start.tag != NULL)
			|| (e->type == YAML_MAPPING_START_EVENT
					&& e->data.mapping_start.tag != NULL);

	if (has_anchor || e->type == YAML_ALIAS_EVENT)
		return refuse_event(l, "anchors and aliases are not taken; write the value out");
	if (has_tag)
		return refuse_event(l, "tags are not taken; write the plain value");
	if (e->type == YAML_SCALAR_EVENT
			&& strlen((const char *)e->data.scalar.value) != e->data.scalar.length)
		return refuse_event(l, "the value contains a NUL character");
	return 0;
}

/* Step to the next event. */
static int
next(struct loader *l)
{
	yaml_event_delete(&l->event);
	if (yaml_parser_parse(&l->parser, &l->event) == 0)
		return refuse_syntax(l);
	return judge_event(l);
}

static const char *
scalar(const struct loader *l)
{
	return (const char *)l->event.data.scalar.value;
}

/* "key:" alone, ~ and null. */
static bool
is_null(const struct loader *l)
{
	const char *v = scalar(l);

	return l->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE
			&& (v[0] == '\0' || strcmp(v, "~") == 0 || strcmp(v, "null") == 0);
}

static int
refuse_value(const struct loader *l, const struct cfg_row *row, int code, const char *cause)
{
	return sc_err_set(l->err, code, "%s:%u: %s: %s", shown_name(l->src), event_line(l),
			row->word, cause);
}

/* The current event is one value of row. */
static int
take_value(struct loader *l, const struct cfg_row *row)
{
	char want[CFG_WANT_LEN], text[CFG_WANT_LEN + 32];
	struct sc_err cause;
	int rc;

	if (l->event.type != YAML_SCALAR_EVENT)
		return refuse_value(l, row, -EINVAL,
				row->type->clear != NULL
						? "a value of the list is itself a list or "
						  "a mapping; give plain values"
						: "this is a list or a mapping; give one "
						  "plain value");
	if (is_null(l)) {
		row->type->want(row, want, sizeof(want));
		snprintf(text, sizeof(text), "there is no value; give %s", want);
		return refuse_value(l, row, -EINVAL, text);
	}
	rc = row->type->set(row, l->c, scalar(l), &cause);
	return rc < 0 ? refuse_value(l, row, rc, cause.text) : 0;
}

/* The event after a key: a value, or for a list a sequence of values. */
static int
take_values(struct loader *l, const struct cfg_row *row)
{
	int rc = next(l);

	if (rc < 0)
		return rc;
	if (l->event.type != YAML_SEQUENCE_START_EVENT || row->type->clear == NULL)
		return take_value(l, row);
	for (;;) {
		rc = next(l);
		if (rc < 0 || l->event.type == YAML_SEQUENCE_END_EVENT)
			return rc;
		rc = take_value(l, row);
		if (rc < 0)
			return rc;
	}
}

/* The current event is a key: which row, and is it there for the first time? */
static int
take_key(struct loader *l, const struct cfg_row **row)
{
	char show[CFG_SHOW_LEN], guess[CFG_WANT_LEN], cause[300];
	unsigned int *first;

	if (l->event.type != YAML_SCALAR_EVENT)
		return refuse_event(l, "a key is a list or a mapping; give a plain word");
	*row = cfg_find(scalar(l), strlen(scalar(l)));
	if (*row == NULL || (*row)->where == CFG_ONLY_ARGS) {
		snprintf(cause, sizeof(cause), "unknown key %s%s", cfg_show(scalar(l), show),
				*row != NULL ? ": it is for the command line only"
					     : cfg_suggest(scalar(l), strlen(scalar(l)), "",
							     guess));
		return refuse_event(l, cause);
	}
	first = &l->src->first_line[*row - cfg_rows];
	if (*first != 0) {
		snprintf(cause, sizeof(cause), "%s is given again, first on line %u; give it once",
				(*row)->word, *first);
		return refuse_event(l, cause);
	}
	*first = event_line(l);
	return 0;
}

static int
take_mapping(struct loader *l)
{
	const struct cfg_row *row = NULL;
	int rc;

	for (;;) {
		rc = next(l);
		if (rc < 0 || l->event.type == YAML_MAPPING_END_EVENT)
			return rc;
		rc = take_key(l, &row);
		if (rc == 0)
			rc = take_values(l, row);
		if (rc < 0)
			return rc;
	}
}

/* Stream start to stream end. */
static int
take_stream(struct loader *l)
{
	int rc = next(l); /* stream start */

	if (rc == 0)
		rc = next(l);
	if (rc < 0)
		return rc;
	if (l->event.type == YAML_STREAM_END_EVENT)
		return refuse_at(l, 1, -EINVAL, "the file is empty; give \"word: value\" lines");
	rc = next(l); /* the document's root */
	if (rc < 0)
		return rc;
	if (l->event.type != YAML_MAPPING_START_EVENT)
		return refuse_event(l, "this is no mapping; give \"word: value\" lines");
	rc = take_mapping(l);
	if (rc == 0)
		rc = next(l); /* document end */
	if (rc == 0)
		rc = next(l);
	if (rc == 0 && l->event.type != YAML_STREAM_END_EVENT)
		return refuse_event(l, "a second document begins; give one");
	return rc;
}

int
cfg_load_text(struct sc_config *c, struct cfg_source *src, struct sc_err *err)
{
	struct loader l = {.c = c, .src = src, .err = err};
	int rc;

	memset(src->first_line, 0, sizeof(src->first_line));
	if (yaml_parser_initialize(&l.parser) == 0)
		return sc_err_set(err, -ENOMEM, "%s: no memory to read it", shown_name(src));
	yaml_parser_set_input_string(&l.parser, (const unsigned char *)src->text, src->len);
	rc = take_stream(&l);
	yaml_event_delete(&l.event);
	yaml_parser_delete(&l.parser);
	return rc;
}

/* Up to `max` bytes; the length or a negative errno. Pipes are welcome: --config <(generate). */
static ssize_t
read_all(int fd, char *buf, size_t max)
{
	size_t len = 0;
	ssize_t n;

	while (len < max) {
		n = read(fd, buf + len, max - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

int
cfg_load_file(struct sc_config *c, struct cfg_source *src, struct sc_err *err)
{
	char *buf = NULL;
	ssize_t len;
	int fd, rc;

	fd = open(src->name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return sc_err_set(err, -errno, "%s: cannot open it: %s", shown_name(src),
				strerror(errno));
	buf = malloc(CFG_FILE_MAX + 1);
	if (buf == NULL) {
		rc = sc_err_set(err, -ENOMEM, "%s: no memory to read it", shown_name(src));
		goto out;
	}
	len = read_all(fd, buf, CFG_FILE_MAX + 1);
	if (len < 0) {
		rc = sc_err_set(err, (int)len, "%s: cannot read it: %s", shown_name(src),
				strerror((int)-len));
		goto out;
	}
	if (len > (ssize_t)CFG_FILE_MAX) {
		rc = sc_err_set(err, -EFBIG,
				"%s: it is larger than 1 MiB; this is no configuration file",
				shown_name(src));
		goto out;
	}
	src->text = buf;
	src->len = (size_t)len;
	rc = cfg_load_text(c, src, err);
out:
	src->text = NULL;
	src->len = 0;
	free(buf);
	close(fd);
	return rc;
}

int
sc_config_load(struct sc_config *c, const char *path, struct sc_err *err)
{
	struct cfg_source src = {.name = path};

	return cfg_load_file(c, &src, err);
}
