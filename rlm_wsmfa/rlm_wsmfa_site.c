/*
 * Looks at the whole configuration before the server answers: sites that could be gone round.
 * It stands apart because it judges what administrators write, not what packets say.
 */
#include "rlm_wsmfa.h"

#define POLICIES_MAX 8 //!< policies within policies; the host itself runs through a loop of them until it falls

/** Is the item the module's bare name: no section of its own, so no return codes that could let a reject pass? */
static bool is_bare_call(rlm_wsmfa_t const *inst, CONF_ITEM *ci)
{
	CONF_PAIR *cp;

	if (!ci || !cf_item_is_pair(ci)) return false;
	cp = cf_item_to_pair(ci);
	return strcmp(cf_pair_attr(cp), inst->name) == 0 && !cf_pair_value(cp);
}

static CONF_ITEM *first_item(CONF_SECTION *cs)
{
	CONF_ITEM *ci = cf_item_find_next(cs, NULL);

	while (ci && !cf_item_is_pair(ci) && !cf_item_is_section(ci)) ci = cf_item_find_next(cs, ci);
	return ci;
}

static bool has_bare_call(rlm_wsmfa_t const *inst, CONF_SECTION *cs)
{
	for (CONF_ITEM *ci = cf_item_find_next(cs, NULL); ci; ci = cf_item_find_next(cs, ci)) {
		if (is_bare_call(inst, ci)) return true;
	}
	return false;
}

/** Anywhere below, bare or not. */
static bool calls(rlm_wsmfa_t const *inst, CONF_SECTION *cs)
{
	if (!cs) return false;
	for (CONF_ITEM *ci = cf_item_find_next(cs, NULL); ci; ci = cf_item_find_next(cs, ci)) {
		if (cf_item_is_pair(ci)) {
			if (strcmp(cf_pair_attr(cf_item_to_pair(ci)), inst->name) == 0) return true;
		} else if (cf_item_is_section(ci)) {
			CONF_SECTION *below = cf_item_to_section(ci);

			if (strcmp(cf_section_name1(below), inst->name) == 0 || calls(inst, below)) return true;
		}
	}
	return false;
}

static bool is_auth_listener(CONF_SECTION *listen)
{
	for (CONF_PAIR *cp = cf_pair_find(listen, "type"); cp; cp = cf_pair_find_next(listen, cp, "type")) {
		if (cf_pair_value(cp) && strncmp(cf_pair_value(cp), "auth", 4) == 0) return true;
	}
	return false;
}

static bool listens(CONF_SECTION *server)
{
	for (CONF_SECTION *cs = cf_subsection_find_next(server, NULL, "listen"); cs;
	     cs = cf_subsection_find_next(server, cs, "listen")) {
		if (is_auth_listener(cs)) return true;
	}
	return false;
}

/** Does a client or a listener of this section send what it gets to the virtual server? */
static bool sends_to(CONF_SECTION *holder, char const *server)
{
	for (CONF_ITEM *ci = cf_item_find_next(holder, NULL); ci; ci = cf_item_find_next(holder, ci)) {
		CONF_SECTION *cs = cf_item_is_section(ci) ? cf_item_to_section(ci) : NULL;
		char const *to = cs ? cf_section_value_find(cs, "virtual_server") : NULL;

		if (!to || strcmp(to, server) != 0) continue;
		if (strcmp(cf_section_name1(cs), "client") == 0) return true;
		if (strcmp(cf_section_name1(cs), "listen") == 0 && is_auth_listener(cs)) return true;
	}
	return false;
}

static char const *server_name(CONF_SECTION *server)
{
	char const *name = cf_section_name2(server);

	return name ? name : "default";
}

/** Do logins come to this virtual server: by a listener of its own, or because a client or a listener elsewhere names it? */
static bool answers(CONF_SECTION *config, CONF_SECTION *server)
{
	static char const *const holders[] = { "clients", "server" };
	char const *name = server_name(server);

	if (listens(server)) return true;
	if (!cf_section_sub_find(server, "authorize")) return false; /* the host rejects, whoever asks */
	if (sends_to(config, name)) return true;
	for (size_t i = 0; i < sizeof(holders) / sizeof(holders[0]); i++) {
		for (CONF_SECTION *cs = cf_subsection_find_next(config, NULL, holders[i]); cs;
		     cs = cf_subsection_find_next(config, cs, holders[i])) {
			if (sends_to(cs, name)) return true;
		}
	}
	return false;
}

