/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The registry: every plugin that is loaded, and the line-up of the moment.
 *
 * 1. Plugins are added and brought into their order while the daemon starts; from then on there are these.
 *    registry_at and its kin are about them, and what they return lives as long as the registry.
 * 2. A plugin may carry capabilities (`expand`), which come and go. Plugins and what they carry make up a
 *    line-up (lineup.h). A refresh asks the carriers, and where something is new makes another one.
 * 3. A scope takes the line-up of its moment and keeps it.
 */
#ifndef CAPABILITY_REGISTRY_H
#define CAPABILITY_REGISTRY_H

#include "capability/lineup.h"

struct registry;

struct registry *registry_new(void);
/* Calls every plugin's `stop`, last first, and frees. What belongs to a hook that has not returned goes
 * when it does. */
void registry_free(struct registry *registry);

/* The time limit of hooks where a policy has none (hook_timeout of the configuration); for plugins
 * added from then on. 10 seconds unless set. */
void registry_set_timeout(struct registry *registry, int64_t timeout_ms);

/* Plugins added from then on are none of ours: one that is in the way of an order is broken for it. */
void registry_set_strangers(struct registry *registry, bool strangers);

/* Everything a plugin is, and how it is to be treated: registered whole or not at all. Checks
 * magic, ABI, sizes, name, duplicate name, declared keys, and calls the plugin's `start`. `policy`
 * (may be NULL) is the plugin's table of the configuration: {"on_error","timeout","order", KEY...};
 * one with enabled=false makes this a success that registers nothing. */
int registry_add(struct registry *registry, const struct banger_plugin *plugin, const char *origin,
                 const json_t *policy, banger_error *err);
/* One that is there, and cannot be used: `why` is what its `check` fails with. A wrong or double name, or
 * a wrong policy, is an error all the same. */
int registry_add_broken(struct registry *registry, const char *name, const char *origin,
                        const json_t *policy, const banger_error *why, banger_error *err);
/* The same of a plugin in processes of its own. Steals `isolate`, on failure too. */
int registry_add_isolated(struct registry *registry, struct isolate *isolate, const char *origin,
                          const json_t *policy, banger_error *err);
/* Sorts by after/before, then configured order, then name. Fails where ours are in each other's way: a cycle
 * (named whole), an unknown name. */
int registry_resolve(struct registry *registry, banger_error *err);

/* What `expand` sees ({"host":{...}}) and the policies of what it names; both are copied. */
void registry_set_world(struct registry *registry, const json_t *input, const json_t *policies);
/* Asks the plugins that carry; costs nothing where there is none. From any thread: refreshes go one after
 * the other, and whoever comes while one is under way shares the next with all who wait. */
void registry_refresh(struct registry *registry);
/* The same for an operation that must not wait for anybody's script (a stop): a carrier that has failed of late
 * is left alone (expand.h), and the refresh goes on apart when it takes longer than this: the present line-up
 * has to do. */
void registry_refresh_briefly(struct registry *registry, int64_t most_ms);
/* Why what this plugin carries could not be asked for the last time. False: it could. */
bool registry_carrier_failure(struct registry *registry, const struct capability *plugin,
                              banger_error *failure);
/* After all is loaded and refreshed: a name in `policies` that is no capability's, and whose table does not disable
 * it, is an error where it is near a plugin's: it is misspelt. Any other is only logged, since a script that was
 * removed, or is still to come, must not keep the daemon from coming up; and so is each where something carried is
 * broken or a carrier has failed: it may be missing for that. */
int registry_check_policies(struct registry *registry, const json_t *policies, banger_error *err);
/* The names of that kind in the world's policies, of the present line-up: [{"name","nearest"}]; `nearest`, if not
 * null, is the name that was probably meant. */
json_t *registry_stray_policies(struct registry *registry);

/* The present line-up; a new reference. */
struct lineup *registry_lineup(struct registry *registry);

size_t registry_count(const struct registry *registry);
struct capability *registry_at(const struct registry *registry, size_t index); /* resolved order */
struct capability *registry_find(const struct registry *registry, const char *name);

#endif
