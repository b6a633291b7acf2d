/*
 * What clients.conf says of a RADIUS client: wsmfa_mode, wsmfa_service, wsmfa_enroll, wsmfa_banner, wsmfa_charset.
 * It stands apart because the host knows nothing of these items, so that nobody else would refuse a misspelt one.
 */
#include "rlm_wsmfa.h"

static bool read_yes(char const *value, bool *out)
{
	*out = strcmp(value, "yes") == 0;
	return *out || strcmp(value, "no") == 0;
}

/** One item into *out; the words that are allowed when it is not one of them, else NULL. */
static char const *read_item(char const *name, char const *value, struct wsmfa_client *out)
{
	if (strcmp(name, "wsmfa_mode") == 0) {
		return wsmfa_mode_parse(value, &out->mode) ? NULL : "challenge, append or wait";
	}
	if (strcmp(name, "wsmfa_service") == 0) {
		if (!value[0] || strlen(value) >= sizeof(out->service)) return "the code of a service, at most 32 characters";
		strlcpy(out->service, value, sizeof(out->service));
		return NULL;
	}
	if (strcmp(name, "wsmfa_enroll") == 0) return read_yes(value, &out->may_enroll) ? NULL : "yes or no";
	if (strcmp(name, "wsmfa_banner") == 0) {
		out->banner_question = strcmp(value, "challenge") == 0;
		return out->banner_question || strcmp(value, "accept") == 0 ? NULL : "accept or challenge";
	}
	if (strcmp(name, "wsmfa_charset") == 0) {
		out->utf8 = strcmp(value, "utf8") == 0;
		return out->utf8 || strcmp(value, "ascii") == 0 ? NULL : "ascii or utf8";
	}
	return "wsmfa_mode, wsmfa_service, wsmfa_enroll, wsmfa_banner or wsmfa_charset: no other item is known";
}

/** All our items of a client's section. False at the first bad one, which *bad then is, with the words it may have. */
static bool read_section(CONF_SECTION *cs, struct wsmfa_client *out, CONF_PAIR **bad, char const **allowed)
{
	for (CONF_ITEM *ci = cf_item_find_next(cs, NULL); ci; ci = cf_item_find_next(cs, ci)) {
		CONF_PAIR *cp;

		if (!cf_item_is_pair(ci)) continue;
		cp = cf_item_to_pair(ci);
		if (strncmp(cf_pair_attr(cp), "wsmfa", 5) != 0) continue;
		*allowed = read_item(cf_pair_attr(cp), cf_pair_value(cp) ? cf_pair_value(cp) : "", out);
		if (*allowed) {
			*bad = cp;
			return false;
		}
	}
	return true;
}

bool wsmfa_client_read(rlm_wsmfa_t const *inst, REQUEST *request, struct wsmfa_client *out)
{
	RADCLIENT const *client = request->client;
	CONF_PAIR *bad;
	char const *allowed;

	memset(out, 0, sizeof(*out));
	strlcpy(out->service, inst->default_service, sizeof(out->service));
	if (!inet_ntop(request->packet->src_ipaddr.af, &request->packet->src_ipaddr.ipaddr, out->address,
		       sizeof(out->address))) {
		return false;
	}
	if (!client || !client->cs) return true;
	if (read_section(client->cs, out, &bad, &allowed)) return true;
	/* start-up has looked at all that are in files; this one came later */
	RERROR("client %s: %s: write %s", client->shortname, cf_pair_attr(bad), allowed);
	return false;
}

static int check_clients_of(CONF_SECTION *cs)
{
	for (CONF_SECTION *client = cf_subsection_find_next(cs, NULL, "client"); client;
	     client = cf_subsection_find_next(cs, client, "client")) {
		struct wsmfa_client ignored;
		CONF_PAIR *bad;
		char const *allowed;

		if (read_section(client, &ignored, &bad, &allowed)) continue;
		cf_log_err_cp(bad, "%s = %s: write %s", cf_pair_attr(bad), cf_pair_value(bad) ? cf_pair_value(bad) : "",
			      allowed);
		return -1;
	}
	return 0;
}

int wsmfa_clients_check(UNUSED rlm_wsmfa_t const *inst)
{
	static char const *const holders[] = { "clients", "server" };
	CONF_SECTION *config = main_config.config;

	if (check_clients_of(config) < 0) return -1;
	for (size_t i = 0; i < sizeof(holders) / sizeof(holders[0]); i++) {
		for (CONF_SECTION *cs = cf_subsection_find_next(config, NULL, holders[i]); cs;
		     cs = cf_subsection_find_next(config, cs, holders[i])) {
			if (check_clients_of(cs) < 0) return -1;
		}
	}
	return 0;
}
