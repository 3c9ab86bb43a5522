/*
 * What a CPU with AMX and XFD does, checked instruction by instruction on the bare machine: SDM
 * 1, 13.14 (XFD), 13.6 to 13.12 (XSAVE*, XRSTOR*), SDM 2 (AMX). Two groups: "xfd" is what the
 * module beside this file adds to Bochs, "amx" what it mends. It prints TAP on COM1.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define IA32_XFD     0x1c4
#define IA32_XFD_ERR 0x1c5
#define IA32_XSS     0xda0
#define TILECFG      (1ul << 17)
#define TILEDATA     (1ul << 18)
#define TILES        (TILECFG | TILEDATA)
#define COMPACTED    (1ul << 63)
#define ALL          (7ul | 0xe0ul | TILES) /* x87, SSE, AVX, AVX-512, AMX */
#define UD           6
#define NM           7
#define GP           13

struct tilecfg {
    u8 palette, start_row, zero[14];
    u16 colsb[16];
    u8 rows[16];
} __attribute__((packed, aligned(64)));

struct area {
    u8 legacy[512];
    u64 xstate_bv, xcomp_bv, reserved[6];
    u8 extended[11 * 1024 - 576];
} __attribute__((aligned(64)));

int attempt(void (*f)(void *), void *arg);
void main(void);

static struct area area, other;
static u8 tile_in[8][1024] __attribute__((aligned(64))),
    tile_out[8][1024] __attribute__((aligned(64)));
static struct tilecfg full, seen;
static u32 count, offset_cfg, offset_data; /* in the standard format */

/* --- Output
 * ----------------------------------------------------------------------------------------- */

static void out8(u16 port, u8 value)
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

static void put(const char *s)
{
    for (; *s; s++) {
        wait_for(0x20); /* room for one more */
        out8(0x3f8, (u8)*s);
    }
}

static void flush(void)
{
    wait_for(0x40); /* the last one is out */
}

static void put_number(u32 n)
{
    char text[12], *p = text + sizeof text - 1;
    *p = 0;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    put(p);
}

static void put_hex(u64 n)
{
    for (int shift = 60; shift >= 0; shift -= 4) {
        char digit[2] = {"0123456789abcdef"[n >> shift & 15], 0};
        put(digit);
    }
}

static void check(int good, const char *name)
{
    put(good ? "ok " : "not ok ");
    put_number(++count);
    put(" - ");
    put(name);
    put("\n");
}

static void equal(u64 got, u64 want, const char *name)
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

/* --- Instructions
 * ----------------------------------------------------------------------------------- */

/* The compiler's own use of these would be SSE; -mgeneral-regs-only makes it plain loops. */
void *memset(void *to, int value, u64 bytes);
void *memset(void *to, int value, u64 bytes)
{
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
    return to;
}

static int same(const void *a, const void *b, u64 bytes)
{
    const u8 *x = a, *y = b;
    for (u64 n = 0; n < bytes; n++)
        if (x[n] != y[n])
            return 0;
    return 1;
}

static void cpuid(u32 leaf, u32 sub, u32 r[4])
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

static int wrmsr(u32 number, u64 value)
{
    struct msr m = {number, value};
    return attempt(do_wrmsr, &m);
}

/* The value, or all ones if there is no such MSR. */
static u64 rdmsr(u32 number)
{
    struct msr m = {number, 0};
    return attempt(do_rdmsr, &m) < 0 ? m.value : ~0ul;
}

static void xsetbv(u64 value)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"((u32)value), "d"((u32)(value >> 32)));
}

static u64 xgetbv(u32 which)
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

static void set_ts(int on)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(on ? cr0() | 8 : cr0() & ~8ul) : "memory");
}

static void set_osxsave(int on)
{
    __asm__ volatile("mov %0, %%cr4"
                     :
                     : "r"(on ? cr4() | 1 << 18 : cr4() & ~(1ul << 18))
                     : "memory");
}

#define INSTRUCTION(name, text)                                                                    \
    static void name(void *arg)                                                                    \
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
    static void name(void *arg)                                                                    \
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

static int move(void (*f)(void *), struct area *to, u64 mask)
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
    __asm__ volatile("tilestored %%tmm" #n ", (%0,%1)" : : "r"(tile_out[n]), "r"(64ul) : "memor"   \
                                                                                         "y");

