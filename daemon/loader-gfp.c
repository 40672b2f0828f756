/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the flags of an allocation are called: of what the kernel's types say about them. */
#include <bpf/btf.h>

#include "loader-backend.h"

void loader_find_gfp_bits(const struct btf *btf, struct gfp_bits *ret)
{
	*ret = (struct gfp_bits){};
	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		if (!btf_is_enum(t))
			continue;
		for (uint32_t i = 0; i < btf_vlen(t); i++) {
			const struct btf_enum *e = &btf_enum(t)[i];
			const char *name = btf__name_by_offset(btf, e->name_off);

			if (e->val >= 0 && name)
				gfp_bits_add(ret, name, (uint32_t)e->val);
		}
	}
}
