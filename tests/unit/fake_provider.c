/* The scripted provider as a child; see fake_provider.h.
 * Apart from the tests, because several of them talk to it. */
#include "unit.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_provider.h"

extern char **environ;

void fake_provider_start(struct fake_provider *p, char const *const *args)
{
	char program[] = "python3", script[512], line[512];
	char *argv[10] = { program, script };
	int in[2], out[2], n = 2;
	posix_spawn_file_actions_t actions;
	json_t *hello;
	FILE *f;

	snprintf(script, sizeof(script), "%s/tests/fake/provider.py",
		 getenv("WSMFA_SRCDIR") ? getenv("WSMFA_SRCDIR") : ".");
	for (; args && *args; args++)
		argv[n++] = strdup(*args);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	assert_int_equal(posix_spawnp(&p->pid, program, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	while (n > 2)
		free(argv[--n]);
	close(in[0]);
	close(out[1]);
	p->in = in[1];
	f = fdopen(out[0], "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	(void)fclose(f);
	hello = json_loads(line, 0, NULL);
	assert_non_null(hello);
	snprintf(p->url, sizeof(p->url), "%s", json_string_value(json_object_get(hello, "url")));
	p->ca[0] = '\0';
	if (json_is_string(json_object_get(hello, "ca")))
		snprintf(p->ca, sizeof(p->ca), "%s", json_string_value(json_object_get(hello, "ca")));
	json_decref(hello);
}

void fake_provider_stop(struct fake_provider *p)
{
	int status;

	close(p->in);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	return fwrite(data, size, n, ctx) * size;
}

/** What the provider says of itself, or is told. */
static json_t *tell(struct fake_provider *p, char const *path, char const *body)
{
	CURL *easy = curl_easy_init();
	char url[256], *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	json_t *json;

	snprintf(url, sizeof(url), "%s%s", p->url, path);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
	if (body)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	assert_int_equal(curl_easy_perform(easy), CURLE_OK);
	curl_easy_cleanup(easy);
	(void)fclose(f);
	json = json_loads(text, 0, NULL);
	free(text);
	return json;
}

void fake_provider_reset(struct fake_provider *p)
{
	json_decref(tell(p, "/_reset", "{}"));
}

void fake_provider_script(struct fake_provider *p, char const *path, char const *action)
{
	char body[256];

	snprintf(body, sizeof(body), "[[\"%s\", \"%s\"]]", path, action);
	json_decref(tell(p, "/_script", body));
}

void fake_provider_default(struct fake_provider *p, char const *json)
{
	json_decref(tell(p, "/_default", json));
}

json_t *fake_provider_requests(struct fake_provider *p)
{
	json_t *list = tell(p, "/_requests", NULL);

	assert_non_null(list);
	return list;
}

size_t fake_provider_count(struct fake_provider *p, char const *path)
{
	json_t *list = fake_provider_requests(p), *one;
	size_t i, n = 0;

	json_array_foreach (list, i, one)
		n += strstr(json_string_value(json_object_get(one, "path")), path) != NULL;
	json_decref(list);
	return n;
}
