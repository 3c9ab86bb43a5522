/*
 * A guest's PL011 UART (Arm DDI 0183): identification registers for drivers that probe it, and
 * output. Nothing is ever received, no interrupt is ever raised.
 */
#ifndef FERMATA_PL011_H
#define FERMATA_PL011_H

#include "hv/base.h"

struct vcpu;

#define PL011_BYTES 0x1000u /* its register page */

/* One per VM, zero at creation (arch/ embeds it in struct arch_vm). */
struct pl011 {
    u32 ilpr, ibrd, fbrd, lcr_h, cr, ifls, imsc, dmacr;
    bool touched; /* CR and IFLS have got their reset values */
};

/*
 * `offset` is within the register page, at any alignment; `bytes` (1, 2, 4, 8) is the access size:
 * a read returns that many low bytes of the register holding the offset, an undefined register
 * reads 0 and ignores writes.
 */
u64 pl011_read(struct pl011 *u, u32 offset, u32 bytes);
void pl011_write(struct pl011 *u, struct vcpu *v, u32 offset, u32 bytes, u64 value);

#endif
