/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rows.h"

#define ROW_FIELD(kind, member) {#member, NULL, API_##kind, offsetof(struct STRUCT, member)},
#define DICTIONARY_FIELD(kind, member, property) \
	{#member, #property, API_##kind, offsetof(struct STRUCT, member)},

#define STRUCT policy_row
const struct api_field policy_row_fields[] = {POLICY_ROW(ROW_FIELD){}};
#undef STRUCT

#define STRUCT tree_row
const struct api_field tree_row_fields[] = {TREE_ROW(ROW_FIELD){}};
#undef STRUCT

#define STRUCT candidate_row
const struct api_field candidate_row_fields[] = {CANDIDATE_ROW(ROW_FIELD){}};
#undef STRUCT

#define STRUCT effective_values
const struct api_field effective_values_fields[] = {EFFECTIVE_VALUES(DICTIONARY_FIELD){}};
#undef STRUCT

#define STRUCT process_row
const struct api_field process_row_fields[] = {PROCESS_ROW(ROW_FIELD){}};
#undef STRUCT

#define STRUCT outcome_values
const struct api_field outcome_values_fields[] = {OUTCOME_VALUES(DICTIONARY_FIELD){}};
#undef STRUCT
