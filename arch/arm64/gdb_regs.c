/*
 * The registers of a vCPU as gdb numbers them (GDB manual, G.5.1): the same rows make the target
 * description. FP registers come out of the records of fp_export() and go back by fp_import().
 *
 * The description has Z at the longest length the VM has, streaming or not; a vCPU at a shorter one
 * shows zeros above it. Without SVE, streaming vectors show as V.
 */
#include "arch_gdb.h"
#include "gdb_arm64.h"
#include "guest.h"
#include "sysreg.h"
#include "arch/arch.h"
#include "hv/abi.h"
#include "hv/console.h"
#include "hv/fp_transfer.h"
#include "hv/gdb_session.h"

#define VECTOR_HEADER 16u
#define FLAG_SVE      1u
#define V_BYTES       512u
#define FPSIMD_BYTES  528u

enum where { X, SP, PC, CPSR, V, Z, FPSR, FPCR, P, FFR, VG, SVG, SVCR_, ZA, ZT0 };

/* Which VMs have a row. */
enum whose { ALL, NO_SVE, SVE_VMS, SME_VMS, SME2_VMS };

struct row {
    const char *feature; /* NULL: the one of the row above goes on */
    const char *name;    /* a count follows it if there is more than one */
    const char *type;
    u8 count, where, whose;
};

static const struct row rows[] = {
    {"core", "x", "int64", 31, X, ALL},           {NULL, "sp", "data_ptr", 1, SP, ALL},
    {NULL, "pc", "code_ptr", 1, PC, ALL},         {NULL, "cpsr", "int32", 1, CPSR, ALL},
    {"fpu", "v", "aarch64v", 32, V, NO_SVE},      {NULL, "fpsr", "int32", 1, FPSR, NO_SVE},
    {NULL, "fpcr", "int32", 1, FPCR, NO_SVE},     {"sve", "z", "svev", 32, Z, SVE_VMS},
    {NULL, "fpsr", "int32", 1, FPSR, SVE_VMS},    {NULL, "fpcr", "int32", 1, FPCR, SVE_VMS},
    {NULL, "p", "svep", 16, P, SVE_VMS},          {NULL, "ffr", "svep", 1, FFR, SVE_VMS},
    {NULL, "vg", "int64", 1, VG, SVE_VMS},        {"sme", "svg", "int64", 1, SVG, SME_VMS},
    {NULL, "svcr", "int64", 1, SVCR_, SME_VMS},   {NULL, "za", "sme_bvv", 1, ZA, SME_VMS},
    {"sme2", "zt0", "sme2_bv", 1, ZT0, SME2_VMS},
};

static u32 sve_vl(const struct vcpu *v)
{
    return v ? v->vm->arch.fp.sve_vl : 0;
}

static u32 svl(const struct vcpu *v)
{
    return v ? v->vm->arch.fp.sme_vl : 0;
}

/* Of Z in the description, bytes. */
static u32 z_vl(const struct vcpu *v)
{
    return sve_vl(v) > svl(v) ? sve_vl(v) : svl(v);
}

static bool offered(const struct vcpu *v, const struct row *row)
{
    switch (row->whose) {
    case NO_SVE:
        return v && !sve_vl(v);
    case SVE_VMS:
        return sve_vl(v) != 0;
    case SME_VMS:
        return svl(v) != 0;
    case SME2_VMS:
        return svl(v) && v->vm->arch.fp.zt0;
    default:
        return true;
    }
}

static size_t bytes_of(const struct vcpu *v, const struct row *row)
{
    switch (row->where) {
    case V:
        return 16;
    case Z:
        return z_vl(v);
    case P:
    case FFR:
        return z_vl(v) / 8;
    case ZA:
        return (size_t)svl(v) * svl(v);
    case ZT0:
        return 64;
    case CPSR:
    case FPSR:
    case FPCR:
        return 4;
    default:
        return 8;
    }
}

static const struct row *row_of(const struct vcpu *v, u32 n, u32 *index)
{
    for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
        if (!offered(v, row))
            continue;
        *index = n;
        if (n < row->count)
            return row;
        n -= row->count;
    }
    return NULL;
}

