/* AMX state in XSAVE areas and elsewhere (SDM 1, 13.5 to 13.12; SDM 2): what the module mends in
 * Bochs. */
#include "check.h"

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

void amx_checks(void)
{
    amx_in_use();
    amx_config();
    amx_round_trip();
    amx_alignment();
    amx_products();
}
