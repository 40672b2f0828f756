/* SPDX-License-Identifier: GPL-2.0-only */
/* What the headers of a kernel with the task-evaluation hook of 2023 declare, by the names that the
 * module has too. */
enum {
	POLICY_NAME_LEN = 16,
};

enum {
	NO_BPF_POLICY,
	BPF_EVAL_ABORT,
	BPF_EVAL_NEXT,
	BPF_EVAL_SELECT,
};