/* ---- The description ---- */

/* A union of vectors of `bytes`, named `id`, as gdb's own V and Z are. */
static void add_union(struct gdb_xml *text, const char *id, u32 bytes)
{
    static const struct {
        const char *name, *type;
        u8 bytes;
    } views[] = {{"b", "uint8", 1},   {"h", "uint16", 2},      {"s", "uint32", 4},
                 {"d", "uint64", 8},  {"f", "ieee_single", 4}, {"df", "ieee_double", 8},
                 {"q", "uint128", 16}};

    for (u32 i = 0; i < ARRAY_SIZE(views); i++)
        gdb_xml_add(text, "<vector id=\"%s%s\" type=\"%s\" count=\"%u\"/>", id, views[i].name,
                    views[i].type, bytes / views[i].bytes);
    gdb_xml_add(text, "<union id=\"%s\">", id);
    for (u32 i = 0; i < ARRAY_SIZE(views); i++)
        gdb_xml_add(text, "<field name=\"%s\" type=\"%s%s\"/>", views[i].name, id, views[i].name);
    gdb_xml_add(text, "</union>");
}

static void add_types(struct gdb_xml *text, const struct vcpu *v, const struct row *row)
{
    if (row->where == V)
        add_union(text, "aarch64v", 16);
    if (row->where == Z) {
        add_union(text, "svev", z_vl(v));
        gdb_xml_add(text, "<vector id=\"svep\" type=\"uint8\" count=\"%u\"/>", z_vl(v) / 8);
    }
    if (row->where == SVG)
        gdb_xml_add(text,
                    "<vector id=\"sme_bv\" type=\"uint8\" count=\"%u\"/>"
                    "<vector id=\"sme_bvv\" type=\"sme_bv\" count=\"%u\"/>",
                    svl(v), svl(v));
    if (row->where == ZT0)
        gdb_xml_add(text, "<vector id=\"sme2_bv\" type=\"uint8\" count=\"64\"/>");
}

size_t arch_gdb_target(struct vcpu *v, char *to, size_t room)
{
    struct gdb_xml text = {to, room, 0};
    bool open = false;

    gdb_xml_add(&text, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
                       "<architecture>aarch64</architecture>");
    for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
        if (!offered(v, row))
            continue;
        if (row->feature)
            gdb_xml_add(&text, "%s<feature name=\"org.gnu.gdb.aarch64.%s\">",
                        open ? "</feature>" : "", row->feature);
        open = true;
        add_types(&text, v, row);
        for (u32 i = 0; i < row->count; i++) {
            gdb_xml_add(&text, "<reg name=\"%s", row->name);
            if (row->count > 1)
                gdb_xml_add(&text, "%u", i);
            gdb_xml_add(&text, "\" bitsize=\"%u\" type=\"%s\"/>", (u32)bytes_of(v, row) * 8,
                        row->type);
        }
    }
    gdb_xml_add(&text, "</feature></target>");
    return text.n;
}

/* ---- FP registers, in records ---- */

struct record {
    u8 *header; /* NULL: not there */
    u8 *at;
    u32 bytes;
};

struct records {
    size_t bytes;
    struct fermata_fp_arm_control *control;
    struct record vectors, za, zt;
    u32 vl;      /* of the vectors */
    bool only_v; /* V, not Z */
    u8 *v, *p, *status;
};

static u16 vl_in(const u8 *header)
{
    u16 vl;

    memcpy(&vl, header + 8, sizeof(vl));
    return vl;
}

/* Where things lie in the record of the vectors. */
static void find_vectors(struct records *r)
{
    u8 *at = r->vectors.at;
    u32 type;
    u16 flags = 0;

    if (!at)
        return;
    memcpy(&type, r->vectors.header, sizeof(type));
    if (type != FERMATA_FP_PRFPREG)
        memcpy(&flags, at + 12, sizeof(flags));
    r->only_v = !(flags & FLAG_SVE);
    r->v = type == FERMATA_FP_PRFPREG ? at : at + VECTOR_HEADER;
    r->vl = r->only_v ? 16 : vl_in(at);
    r->p = r->only_v ? NULL : r->v + 32 * (size_t)r->vl;
    r->status = r->only_v
                    ? r->v + V_BYTES
                    : at + ALIGN_UP(VECTOR_HEADER + 32 * (size_t)r->vl + 17 * (r->vl / 8), 16);
}

