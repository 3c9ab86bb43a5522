/* What a guest reads in the ID registers. Pure. */
#ifndef FERMATA_ID_FILTER_H
#define FERMATA_ID_FILTER_H

#include "hv/base.h"
#include "arch_fp.h"

/*
 * The value of the ID register S3_0_C0_C<crm>_<op2> (crm 1 to 7) for a VM with `fp`, when the
 * hardware's is `hardware` and its stage 2 reaches PARange `parange`. Registers that are not known
 * read 0, as the architecture says of unallocated ones (DDI 0487 D19.3.1).
 */
u64 id_filter(u32 crm, u32 op2, u64 hardware, const struct arch_fp_config *fp, u64 parange);

#endif
