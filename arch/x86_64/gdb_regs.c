/*
 * The registers of a vCPU as gdb numbers them: rows of a table, in the order of the target
 * description that is made from the same rows (GDB manual, G.5.4 and features/i386 of its sources
 * for the names). General registers come from where the world switch keeps them, FP registers from
 * the records of fp_export(), so it does not matter whether they are live.
 */
#include "fp_components.h"
#include "virt.h"
#include "xstate_layout.h"
#include "arch/arch.h"
#include "arch_gdb.h"
#include "gdb_x86.h"
#include "hv/abi.h"
#include "hv/console.h"
#include "hv/fp_transfer.h"
#include "hv/gdb_session.h"

enum where { GPR, RIP, FLAGS, SEGMENT, BASE, ST, X87, LEGACY, COMPONENT, CONTROL_PKRU };

struct row {
    const char *feature; /* NULL: the one of the row above goes on */
    const char *name;    /* with %u: of `count` registers */
    u16 first, count;    /* number in the name of the first; how many */
    u16 bytes;
    const char *type;
    u8 where;      /* enum where */
    u8 component;  /* COMPONENT: bit of XCR0 */
    u16 at, apart; /* offset of the first in its place, and between two */
};

static const char gpr_names[16][4] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
                                      "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
static const u8 gpr_numbers[8] = {RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP};
static const char segment_names[6][3] = {"cs", "ss", "ds", "es", "fs", "gs"};
static const u8 segment_numbers[6] = {1, 2, 3, 0, 4, 5};
static const char x87_names[8][6] = {"fctrl", "fstat", "ftag",  "fiseg",
                                     "fioff", "foseg", "fooff", "fop"};

static const struct row rows[] = {
    {"core", NULL, 0, 16, 8, "int64", GPR, 0, 0, 0},
    {NULL, "rip", 0, 1, 8, "code_ptr", RIP, 0, 0, 0},
    {NULL, "eflags", 0, 1, 4, "int32", FLAGS, 0, 0, 0},
    {NULL, NULL, 0, 6, 4, "int32", SEGMENT, 0, 0, 0},
    {NULL, "st%u", 0, 8, 10, "i387_ext", ST, 0, 32, 16},
    {NULL, NULL, 0, 8, 4, "int", X87, 0, 0, 0},
    {"sse", "xmm%u", 0, 16, 16, "vec128", LEGACY, 1, 160, 16},
    {NULL, "mxcsr", 0, 1, 4, "int", LEGACY, 1, 24, 0},
    {"segments", "fs_base", 0, 1, 8, "int64", BASE, 0, 0, 0},
    {NULL, "gs_base", 1, 1, 8, "int64", BASE, 0, 0, 0},
    {"avx", "ymm%uh", 0, 16, 16, "uint128", COMPONENT, 2, 0, 16},
    {"avx512", "xmm%u", 16, 16, 16, "uint128", COMPONENT, 7, 0, 64},
    {NULL, "ymm%uh", 16, 16, 16, "uint128", COMPONENT, 7, 16, 64},
    {NULL, "k%u", 0, 8, 8, "uint64", COMPONENT, 5, 0, 8},
    {NULL, "zmm%uh", 0, 16, 32, "v2ui128", COMPONENT, 6, 0, 32},
    {NULL, "zmm%uh", 16, 16, 32, "v2ui128", COMPONENT, 7, 32, 64},
    {"pkeys", "pkru", 0, 1, 4, "int", CONTROL_PKRU, 9, 0, 0},
};

/* Is the row's feature one that v's VM has? Without a vCPU only the core is described. */
static bool offered(const struct vcpu *v, const struct row *row)
{
    if (row->where != COMPONENT && row->where != CONTROL_PKRU)
        return true;
    return v && (v->vm->arch.fp.xcr0 >> row->component & 1);
}

/* The row of register n as v's description numbers them, and which of the row's it is. */
static const struct row *row_of(const struct vcpu *v, u32 n, u32 *index)
{
    for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
        if (!offered(v, row))
            continue;
        if (n < row->count) {
            *index = n;
            return row;
        }
        n -= row->count;
    }
    return NULL;
}

/* ---- The description ---- */

