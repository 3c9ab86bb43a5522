/*
 * FP state out and in by hypercall (hv/abi.h, FERMATA_HC_FP_*): the half of the scenario that knows
 * no architecture. Rows of BUGS.md: 14, 15, 16.
 */
#ifndef GUEST_TRANSFER_H
#define GUEST_TRANSFER_H

#include "guest/guest.h"

/* Two states: `first` is the one that is compared with, !first another. */
struct transfer_ops {
    void (*load)(bool first); /* every register, and the control state */
    bool (*holds)(void);      /* the first is there again? False: a diagnostic was printed */
};

#define TRANSFER_REFUSED 1 /* as a status: INVALID or DENIED */

/* One way to spoil good records: `bytes` bytes at `offset` of the payload of the record `type` (of
 * the record's header, if negative) become `value`; the import must answer `status`. */
struct transfer_spoil {
    const char *what;
    u32 type;
    s32 offset;
    u32 bytes;
    u64 value;
    s64 status;
};

void transfer_test(const struct transfer_ops *ops, const struct transfer_spoil *spoils, u32 n);

/* This vCPU's state, out: *bytes of records; 0: it was refused. */
const u64 *transfer_of(u32 vcpu, u64 *bytes);

/* The calling vCPU's state, out and into another's: the status of the import. */
s64 transfer_give(u32 vcpu);

#endif
