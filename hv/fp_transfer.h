/*
 * FP state as records that leave the hypervisor: what a guest exports and imports by hypercall, in
 * the layouts that debuggers and core files know too (hv/abi.h). What is in the records is an
 * architecture's business (arch_fp_export and arch_fp_import_check in arch/arch.h); who owns the
 * registers meanwhile is decided here (I7: nothing is exported or replaced that is in registers).
 */
#ifndef FERMATA_FP_TRANSFER_H
#define FERMATA_FP_TRANSFER_H

#include "hv/base.h"

struct vcpu;

/* Longer record sequences are refused unread: the largest state there is, 64 KiB of ZA with Z and P
 * in both forms, takes less. */
#define FP_RECORDS_MAX KiB(128)

/* What a record with a payload of so many bytes takes: type and size, the payload, padding to 8. */
static inline size_t fp_record_bytes(size_t payload)
{
    return 8 + ALIGN_UP(payload, (size_t)8);
}

enum fp_transfer {
    FP_TRANSFER_OK,
    FP_TRANSFER_INVALID,   /* malformed, or no room */
    FP_TRANSFER_DENIED,    /* more than the VM may use */
    FP_TRANSFER_NO_MEMORY, /* no area to be had */
    FP_TRANSFER_LOST,      /* the vCPU could not be made ready to run again: it must stop */
};

/*
 * v's state as records to `to` (8-byte aligned) if they fit into `room` bytes; *bytes is what they
 * take in any case. INVALID: they do not fit; nothing was written. v must be current on this CPU or
 * on no CPU.
 */
enum fp_transfer fp_export(struct vcpu *v, void *to, size_t room, size_t *bytes);

/*
 * Replaces all of v's FP state, or changes nothing. `records`, n bytes, 8-byte aligned, must not
 * change meanwhile (not guest memory). On a refusal *why is one sentence. v must be current on this
 * CPU or on no CPU.
 */
enum fp_transfer fp_import(struct vcpu *v, const void *records, size_t n, const char **why);

/*
 * The two hypercalls: `gpa` is that of a struct fermata_fp_transfer (hv/abi.h) in the caller's RAM.
 * Returns its status; *value as hv/abi.h says.
 */
s64 fp_transfer_call(struct vcpu *caller, bool import, u64 gpa, u64 *value);

#endif
