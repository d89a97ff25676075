/* What the reports for other programs share. */
#ifndef REVIEW_REPORT_H
#define REVIEW_REPORT_H

#include "review/print.h"

/* Is it from a file that a report can point to? */
bool report_has_file(const char *source);

/* The file's name without a leading "./": reports are about paths below the repository. Standard input has one too. */
struct str report_path(const char *source);

/* The line, for programs that want one. */
size_t report_line(const struct unreadable *u);

/* "Deployment team-a/web: field: message" */
void report_add_about(struct buf *out, const struct review_result *r, const struct review_remark *remark);

/* Moves the failure of a buffer that is done with to `out`. */
void report_done(struct buf *text, struct buf *out);

#define FINGERPRINT_MAX 40

/*
 * What a remark is known by from run to run: its rule, file and object, field and sentence, but no line and no index.
 * The same twice in one object is told apart by a number behind it.
 */
void report_fingerprint(char out[FINGERPRINT_MAX], const struct review *review, const struct review_result *r,
			size_t index);
void report_fingerprint_unreadable(char out[FINGERPRINT_MAX], const struct unreadable *u);

/* The formats. */
void github_end(struct buf *out, const struct review *review);
void gitlab_begin(struct buf *out, const struct review *review);
void gitlab_print(struct buf *out, const struct review *review, const struct review_result *r);
void gitlab_end(struct buf *out, const struct review *review);
void junit_begin(struct buf *out, const struct review *review);
void junit_print(struct buf *out, const struct review *review, const struct review_result *r);
void junit_end(struct buf *out, const struct review *review);
void sarif_begin(struct buf *out, const struct review *review);
void sarif_print(struct buf *out, const struct review *review, const struct review_result *r);
void sarif_end(struct buf *out, const struct review *review);

#endif
