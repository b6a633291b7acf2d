/* The fake database; see fake_db.h.
 * Apart from the tests, because several of them use it. */
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "fake_db.h"

#define KEPT_MAX 20000
#define IDS_MAX  65536
#define ROWS_MAX 1048576

struct pending {
	struct pending *next;
	wsmfa_db_done *done;
	void *ctx;
	bool answers; //!< push_answered
	char *ids;
};

struct wsmfa_db {
	struct wsmfa_db_config config;
	uv_async_t async;
	struct pending *pending;
	bool was_up;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct wsmfa_db *current;
static bool is_up;
static enum wsmfa_db_result result;
static char *kept[KEPT_MAX];
static size_t kept_len;
static int64_t notifies[IDS_MAX];
static size_t notifies_len;
static bool answered[ROWS_MAX];

void fake_db_reset(void)
{
	pthread_mutex_lock(&lock);
	is_up = true;
	result = WSMFA_DB_OK;
	while (kept_len)
		free(kept[--kept_len]);
	notifies_len = 0;
	memset(answered, 0, sizeof(answered));
	pthread_mutex_unlock(&lock);
}

static void wake(void)
{
	if (current)
		uv_async_send(&current->async);
}

void fake_db_set_up(bool up)
{
	pthread_mutex_lock(&lock);
	is_up = up;
	wake();
	pthread_mutex_unlock(&lock);
}

void fake_db_notify(int64_t id)
{
	fake_db_answer(id);
	fake_db_lie(id);
}

void fake_db_lie(int64_t id)
{
	pthread_mutex_lock(&lock);
	if (notifies_len < IDS_MAX)
		notifies[notifies_len++] = id;
	wake();
	pthread_mutex_unlock(&lock);
}

void fake_db_answer(int64_t id)
{
	pthread_mutex_lock(&lock);
	if (id >= 0 && id < ROWS_MAX)
		answered[id] = true;
	pthread_mutex_unlock(&lock);
}

void fake_db_result(enum wsmfa_db_result r)
{
	pthread_mutex_lock(&lock);
	result = r;
	pthread_mutex_unlock(&lock);
}

static size_t count(char const *text)
{
	size_t n = 0;

	for (size_t i = 0; i < kept_len; i++)
		n += strstr(kept[i], text) != NULL;
	return n;
}

size_t fake_db_count(char const *text)
{
	size_t n;

	pthread_mutex_lock(&lock);
	n = count(text);
	pthread_mutex_unlock(&lock);
	return n;
}

bool fake_db_wait(char const *text, size_t n)
{
	struct timespec until;
	bool ok = true;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	pthread_mutex_lock(&lock);
	while (count(text) < n && ok)
		ok = pthread_cond_timedwait(&changed, &lock, &until) == 0;
	ok = count(text) >= n;
	pthread_mutex_unlock(&lock);
	return ok;
}

/** Those of a text like {1,2,3} that are answered. */
static size_t which_answered(char const *ids, int64_t *found)
{
	size_t n = 0;

	for (; *ids; ids++) {
		int64_t id = *ids == '{' || *ids == ',' ? strtoll(ids + 1, NULL, 10) : -1;

		if (id >= 0 && id < ROWS_MAX && answered[id] && n < IDS_MAX)
			found[n++] = id;
	}
	return n;
}

static void finish(struct pending *p)
{
	static int64_t found[IDS_MAX];
	size_t n = 0;
	enum wsmfa_db_result r;

	pthread_mutex_lock(&lock);
	r = is_up ? result : WSMFA_DB_DOWN;
	n = which_answered(p->ids, found);
	pthread_mutex_unlock(&lock);
	p->done(p->ctx, r, found, n);
	free(p->ids);
	free(p);
}

static void on_async(uv_async_t *async)
{
	struct wsmfa_db *db = async->data;
	static int64_t ids[IDS_MAX];
	size_t n;
	bool up;

	while (db->pending) {
		struct pending *p = db->pending;

		db->pending = p->next;
		finish(p);
	}
	pthread_mutex_lock(&lock);
	up = is_up;
	n = up ? notifies_len : 0;
	memcpy(ids, notifies, n * sizeof(*ids));
	notifies_len -= n;
	pthread_mutex_unlock(&lock);
	if (up && !db->was_up)
		db->config.on_up(db->config.ctx);
	db->was_up = up;
	for (size_t i = 0; i < n; i++)
		db->config.on_notify(db->config.ctx, ids[i]);
}

static struct wsmfa_db *fake_open(uv_loop_t *loop, struct wsmfa_db_config const *config)
{
	struct wsmfa_db *db = calloc(1, sizeof(*db));

	db->config = *config;
	uv_async_init(loop, &db->async, on_async);
	db->async.data = db;
	pthread_mutex_lock(&lock);
	current = db;
	wake();
	pthread_mutex_unlock(&lock);
	return db;
}

static bool fake_up(struct wsmfa_db const *db)
{
	bool up;

	pthread_mutex_lock(&lock);
	up = is_up && db->was_up;
	pthread_mutex_unlock(&lock);
	return up;
}

static void fake_query(struct wsmfa_db *db, char const *sql, char const *const *params, int params_len,
		       wsmfa_db_done *done, void *ctx)
{
	struct pending *p = calloc(1, sizeof(*p)), **end = &db->pending;
	size_t len = strlen(sql) + 1;
	char *text;

	if (params_len > WSMFA_DB_PARAMS_MAX)
		abort(); // the real one has no room for them
	for (int i = 0; i < params_len; i++)
		len += strlen(params[i]) + 1;
	text = calloc(1, len);
	strcat(text, sql);
	for (int i = 0; i < params_len; i++)
		strcat(strcat(text, "|"), params[i]);
	p->done = done;
	p->ctx = ctx;
	p->answers = strstr(sql, "push_answered") != NULL;
	p->ids = strdup(p->answers ? params[0] : "");
	while (*end)
		end = &(*end)->next;
	*end = p;
	pthread_mutex_lock(&lock);
	if (kept_len < KEPT_MAX && is_up)
		kept[kept_len++] = text;
	else
		free(text);
	pthread_cond_broadcast(&changed);
	wake();
	pthread_mutex_unlock(&lock);
}

static void closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void fake_close(struct wsmfa_db *db)
{
	while (db->pending) {
		struct pending *p = db->pending;

		db->pending = p->next;
		p->done(p->ctx, WSMFA_DB_DOWN, NULL, 0);
		free(p->ids);
		free(p);
	}
	pthread_mutex_lock(&lock);
	current = NULL;
	pthread_mutex_unlock(&lock);
	uv_close((uv_handle_t *)&db->async, closed);
}

struct wsmfa_db_ops const fake_db = {
	.open = fake_open,
	.up = fake_up,
	.query = fake_query,
	.close = fake_close,
};
