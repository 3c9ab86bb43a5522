/* Integer SIMD against plain C on the same bytes. */
#include "guest/x86_64/arith.h"

static u32 get32(const u8 *p, u32 lane)
{
    u32 value;

    memcpy(&value, p + 4 * lane, 4);
    return value;
}

static void put32(u8 *p, u32 lane, u32 value)
{
    memcpy(p + 4 * lane, &value, 4);
}

static u64 get64(const u8 *p, u32 lane)
{
    u64 value;

    memcpy(&value, p + 8 * lane, 8);
    return value;
}

static void put64(u8 *p, u32 lane, u64 value)
{
    memcpy(p + 8 * lane, &value, 8);
}

static s32 get16(const u8 *p, u32 lane)
{
    return (int16_t)(p[2 * lane] | p[2 * lane + 1] << 8);
}

/* Each: r = a op b over `bytes` bytes. */
static void ref_paddd(const u8 *a, const u8 *b, u8 *r, u32 bytes)
{
    for (u32 i = 0; i < bytes / 4; i++)
        put32(r, i, get32(a, i) + get32(b, i));
}

static void ref_psubb(const u8 *a, const u8 *b, u8 *r, u32 bytes)
{
    for (u32 i = 0; i < bytes; i++)
        r[i] = (u8)(a[i] - b[i]);
}

static void ref_pmuludq(const u8 *a, const u8 *b, u8 *r, u32 bytes)
{
    for (u32 i = 0; i < bytes / 8; i++)
        put64(r, i, (get64(a, i) & 0xffffffff) * (get64(b, i) & 0xffffffff));
}

static void ref_pmaddwd(const u8 *a, const u8 *b, u8 *r, u32 bytes)
{
    for (u32 i = 0; i < bytes / 4; i++) {
        u32 low = (u32)(get16(a, 2 * i) * get16(b, 2 * i));
        u32 high = (u32)(get16(a, 2 * i + 1) * get16(b, 2 * i + 1));
        put32(r, i, low + high);
    }
}

static void ref_psadbw(const u8 *a, const u8 *b, u8 *r, u32 bytes)
{
    for (u32 i = 0; i < bytes / 8; i++) {
        u64 sum = 0;
        for (u32 k = 8 * i; k < 8 * i + 8; k++)
            sum += (u64)(a[k] > b[k] ? a[k] - b[k] : b[k] - a[k]);
        put64(r, i, sum);
    }
}

static void ref_pshufb(const u8 *a, const u8 *b, u8 *r, u32 bytes)
{
    for (u32 i = 0; i < bytes; i++)
        r[i] = b[i] & 0x80 ? 0 : a[b[i] & 15];
}

static void ref_vpaddq(const u8 *a, const u8 *b, u8 *r, u32 bytes)
{
    for (u32 i = 0; i < bytes / 8; i++)
        put64(r, i, get64(a, i) + get64(b, i));
}

static void ref_vpmulld(const u8 *a, const u8 *b, u8 *r, u32 bytes)
{
    for (u32 i = 0; i < bytes / 4; i++)
        put32(r, i, get32(a, i) * get32(b, i));
}

static void ref_vpmaxub(const u8 *a, const u8 *b, u8 *r, u32 bytes)
{
    for (u32 i = 0; i < bytes; i++)
        r[i] = a[i] > b[i] ? a[i] : b[i];
}

static void ref_vpsubw(const u8 *a, const u8 *b, u8 *r, u32 bytes)
{
    for (u32 i = 0; i < bytes / 2; i++) {
        u32 value = (u32)get16(a, i) - (u32)get16(b, i);
        r[2 * i] = (u8)value;
        r[2 * i + 1] = (u8)(value >> 8);
    }
}

/* op_vpermd: the lanes of a, chosen by b: the whole register crosses its halves. */
static void ref_vpermd(const u8 *a, const u8 *b, u8 *r, u32 bytes)
{
    for (u32 i = 0; i < bytes / 4; i++)
        put32(r, i, get32(a, get32(b, i) & 7));
}

static const struct int_op {
    const char *name;
    op_fn op;
    void (*reference)(const u8 *a, const u8 *b, u8 *r, u32 bytes);
    u32 bytes;
    const bool *offered; /* NULL: always */
} int_ops[] = {
    {"PADDD", op_paddd, ref_paddd, 16, NULL},
    {"PSUBB", op_psubb, ref_psubb, 16, NULL},
    {"PMULUDQ", op_pmuludq, ref_pmuludq, 16, NULL},
    {"PMADDWD", op_pmaddwd, ref_pmaddwd, 16, NULL},
    {"PSADBW", op_psadbw, ref_psadbw, 16, NULL},
    {"PSHUFB", op_pshufb, ref_pshufb, 16, &features.ssse3},
    {"VPADDQ ymm", op_vpaddq, ref_vpaddq, 32, &features.avx2},
    {"VPMULLD ymm", op_vpmulld, ref_vpmulld, 32, &features.avx2},
    {"VPMAXUB ymm", op_vpmaxub, ref_vpmaxub, 32, &features.avx2},
    {"VPSUBW ymm", op_vpsubw, ref_vpsubw, 32, &features.avx2},
    {"VPERMD ymm", op_vpermd, ref_vpermd, 32, &features.avx2},
};

void arith_integers(void)
{
    static u8 a[32], b[32], want[32], got[32];
    u64 seed = pattern_seed(0, 21);

    for (u32 i = 0; i < ARRAY_SIZE(int_ops); i++) {
        const struct int_op *o = &int_ops[i];
        u32 bad = 0;
        if (o->offered && !*o->offered) {
            skip("not on this CPU", "%s", o->name);
            continue;
        }
        for (u32 round = 0; round < 24; round++) {
            pattern_fill(a, sizeof(a), pattern_next(&seed));
            pattern_fill(b, sizeof(b), pattern_next(&seed));
            memset(want, 0, sizeof(want));
            memset(got, 0, sizeof(got));
            o->reference(a, b, want, o->bytes);
            arith_step(o->bytes == 16 ? op_load_sse : op_load_avx, o->op,
                       o->bytes == 16 ? op_store_sse : op_store_avx, a, b, got, NULL);
            bad += memcmp(got, want, sizeof(got)) != 0;
        }
        if (!ok(!bad, "%s: random vectors", o->name))
            pattern_diag("last result", got, want, sizeof(got));
    }
}
