/* A provider's section of the configuration: what is refused and in which words, http://, secrets in files.
 * Apart from the steps, which begin when all this was accepted. */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "provider/backends.h"
#include "provider/settings.h"
#include "steps_world.h"

static void refused(struct wsmfa_provider_ops const *ops, char const *const *pairs, char const *sentence)
{
	char err[512] = "";
	struct wsmfa_provider *p = steps_make(ops, pairs, err, sizeof(err));

	if (p || !strstr(err, sentence))
		print_message("# wanted: %s\n# got: %s\n", sentence, err);
	assert_null(p);
	assert_non_null(strstr(err, sentence));
}

#define REFUSED(_ops, _sentence, ...) refused(_ops, (char const *const[]) { __VA_ARGS__, NULL }, _sentence)

static void settings_are_strict(void **state)
{
	(void)state;
	REFUSED(&wsmfa_sms_file, "raddb/mods-enabled/wsmfa[10]: sms mine: `pth` is unknown: a file section has path",
		"pth", "x");
	REFUSED(&wsmfa_push_local, "`a` is unknown", "a", "b");
	REFUSED(&wsmfa_sms_twilio, "`account_sid` is missing: set it to the Account SID", "auth_token", "t", "from",
		"x");
	REFUSED(&wsmfa_sms_twilio, "[11]: sms mine: `account_sid` is set twice", "account_sid", "a", "account_sid",
		"b");
	REFUSED(&wsmfa_sms_twilio, "set one of `from` and", "account_sid", "a", "auth_token", "t");
	REFUSED(&wsmfa_sms_twilio, "set one of `from` and", "account_sid", "a", "auth_token", "t", "from", "x",
		"messaging_service_sid", "y");
	REFUSED(&wsmfa_sms_twilio, "`base_url` can't be used: set it to an https:// URL", "account_sid", "a",
		"auth_token", "t", "from", "x", "base_url", "http://api.twilio.com");
	REFUSED(&wsmfa_sms_twilio, "`timeout = 0.01` can't be used: set it to seconds from 0.1", "account_sid", "a",
		"auth_token", "t", "from", "x", "timeout", "0.01");
	REFUSED(&wsmfa_sms_twilio, "`timeout = 1s` can't", "account_sid", "a", "auth_token", "t", "from", "x",
		"timeout", "1s");
	REFUSED(&wsmfa_sms_twilio, "`retry_max = -1` can't", "account_sid", "a", "auth_token", "t", "from", "x",
		"retry_max", "-1");
	REFUSED(&wsmfa_sms_twilio, "`retry_max = 1.5` can't", "account_sid", "a", "auth_token", "t", "from", "x",
		"retry_max", "1.5");
	REFUSED(&wsmfa_sms_twilio, "`retry_max = 99999999999` can't", "account_sid", "a", "auth_token", "t", "from",
		"x", "retry_max", "99999999999");
	REFUSED(&wsmfa_sms_twilio, "`insecure_http = true` can't be used: set it to yes or no", "account_sid", "a",
		"auth_token", "t", "from", "x", "insecure_http", "true");
	REFUSED(&wsmfa_sms_http, "{too} is unknown", "url", "https://g.test/", "body", "{too}{text}");
	REFUSED(&wsmfa_sms_http, "no {text} is sent", "url", "https://g.test/", "body", "{to}");
	REFUSED(&wsmfa_sms_http, "`success = (` can't be used", "url", "https://g.test/{text}", "success", "(");
	REFUSED(&wsmfa_sms_http, "DELETE is not possible", "url", "https://g.test/{text}", "method", "DELETE");
	REFUSED(&wsmfa_sms_http, "yaml is unknown", "url", "https://g.test/{text}", "body_type", "yaml");
	REFUSED(&wsmfa_sms_http, "`url` can't be used", "url", "https://{account}/{text}");
	REFUSED(&wsmfa_sms_aws_sns, "`region` can't be used", "region", "eu west", "access_key", "a", "secret_key",
		"b");
	REFUSED(&wsmfa_push_auth0, "set `domain` to the tenant", "client_id", "a", "client_secret", "b");
	REFUSED(&wsmfa_push_duo, "`host` can't be used", "host", "https://api", "ikey", "a", "skey", "b");
	REFUSED(&wsmfa_push_http, "needs the placeholder {id}", "url", "https://p.test/", "status_url",
		"https://p.test/");
	/* A secret's value is never repeated. */
	REFUSED(&wsmfa_push_duo, "`skey` can't be used: set it to the Secret key", "host", "api", "ikey", "a", "skey",
		"hush\x01hush");
}

static void http_where_it_is_safe(void **state)
{
	char const *const loopback[] = { "url", "http://127.0.0.1:13013/?{text}", NULL };
	char const *const far_off[] = { "url", "http://192.0.2.1/?{text}", "insecure_http", "yes", NULL };
	char err[512];
	struct wsmfa_provider *p;

	(void)state;
	p = steps_make(&wsmfa_sms_http, loopback, err, sizeof(err));
	assert_non_null(p);
	assert_true(wsmfa_url_allowed(p, "http://[::1]/"));
	assert_true(wsmfa_url_allowed(p, "https://g.test/"));
	assert_false(wsmfa_url_allowed(p, "http://g.test/"));
	assert_false(wsmfa_url_allowed(p, "http://127.0.0.1@g.test/"));
	assert_false(wsmfa_url_allowed(p, "gopher://127.0.0.1/"));
	p->ops->free(p);
	p = steps_make(&wsmfa_sms_http, far_off, err, sizeof(err));
	assert_non_null(p);
	p->ops->free(p);
}

static void secrets_from_files(void **state)
{
	char path[64], err[512] = "";
	char const *const settings[] = { "account_sid", "a", "auth_token_file", path, "from", "x", NULL };
	char const *const both[] = {
		"account_sid", "a", "auth_token_file", path, "auth_token", "t", "from", "x", NULL
	};
	struct steps_world w;
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "test_provider_settings.%ld", (long)getpid());
	f = fopen(path, "w");
	assert_non_null(f);
	(void)fputs("from the file\nnot this\n", f);
	(void)fclose(f);
	assert_int_equal(chmod(path, 0644), 0);
	refused(&wsmfa_sms_twilio, settings, "everybody may read it; take that away with chmod o-rwx");
	assert_int_equal(chmod(path, 0640), 0);
	steps_begin(&w, &wsmfa_sms_twilio, settings);
	assert_string_equal(w.step.request.userpwd, "a:from the file");
	steps_end(&w);
	refused(&wsmfa_sms_twilio, both, "are both set");
	f = fopen(path, "w");
	(void)fclose(f);
	refused(&wsmfa_sms_twilio, settings, "it is empty");
	unlink(path);
	refused(&wsmfa_sms_twilio, settings, "No such file");
	assert_null(steps_make(&wsmfa_sms_twilio,
			       (char const *const[]) { "account_sid", "a", "auth_token_file", "/", "from", "x", NULL },
			       err, sizeof(err)));
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(settings_are_strict),
		cmocka_unit_test(http_where_it_is_safe),
		cmocka_unit_test(secrets_from_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
