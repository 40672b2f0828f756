/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Turns texts into a model, or into a list of everything that is wrong with them.
 *
 * Owns the transaction over all files; the lines are reader.c's, the sections section.c's, the keys
 * key.c's. Invariant: a model is handed out only when not one error was reported, so no half of a
 * configuration ever becomes a policy.
 */
#include "config/parser.h"

#include "config/diagnostics.h"
#include "config/file.h"
#include "config/policy.h"
#include "config/reader.h"
#include "config/section.h"
#include "util/basic.h"

struct parser {
	struct parser_users users;
	struct sections sections;
	size_t n_errors; /* of the diagnostics that were there before */
	/* Errors of reading files, and the last of them. */
	size_t n_unread;
	int unread;
};

int parser_new(const struct parser_users *users, struct diagnostics *diag, struct parser **ret)
{
	_cleanup_(parser_freep) struct parser *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	if (users)
		p->users = *users;
	p->n_errors = diag->n_errors;
	p->sections.users = &p->users;
	p->sections.diag = diag;
	p->sections.config = config_new();
	if (!p->sections.config)
		return -ENOMEM;
	*ret = TAKE_PTR(p);
	return 0;
}

struct parser *parser_free(struct parser *p)
{
	if (!p)
		return NULL;
	sections_done(&p->sections);
	free(p);
	return NULL;
}

static int handle_section(void *userdata, unsigned line, const char *kind, const char *name)
{
	struct sections *s = userdata;

	s->line = line;
	return sections_begin(s, kind, name);
}

static int handle_assignment(void *userdata, unsigned line, const char *key, const char *value)
{
	struct sections *s = userdata;

	s->line = line;
	return key_assign(s, key, value);
}

static int handle_damage(void *userdata, unsigned line, bool header)
{
	struct sections *s = userdata;

	s->line = line;
	sections_damage(s, header);
	return 0;
}

int parser_add_buffer(struct parser *p, const char *file, const char *text, size_t size)
{
	static const struct reader_handlers handlers = {
		.section = handle_section,
		.assignment = handle_assignment,
		.damage = handle_damage,
	};
	int r = sections_begin_file(&p->sections, file);

	if (r < 0)
		return r;
	return reader_read(file, text, size, p->sections.diag, &handlers, &p->sections);
}

int parser_add_file(struct parser *p, const char *path)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = file_read(path, p->sections.diag, &text, &size);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		p->unread = r;
		p->n_unread++;
		return 0;
	}
	return parser_add_buffer(p, path, text, size);
}

int parser_finish(struct parser *p, struct config **ret)
{
	struct diagnostics *diag = p->sections.diag;
	int r;

	/* A section may lack what the file that could not be read has. */
	r = p->n_unread == 0 ? sections_check(&p->sections) : 0;
	if (r < 0 || diag->out_of_memory)
		return -ENOMEM;
	if (diag->n_errors > p->n_errors + p->n_unread)
		return -EINVAL;
	if (p->unread < 0)
		return p->unread;
	r = config_finish(p->sections.config);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(p->sections.config);
	return 0;
}

int parser_parse_buffer(const char *file, const char *text, size_t size,
			const struct parser_users *users, struct diagnostics *diag,
			struct config **ret)
{
	_cleanup_(parser_freep) struct parser *p = NULL;
	int r = parser_new(users, diag, &p);

	if (r == 0)
		r = parser_add_buffer(p, file, text, size);
	return r < 0 ? r : parser_finish(p, ret);
}

int parser_parse_file(const char *path, const struct parser_users *users, struct diagnostics *diag,
		      struct config **ret)
{
	_cleanup_(parser_freep) struct parser *p = NULL;
	int r = parser_new(users, diag, &p);

	if (r == 0)
		r = parser_add_file(p, path);
	return r < 0 ? r : parser_finish(p, ret);
}