static const char vec128[] = "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
                             "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
                             "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
                             "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
                             "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
                             "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
                             "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
                             "<field name=\"v2_double\" type=\"v2d\"/>"
                             "<field name=\"v16_int8\" type=\"v16i8\"/>"
                             "<field name=\"v8_int16\" type=\"v8i16\"/>"
                             "<field name=\"v4_int32\" type=\"v4i32\"/>"
                             "<field name=\"v2_int64\" type=\"v2i64\"/>"
                             "<field name=\"uint128\" type=\"uint128\"/></union>";

static void add_name(struct gdb_xml *text, const struct row *row, u32 i)
{
    gdb_xml_add(text, "<reg name=\"");
    if (row->where == GPR)
        gdb_xml_add(text, "%s", gpr_names[i]);
    else if (row->where == SEGMENT)
        gdb_xml_add(text, "%s", segment_names[i]);
    else if (row->where == X87)
        gdb_xml_add(text, "%s", x87_names[i]);
    else
        for (const char *c = row->name; *c; c++)
            if (*c == '%' && c[1] == 'u') {
                gdb_xml_add(text, "%u", row->first + i);
                c++;
            } else {
                gdb_xml_add(text, "%c", *c);
            }
    gdb_xml_add(text, "\" bitsize=\"%u\" type=\"%s\"/>", row->bytes * 8, row->type);
}

size_t arch_gdb_target(struct vcpu *v, char *to, size_t room)
{
    struct gdb_xml text = {to, room, 0};
    bool open = false;

    gdb_xml_add(&text, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
                       "<architecture>i386:x86-64</architecture>");
    for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
        if (!offered(v, row))
            continue;
        if (row->feature) {
            gdb_xml_add(&text, "%s<feature name=\"org.gnu.gdb.i386.%s\">", open ? "</feature>" : "",
                        row->feature);
            open = true;
        }
        if (row->where == LEGACY && row->count > 1)
            gdb_xml_add(&text, "%s", vec128);
        if (row->component == 7 && row->first == 16 && row->feature)
            gdb_xml_add(&text, "<vector id=\"v2ui128\" type=\"uint128\" count=\"2\"/>");
        for (u32 i = 0; i < row->count; i++)
            add_name(&text, row, i);
    }
    gdb_xml_add(&text, "</feature></target>");
    return text.n;
}

/* ---- FP registers, in records ---- */

/* Room at the end of gdb.records' contents is zero from pages_alloc() or a longer export. */
struct records {
    struct fermata_fp_x86_control *control;
    struct xsave_image *image; /* NULL: all in reset state */
    size_t bytes, image_bytes;
};

static bool take_records(struct vcpu *v, struct records *r)
{
    u8 *at = gdb.records, *end;
    u32 header[2];

    if (!gdb_take_records(v, &r->bytes))
        return false;
    r->control = NULL;
    r->image = NULL;
    for (end = at + r->bytes; at + 8 <= end; at += fp_record_bytes(header[1])) {
        memcpy(header, at, sizeof(header));
        if (header[0] == FERMATA_FP_X86_CONTROL)
            r->control = (void *)(at + 8);
        if (header[0] == FERMATA_FP_X86_XSTATE) {
            r->image = (void *)(at + 8);
            r->image_bytes = header[1];
        }
    }
    return r->control != NULL;
}

/* A context that was never used has no image: it gets one of reset values, so that it can be set.
 */
static void make_image(struct records *r)
{
    u64 components = r->control->xcr0_ever & XSTATE_GATED;
    u32 header[2] = {FERMATA_FP_X86_XSTATE, xstate_bytes(&xstate_layout, components, false)};
    u8 *at = (u8 *)gdb.records + r->bytes;

    memcpy(at, header, sizeof(header));
    r->image = (void *)(at + 8);
    r->image_bytes = header[1];
    xstate_reset(r->image, 0);
    r->bytes += fp_record_bytes(header[1]);
}

/* Where register `index` of the row lies in the image; NULL: not in it. */
static u8 *in_image(const struct records *r, const struct row *row, u32 index)
{
    size_t at = row->at + (size_t)index * row->apart;

    if (row->where == COMPONENT)
        at += xstate_layout.offset[row->component];
    return at + row->bytes <= r->image_bytes ? (u8 *)r->image + at : NULL;
}