static int check_gate(rlm_wsmfa_t const *inst, CONF_SECTION *server)
{
	CONF_SECTION *post_auth = cf_section_sub_find(server, "post-auth");

	if (!post_auth) {
		cf_log_err_cs(server, "the site %s has no post-auth section with the gate: write \"post-auth { %s }\"",
			      server_name(server), inst->name);
		return -1;
	}
	if (!is_bare_call(inst, first_item(post_auth))) {
		cf_log_err_cs(post_auth,
			      "the gate is missing: \"%s\" must stand first and bare (no { } after it) in post-auth of the site %s",
			      inst->name, server_name(server));
		return -1;
	}
	for (CONF_SECTION *cs = cf_subsection_find_next(post_auth, NULL, "Post-Auth-Type"); cs;
	     cs = cf_subsection_find_next(post_auth, cs, "Post-Auth-Type")) {
		if (is_bare_call(inst, first_item(cs))) continue;
		cf_log_err_cs(cs,
			      "the gate is missing: \"%s\" must stand first and bare (no { } after it) in Post-Auth-Type %s too, "
			      "since any of them may be chosen for an Access-Accept",
			      inst->name, cf_section_name2(cs) ? cf_section_name2(cs) : "");
		return -1;
	}
	return 0;
}

/** Is the section an "if (ok)", with or without a blank in it? */
static bool is_if_ok(CONF_SECTION *cs)
{
	char const *condition = cf_section_name2(cs);
	char const *ok;

	if (strcmp(cf_section_name1(cs), "if") != 0 || !condition) return false;
	ok = condition + strspn(condition, "( ");
	return strncmp(ok, "ok", 2) == 0 && ok[2 + strspn(ok + 2, ") ")] == '\0';
}

/** Does each call below stand inside of an "if (ok)"? */
static bool called_after_ok(rlm_wsmfa_t const *inst, CONF_SECTION *cs)
{
	for (CONF_ITEM *ci = cf_item_find_next(cs, NULL); ci; ci = cf_item_find_next(cs, ci)) {
		CONF_SECTION *below = cf_item_is_section(ci) ? cf_item_to_section(ci) : NULL;

		if (is_bare_call(inst, ci)) return false;
		if (!below || is_if_ok(below)) continue;
		if (strcmp(cf_section_name1(below), inst->name) == 0 || !called_after_ok(inst, below)) return false;
	}
	return true;
}

/**
 * The module must never run as a login's authentication without a first factor before it: the host would show it the
 * verdict of whatever ran last, which may be a module of authorize.
 */
static int check_authenticate(rlm_wsmfa_t const *inst, CONF_SECTION *server)
{
	CONF_SECTION *authenticate = cf_section_sub_find(server, "authenticate");

	if (!authenticate) return 0;
	if (has_bare_call(inst, authenticate)) {
		cf_log_err_cs(authenticate,
			      "\"%s\" stands alone in authenticate of the site %s: it would let in without a first factor. Write "
			      "\"Auth-Type WSMFA-Login { pap if (ok) { %s } }\"",
			      inst->name, server_name(server), inst->name);
		return -1;
	}
	for (CONF_SECTION *cs = cf_subsection_find_next(authenticate, NULL, "Auth-Type"); cs;
	     cs = cf_subsection_find_next(authenticate, cs, "Auth-Type")) {
		char const *type = cf_section_name2(cs);

		if ((type && strcmp(type, "WSMFA-Response") == 0) || called_after_ok(inst, cs)) continue;
		cf_log_err_cs(cs,
			      "\"%s\" in Auth-Type %s must stand inside \"if (ok) { }\", after the module that proves the first factor",
			      inst->name, type ? type : "");
		return -1;
	}
	return 0;
}