/* All tiles 16 rows of 64 bytes, with random contents. */
static void fill_tiles(void)
{
    wrmsr(IA32_XFD, 0);
    for (u32 n = 0; n < sizeof tile_in; n++)
        ((u8 *)tile_in)[n] = byte();
    __asm__ volatile("ldtilecfg %0" : : "m"(full));
    EACH_TILE(LOAD)
}

/* Do the tiles hold what fill_tiles put into them? */
static int tiles_held(void)
{
    wrmsr(IA32_XFD, 0);
    memset(tile_out, 0xee, sizeof tile_out);
    if (attempt(i_tilestored, tile_out[0]) >= 0)
        return 0;
    EACH_TILE(STORE)
    return same(tile_in, tile_out, sizeof tile_in);
}

static void clear(struct area *a)
{
    memset(a, 0, sizeof *a);
}

/* --- xfd: what the module adds
 * ------------------------------------------------------------------------ */

static void xfd_enumerated(void)
{
    u32 r[4];
    cpuid(0xd, 1, r);
    check(r[0] >> 4 & 1, "xfd: CPUID(0xD,1).EAX[4]");
    cpuid(0xd, 18, r);
    check(r[2] >> 2 & 1, "xfd: CPUID(0xD,18).ECX[2]");
    cpuid(0xd, 17, r);
    check(!(r[2] >> 2 & 1), "xfd: not of TILECFG");
    equal(rdmsr(IA32_XFD), 0, "xfd: XFD is 0 at reset");
    equal(rdmsr(IA32_XFD_ERR), 0, "xfd: XFD_ERR is 0 at reset");
    int refused = 1, kept = 1;
    for (u32 bit = 0; bit < 64; bit++)
        for (u32 m = IA32_XFD; m <= IA32_XFD_ERR; m++) {
            refused &= bit == 18 || wrmsr(m, TILEDATA | 1ul << bit) == GP;
            kept &=
                wrmsr(m, TILEDATA) < 0 && rdmsr(m) == TILEDATA && wrmsr(m, 0) < 0 && rdmsr(m) == 0;
        }
    check(refused, "xfd: reserved bits of XFD and XFD_ERR are #GP");
    check(kept, "xfd: bit 18 of both is storage");
}

struct named {
    const char *name;
    void (*run)(void *);
};
static const struct named tile_instructions[] = {
    {"xfd: TILELOADD", i_tileloadd},   {"xfd: TILELOADDT1", i_tileloaddt1},
    {"xfd: TILESTORED", i_tilestored}, {"xfd: TILEZERO", i_tilezero},
    {"xfd: TDPBSSD", i_tdpbssd},       {"xfd: TDPBSUD", i_tdpbsud},
    {"xfd: TDPBUSD", i_tdpbusd},       {"xfd: TDPBUUD", i_tdpbuud},
    {"xfd: TDPBF16PS", i_tdpbf16ps},
};
#define COUNT(a) (sizeof(a) / sizeof *(a))

static void xfd_tile_instructions(void)
{
    u32 r[4];
    cpuid(7, 0, r);
    for (u32 n = 0; n < COUNT(tile_instructions); n++) {
        const struct named *t = &tile_instructions[n];
        if (t->run == i_tdpbf16ps && !(r[3] >> 22 & 1)) {
            check(attempt(t->run, 0) == UD, "xfd: TDPBF16PS, which this CPU does not have");
            continue;
        }
        fill_tiles();
        wrmsr(IA32_XFD_ERR, 0);
        int good = attempt(t->run, tile_out[0]) < 0 && rdmsr(IA32_XFD_ERR) == 0;
        fill_tiles();
        wrmsr(IA32_XFD, TILEDATA);
        good &= attempt(t->run, tile_out[0]) == NM && rdmsr(IA32_XFD_ERR) == TILEDATA;
        /* Sticky until software clears it, and nothing but a fault of XFD writes it. */
        wrmsr(IA32_XFD_ERR, 0);
        set_ts(1);
        good &= attempt(t->run, tile_out[0]) == NM && rdmsr(IA32_XFD_ERR) == TILEDATA;
        set_ts(0);
        wrmsr(IA32_XFD_ERR, 0);
        set_osxsave(0);
        good &= attempt(t->run, tile_out[0]) == UD && rdmsr(IA32_XFD_ERR) == 0;
        set_osxsave(1);
        xsetbv(ALL & ~TILES);
        good &= attempt(t->run, tile_out[0]) == UD && rdmsr(IA32_XFD_ERR) == 0;
        xsetbv(ALL);
        good &= tiles_held();
        check(good, t->name);
    }
}