/* The x87 control registers, in the form of FSAVE that gdb wants them in. */
static u32 x87_get(const struct fxsave_image *x, u32 index)
{
    u32 tags = 0;

    switch (index) {
    case 0:
        return x->fcw;
    case 1:
        return x->fsw;
    case 2: /* valid or empty is all that is known of a register */
        for (u32 i = 0; i < 8; i++)
            tags |= (x->ftw >> i & 1 ? 0u : 3u) << 2 * i;
        return tags;
    case 3:
        return (u16)(x->fip >> 32);
    case 4:
        return (u32)x->fip;
    case 5:
        return (u16)(x->fdp >> 32);
    case 6:
        return (u32)x->fdp;
    default:
        return x->fop;
    }
}

static void x87_set(struct fxsave_image *x, u32 index, u32 value)
{
    switch (index) {
    case 0:
        x->fcw = (u16)value;
        break;
    case 1:
        x->fsw = (u16)value;
        break;
    case 2:
        x->ftw = 0;
        for (u32 i = 0; i < 8; i++)
            x->ftw |= (u8)((value >> 2 * i & 3) != 3 ? 1u << i : 0);
        break;
    case 3:
        x->fip = (x->fip & 0xffffffff) | (u64)(u16)value << 32;
        break;
    case 4:
        x->fip = (x->fip & ~0xffffffffull) | value;
        break;
    case 5:
        x->fdp = (x->fdp & 0xffffffff) | (u64)(u16)value << 32;
        break;
    case 6:
        x->fdp = (x->fdp & ~0xffffffffull) | value;
        break;
    default:
        x->fop = value & 0x7ff;
    }
}

/* A component in INIT has stale bytes in the standard format: they become what INIT means. */
static void uninit(struct records *r, unsigned component)
{
    struct fxsave_image *x = &r->image->legacy;

    if (r->image->header.xstate_bv >> component & 1)
        return;
    r->image->header.xstate_bv |= BIT(component);
    if (component == 0) {
        x->fcw = FCW_RESET;
        x->fsw = x->fop = 0;
        x->ftw = 0;
        x->fip = x->fdp = 0;
        memset(x->st, 0, sizeof(x->st));
    } else if (component == 1) {
        memset(x->xmm, 0, sizeof(x->xmm));
    } else {
        memset((u8 *)r->image + xstate_layout.offset[component], 0, xstate_layout.bytes[component]);
    }
}

static unsigned component_of(const struct row *row)
{
    return row->where == ST || row->where == X87 ? 0 : row->component;
}

static bool fp_get(struct vcpu *v, const struct row *row, u32 index, void *to)
{
    struct records r;
    u32 word;

    if (!take_records(v, &r))
        return false;
    if (row->where == CONTROL_PKRU) {
        memcpy(to, &r.control->pkru, 4);
        return true;
    }
    if (!(r.control->xcr0_ever >> component_of(row) & 1) && component_of(row) > 1) {
        memset(to, 0, row->bytes); /* never enabled: INIT */
        return true;
    }
    if (!r.image)
        make_image(&r);
    uninit(&r, component_of(row));
    if (row->where == X87) {
        word = x87_get(&r.image->legacy, index);
        memcpy(to, &word, 4);
        return true;
    }
    const u8 *at = in_image(&r, row, index);
    if (at)
        memcpy(to, at, row->bytes);
    return at != NULL;
}

static bool fp_set(struct vcpu *v, const struct row *row, u32 index, const void *from)
{
    struct records r;
    u32 word;

    if (!take_records(v, &r))
        return false;
    if (row->where == CONTROL_PKRU) {
        memcpy(&r.control->pkru, from, 4);
        return gdb_give_records(v, r.bytes);
    }
    if (!(r.control->xcr0_ever >> component_of(row) & 1) && component_of(row) > 1)
        return false;
    if (!r.image)
        make_image(&r);
    uninit(&r, component_of(row));
    if (row->where == X87) {
        memcpy(&word, from, 4);
        x87_set(&r.image->legacy, index, word);
    } else {
        u8 *at = in_image(&r, row, index);
        if (!at)
            return false;
        memcpy(at, from, row->bytes);
        if (row->where == ST) /* a register that is set is not empty */
            r.image->legacy.ftw |= (u8)(1u << (((r.image->legacy.fsw >> 11) + index) & 7));
    }
    return gdb_give_records(v, r.bytes);
}

