/* GitLab Code Quality: docs.gitlab.com/ci/testing/code_quality, a part of Code Climate's format. */
#include "review/report.h"

#include "codec/json_writer.h"

static const char *const severities[] = {"critical", "minor", "info"};

void gitlab_begin(struct buf *out, const struct review *review)
{
	(void)review;
	buf_addc(out, '[');
}

static void write_issue(struct json_writer *w, const char *id, const char *severity, struct str text,
			const char *fingerprint, const char *source, size_t line)
{
	buf_addz(w->out, w->comma ? ",\n" : "\n");
	w->comma = false;
	jw_object(w);
	jw_member(w, "description", text);
	jw_memberz(w, "check_name", id);
	jw_memberz(w, "fingerprint", fingerprint);
	jw_memberz(w, "severity", severity);
	jw_key(w, "location");
	jw_object(w);
	jw_member(w, "path", report_path(source));
	jw_key(w, "lines");
	jw_object(w);
	jw_key(w, "begin");
	jw_int(w, (long long)line);
	jw_object_end(w);
	jw_object_end(w);
	jw_object_end(w);
}

void gitlab_print(struct buf *out, const struct review *review, const struct review_result *r)
{
	struct review_remark remark;
	struct json_writer w = {.out = out, .comma = r > review->results + review->first_remarked};
	for (size_t i = 0; review_remark(review, r, i, &remark); i++) {
		char fingerprint[FINGERPRINT_MAX];
		struct buf text;
		buf_init(&text, out->limit);
		report_add_about(&text, r, &remark);
		report_fingerprint(fingerprint, review, r, i);
		write_issue(&w, remark.id, severities[remark.level], buf_str(&text), fingerprint, r->manifest->source,
			    remark.line);
		report_done(&text, out);
	}
}

void gitlab_end(struct buf *out, const struct review *review)
{
	struct json_writer w = {.out = out, .comma = review->first_remarked < review->count};
	for (size_t i = 0; i < review->unreadable_count; i++) {
		const struct unreadable *u = &review->unreadable[i];
		char fingerprint[FINGERPRINT_MAX];
		report_fingerprint_unreadable(fingerprint, u);
		write_issue(&w, REVIEW_UNREADABLE, "blocker", u->message, fingerprint, u->source, report_line(u));
	}
	buf_addz(out, w.comma ? "\n]\n" : "]\n");
}
