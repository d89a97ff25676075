/*
 * Texts that wait to be read: on all processors, each job by itself, and taken into what has been read in their order.
 */
#include "review/reading.h"

#include "base/limits.h"
#include "base/parallel.h"
#include "codec/utf16.h"

#define READING_JOB (128 * KIB)  /* of text that one thread reads at a time */
#define READING_WINDOW (16 * MIB) /* that waits, before it is read */

/* Some parts of one text, and what came of them. */
struct reading_job {
	struct reading reading;
	struct text_part *parts;
	size_t count, capacity;
	struct manifests result;
	int rc;
};

static void read_parts(struct reading_job *job, struct manifests *into, struct error *err)
{
	struct reading r = {into, job->reading.source, job->reading.found, err};
	job->rc = 0;
	for (size_t i = 0; i < job->count && job->rc == 0; i++)
		job->rc = reading_add_part(&r, &job->parts[i]);
}

static void run_job(void *context, size_t index)
{
	struct reading_job *job = &((struct reading_job *)context)[index];
	struct error err;
	manifests_init(&job->result);
	read_parts(job, &job->result, &err);
}

static int take_items(struct manifests *m, const struct manifests *from)
{
	for (size_t i = 0; i < from->count; i++) {
		struct manifest *items = arena_grow(&m->arena, m->items, m->count, &m->capacity, sizeof *items);
		if (items == NULL)
			return ERR_NOMEM;
		m->items = items;
		m->items[m->count++] = from->items[i];
	}
	for (size_t i = 0; i < from->unreadable_count; i++) {
		struct unreadable *items =
			arena_grow(&m->arena, m->unreadable, m->unreadable_count, &m->unreadable_capacity, sizeof *items);
		if (items == NULL)
			return ERR_NOMEM;
		m->unreadable = items;
		m->unreadable[m->unreadable_count++] = from->unreadable[i];
	}
	m->passed_over += from->passed_over;
	return 0;
}

/* Aliases have one budget: a job that would be over it is read once more, with what is left. */
static int take_job(struct manifests *m, struct reading_job *job, struct error *err)
{
	size_t aliased = LIMIT_YAML_ALIASED - job->result.lenient.aliased;
	if (job->rc == 0 && aliased > m->lenient.aliased) {
		read_parts(job, m, err);
		return job->rc;
	}
	if (job->rc != 0 || take_items(m, &job->result) != 0)
		return error_nomem(err);
	arena_join(&m->arena, &job->result.arena);
	m->lenient.aliased -= aliased;
	return 0;
}

static void drop(struct reading_queue *q)
{
	for (size_t i = 0; i < q->text_count; i++)
		buf_free(&q->texts[i]);
	arena_free(&q->arena);
	*q = (struct reading_queue){0};
}

int reading_flush(struct manifests *m, struct error *err)
{
	struct reading_queue q = m->queue;
	int rc = 0;
	m->queue = (struct reading_queue){0};
	parallel_each(q.count, run_job, q.jobs);
	for (size_t i = 0; i < q.count && rc == 0; i++)
		rc = take_job(m, &q.jobs[i], err);
	for (size_t i = 0; i < q.count; i++)
		arena_free(&q.jobs[i].result.arena);
	drop(&q);
	return rc;
}

void reading_drop(struct manifests *m)
{
	drop(&m->queue);
}

/* Divides the text into jobs of several parts each. */
static int add_jobs(struct reading_queue *q, const struct reading *r, struct str text)
{
	struct text_parts parts;
	struct text_part part;
	struct reading_job *job = NULL;
	size_t bytes = 0;
	text_parts_begin(&parts, text);
	while (text_parts_next(&parts, &part)) {
		if (job == NULL || bytes > READING_JOB) {
			struct reading_job *jobs = arena_grow(&q->arena, q->jobs, q->count, &q->capacity, sizeof *jobs);
			if (jobs == NULL)
				return ERR_NOMEM;
			q->jobs = jobs;
			job = &q->jobs[q->count++];
			*job = (struct reading_job){.reading = *r};
			bytes = 0;
		}
		struct text_part *all = arena_grow(&q->arena, job->parts, job->count, &job->capacity, sizeof *all);
		if (all == NULL)
			return ERR_NOMEM;
		job->parts = all;
		job->parts[job->count++] = part;
		bytes += part.text.n;
	}
	q->bytes += text.n;
	return 0;
}

/* The text in UTF-8, in the place of one in UTF-16. */
static int decode(struct buf *text)
{
	struct buf decoded;
	if (!utf16_is_marked(buf_str(text)))
		return 0;
	buf_init(&decoded, LIMIT_MANIFEST * 2);
	utf16_decode(&decoded, buf_str(text));
	buf_free(text);
	*text = decoded;
	return decoded.error;
}

int reading_queue_text(const struct reading *r, struct buf *text)
{
	struct reading_queue *q = &r->m->queue;
	int rc = decode(text);
	struct buf *texts = arena_grow(&q->arena, q->texts, q->text_count, &q->text_capacity, sizeof *texts);
	if (texts == NULL || rc != 0) {
		buf_free(text);
		if (rc != ERR_LIMIT)
			return error_nomem(r->err);
		rc = reading_flush(r->m, r->err);
		return rc != 0 ? rc : reading_fault(r, 0, 0, "the file is too large; split it");
	}
	q->texts = texts;
	q->texts[q->text_count++] = *text;
	if (add_jobs(q, r, buf_str(text)) != 0)
		return error_nomem(r->err);
	return q->bytes > READING_WINDOW ? reading_flush(r->m, r->err) : 0;
}