/** A waiting room that does not answer: the host runs this section and no other. */
static int check_fail_authentication(rlm_wsmfa_t const *inst, CONF_SECTION *post_proxy)
{
	CONF_SECTION *cs = cf_section_sub_find_name2(post_proxy, "Post-Proxy-Type", "Fail-Authentication");

	if (cs && has_bare_call(inst, cs)) return 0;
	cf_log_err_cs(cs ? cs : post_proxy,
		      "write \"Post-Proxy-Type Fail-Authentication { %s }\" in post-proxy: the host runs it when time is up",
		      inst->name);
	return -1;
}

/** What stands here: a call, bare or with return codes, or a keyword. "" for a comment. */
static char const *said_by(CONF_ITEM *ci)
{
	if (cf_item_is_section(ci)) return cf_section_name1(cf_item_to_section(ci));
	return cf_item_is_pair(ci) ? cf_pair_attr(cf_item_to_pair(ci)) : "";
}

/** Does a site that says this call what has that name? A "-" before it and a method after it change nothing. */
static bool says(char const *said, char const *name)
{
	size_t const len = strlen(name);

	if (*said == '-') said++;
	return strncmp(said, name, len) == 0 && (!said[len] || said[len] == '.');
}

/** The sections of policy, then those of instantiate, which a site may call by name: the one after this, NULL after the last. */
static CONF_SECTION *next_policy(CONF_SECTION *config, CONF_SECTION *before)
{
	static char const *const holders[] = { "policy", "instantiate" };
	CONF_ITEM *ci = before ? cf_section_to_item(before) : NULL;
	size_t i = ci && strcmp(cf_section_name1(cf_item_parent(ci)), holders[1]) == 0;

	for (; i < sizeof(holders) / sizeof(holders[0]); i++, ci = NULL) {
		CONF_SECTION *holder = cf_section_sub_find(config, holders[i]);

		while (holder && (ci = cf_item_find_next(holder, ci))) {
			if (cf_item_is_section(ci)) return cf_item_to_section(ci);
		}
	}
	return NULL;
}

static char const *policy_name(CONF_SECTION *policy)
{
	return cf_section_name2(policy) ? cf_section_name2(policy) : cf_section_name1(policy);
}

/** Is this the name of an EAP module? Instances have names of their own. */
static bool is_eap(CONF_SECTION *config, char const *said)
{
	CONF_SECTION *modules = cf_section_sub_find(config, "modules");

	if (says(said, "eap")) return true;
	for (CONF_SECTION *cs = modules ? cf_subsection_find_next(modules, NULL, "eap") : NULL; cs;
	     cs = cf_subsection_find_next(modules, cs, "eap")) {
		if (cf_section_name2(cs) && says(said, cf_section_name2(cs))) return true;
	}
	return false;
}

static bool calls_eap(CONF_SECTION *config, CONF_SECTION *cs, int depth);

/** Is this the name of a policy, or of a section of instantiate, that calls EAP? */
static bool is_policy_of_eap(CONF_SECTION *config, char const *said, int depth)
{
	if (depth == POLICIES_MAX) return false;
	for (CONF_SECTION *cs = next_policy(config, NULL); cs; cs = next_policy(config, cs)) {
		char const *name = policy_name(cs);

		if ((says(said, name) || says(name, said)) && calls_eap(config, cs, depth + 1)) return true;
	}
	return false;
}

static bool calls_eap(CONF_SECTION *config, CONF_SECTION *cs, int depth)
{
	for (CONF_ITEM *ci = cf_item_find_next(cs, NULL); ci; ci = cf_item_find_next(cs, ci)) {
		CONF_SECTION *below = cf_item_is_section(ci) ? cf_item_to_section(ci) : NULL;
		char const *said = said_by(ci);

		if (is_eap(config, said) || is_policy_of_eap(config, said, depth)) return true;
		if (below && calls_eap(config, below, depth)) return true;
	}
	return false;
}

/** Has this EAP a return code of its own for ok? The host reads them in any case. */
static bool changes_ok(CONF_SECTION *eap)
{
	for (CONF_ITEM *ci = cf_item_find_next(eap, NULL); ci; ci = cf_item_find_next(eap, ci)) {
		if (strcasecmp(said_by(ci), "ok") == 0 || strcasecmp(said_by(ci), "default") == 0) return true;
	}
	return false;
}