static void xfd_others(void)
{
    fill_tiles();
    wrmsr(IA32_XFD_ERR, 0);
    wrmsr(IA32_XFD, TILEDATA);
    int good = attempt(i_ldtilecfg, &full) < 0 && attempt(i_tilerelease, 0) < 0 &&
               attempt(i_ldtilecfg, &full) < 0;
    check(good && rdmsr(IA32_XFD_ERR) == 0, "xfd: none on LDTILECFG and TILERELEASE");
    wrmsr(IA32_XFD, 0);
    memset(tile_in, 0, sizeof tile_in);
    check(tiles_held(), "xfd: LDTILECFG initialises the tiles all the same");
    wrmsr(IA32_XFD, TILEDATA);
    check(attempt(i_movups, tile_in) < 0 && attempt(i_fld1, 0) < 0, "xfd: SSE and x87 do not care");
    set_ts(1);
    good = attempt(i_movups, tile_in) == NM && attempt(i_fld1, 0) == NM && rdmsr(IA32_XFD_ERR) == 0;
    wrmsr(IA32_XFD_ERR, TILEDATA);
    good &= attempt(i_movups, tile_in) == NM && rdmsr(IA32_XFD_ERR) == TILEDATA;
    wrmsr(IA32_XFD_ERR, 0);
    set_ts(0);
    check(good, "xfd: #NM of CR0.TS leaves XFD_ERR alone");
    wrmsr(IA32_XFD, 0);
}

static const struct named savers[] = {
    {"xfd: XSAVE stores tile data as INIT", i_xsave},
    {"xfd: XSAVEOPT stores tile data as INIT", i_xsaveopt},
    {"xfd: XSAVEC stores tile data as INIT", i_xsavec},
    {"xfd: XSAVES stores tile data as INIT", i_xsaves},
};

static void xfd_save(void)
{
    for (u32 n = 0; n < COUNT(savers); n++) {
        const int compacted = n >= 2;
        fill_tiles();
        wrmsr(IA32_XFD_ERR, 0);
        wrmsr(IA32_XFD, TILEDATA);
        memset(&area, 0xcc, sizeof area);
        memset(&area.xstate_bv, 0, 64);
        area.xstate_bv = TILEDATA | 1ul << 9;
        int good = move(savers[n].run, &area, TILES | 3) < 0 && rdmsr(IA32_XFD_ERR) == 0;
        good &= (area.xstate_bv & (TILES | 1ul << 9)) == (compacted ? TILECFG : TILECFG | 1ul << 9);
        good &= area.xcomp_bv == (compacted ? COMPACTED | TILES | 3 : 0);
        /* XSAVE writes the initial state, the others nothing. */
        for (u32 b = 0; b < 8192; b++)
            good &= ((u8 *)&area)[compacted ? 640 + b : offset_data + b] == (n ? 0xcc : 0);
        good &= tiles_held();
        check(good, savers[n].name);
    }
}

static void xfd_restore(void)
{
    static const struct named forms[] = {{"xfd: XRSTOR", i_xrstor},
                                         {"xfd: XRSTOR, compacted", i_xrstor},
                                         {"xfd: XRSTORS", i_xrstors}};
    for (u32 n = 0; n < COUNT(forms); n++) {
        void (*run)(void *) = forms[n].run;
        clear(&area);
        area.xstate_bv = TILEDATA | 2;
        area.xcomp_bv = n ? COMPACTED | TILES | 3 : 0;
        ((u32 *)&area)[6] = 0x1f80;
        memset(area.legacy + 160, 0x55, 16); /* XMM0 */
        fill_tiles();
        wrmsr(IA32_XFD_ERR, 0);
        wrmsr(IA32_XFD, TILEDATA);
        attempt(i_movups, tile_in);
        int good = move(run, &area, TILES | 3) == NM && rdmsr(IA32_XFD_ERR) == TILEDATA;
        clear(&other);
        move(i_xsave, &other, 2);
        good &= same(other.legacy + 160, tile_in, 16) && tiles_held();
        wrmsr(IA32_XFD_ERR, 0);
        wrmsr(IA32_XFD, TILEDATA);
        set_ts(1);
        good &= move(run, &area, TILES | 3) == NM && rdmsr(IA32_XFD_ERR) == 0;
        set_ts(0);
        good &= move(run, (struct area *)(area.legacy + 16), TILES | 3) == GP &&
                rdmsr(IA32_XFD_ERR) == 0;
        area.reserved[0] = 1;
        good &= move(run, &area, TILES | 3) == GP && rdmsr(IA32_XFD_ERR) == 0;
        area.reserved[0] = 0;
        good &= move(run, &area, TILECFG | 3) < 0 && rdmsr(IA32_XFD_ERR) == 0; /* not asked for */
        fill_tiles();
        wrmsr(IA32_XFD, TILEDATA);
        area.xstate_bv = 2;
        good &= move(run, &area, TILEDATA) < 0 && rdmsr(IA32_XFD_ERR) == 0; /* INIT is loaded */
        memset(tile_in, 0, sizeof tile_in);
        check(good && tiles_held(), forms[n].name);
    }
}

