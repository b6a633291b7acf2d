/*
 * Files that sites came from, watched: a HUP reloads sites behind a module that is not HUP-safe, and tells it nothing.
 * It stands apart from what sites may be (rlm_wsmfa_site.c) because it runs beside logins.
 */
#include "rlm_wsmfa.h"

#include <sys/stat.h>

static void stamp_of(char const *file, struct wsmfa_site_stamp *out)
{
	struct stat st;

	memset(out, 0, sizeof(*out));
	strlcpy(out->file, file, sizeof(out->file));
	if (stat(file, &st) < 0) return;
	out->mtime = st.st_mtim;
	out->inode = st.st_ino;
	out->size = st.st_size;
}

static bool same_stamp(struct wsmfa_site_stamp const *a, struct wsmfa_site_stamp const *b)
{
	return a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec && a->inode == b->inode &&
	       a->size == b->size;
}

/** Notes a file, once. False when there are more than can be watched. */
static bool watch_file(rlm_wsmfa_t *inst, char const *file)
{
	if (!file) return true;
	for (size_t i = 0; i < inst->stamps_len; i++) {
		if (strcmp(inst->stamps[i].file, file) == 0) return true;
	}
	if (inst->stamps_len == WSMFA_SITE_FILES_MAX || strlen(file) >= sizeof(inst->stamps[0].file)) return false;
	stamp_of(file, &inst->stamps[inst->stamps_len++]);
	return true;
}

/** The files that a section and all below it come from: one line may be $INCLUDEd from a file of its own. */
static bool watch_section(rlm_wsmfa_t *inst, CONF_SECTION *cs)
{
	if (!watch_file(inst, cf_section_filename(cs))) return false;
	for (CONF_ITEM *ci = cf_item_find_next(cs, NULL); ci; ci = cf_item_find_next(cs, ci)) {
		if (cf_item_is_pair(ci) && !watch_file(inst, cf_pair_filename(cf_item_to_pair(ci)))) return false;
		if (cf_item_is_section(ci) && !watch_section(inst, cf_item_to_section(ci))) return false;
	}
	return true;
}

static int watch_sites(rlm_wsmfa_t *inst, CONF_SECTION *config)
{
	static char const *const watched[] = { "server", "policy" };

	inst->stamps_len = 0;
	for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++) {
		for (CONF_SECTION *cs = cf_subsection_find_next(config, NULL, watched[i]); cs;
		     cs = cf_subsection_find_next(config, cs, watched[i])) {
			if (watch_section(inst, cs)) continue;
			cf_log_err_cs(cs, "the sites come from more than %d files, or one has a name that is too long",
				      WSMFA_SITE_FILES_MAX);
			return -1;
		}
	}
	return 0;
}

/** Reads the whole configuration as a HUP would, and checks its sites. */
static void check_again(rlm_wsmfa_t *inst)
{
	char path[1024];
	CONF_SECTION *config = cf_section_alloc(NULL, "main", NULL);

	if (!config) return;
	snprintf(path, sizeof(path), "%.900s/%.80s.conf", get_radius_dir(), main_config.name);
	if (cf_file_read(config, path) < 0) {
		/* Neither would a HUP take it: what runs stays as it is. */
		watch_sites(inst, main_config.config);
	} else if (wsmfa_sites_judge(inst, config) < 0) {
		ERROR("rlm_wsmfa (%s): the sites were edited and could be gone round: no login is accepted until that is mended",
		      inst->name);
		atomic_store(&inst->sites_stand, false);
		atomic_store(&inst->sites_doubtful, true);
		watch_sites(inst, config);
	} else {
		if (!atomic_load(&inst->sites_stand)) INFO("rlm_wsmfa (%s): the sites are in order again", inst->name);
		atomic_store(&inst->sites_stand, true);
		watch_sites(inst, config);
	}
	talloc_free(config);
}

int wsmfa_sites_check(rlm_wsmfa_t *inst)
{
	atomic_store(&inst->sites_stand, true);
	if (wsmfa_sites_judge(inst, main_config.config) < 0) return -1;
	return watch_sites(inst, main_config.config);
}

/**
 * Are the sites still as they may be? The module is not told of a HUP and can't see what it loaded, so it looks at the
 * files: at most once a second, one thread, and reads them only when one has changed.
 */
bool wsmfa_sites_stand(rlm_wsmfa_t *inst, wsmfa_time_t at)
{
	wsmfa_time_t last = atomic_load(&inst->sites_looked_at);

	if (at - last < WSMFA_SECOND && at >= last) return atomic_load(&inst->sites_stand);
	if (!atomic_compare_exchange_strong(&inst->sites_looked_at, &last, at)) return atomic_load(&inst->sites_stand);
	if (pthread_mutex_trylock(&inst->sites_lock) != 0) return atomic_load(&inst->sites_stand);
	for (size_t i = 0; i < inst->stamps_len; i++) {
		struct wsmfa_site_stamp now;

		stamp_of(inst->stamps[i].file, &now);
		if (same_stamp(&now, &inst->stamps[i])) continue;
		check_again(inst);
		break;
	}
	pthread_mutex_unlock(&inst->sites_lock);
	return atomic_load(&inst->sites_stand);
}
