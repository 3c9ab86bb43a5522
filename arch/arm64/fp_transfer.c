/*
 * A context as records (hv/abi.h), in and out. The layouts are those of Linux's register sets (its
 * uapi asm/ptrace.h: user_sve_header, user_za_header, user_fpsimd_state), which gdb knows too.
 *
 * Which records there are, SVCR says: SM=1, the streaming one and not the other; ZA=1, ZA, and ZT0
 * if the VM has it. Vectors leave at the VM's longest length. Shorter ones may come: what is above
 * is zero then, in every vector of ZA as well (BUGS 22).
 */
#include "arch/arch.h"
#include "hv/abi.h"
#include "hv/fp_transfer.h"
#include "sysreg.h"

#define VECTOR_HEADER_BYTES 16u
#define FPSIMD_BYTES        528u /* V0-V31, FPSR, FPCR, two words of zero */
#define FLAG_SVE            1u   /* Z, P and FFR follow, not user_fpsimd_state */

struct record_header {
    u32 type, bytes;
};

/* user_sve_header, user_za_header: lengths in bytes, `size` with the header. */
struct vector_header {
    u32 size, max_size;
    u16 vl, max_vl, flags, reserved;
};

_Static_assert(sizeof(struct vector_header) == VECTOR_HEADER_BYTES, "Linux's layout");

/* One record's payload; `at` NULL: it is not there. */
struct payload {
    const u8 *at;
    u32 bytes;
};

struct records {
    struct payload control, fpsimd, sve, streaming, za, zt, fpmr;
};

/* ---- Linux's layout of Z, P and FFR, behind the header ---- */

static size_t z_bytes(u32 vl)
{
    return (size_t)32 * vl;
}

static size_t p_bytes(u32 vl)
{
    return (size_t)17 * (vl / 8);
}

/* FPSR, with FPCR after it, on the next 16 bytes. */
static size_t status_offset(u32 vl)
{
    return (VECTOR_HEADER_BYTES + z_bytes(vl) + p_bytes(vl) + 15) & ~(size_t)15;
}

static size_t sve_size(u32 vl)
{
    return status_offset(vl) + 16;
}

static size_t za_size(u32 svl)
{
    return VECTOR_HEADER_BYTES + (size_t)svl * svl;
}

/* ---- Out ---- */

static u32 svcr_of(const struct arch_fp *arch)
{
    return (u32)arch->svcr & (SVCR_SM | SVCR_ZA); /* the rest is whatever the CPU stored */
}

/* Bytes of the record of V, Z, P and FFR; 0: they are in reset state. */
static size_t vectors_size(const struct vcpu *v)
{
    const struct arch_fp *arch = &v->fp.arch;

    if (!v->fp.area.base)
        return 0;
    if (svcr_of(arch) & SVCR_SM)
        return sve_size(arch->sme_vl);
    if (arch->needs & FP_UNIT_SVE)
        return sve_size(arch->sve_vl);
    return FPSIMD_BYTES + (arch->sve_vl ? VECTOR_HEADER_BYTES : 0);
}

size_t arch_fp_export_bytes(const struct vcpu *v)
{
    const struct arch_fp *arch = &v->fp.arch;
    size_t bytes = sizeof(struct record_header) + sizeof(struct fermata_fp_arm_control);

    if (vectors_size(v))
        bytes += sizeof(struct record_header) + vectors_size(v);
    if (svcr_of(arch) & SVCR_ZA) {
        bytes += sizeof(struct record_header) + za_size(arch->sme_vl);
        if (arch->smcr_el2 & SMCR_EZT0)
            bytes += sizeof(struct record_header) + VEC_ZT0_BYTES;
    }
    if (arch->fpmr_offered)
        bytes += sizeof(struct record_header) + sizeof(u64);
    return bytes; /* every payload is a multiple of 8 bytes */
}

static u8 *put_header(u8 *to, u32 type, size_t bytes)
{
    struct record_header header = {type, (u32)bytes};

    memcpy(to, &header, sizeof(header));
    return to + sizeof(header);
}

static u8 *put(u8 *to, u32 type, const void *payload, size_t bytes)
{
    to = put_header(to, type, bytes);
    memcpy(to, payload, bytes);
    return to + bytes;
}

static u8 *put_vector_header(u8 *to, size_t size, size_t max_size, u32 vl, u32 flags)
{
    struct vector_header header = {
        (u32)size, (u32)max_size, (u16)vl, (u16)vl, (u16)flags, 0,
    };

    memcpy(to, &header, sizeof(header));
    return to + sizeof(header);
}

static void put_fpsimd(u8 *to, const u8 *image)
{
    memset(to, 0, FPSIMD_BYTES);
    memcpy(to, image + VEC_V_OFFSET, VEC_V_BYTES);
    memcpy(to + VEC_V_BYTES, image + VEC_STATUS_OFFSET, VEC_STATUS_BYTES);
}