/* --- amx: what it mends
 * ------------------------------------------------------------------------------- */

static void amx_in_use(void)
{
    attempt(i_tilerelease, 0);
    equal(xgetbv(1) & TILES, 0, "amx: nothing in use after TILERELEASE");
    attempt(i_ldtilecfg, &full);
    equal(xgetbv(1) & TILES, TILECFG, "amx: TILECFG in use after LDTILECFG");
    fill_tiles();
    equal(xgetbv(1) & TILES, TILES, "amx: both in use after TILELOADD");
    wrmsr(IA32_XFD, TILEDATA);
    equal(xgetbv(1) & TILES, TILES, "amx: XFD does not change XGETBV(1)");
    wrmsr(IA32_XFD, 0);
}

static void amx_config(void)
{
    struct tilecfg shape = full;
    for (u32 n = 0; n < 8; n++) {
        shape.rows[n] = (u8)(16 - n);
        shape.colsb[n] = (u16)(4 * n + 4);
    }
    attempt(i_ldtilecfg, &shape);
    memset(&seen, 0xee, sizeof seen);
    check(attempt(i_sttilecfg, &seen) < 0 && same(&seen, &shape, 64),
          "amx: STTILECFG gives what LDTILECFG took");
    check(attempt(i_sttilecfg_w1, &seen) == UD, "amx: STTILECFG with VEX.W1 is #UD");
    wrmsr(IA32_XFD, TILEDATA);
    check(attempt(i_sttilecfg, &seen) < 0, "amx: STTILECFG does not care about XFD");
    wrmsr(IA32_XFD, 0);
    set_osxsave(0);
    check(attempt(i_sttilecfg, &seen) == UD, "amx: STTILECFG without CR4.OSXSAVE is #UD");
    set_osxsave(1);
    clear(&area);
    move(i_xsave, &area, TILES);
    check(same((u8 *)&area + offset_cfg, &shape, 64), "amx: XSAVE's TILECFG is LDTILECFG's");
    attempt(i_tilerelease, 0);
    move(i_xrstor, &area, TILES);
    attempt(i_sttilecfg, &seen);
    check(same(&seen, &shape, 64), "amx: XRSTOR brings TILECFG back");
    attempt(i_tilerelease, 0);
    memset(&seen, 0xee, sizeof seen);
    int good = attempt(i_sttilecfg, &seen) < 0;
    for (u32 n = 0; n < 64; n++)
        good &= ((u8 *)&seen)[n] == 0;
    check(good, "amx: STTILECFG without a configuration stores zeros");
    fill_tiles();
    clear(&area);
    move(i_xsave, &area, TILECFG);
    move(i_xrstor, &area, TILECFG);
    check(tiles_held(), "amx: XRSTOR of TILECFG alone keeps tile data");
    ((struct tilecfg *)((u8 *)&area + offset_cfg))->rows[0] = 17;
    move(i_xrstor, &area, TILECFG);
    equal(xgetbv(1) & TILES, TILEDATA, "amx: an impossible TILECFG is restored as INIT");
}

