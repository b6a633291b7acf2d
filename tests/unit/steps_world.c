/* A provider's conversation led by hand; see steps_world.h. */
#include "unit.h"

#include "provider/backends.h"
#include "steps_world.h"

#define LIFETIME 300 // seconds

char const *const steps_twilio[] = { "account_sid", "AC1", "auth_token", "t", "messaging_service_sid", "MG1", NULL };
char const *const steps_auth0[] = { "domain", "t.eu.auth0.com", "client_id", "c", "client_secret",
				    "s",      "realm",          "db",        NULL };
char const *const steps_duo[] = { "host", "api-standin.example.test",
				  "ikey", "DIEXAMPLEIKEY0000001",
				  "skey", "k3yForTestsOnly000000000000000000000000000",
				  NULL };

struct wsmfa_provider *steps_make(struct wsmfa_provider_ops const *ops, char const *const *pairs, char *err,
				  size_t size)
{
	struct wsmfa_setting settings[24];
	size_t n = 0;

	for (; *pairs; pairs += 2, n++)
		settings[n] = (struct wsmfa_setting) { pairs[0], pairs[1], "raddb/mods-enabled/wsmfa", (int)n + 10 };
	return ops->configure("mine", settings, n, err, size);
}

void steps_begin(struct steps_world *w, struct wsmfa_provider_ops const *ops, char const *const *pairs)
{
	static uint8_t const random[16] = { 0 };
	char err[512] = "";

	memset(w, 0, sizeof(*w));
	w->p = steps_make(ops, pairs, err, sizeof(err));
	assert_string_equal(w->p ? "" : err, "");
	strcpy(w->c.message.account, "jane doe");
	strcpy(w->c.message.phone, "+358401234567");
	strcpy(w->c.message.text, "Code 123456");
	strcpy(w->c.message.password, "p&ss w\xc3\xb6rd");
	w->c.message.lifetime = LIFETIME;
	w->c.deadline = STEPS_NOW + LIFETIME * WSMFA_SECOND;
	ops->begin(w->p, &w->c, STEPS_NOW, random, &w->step);
}

void steps_end(struct steps_world *w)
{
	w->p->ops->free(w->p);
}

void steps_answer_octets(struct steps_world *w, long status, char const *body, size_t len)
{
	struct wsmfa_http_answer const a = {
		.how = WSMFA_HTTP_ANSWERED,
		.status = status,
		.body = body,
		.body_len = len,
		.retry_after = -1,
		.at = STEPS_NOW,
		.problem = "",
	};

	memset(&w->step, 0, sizeof(w->step));
	w->p->ops->answer(w->p, &w->c, &a, &w->step);
}

void steps_answer(struct steps_world *w, long status, char const *body)
{
	steps_answer_octets(w, status, body, strlen(body));
}

void steps_lose(struct steps_world *w, enum wsmfa_http_how how)
{
	struct wsmfa_http_answer const a = {
		.how = how, .body = "", .retry_after = -1, .at = STEPS_NOW, .problem = "trouble"
	};

	memset(&w->step, 0, sizeof(w->step));
	w->p->ops->answer(w->p, &w->c, &a, &w->step);
}

void steps_resume(struct steps_world *w)
{
	assert_int_equal(w->step.kind, WSMFA_STEP_PAUSE);
	memset(&w->step, 0, sizeof(w->step));
	w->p->ops->resume(w->p, &w->c, STEPS_NOW, &w->step);
}

void steps_assert_request(struct steps_world *w, char const *method, char const *url)
{
	assert_int_equal(w->step.kind, WSMFA_STEP_REQUEST);
	assert_string_equal(w->step.request.method, method);
	assert_string_equal(w->step.request.url, url);
}

void steps_assert_ends(struct steps_world *w, enum wsmfa_delivery delivery)
{
	assert_int_equal(w->step.kind, WSMFA_STEP_DONE);
	assert_int_equal(w->step.delivery, delivery);
}