/* `to` is where the header goes. Without FFR (streaming mode, no FA64) that is zero. */
static void put_sve(u8 *to, const u8 *image, u32 vl, bool ffr)
{
    u8 *z = put_vector_header(to, sve_size(vl), sve_size(vl), vl, FLAG_SVE);

    memset(z, 0, sve_size(vl) - VECTOR_HEADER_BYTES);
    memcpy(z, image + vec_z_offset(vl), z_bytes(vl));
    memcpy(z + z_bytes(vl), image + VEC_P_OFFSET, p_bytes(vl) - (ffr ? 0 : vl / 8));
    memcpy(to + status_offset(vl), image + VEC_STATUS_OFFSET, VEC_STATUS_BYTES);
}

static u8 *put_vectors(u8 *to, const struct vcpu *v)
{
    const struct arch_fp *arch = &v->fp.arch;
    const u8 *image = v->fp.area.base;
    size_t size = vectors_size(v);
    u32 vl = arch->sve_vl;

    if (!size)
        return to;
    if (svcr_of(arch) & SVCR_SM) {
        to = put_header(to, FERMATA_FP_ARM_SSVE, size);
        put_sve(to, image, arch->sme_vl, features.fa64);
    } else if (arch->needs & FP_UNIT_SVE) {
        to = put_header(to, FERMATA_FP_ARM_SVE, size);
        put_sve(to, image, vl, true);
    } else if (vl) {
        to = put_header(to, FERMATA_FP_ARM_SVE, size);
        put_fpsimd(put_vector_header(to, size, sve_size(vl), vl, 0), image);
    } else {
        to = put_header(to, FERMATA_FP_PRFPREG, size);
        put_fpsimd(to, image);
    }
    return to + size;
}

void arch_fp_export(const struct vcpu *v, void *to)
{
    const struct arch_fp *arch = &v->fp.arch;
    const u8 *za = (const u8 *)v->fp.area.base + arch->za_offset;
    const struct fermata_fp_arm_control control = {
        .zcr_el1 = arch->zcr_el1,
        .smcr_el1 = arch->smcr_el1,
        .svcr = svcr_of(arch),
        .tpidr2_el0 = arch->tpidr2_el0,
        .smpri_el1 = arch->smpri_el1,
    };
    u8 *at = put(to, FERMATA_FP_ARM_CONTROL, &control, sizeof(control));

    at = put_vectors(at, v);
    if (svcr_of(arch) & SVCR_ZA) {
        u32 svl = arch->sme_vl;
        at = put_header(at, FERMATA_FP_ARM_ZA, za_size(svl));
        at = put_vector_header(at, za_size(svl), za_size(svl), svl, 0);
        memcpy(at, za, (size_t)svl * svl);
        at += (size_t)svl * svl;
        if (arch->smcr_el2 & SMCR_EZT0)
            at = put(at, FERMATA_FP_ARM_ZT, za - VEC_ZT0_BYTES, VEC_ZT0_BYTES);
    }
    if (arch->fpmr_offered)
        put(at, FERMATA_FP_ARM_FPMR, &arch->fpmr, sizeof(arch->fpmr));
}

/* ---- In: is it a state at all? ---- */

static struct payload *slot_of(struct records *r, u32 type)
{
    switch (type) {
    case FERMATA_FP_ARM_CONTROL:
        return &r->control;
    case FERMATA_FP_PRFPREG:
        return &r->fpsimd;
    case FERMATA_FP_ARM_SVE:
        return &r->sve;
    case FERMATA_FP_ARM_SSVE:
        return &r->streaming;
    case FERMATA_FP_ARM_ZA:
        return &r->za;
    case FERMATA_FP_ARM_ZT:
        return &r->zt;
    case FERMATA_FP_ARM_FPMR:
        return &r->fpmr;
    default:
        return NULL;
    }
}

/* Finds the records, each whole, known and there once, the control record first. */
static bool find_records(const u8 *at, size_t n, struct records *r, const char **why)
{
    struct record_header header;

    memset(r, 0, sizeof(*r));
    for (size_t left = n; left;) {
        if (left < sizeof(header)) {
            *why = "a record's header is cut off";
            return false;
        }
        memcpy(&header, at, sizeof(header));
        left -= sizeof(header);
        at += sizeof(header);
        size_t padded = fp_record_bytes(header.bytes) - sizeof(header);
        if (padded > left) {
            *why = "a record is longer than what is left";
            return false;
        }
        struct payload *slot = slot_of(r, header.type);
        if (!slot || slot->at || (slot != &r->control && !r->control.at)) {
            *why = "a record is of an unknown type, there twice, or before the control record";
            return false;
        }
        *slot = (struct payload){at, header.bytes};
        left -= padded;
        at += padded;
    }
    *why = "the control record is missing or of another size";
    return r->control.at && r->control.bytes == sizeof(struct fermata_fp_arm_control);
}