static void amx_round_trip(void)
{
    static const struct {
        const char *name;
        void (*save)(void *), (*load)(void *);
    } forms[] = {{"amx: XSAVE and XRSTOR", i_xsave, i_xrstor},
                 {"amx: XSAVEOPT and XRSTOR", i_xsaveopt, i_xrstor},
                 {"amx: XSAVEC and XRSTOR", i_xsavec, i_xrstor},
                 {"amx: XSAVES and XRSTORS", i_xsaves, i_xrstors}};
    for (u32 n = 0; n < COUNT(forms); n++) {
        fill_tiles();
        clear(&area);
        int good = move(forms[n].save, &area, TILES | 3) < 0 && (area.xstate_bv & TILES) == TILES;
        good &= same((u8 *)&area + (n >= 2 ? 640 : offset_data), tile_in, 8192);
        attempt(i_tilerelease, 0);
        good &= move(forms[n].load, &area, TILES | 3) < 0;
        check(good && tiles_held(), forms[n].name);
    }
    fill_tiles();
    clear(&area);
    move(i_xsavec, &area, ALL);
    attempt(i_tilerelease, 0);
    move(i_xrstor, &area, TILES);
    check(tiles_held(), "amx: XRSTOR by a narrower mask than the compacted image has");
}

/* With a component of 8 bytes before them: PKRU, where the CPU has it. */
static void amx_alignment(void)
{
    u32 r[4];
    cpuid(0xd, 17, r);
    check(r[2] >> 1 & 1, "amx: CPUID says that TILECFG is aligned");
    cpuid(0xd, 0, r);
    if (!(r[0] >> 9 & 1)) {
        check(1, "amx: compacted size and place # SKIP no PKRU");
        return;
    }
    xsetbv(TILES | 1ul << 9 | 3);
    cpuid(0xd, 1, r);
    const u32 size = 576 + 64 + 64 + 8192;
    fill_tiles();
    clear(&area);
    __asm__ volatile("mov %%cr4, %%rax; or $0x400000, %%rax; mov %%rax, %%cr4; xor %%ecx, %%ecx; "
                     "xor %%edx, %%edx;"
                     "mov $0x50, %%eax; wrpkru"
                     :
                     :
                     : "rax", "rcx", "rdx"); /* keys 2 and 3, which nobody uses */
    move(i_xsavec, &area, TILES | 1ul << 9);
    int good = r[1] == size && same((u8 *)&area + 704, tile_in, 8192) && area.extended[0] == 0x50;
    attempt(i_tilerelease, 0);
    move(i_xrstor, &area, TILES | 1ul << 9);
    check(good && tiles_held(), "amx: compacted size and place");
    __asm__ volatile("xor %%ecx, %%ecx; xor %%edx, %%edx; xor %%eax, %%eax; wrpkru"
                     :
                     :
                     : "rax", "rcx", "rdx");
    xsetbv(ALL);
}

static void amx_products(void)
{
    static const struct {
        const char *name;
        void (*run)(void *);
        int left_signed, right_signed;
    } forms[] = {{"amx: TDPBSSD", i_tdpbssd, 1, 1},
                 {"amx: TDPBSUD", i_tdpbsud, 1, 0},
                 {"amx: TDPBUSD", i_tdpbusd, 0, 1},
                 {"amx: TDPBUUD", i_tdpbuud, 0, 0}};
    for (u32 f = 0; f < COUNT(forms); f++) {
        fill_tiles();
        for (u32 m = 0; m < 16; m++)
            for (u32 n = 0; n < 16; n++) {
                u32 *sum = (u32 *)tile_in[0] + 16 * m + n;
                for (u32 k = 0; k < 64; k++) {
                    u8 x = tile_in[1][64 * m + k], y = tile_in[2][64 * (k / 4) + 4 * n + k % 4];
                    *sum += (u32)((forms[f].left_signed ? (signed char)x : x) *
                                  (forms[f].right_signed ? (signed char)y : y));
                }
            }
        attempt(forms[f].run, 0);
        check(tiles_held(), forms[f].name);
    }
}

void main(void)
{
    u32 r[4];
    out8(0x3fb, 3); /* COM1: 8 data bits */
    cpuid(0xd, 0, r);
    if ((r[0] & ALL) != ALL) {
        check(0, "the CPU has AVX-512 and AMX");
        goto end;
    }
    xsetbv(ALL);
    cpuid(0xd, 17, r);
    offset_cfg = r[1];
    cpuid(0xd, 18, r);
    offset_data = r[1];
    full.palette = 1;
    for (u32 n = 0; n < 8; n++) {
        full.rows[n] = 16;
        full.colsb[n] = 64;
    }
    xfd_enumerated();
    xfd_tile_instructions();
    xfd_others();
    xfd_save();
    xfd_restore();
    amx_in_use();
    amx_config();
    amx_round_trip();
    amx_alignment();
    amx_products();
end:
    put("1..");
    put_number(count);
    put("\n");
    flush();
}