/* One row of a tile, 64 bytes, as hexadecimal. */
static void say_tile_row(u32 tile, u32 row, const u8 *bytes)
{
    char line[2 * 64 + 1];

    for (u32 i = 0; i < 64; i++)
        format_text(line + 2 * i, 3, "%02x", bytes[i]);
    gdb_say("tmm%u[%u] %s\n", tile, row, line);
}

/* TILECFG and the configured rows of the tiles: gdb has no names for them. */
void arch_gdb_registers(struct vcpu *v)
{
    struct records r;

    if (!take_records(v, &r) || !r.image || (~r.image->header.xstate_bv & XCR0_TILECFG)) {
        gdb_say("the tiles are in INIT\n");
        return;
    }
    const u8 *config = (const u8 *)r.image + xstate_layout.offset[17];
    const u8 *data = (const u8 *)r.image + xstate_layout.offset[18];
    bool live = r.image->header.xstate_bv & XCR0_TILEDATA;
    gdb_say("palette %u, start row %u\n", config[0], config[1]);
    for (u32 tile = 0; tile < 8; tile++) {
        u32 bytes = config[16 + 2 * tile] | (u32)config[17 + 2 * tile] << 8;
        u32 rows_used = config[48 + tile];
        gdb_say("tmm%u: %u rows of %u bytes%s\n", tile, rows_used, bytes,
                live || !rows_used ? "" : ", all zero");
        for (u32 row = 0; live && row < rows_used && row < 16; row++)
            say_tile_row(tile, row, data + 1024 * tile + 64 * row);
    }
}

/* ---- All of them ---- */

static u64 gpr_get(const struct vcpu *v, u32 n)
{
    if (n == RSP || n == RAX)
        return virt->get(v, n == RSP ? GUEST_SP : GUEST_AX);
    return v->arch.regs[n];
}

static void gpr_set(struct vcpu *v, u32 n, u64 value)
{
    if (n == RSP || n == RAX)
        virt->set(v, n == RSP ? GUEST_SP : GUEST_AX, value);
    else
        v->arch.regs[n] = value;
}

static u64 core_get(struct vcpu *v, const struct row *row, u32 index)
{
    switch (row->where) {
    case GPR:
        return gpr_get(v, index < 8 ? gpr_numbers[index] : index);
    case RIP:
        return virt->get(v, GUEST_RIP);
    case FLAGS:
        return virt->get(v, GUEST_RFLAGS);
    case SEGMENT:
        return virt->segment(v, segment_numbers[index]).selector;
    default:
        return virt->segment(v, 4u + row->first).base;
    }
}

static bool is_fp(const struct row *row)
{
    return row->where >= ST;
}

size_t arch_gdb_get(struct vcpu *v, u32 n, void *to, size_t room, bool *available)
{
    u32 index = 0;
    const struct row *row = row_of(v, n, &index);

    *available = false;
    if (!row || row->bytes > room)
        return 0;
    if (!v)
        *available = gdb_own_register(n, to);
    else if (is_fp(row))
        *available = fp_get(v, row, index, to);
    else {
        u64 value = core_get(v, row, index);
        memcpy(to, &value, row->bytes);
        *available = true;
    }
    return row->bytes;
}

/* RFLAGS bits a debugger may change: the rest is fixed, or would stop the machine's own ways. */
#define FLAGS_WRITABLE 0x254dd5ull

bool arch_gdb_set(struct vcpu *v, u32 n, const void *from, size_t bytes)
{
    u32 index = 0;
    const struct row *row = row_of(v, n, &index);
    u64 value = 0;

    if (!row || bytes != row->bytes)
        return false;
    if (is_fp(row))
        return fp_set(v, row, index, from);
    memcpy(&value, from, bytes);
    if (row->where == GPR)
        gpr_set(v, index < 8 ? gpr_numbers[index] : index, value);
    else if (row->where == RIP)
        virt->set(v, GUEST_RIP, value);
    else if (row->where == FLAGS)
        virt->set(v, GUEST_RFLAGS,
                  (virt->get(v, GUEST_RFLAGS) & ~FLAGS_WRITABLE) | (value & FLAGS_WRITABLE));
    else /* a selector or base alone would contradict the rest of its register */
        return core_get(v, row, index) == value;
    return true;
}
