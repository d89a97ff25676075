#include "review/report.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define REPORT_SAME 64 /* remarks before one of an object that it is told apart from */

bool report_has_file(const char *source)
{
	return strcmp(source, REVIEW_STDIN) != 0;
}

struct str report_path(const char *source)
{
	struct str name = report_has_file(source) ? str_of(source) : STR("stdin");
	while (str_starts(name, STR("./")))
		name = str_from(name, 2);
	return name;
}

size_t report_line(const struct unreadable *u)
{
	return u->line > 0 ? u->line : 1;
}

void report_add_about(struct buf *out, const struct review_result *r, const struct review_remark *remark)
{
	review_add_title(out, r);
	buf_addz(out, remark->audited ? ": would be denied: " : ": ");
	review_add_sentence(out, remark);
}

void report_done(struct buf *text, struct buf *out)
{
	buf_fail(out, text->error);
	buf_free(text);
}

/* ---- fingerprints ---- */

/* The text, without the numbers in brackets that are indexes. */
static unsigned long long hash_path(unsigned long long hash, struct str text)
{
	size_t from = 0;
	for (size_t i = 0; i < text.n; i++) {
		size_t end = i + 1;
		if (text.p[i] != '[')
			continue;
		while (end < text.n && text.p[end] >= '0' && text.p[end] <= '9')
			end++;
		if (end == i + 1 || end == text.n || text.p[end] != ']')
			continue;
		hash = str_hash(hash, (struct str){text.p + from, i - from});
		from = end;
	}
	return str_hash(str_hash(hash, str_from(text, from)), STR("\n"));
}

/* A note's sentence names other objects with their lines. */
static unsigned long long hash_remark(const struct review_result *r, const struct review_remark *remark, bool is_note)
{
	unsigned long long hash = hash_path(STR_HASH_SEED, str_of(remark->id));
	const struct str parts[] = {report_path(r->manifest->source), r->group, r->kind, r->namespace, r->name};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		hash = str_hash(str_hash(hash, parts[i]), STR("\n"));
	hash = hash_path(hash, remark->field) + r->twin;
	return is_note ? hash : hash_path(hash, remark->message);
}

static void write_fingerprint(char out[FINGERPRINT_MAX], unsigned long long hash, size_t same)
{
	if (snprintf(out, FINGERPRINT_MAX, "%016llx:%zu", hash, same) < 0)
		out[0] = '\0';
}

void report_fingerprint(char out[FINGERPRINT_MAX], const struct review *review, const struct review_result *r,
			size_t index)
{
	struct review_remark remark;
	size_t notes = r->finding_count + r->advice_count, same = 1;
	(void)review_remark(review, r, index, &remark);
	unsigned long long hash = hash_remark(r, &remark, index >= notes);
	for (size_t i = index < REPORT_SAME ? 0 : index - REPORT_SAME; i < index; i++)
		same += review_remark(review, r, i, &remark) && hash_remark(r, &remark, i >= notes) == hash;
	write_fingerprint(out, hash, same);
}

void report_fingerprint_unreadable(char out[FINGERPRINT_MAX], const struct unreadable *u)
{
	unsigned long long hash = hash_path(STR_HASH_SEED, STR(REVIEW_UNREADABLE));
	write_fingerprint(out, hash_path(hash_path(hash, report_path(u->source)), u->message), 1);
}