static void scan(struct records *r)
{
    u8 *at = gdb.records, *end = at + r->bytes;
    u32 header[2];

    r->control = NULL;
    r->vectors = r->za = r->zt = (struct record){NULL, NULL, 0};
    for (; at + 8 <= end; at += fp_record_bytes(header[1])) {
        memcpy(header, at, sizeof(header));
        struct record record = {at, at + 8, header[1]};
        if (header[0] == FERMATA_FP_ARM_CONTROL)
            r->control = (void *)(at + 8);
        else if (header[0] == FERMATA_FP_ARM_ZA)
            r->za = record;
        else if (header[0] == FERMATA_FP_ARM_ZT)
            r->zt = record;
        else if (header[0] != FERMATA_FP_ARM_FPMR)
            r->vectors = record;
    }
    find_vectors(r);
}

static bool take_records(struct vcpu *v, struct records *r)
{
    if (!gdb_take_records(v, &r->bytes))
        return false;
    scan(r);
    return r->control != NULL;
}

/* A record with room for Z, P and FFR in place of one with V alone, or of none: so that any
 * register can be set. The records behind it move up. */
static void widen(struct vcpu *v, struct records *r)
{
    u8 *control_end = (u8 *)(r->control + 1), *old = r->vectors.header;
    u32 vl = sve_vl(v), size;
    u8 kept[FPSIMD_BYTES] = {0};

    if (r->v && (!r->only_v || !vl))
        return;
    if (r->v)
        memcpy(kept, r->v, sizeof(kept));
    size = vl ? (u32)ALIGN_UP(VECTOR_HEADER + 32 * vl + 17 * (vl / 8), 16) + 16 : FPSIMD_BYTES;
    u8 *behind = old ? old + fp_record_bytes(r->vectors.bytes) : control_end;
    size_t left = (size_t)((u8 *)gdb.records + r->bytes - behind);
    memmove(control_end + 8 + size, behind, left);
    memset(control_end, 0, 8 + size);
    memcpy(control_end, &(u32[2]){vl ? FERMATA_FP_ARM_SVE : FERMATA_FP_PRFPREG, size}, 8);
    if (vl) {
        memcpy(control_end + 8, &(u32[2]){size, size}, 8);
        memcpy(control_end + 16, &(u16[4]){(u16)vl, (u16)vl, FLAG_SVE, 0}, 8);
    }
    r->bytes = (size_t)(control_end + 8 + size - (u8 *)gdb.records) + left;
    scan(r);
    CHECK(r->v && r->status); /* the record that has just been written */
    for (u32 i = 0; i < 32; i++)
        memcpy(r->v + (size_t)i * r->vl, kept + 16 * i, 16);
    memcpy(r->status, kept + V_BYTES, 8);
}

/* Where the register lies, and how many of its bytes are there. NULL: zero, or not there now. */
static u8 *place(const struct records *r, const struct row *row, u32 index, size_t *bytes)
{
    switch (row->where) {
    case V:
    case Z:
        *bytes = r->vl;
        return r->v ? r->v + (size_t)index * r->vl : NULL;
    case P:
    case FFR:
        *bytes = r->vl / 8;
        return r->p ? r->p + (size_t)(row->where == FFR ? 16 : index) * (r->vl / 8) : NULL;
    case FPSR:
    case FPCR:
        *bytes = 4;
        return r->status ? r->status + (row->where == FPCR ? 4 : 0) : NULL;
    case ZT0:
        *bytes = 64;
        return r->zt.at;
    default:
        return NULL;
    }
}

/* ZA of the record, whose vectors may be shorter than the description's. */
static void za_copy(struct vcpu *v, const struct records *r, u8 *out, const u8 *in)
{
    u32 from = vl_in(r->za.at), to = svl(v);
    u8 *rows_ = r->za.at + VECTOR_HEADER;

    for (u32 i = 0; i < from && i < to; i++) {
        if (out)
            memcpy(out + (size_t)i * to, rows_ + (size_t)i * from, from < to ? from : to);
        else
            memcpy(rows_ + (size_t)i * from, in + (size_t)i * to, from < to ? from : to);
    }
}