/** Could this end the section it stands in, after an EAP that said ok? An "if (handled ...)" is for EAP that asks. */
static bool may_end(CONF_ITEM *ci)
{
	CONF_SECTION *cs = cf_item_is_section(ci) ? cf_item_to_section(ci) : NULL;

	if (cf_item_is_pair(ci)) {
		char const *value = cf_pair_value(cf_item_to_pair(ci));

		if (value) return strcasecmp(value, "return") == 0 || strcasecmp(value, "break") == 0;
		return strcmp(said_by(ci), "return") == 0 || strcmp(said_by(ci), "handled") == 0;
	}
	if (!cs || strcmp(cf_section_name1(cs), "update") == 0) return false;
	if (cf_section_name2(cs)) {
		char const *condition = cf_section_name2(cs);

		if (strncmp(condition + strspn(condition, "( "), "handled", 7) == 0) return false;
	}
	for (ci = cf_item_find_next(cs, NULL); ci; ci = cf_item_find_next(cs, ci)) {
		if (may_end(ci)) return true;
	}
	return false;
}

/** Does each way through the section come to a bare call of the module that stands in it? */
static bool leads_to_call(rlm_wsmfa_t const *inst, CONF_SECTION *cs)
{
	for (CONF_ITEM *ci = cf_item_find_next(cs, NULL); ci; ci = cf_item_find_next(cs, ci)) {
		if (is_bare_call(inst, ci)) return true;
		if (may_end(ci)) return false;
	}
	return false;
}

/**
 * Does each EAP of this section lead to the module, where it says ok? Only what stands in the section itself is seen through: an
 * "ok = return" would end it before the module, a group, an if or a policy may have return codes of its own.
 */
static bool eap_leads_on(rlm_wsmfa_t const *inst, CONF_SECTION *config, CONF_SECTION *cs)
{
	bool leads_on = true;

	for (CONF_ITEM *ci = cf_item_find_next(cs, NULL); ci; ci = cf_item_find_next(cs, ci)) {
		CONF_SECTION *below = cf_item_is_section(ci) ? cf_item_to_section(ci) : NULL;
		char const *said = said_by(ci);

		if (is_policy_of_eap(config, said, 0)) return false;
		if (is_eap(config, said)) {
			if (below && changes_ok(below)) return false;
			leads_on = false;
		} else if (below && calls_eap(config, below, 0)) {
			return false;
		} else if (below && is_if_ok(below) && leads_to_call(inst, below)) {
			leads_on = true;
		} else if (!leads_on && may_end(ci)) {
			return false;
		}
	}
	return leads_on;
}

/**
 * EAP asks many times before it accepts, so authorize can't fix its answer beforehand: whatever accepts by EAP has to come
 * through the module in the same section.
 */
static int check_eap(rlm_wsmfa_t const *inst, CONF_SECTION *server)
{
	CONF_SECTION *config = cf_top_section(server); /* maybe not the one that is loaded: rlm_wsmfa_watch.c */
	CONF_SECTION *authenticate = cf_section_sub_find(server, "authenticate");

	if (!authenticate) return 0;
	for (CONF_ITEM *ci = cf_item_find_next(authenticate, NULL); ci; ci = cf_item_find_next(authenticate, ci)) {
		CONF_SECTION *cs = cf_item_is_section(ci) ? cf_item_to_section(ci) : NULL;
		char const *said = said_by(ci);
		bool const goes_on = cs && (!calls_eap(config, cs, 0) || eap_leads_on(inst, config, cs));

		if (!is_eap(config, said) && !is_policy_of_eap(config, said, 0) && (!cs || goes_on)) continue;
		cf_log_err_cs(cs ? cs : authenticate,
			      "EAP would let in without a second factor: write \"Auth-Type eap { eap if (ok) { %s } }\" in authenticate of "
			      "the site %s: docs/clients/wifi-eap.md",
			      inst->name, server_name(server));
		return -1;
	}
	return 0;
}

