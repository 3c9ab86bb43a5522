/* Parts of the SME scenarios; each file says what it checks. */
#ifndef GUEST_ARM64_SME_SCENARIOS_H
#define GUEST_ARM64_SME_SCENARIOS_H

#include "guest/arm64/sme_ops.h"

void sme_steps(u64 preemptions); /* sme_steps.c */
void sme_random(u64 rounds);     /* sme_random.c */

/*
 * Compare the registers after a stay at shorter lengths: in Z and P of the picture `low_z` bytes
 * must be as wanted, in ZA `low_za` rows and columns; above, each register or row is as wanted or
 * zero (DDI 0487 leaves the choice).
 */
bool sme_kept_or_zeroed(const struct sme_image *got, const struct sme_image *want, u32 low_z,
                        u32 low_za);

#endif
