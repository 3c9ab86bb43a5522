/*
 * What a CPU with AMX and XFD does, checked instruction by instruction on the bare machine: SDM
 * 1, 13.14 (XFD), 13.6 to 13.12 (XSAVE*, XRSTOR*). These checks, "xfd", are what the module beside
 * this file adds to Bochs; those of amx.c what it mends. TAP on COM1.
 */
#include "check.h"

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

static const struct named tile_instructions[] = {
    {"xfd: TILELOADD", i_tileloadd},   {"xfd: TILELOADDT1", i_tileloaddt1},
    {"xfd: TILESTORED", i_tilestored}, {"xfd: TILEZERO", i_tilezero},
    {"xfd: TDPBSSD", i_tdpbssd},       {"xfd: TDPBSUD", i_tdpbsud},
    {"xfd: TDPBUSD", i_tdpbusd},       {"xfd: TDPBUUD", i_tdpbuud},
    {"xfd: TDPBF16PS", i_tdpbf16ps},
};
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
    amx_checks();
end:
    plan();
    flush();
}
