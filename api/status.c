/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "status.h"

#define FIELD(kind, member, property, change) \
	{#member, #property, API_##kind, offsetof(struct status, member)},
#define COUNTER_FIELD(name) {#name, #name, API_U64, offsetof(struct status, name)},
#define CHANGE(kind, member, property, change) change,

const struct api_field status_fields[] = {STATUS_VALUES(FIELD){}};

const struct api_field status_counter_fields[] = {STATUS_COUNTERS(COUNTER_FIELD){}};

const int status_changes[] = {STATUS_VALUES(CHANGE)};