/** What waits for a phone has to be held and released by the site. */
static int check_proxy_sections(rlm_wsmfa_t const *inst, CONF_SECTION *server)
{
	static char const *const sections[] = { "pre-proxy", "post-proxy" };

	if (inst->providers_len == 0) return 0;
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		CONF_SECTION *cs = cf_section_sub_find(server, sections[i]);

		if (cs && has_bare_call(inst, cs)) continue;
		cf_log_err_cs(cs ? cs : server,
			      "the site %s can't wait for phones: write \"%s { %s }\" as in raddb/sites-available/wsmfa",
			      server_name(server), sections[i], inst->name);
		return -1;
	}
	return check_fail_authentication(inst, cf_section_sub_find(server, "post-proxy"));
}

static int check_site(rlm_wsmfa_t const *inst, CONF_SECTION *server, bool answering)
{
	CONF_SECTION *authorize = cf_section_sub_find(server, "authorize");
	bool const inner = !answering && !calls(inst, cf_section_sub_find(server, "authenticate"));

	if (!calls(inst, authorize) && inner) return 0; /* nothing of ours */
	if (inner) return 0;				/* a tunnel: its outer site has the gate */
	if (!authorize || !has_bare_call(inst, authorize)) {
		cf_log_err_cs(authorize ? authorize : server,
			      "\"%s\" must stand in authorize of the site %s, outside of any if", inst->name,
			      server_name(server));
		return -1;
	}
	if (check_gate(inst, server) < 0 || check_authenticate(inst, server) < 0 || check_eap(inst, server) < 0) return -1;
	return check_proxy_sections(inst, server);
}

/** Is the name in unguarded_sites? */
static bool is_unguarded(rlm_wsmfa_t const *inst, char const *name)
{
	size_t const len = strlen(name);

	for (char const *p = inst->unguarded_sites; *p;) {
		size_t const word = strcspn(p, ", \t");

		if (word == len && strncmp(p, name, len) == 0) return true;
		p += word;
		p += strspn(p, ", \t");
	}
	return false;
}

/** A policy, or a section of instantiate, of the module's name: the host would run that wherever a site says wsmfa. */
static int check_name(rlm_wsmfa_t const *inst, CONF_SECTION *config)
{
	for (CONF_SECTION *cs = next_policy(config, NULL); cs; cs = next_policy(config, cs)) {
		if (!says(policy_name(cs), inst->name)) continue;
		cf_log_err_cs(cs, "%s in %s would run in place of the module %s, and the gate with it: give it another name",
			      policy_name(cs), cf_section_name1(cf_item_parent(cf_section_to_item(cs))), inst->name);
		return -1;
	}
	return 0;
}

/** A listener outside of every virtual server leads to sections outside of them, or to those of a server without a name. */
static int check_outside(rlm_wsmfa_t const *inst, CONF_SECTION *config)
{
	for (CONF_SECTION *cs = cf_subsection_find_next(config, NULL, "listen"); cs; cs = cf_subsection_find_next(config, cs, "listen")) {
		if (!is_auth_listener(cs) || cf_section_value_find(cs, "virtual_server") || is_unguarded(inst, "default")) continue;
		cf_log_err_cs(cs,
			      "a listen section outside of every site answers logins, and its site has no name to check it by: write "
			      "virtual_server = SITE in it, or move it into the site");
		return -1;
	}
	return 0;
}

/** Every virtual server that uses the module is checked; every other one that answers logins must be meant to. */
int wsmfa_sites_judge(rlm_wsmfa_t const *inst, CONF_SECTION *config)
{
	if (check_name(inst, config) < 0 || check_outside(inst, config) < 0) return -1;
	for (CONF_SECTION *cs = cf_subsection_find_next(config, NULL, "server"); cs;
	     cs = cf_subsection_find_next(config, cs, "server")) {
		bool const answering = answers(config, cs);

		if (calls(inst, cs)) {
			if (check_site(inst, cs, answering) < 0) return -1;
		} else if (answering && !is_unguarded(inst, server_name(cs))) {
			cf_log_err_cs(cs,
				      "the site %s answers logins without a second factor: unlink it from sites-enabled, or name it in "
				      "unguarded_sites of the module if that is meant",
				      server_name(cs));
			return -1;
		}
	}
	return 0;
}