static bool fp_get(struct vcpu *v, const struct row *row, u32 index, void *to)
{
    size_t bytes = bytes_of(v, row), have = 0;
    struct records r;
    u64 value;

    if (!take_records(v, &r))
        return false;
    memset(to, 0, bytes);
    if (row->where == ZA) {
        if (r.za.at)
            za_copy(v, &r, to, NULL);
        return true;
    }
    if (row->where == VG || row->where == SVG || row->where == SVCR_) {
        value = row->where == SVCR_ ? r.control->svcr : (row->where == VG ? z_vl(v) : svl(v)) / 8;
        memcpy(to, &value, sizeof(value));
        return true;
    }
    const u8 *at = place(&r, row, index, &have);
    if (at)
        memcpy(to, at, have < bytes ? have : bytes);
    return true;
}

/* What does not fit where the vCPU is now (a longer vector, ZA while it is off) is refused. */
static bool fp_set(struct vcpu *v, const struct row *row, u32 index, const u8 *from)
{
    size_t bytes = bytes_of(v, row), have = 0;
    struct records r;

    if (row->where == VG || row->where == SVG || row->where == SVCR_ || !take_records(v, &r))
        return false;
    if (row->where == ZA && r.za.at && vl_in(r.za.at) == svl(v)) {
        za_copy(v, &r, NULL, from);
        return gdb_give_records(v, r.bytes);
    }
    widen(v, &r);
    u8 *at = place(&r, row, index, &have);
    if (!at)
        return false;
    for (size_t i = have; i < bytes; i++) {
        if (from[i])
            return false;
    }
    memcpy(at, from, have < bytes ? have : bytes);
    return gdb_give_records(v, r.bytes);
}

/* ---- All of them ---- */

/* SP is one of two, by PSTATE. */
static u64 *sp_of(struct vcpu *v)
{
    return &v->arch.el1[(v->arch.pstate & 13) == 5 ? EL1_SP_EL1 : EL1_SP_EL0];
}

static u64 core_get(struct vcpu *v, const struct row *row, u32 index)
{
    switch (row->where) {
    case X:
        return v->arch.x[index];
    case SP:
        gdb_el1_take(v);
        return *sp_of(v);
    case PC:
        return v->arch.pc;
    default:
        return (u32)v->arch.pstate;
    }
}

size_t arch_gdb_get(struct vcpu *v, u32 n, void *to, size_t room, bool *available)
{
    u32 index = 0;
    const struct row *row = row_of(v, n, &index);
    size_t bytes = row ? bytes_of(v, row) : 0;

    *available = false;
    if (!row || bytes > room)
        return 0;
    if (!v) {
        *available = gdb_own_register(n, to);
    } else if (row->where >= V) {
        *available = fp_get(v, row, index, to);
    } else {
        u64 value = core_get(v, row, index);
        memcpy(to, &value, bytes);
        *available = true;
    }
    return bytes;
}

/* Bits of PSTATE a debugger may change: the flags and DAIF. */
#define PSTATE_WRITABLE 0xf00003c0ull

bool arch_gdb_set(struct vcpu *v, u32 n, const void *from, size_t bytes)
{
    u32 index = 0;
    const struct row *row = row_of(v, n, &index);
    u64 value = 0;

    if (!row || bytes != bytes_of(v, row))
        return false;
    if (row->where >= V)
        return fp_set(v, row, index, from);
    memcpy(&value, from, bytes);
    switch (row->where) {
    case X:
        v->arch.x[index] = value;
        return true;
    case SP:
        gdb_el1_take(v);
        *sp_of(v) = value;
        gdb_el1_put(v);
        return true;
    case PC:
        v->arch.pc = value;
        return value % 4 == 0;
    default:
        v->arch.pstate = (v->arch.pstate & ~PSTATE_WRITABLE) | (value & PSTATE_WRITABLE);
        return true;
    }
}
