/* COM1, the instructions under test, tiles full of random bytes. */
#include "check.h"

struct area area, other;
u8 tile_in[8][1024] __attribute__((aligned(64))), tile_out[8][1024] __attribute__((aligned(64)));
struct tilecfg full, seen;
u32 offset_cfg, offset_data;
static u32 count;

/* --- Output
 * ----------------------------------------------------------------------------------------- */

void out8(u16 port, u8 value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void wait_for(u8 bit) /* of COM1's line status */
{
    u8 status;
    do
        __asm__ volatile("inb %1, %0" : "=a"(status) : "Nd"((u16)0x3fd));
    while (!(status & bit));
}

void put(const char *s)
{
    for (; *s; s++) {
        wait_for(0x20); /* room for one more */
        out8(0x3f8, (u8)*s);
    }
}

void flush(void)
{
    wait_for(0x40); /* the last one is out */
}

void put_number(u32 n)
{
    char text[12], *p = text + sizeof text - 1;
    *p = 0;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    put(p);
}

void put_hex(u64 n)
{
    for (int shift = 60; shift >= 0; shift -= 4) {
        char digit[2] = {"0123456789abcdef"[n >> shift & 15], 0};
        put(digit);
    }
}

void check(int good, const char *name)
{
    put(good ? "ok " : "not ok ");
    put_number(++count);
    put(" - ");
    put(name);
    put("\n");
}

void equal(u64 got, u64 want, const char *name)
{
    if (got != want) {
        put("# got 0x");
        put_hex(got);
        put(", expected 0x");
        put_hex(want);
        put("\n");
    }
    check(got == want, name);
}

void plan(void)
{
    put("1..");
    put_number(count);
    put("\n");
}

/* --- Instructions
 * ----------------------------------------------------------------------------------- */

int same(const void *a, const void *b, u64 bytes)
{
    const u8 *x = a, *y = b;
    for (u64 n = 0; n < bytes; n++)
        if (x[n] != y[n])
            return 0;
    return 1;
}

void cpuid(u32 leaf, u32 sub, u32 r[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
                     : "a"(leaf), "c"(sub));
}

struct msr {
    u32 number;
    u64 value;
};

static void do_wrmsr(void *arg)
{
    struct msr *m = arg;
    __asm__ volatile("wrmsr" : : "c"(m->number), "a"((u32)m->value), "d"((u32)(m->value >> 32)));
}

static void do_rdmsr(void *arg)
{
    struct msr *m = arg;
    u32 low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(m->number));
    m->value = low | (u64)high << 32;
}

int wrmsr(u32 number, u64 value)
{
    struct msr m = {number, value};
    return attempt(do_wrmsr, &m);
}

u64 rdmsr(u32 number)
{
    struct msr m = {number, 0};
    return attempt(do_rdmsr, &m) < 0 ? m.value : ~0ul;
}

void xsetbv(u64 value)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"((u32)value), "d"((u32)(value >> 32)));
}

u64 xgetbv(u32 which)
{
    u32 low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(which));
    return low | (u64)high << 32;
}

static u64 cr0(void)
{
    u64 value;
    __asm__ volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}

static u64 cr4(void)
{
    u64 value;
    __asm__ volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}

void set_ts(int on)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(on ? cr0() | 8 : cr0() & ~8ul) : "memory");
}

void set_osxsave(int on)
{
    __asm__ volatile("mov %0, %%cr4"
                     :
                     : "r"(on ? cr4() | 1 << 18 : cr4() & ~(1ul << 18))
                     : "memory");
}

#define INSTRUCTION(name, text)                                                                    \
    void name(void *arg)                                                                           \
    {                                                                                              \
        __asm__ volatile(text : : "D"(arg), "S"(64ul) : "memory");                                 \
    }
INSTRUCTION(i_ldtilecfg, "ldtilecfg (%0)")
INSTRUCTION(i_sttilecfg, "sttilecfg (%0)")
INSTRUCTION(i_sttilecfg_w1, ".byte 0xc4, 0xe2, 0xf9, 0x49, 0x07")
INSTRUCTION(i_tilerelease, "tilerelease")
INSTRUCTION(i_tileloadd, "tileloadd (%0,%1), %%tmm0")
INSTRUCTION(i_tileloaddt1, "tileloaddt1 (%0,%1), %%tmm0")
INSTRUCTION(i_tilestored, "tilestored %%tmm0, (%0,%1)")
INSTRUCTION(i_tilezero, "tilezero %%tmm0")
INSTRUCTION(i_tdpbssd, "tdpbssd %%tmm2, %%tmm1, %%tmm0")
INSTRUCTION(i_tdpbsud, "tdpbsud %%tmm2, %%tmm1, %%tmm0")
INSTRUCTION(i_tdpbusd, "tdpbusd %%tmm2, %%tmm1, %%tmm0")
INSTRUCTION(i_tdpbuud, "tdpbuud %%tmm2, %%tmm1, %%tmm0")
INSTRUCTION(i_tdpbf16ps, "tdpbf16ps %%tmm2, %%tmm1, %%tmm0")
INSTRUCTION(i_fld1, "fninit; fld1; fninit")
INSTRUCTION(i_movups, "movups (%0), %%xmm0")

struct image {
    struct area *area;
    u64 mask;
};

#define MOVER(name, text)                                                                          \
    void name(void *arg)                                                                           \
    {                                                                                              \
        struct image *m = arg;                                                                     \
        __asm__ volatile(text                                                                      \
                         :                                                                         \
                         : "D"(m->area), "a"((u32)m->mask), "d"((u32)(m->mask >> 32))              \
                         : "memory");                                                              \
    }
MOVER(i_xsave, "xsave64 (%0)")
MOVER(i_xsaveopt, "xsaveopt64 (%0)")
MOVER(i_xsavec, "xsavec64 (%0)")
MOVER(i_xsaves, "xsaves64 (%0)")
MOVER(i_xrstor, "xrstor64 (%0)")
MOVER(i_xrstors, "xrstors64 (%0)")

int move(void (*f)(void *), struct area *to, u64 mask)
{
    struct image m = {to, mask};
    return attempt(f, &m);
}

/* --- Tiles
 * ------------------------------------------------------------------------------------------ */

static u32 seed; /* no data in a ROM */

static u8 byte(void)
{
    seed = seed * 1664525 + 1013904223;
    return (u8)(seed >> 24);
}

#define EACH_TILE(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define LOAD(n)      __asm__ volatile("tileloadd (%0,%1), %%tmm" #n : : "r"(tile_in[n]), "r"(64ul));
#define STORE(n)                                                                                   \
    __asm__ volatile("tilestored %%tmm" #n ", (%0,%1)"                                             \
                     :                                                                             \
                     : "r"(tile_out[n]), "r"(64ul)                                                 \
                     : "memor"                                                                     \
                       "y");

void fill_tiles(void)
{
    wrmsr(IA32_XFD, 0);
    for (u32 n = 0; n < sizeof tile_in; n++)
        ((u8 *)tile_in)[n] = byte();
    __asm__ volatile("ldtilecfg %0" : : "m"(full));
    EACH_TILE(LOAD)
}

int tiles_held(void)
{
    wrmsr(IA32_XFD, 0);
    memset(tile_out, 0xee, sizeof tile_out);
    if (attempt(i_tilestored, tile_out[0]) >= 0)
        return 0;
    EACH_TILE(STORE)
    return same(tile_in, tile_out, sizeof tile_in);
}

void clear(struct area *a)
{
    memset(a, 0, sizeof *a);
}
