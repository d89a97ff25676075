/* GitHub Actions: docs.github.com/actions/reference/workflow-commands-for-github-actions */
#include "review/report.h"

/* What GitHub shows of each level for one step; it drops the others without a word. */
#define SHOWN 10

static const char *const levels[] = {"error", "warning", "notice"};

/* How many remarks there are of each level, and how many have been written. */
struct tally {
	size_t all[LEVEL_COUNT], written[LEVEL_COUNT];
};

static void add_escaped(struct buf *out, struct str text, bool property)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ',')))
			buf_fmt(out, "%%%02X", (unsigned)c);
		else
			buf_addc(out, c);
	}
}

/* The last one that GitHub would show says how many there are more; those are lines of the log. */
static bool begin_remark(struct buf *out, struct tally *tally, enum review_level level)
{
	size_t at = tally->written[level]++, shown = tally->all[level] > SHOWN ? SHOWN - 1 : SHOWN;
	if (at == shown)
		buf_fmt(out, "::%s title=connhook::%zu more %s%s: GitHub shows %d of a step, the log of this step has all\n",
			levels[level], tally->all[level] - shown, levels[level], tally->all[level] - shown == 1 ? "" : "s", SHOWN);
	return at < shown;
}

static void add_place(struct buf *out, const char *source, size_t line)
{
	if (!report_has_file(source))
		return;
	buf_addz(out, "file=");
	add_escaped(out, report_path(source), true);
	buf_fmt(out, ",line=%zu,", line);
}

static void add_remark(struct buf *out, struct tally *tally, const struct review_result *r,
		       const struct review_remark *remark)
{
	struct buf text;
	buf_init(&text, out->limit);
	report_add_about(&text, r, remark);
	if (begin_remark(out, tally, remark->level)) {
		buf_fmt(out, "::%s ", levels[remark->level]);
		add_place(out, r->manifest->source, remark->line);
		buf_addz(out, "title=");
		add_escaped(out, str_of(remark->id), true);
		buf_addz(out, "::");
		add_escaped(out, buf_str(&text), false);
	} else {
		buf_fmt(out, "%s: ", levels[remark->level]);
		review_add_place(out, r, remark->line);
		buf_fmt(out, ": %.*s [%s]", STR_ARG(buf_str(&text)), remark->id);
	}
	buf_addc(out, '\n');
	report_done(&text, out);
}

static void add_unreadable(struct buf *out, struct tally *tally, const struct unreadable *u)
{
	if (begin_remark(out, tally, LEVEL_ERROR)) {
		buf_addz(out, "::error ");
		add_place(out, u->source, report_line(u));
		buf_addz(out, "title=" REVIEW_UNREADABLE "::");
		add_escaped(out, u->message, false);
	} else {
		buf_addz(out, "error: ");
		review_add_unreadable(out, u);
		buf_addz(out, " [" REVIEW_UNREADABLE "]");
	}
	buf_addc(out, '\n');
}

void github_end(struct buf *out, const struct review *review)
{
	struct tally tally = {.all = {review->unreadable_count}};
	struct review_remark remark;
	for (size_t n = 0; n < review->count; n++)
		for (size_t i = 0; review_remark(review, &review->results[n], i, &remark); i++)
			tally.all[remark.level]++;
	for (size_t i = 0; i < review->unreadable_count; i++)
		add_unreadable(out, &tally, &review->unreadable[i]);
	for (size_t n = 0; n < review->count; n++)
		for (size_t i = 0; review_remark(review, &review->results[n], i, &remark); i++)
			add_remark(out, &tally, &review->results[n], &remark);
	review_add_counts(out, review);
}