/* A vector record's header: sizes agree, the length exists, and is not above the VM's `max`. */
static bool header_sound(const struct payload *p, u32 lengths, u32 max, struct vector_header *h,
                         bool *denied, const char **why)
{
    *why = "a vector record's header is malformed";
    if (p->bytes < sizeof(*h))
        return false;
    memcpy(h, p->at, sizeof(*h));
    if (h->size != p->bytes || h->reserved || h->vl < VEC_VL_MIN || h->vl > VEC_VL_MAX ||
        h->vl % VEC_VL_MIN)
        return false;
    if (h->vl > max || vec_round_down(lengths, h->vl) != h->vl) {
        *why = "a vector length is more than the VM has, or none of this CPU";
        *denied = true;
        return false;
    }
    return true;
}

static bool sve_sound(const struct payload *p, const struct arch_fp *arch, bool *denied,
                      const char **why)
{
    struct vector_header h;

    if (!header_sound(p, features.sve_vls, arch->sve_vl, &h, denied, why))
        return false;
    *why = "an SVE record of a size or with flags that it cannot have";
    return h.flags == FLAG_SVE ? p->bytes == sve_size(h.vl)
                               : !h.flags && p->bytes == VECTOR_HEADER_BYTES + FPSIMD_BYTES;
}

static bool streaming_sound(const struct payload *p, const struct arch_fp *arch, bool *denied,
                            const char **why)
{
    struct vector_header h;

    if (!header_sound(p, features.sme_vls, arch->sme_vl, &h, denied, why))
        return false;
    *why = "a streaming SVE record of a size or with flags that it cannot have";
    return h.flags == FLAG_SVE && p->bytes == sve_size(h.vl);
}

static bool za_sound(const struct payload *p, const struct arch_fp *arch, bool *denied,
                     const char **why)
{
    struct vector_header h;

    if (!header_sound(p, features.sme_vls, arch->sme_vl, &h, denied, why))
        return false;
    *why = "a ZA record of a size or with flags that it cannot have";
    return !h.flags && p->bytes == za_size(h.vl);
}

/* What the VM may have at all: the registers of a unit that it lacks are zero. */
static bool permitted(const struct vcpu *v, const struct records *r,
                      const struct fermata_fp_arm_control *c)
{
    const struct arch_fp *arch = &v->fp.arch;
    bool sve = v->fp.offered & FP_UNIT_SVE, sme = v->fp.offered & FP_UNIT_SME;

    if (!sve && (c->zcr_el1 || r->sve.at))
        return false;
    if (!sme && (c->smcr_el1 || c->svcr || r->streaming.at || r->za.at || r->zt.at))
        return false;
    if (!arch->storage && c->tpidr2_el0)
        return false;
    if (!(arch->storage && features.smps) && c->smpri_el1)
        return false;
    return (arch->fpmr_offered || !r->fpmr.at) && (arch->smcr_el2 & SMCR_EZT0 || !r->zt.at);
}

/* Do the records go with SVCR, and with one another? */
static bool consistent(const struct arch_fp *arch, const struct records *r, u64 svcr,
                       const char **why)
{
    bool sm = svcr & SVCR_SM, za = svcr & SVCR_ZA;

    *why = "SVCR and the records do not agree";
    if (svcr & ~(u64)(SVCR_SM | SVCR_ZA))
        return false;
    if (sm != (r->streaming.at != NULL) || za != (r->za.at != NULL) ||
        (za && arch->smcr_el2 & SMCR_EZT0) != (r->zt.at != NULL))
        return false;
    if ((r->streaming.at != NULL) + (r->sve.at != NULL) + (r->fpsimd.at != NULL) > 1)
        return false;
    *why = "a record of another size than its type has";
    return (!r->fpsimd.at || r->fpsimd.bytes == FPSIMD_BYTES) &&
           (!r->zt.at || r->zt.bytes == VEC_ZT0_BYTES) &&
           (!r->fpmr.at || r->fpmr.bytes == sizeof(u64));
}

/* Is the SVE record one of Z, P and FFR, and not of V alone? */
static bool has_z(const struct payload *sve)
{
    struct vector_header h;

    if (!sve->at)
        return false;
    memcpy(&h, sve->at, sizeof(h));
    return h.flags & FLAG_SVE;
}

static fp_units units_of(const struct records *r)
{
    return (r->streaming.at || r->za.at                 ? FP_UNIT_SME
            : has_z(&r->sve)                            ? FP_UNIT_SVE
            : r->sve.at != NULL || r->fpsimd.at != NULL ? FP_UNIT_FPSIMD
                                                        : 0u);
}

