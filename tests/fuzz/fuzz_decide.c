/* The whole decision. First byte: phase and configuration. */
#include "fuzz.h"

#include "base/limits.h"
#include "codec/json_patch.h"
#include "codec/json_writer.h"
#include "policy/decide/decide.h"
#include "policy/load/load.h"

/* What a decision may take: whatever is asked, and for each byte of it (tests/cost measures less). */
#define WORK_AT_LEAST 200000
#define WORK_A_BYTE 900

static struct config *load(const char *profile)
{
	struct config *config = NULL;
	must(config_load(config_profile(str_of(profile)), profile, &config, NULL) == 0, "the profile loads");
	return config;
}

static void check_limits(const struct decision *d)
{
	size_t bytes = 0;
	for (size_t i = 0; i < d->warning_count; i++) {
		must(d->warnings[i].n <= LIMIT_WARNING, "a warning is within its limit");
		bytes += d->warnings[i].n;
	}
	must(bytes <= LIMIT_WARNINGS, "all warnings are within their limit");
	must(d->patch.n <= LIMIT_PATCH, "the patch is within its limit");
}

/* The review again, with the patched object: it must give no patch. */
static void check_second_pass(const struct config *config, const struct json *review, const struct decision *d)
{
	struct json *patch = NULL, *copy = json_copy(review), *object;
	struct decision again = {0};
	struct buf body;
	must(copy != NULL && json_parse(d->patch, &patch, NULL) == 0, "the patch parses");
	struct json *request = json_get_mutable(copy, STR("request"));
	object = json_detach(request, json_get_mutable(request, STR("object")));
	must(json_patch_apply(&object, patch, NULL) == 0, "the patch applies");
	must(json_object_set(request, STR("object"), object) == 0, "the object is set");
	buf_init(&body, LIMIT_RESPONSE);
	json_write(&body, copy);
	decide(config, PHASE_MUTATE, buf_str(&body), &again);
	must(again.http_status == 200 && again.allowed && !again.patched, "a second pass changes nothing");
	decision_free(&again);
	buf_free(&body);
	json_free(patch);
	json_free(copy);
}

static void check_answer(const struct config *config, enum phase phase, struct str body, const struct decision *d)
{
	struct json *answer = NULL, *review = NULL;
	must(json_parse(buf_str(&d->body), &answer, NULL) == 0, "the answer is JSON");
	must(d->http_status == 200 || d->http_status == 400, "the status is 200 or 400");
	must(d->budget.over == BUDGET_KEPT, "no input of this size is over the budget");
	must(d->budget.work <= WORK_AT_LEAST + WORK_A_BYTE * body.n, "work is in proportion to the input");
	check_limits(d);
	if (d->http_status == 200) {
		must(json_parse(body, &review, NULL) == 0, "what was decided on is JSON");
		must(json_equal(json_path(answer, "response", "uid", NULL), json_path(review, "request", "uid", NULL)),
		     "the uid is echoed");
		must(phase == PHASE_MUTATE || !d->patched, "only the mutating phase patches");
		if (d->patched)
			check_second_pass(config, review, d);
	}
	json_free(answer);
	json_free(review);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config *configs[2];
	if (configs[0] == NULL) {
		configs[0] = load("managed");
		configs[1] = load("in-cluster");
	}
	if (size == 0)
		return 0;
	const struct config *config = configs[data[0] >> 1 & 1];
	enum phase phase = data[0] & 1 ? PHASE_VALIDATE : PHASE_MUTATE;
	struct decision d = {0};
	struct str body = fuzz_text(data + 1, size - 1);
	decide(config, phase, body, &d);
	check_answer(config, phase, body, &d);
	decision_free(&d);
	return 0;
}
