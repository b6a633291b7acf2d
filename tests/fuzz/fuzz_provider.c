/* Whole conversations with each provider, over answers of any octets: what is sent is well formed, what may have reached a phone
 * is never sent again, and nobody is approved who was not asked. Apart from the unit tests, which have the vendors' own words.
 *
 * The first octet of the input chooses the provider (0 to 5; d and e: auth0 and duo, who may choose the phone). Then each line is an
 * answer: how it came, Retry-After, and its body.
 * How: a to j one of the statuses below, u not sent, l lost. Retry-After: one digit, anything else is none.
 */
#include "fuzz.h"

#include <jansson.h>

#include "core/types.h"
#include "provider/backends.h"

#define NOW   (INT64_C(1788264000) * WSMFA_SECOND)
#define STEPS 40
#define BASE  "https://provider.example/"

#define PAIRS_MAX 6

static struct {
	struct wsmfa_provider_ops const *ops;
	char const *pairs[2 * PAIRS_MAX];
} const kinds[] = {
	{ &wsmfa_sms_http,
	  { "url", BASE "send?to={to}&text={text}", "body", "{\"a\":\"{account}\",\"t\":\"{text}\"}", "body_type", "json",
	    "header", "X-Account: {account}", "success", "^200 .*\"status\" *: *\"0\"", "retry", "(^429 )|(try again)" } },
	{ &wsmfa_sms_twilio,
	  { "account_sid", "AC00000000000000000000000000000001", "auth_token", "t", "from", "+15005550006", "base_url",
	    "https://provider.example" } },
	{ &wsmfa_sms_aws_sns,
	  { "region", "eu-west-1", "access_key", "AKIDEXAMPLE", "secret_key", "s", "url", BASE } },
	{ &wsmfa_push_http, { "url", BASE "push", "status_url", BASE "push/{id}", "token", "t" } },
	{ &wsmfa_push_auth0,
	  { "url", "https://provider.example", "client_id", "c", "client_secret", "s", "realm", "r" } },
	{ &wsmfa_push_duo,
	  { "host", "provider.example", "ikey", "DIEXAMPLEIKEY0000001", "skey", "k3yForTestsOnly00000000000000000" } },
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

static struct wsmfa_provider *provider_make(size_t kind)
{
	static struct wsmfa_provider *made[KINDS];
	struct wsmfa_setting settings[PAIRS_MAX];
	char err[512];
	size_t n = 0;

	for (; n < PAIRS_MAX && kinds[kind].pairs[2 * n]; n++)
		settings[n] = (struct wsmfa_setting) { kinds[kind].pairs[2 * n], kinds[kind].pairs[2 * n + 1], "wsmfa", 1 };
	if (!made[kind])
		made[kind] = kinds[kind].ops->configure("mine", settings, n, err, sizeof(err));
	FUZZ_CHECK(made[kind]);
	return made[kind];
}

static void check_printable(char const *text, size_t size)
{
	FUZZ_CHECK(memchr(text, '\0', size));
	for (; *text; text++)
		FUZZ_CHECK(*text >= 0x20 && *text < 0x7F);
}

static void check_request(struct wsmfa_http_request const *r)
{
	FUZZ_CHECK(strcmp(r->method, "GET") == 0 || strcmp(r->method, "POST") == 0);
	FUZZ_CHECK(strncmp(r->url, BASE, strlen(BASE)) == 0);
	check_printable(r->url, sizeof(r->url));
	FUZZ_CHECK(!strpbrk(r->url, " \"<>\\^`{|}"));
	FUZZ_CHECK(r->body_len < sizeof(r->body));
	FUZZ_CHECK(memchr(r->headers, '\0', sizeof(r->headers)) && memchr(r->userpwd, '\0', sizeof(r->userpwd)));
	for (char const *line = r->headers; *line; line = strchr(line, '\n') + 1) {
		FUZZ_CHECK(strchr(line, '\n') && strcspn(line, "\n") > 2 && strcspn(line, ":") < strcspn(line, "\n"));
		FUZZ_CHECK(strcspn(line, "\r") >= strcspn(line, "\n"));
	}
	if (strstr(r->headers, "application/json")) {
		json_t *json = json_loadb(r->body, r->body_len, 0, NULL);

		FUZZ_CHECK(json);
		json_decref(json);
	} else {
		for (size_t i = 0; i < r->body_len; i++)
			FUZZ_CHECK(r->body[i] > 0x20 && r->body[i] < 0x7F); // a form
	}
}

/** What a conversation has done so far. */
struct told {
	bool asked; //!< a request that makes a phone ring is out, and the answer does not say that it was not taken
	bool ever;
};

static void check_step(struct wsmfa_provider const *p, struct wsmfa_step const *step, struct told *told)
{
	bool push = p->ops->channel == WSMFA_KIND_PUSH;

	check_printable(step->note, sizeof(step->note));
	check_printable(step->show, sizeof(step->show));
	FUZZ_CHECK(!step->started || push);
	switch (step->kind) {
	case WSMFA_STEP_DONE:
		FUZZ_CHECK(step->delivery != WSMFA_DELIVERY_SENT || !push);
		FUZZ_CHECK(step->delivery < WSMFA_DELIVERY_APPROVED || push);
		FUZZ_CHECK((step->delivery != WSMFA_DELIVERY_SENT && step->delivery != WSMFA_DELIVERY_APPROVED) || told->ever);
		break;
	case WSMFA_STEP_REQUEST:
		check_request(&step->request);
		FUZZ_CHECK(!step->request.asks_person || !told->asked);
		FUZZ_CHECK(!step->request.asks_person || !step->request.repeatable);
		told->ever |= step->request.asks_person;
		told->asked |= step->request.asks_person;
		break;
	case WSMFA_STEP_PAUSE: FUZZ_CHECK(step->pause_ms > 0 && p->ops->resume); break;
	case WSMFA_STEP_ELSEWHERE: FUZZ_CHECK(push && told->ever); break;
	}
}

/** The next line as an answer; false at the end. The body is a copy, exactly as long. */
static bool answer_read(uint8_t const **at, size_t *left, struct wsmfa_http_answer *a, char **body)
{
	static long const statuses[] = { 200, 201, 202, 302, 400, 401, 403, 404, 429, 503 };
	uint8_t const *end = memchr(*at, '\n', *left);
	size_t len = end ? (size_t)(end - *at) : *left;
	char how, retry;

	if (len < 2)
		return false;
	how = (char)(*at)[0];
	retry = (char)(*at)[1];
	*body = fuzz_text(*at + 2, len - 2);
	*a = (struct wsmfa_http_answer) { .how = WSMFA_HTTP_ANSWERED, .status = 200, .body = *body, .body_len = len - 2, .at = NOW,
					  .retry_after = retry >= '0' && retry <= '9' ? retry - '0' : -1, .problem = "" };
	if (how == 'u' || how == 'l')
		*a = (struct wsmfa_http_answer) { .how = how == 'u' ? WSMFA_HTTP_UNSENT : WSMFA_HTTP_LOST, .body = "", .at = NOW,
						  .retry_after = -1, .problem = "trouble" };
	else if (how >= 'a' && how <= 'j')
		a->status = statuses[how - 'a'];
	*at += end ? len + 1 : len;
	*left -= end ? len + 1 : len;
	return true;
}

/** May the message have been taken? The providers' own words for "not taken" come with 4xx, and 200 of a gateway's retry. */
static bool was_not_taken(struct wsmfa_http_answer const *a, struct wsmfa_step const *step)
{
	bool later = step->kind == WSMFA_STEP_PAUSE;

	return a->how == WSMFA_HTTP_UNSENT || (later && (a->status == 429 || strstr(a->body, "try again")));
}

static void converse(struct wsmfa_provider const *p, struct wsmfa_conversation *c, struct wsmfa_step *step, uint8_t const *at,
		     size_t left)
{
	static uint8_t const random[16] = { 1, 2, 3 };
	struct told told = { false, false };

	p->ops->begin(p, c, NOW, random, step);
	for (int i = 0; i < STEPS; i++) {
		struct wsmfa_http_answer a;
		bool asks = step->kind == WSMFA_STEP_REQUEST && step->request.asks_person;
		char *body = NULL;

		check_step(p, step, &told);
		if (step->kind == WSMFA_STEP_PAUSE) {
			memset(step, 0, sizeof(*step));
			p->ops->resume(p, c, NOW, step);
			continue;
		}
		if (step->kind != WSMFA_STEP_REQUEST || !answer_read(&at, &left, &a, &body))
			return;
		memset(step, 0, sizeof(*step));
		p->ops->answer(p, c, &a, step);
		if (asks && was_not_taken(&a, step))
			told.asked = false;
		free(body);
	}
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
	static char const account[] = "o'bri\"en {text}&to=+1 \xc3\xa5%{User-Name}\\\n";
	struct wsmfa_conversation *c = calloc(1, sizeof(*c));
	struct wsmfa_step *step = calloc(1, sizeof(*step));
	struct wsmfa_message *m = &c->message;

	FUZZ_CHECK(c && step);
	if (size > 0) {
		memcpy(m->account, account, sizeof(account));
		if (data[0] >= 'a')
			memcpy(m->device, "auto", 5);
		else
			memcpy(m->device, account, sizeof(account));
		memcpy(m->station, account, sizeof(account));
		memcpy(m->password, account, sizeof(account));
		memcpy(m->phone, "+358401234567", 14);
		memcpy(m->text, "Your code is 123456. \xe2\x82\xac", 25);
		m->lifetime = 300;
		m->can_show = true;
		c->deadline = NOW + 300 * WSMFA_SECOND;
		converse(provider_make(data[0] % KINDS), c, step, data + 1, size - 1);
	}
	free(c);
	free(step);
	return 0;
}