bool arch_fp_import_check(const struct vcpu *v, const void *records, size_t n, size_t *area_bytes,
                          bool *denied, const char **why)
{
    const struct arch_fp *arch = &v->fp.arch;
    struct fermata_fp_arm_control control;
    struct records r;

    *denied = false;
    if (!find_records(records, n, &r, why))
        return false;
    memcpy(&control, r.control.at, sizeof(control));
    if (control.smpri_el1 > 15) {
        *why = "reserved bits of SMPRI_EL1";
        return false;
    }
    if (!permitted(v, &r, &control)) {
        *why = "state of a unit that the VM does not have";
        *denied = true;
        return false;
    }
    if (!consistent(arch, &r, control.svcr, why) ||
        (r.sve.at && !sve_sound(&r.sve, arch, denied, why)) ||
        (r.streaming.at && !streaming_sound(&r.streaming, arch, denied, why)) ||
        (r.za.at && !za_sound(&r.za, arch, denied, why)))
        return false;
    fp_units units = units_of(&r);
    *area_bytes = units ? arch->bytes[units] : 0;
    *why = "";
    return true;
}

/* ---- In: take it over ---- */

/* Each of `count` registers of `from` bytes to the low end of one of `to` bytes; the rest is zero
 * already. */
static void widen(u8 *at, u32 to, const u8 *source, u32 from, u32 count)
{
    for (u32 i = 0; i < count; i++)
        memcpy(at + (size_t)i * to, source + (size_t)i * from, from);
}

static void take_sve(u8 *image, const u8 *record, enum vec_form form, u32 vl)
{
    struct vector_header h;

    memcpy(&h, record, sizeof(h));
    u64 first = VEC_HEADER(form, vl);
    const u8 *z = record + VECTOR_HEADER_BYTES;
    memcpy(image, &first, sizeof(first));
    memcpy(image + VEC_STATUS_OFFSET, record + status_offset(h.vl), VEC_STATUS_BYTES);
    widen(image + vec_z_offset(vl), vl, z, h.vl, 32);
    widen(image + VEC_P_OFFSET, vl / 8, z + z_bytes(h.vl), h.vl / 8, 17);
}

static void take_fpsimd(u8 *image, const u8 *state)
{
    memcpy(image + VEC_V_OFFSET, state, VEC_V_BYTES);
    memcpy(image + VEC_STATUS_OFFSET, state + VEC_V_BYTES, VEC_STATUS_BYTES);
}

static void take_za(u8 *za, const struct records *r, u32 svl)
{
    struct vector_header h;

    memcpy(&h, r->za.at, sizeof(h));
    widen(za, svl, r->za.at + VECTOR_HEADER_BYTES, h.vl, h.vl);
    if (r->zt.at)
        memcpy(za - VEC_ZT0_BYTES, r->zt.at, VEC_ZT0_BYTES);
}

static void take_control(struct arch_fp *arch, const struct records *r)
{
    struct fermata_fp_arm_control control;

    memcpy(&control, r->control.at, sizeof(control));
    arch->zcr_el1 = control.zcr_el1;
    arch->smcr_el1 = control.smcr_el1;
    arch->svcr = control.svcr;
    arch->tpidr2_el0 = control.tpidr2_el0;
    arch->smpri_el1 = control.smpri_el1;
    arch->fpmr = 0;
    if (r->fpmr.at)
        memcpy(&arch->fpmr, r->fpmr.at, sizeof(arch->fpmr));
    arch->controls = fp_controls_for(arch);
}

void arch_fp_import(struct vcpu *v, const void *records, size_t n, struct fp_area *area)
{
    struct arch_fp *arch = &v->fp.arch;
    struct records r;
    const char *why;

    CHECK(find_records(records, n, &r, &why));
    take_control(arch, &r);
    arch->needs = v->fp.offered & (FP_UNIT_FPSIMD | FP_UNIT_MORE);
    if (r.streaming.at) {
        take_sve(area->base, r.streaming.at, VEC_STREAMING, arch->sme_vl);
        arch->needs = v->fp.offered;
    } else if (has_z(&r.sve)) {
        take_sve(area->base, r.sve.at, VEC_SVE, arch->sve_vl);
        arch->needs |= FP_UNIT_SVE;
    } else if (r.sve.at) {
        take_fpsimd(area->base, r.sve.at + VECTOR_HEADER_BYTES);
    } else if (r.fpsimd.at) {
        take_fpsimd(area->base, r.fpsimd.at);
    }
    if (r.za.at)
        take_za((u8 *)area->base + arch->za_offset, &r, arch->sme_vl);
}
