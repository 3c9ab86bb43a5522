/* Every register up to the tiles: at random, and looked at again. Included once, by test_amx_x86.c.
 */
#ifndef X86_WIDE_RANDOM_H
#define X86_WIDE_RANDOM_H

/* Tiles of random shapes, zero beyond them; their mask. */
static u32 random_wide(struct wide_regs *r)
{
    u32 tiles = 0;
    u8 *bytes = (u8 *)r;

    memset(r, 0, sizeof(*r));
    for (u32 i = 0; i < offsetof(struct wide_regs, tilecfg); i++)
        bytes[i] = (u8)user_random();
    r->tilecfg[0] = 1;
    for (u32 i = 0; i < 8; i++) {
        u32 rows = 1 + (u32)user_random() % 16, colsb = 4 * (1 + (u32)user_random() % 16);
        if (user_random() % 8 == 0)
            continue;
        r->tilecfg[48 + i] = (u8)rows;
        r->tilecfg[16 + 2 * i] = (u8)colsb;
        tiles |= 1u << i;
        for (u32 row = 0; row < rows; row++) {
            for (u32 at = 0; at < colsb; at++)
                r->tiles[i][64 * row + at] = (u8)user_random();
        }
    }
    return tiles;
}

static u32 tiles_of(const struct wide_regs *r)
{
    u32 tiles = 0;

    for (u32 i = 0; i < 8; i++)
        tiles |= r->tilecfg[48 + i] ? 1u << i : 0;
    return tiles;
}

static bool holds(const struct wide_regs *want)
{
    memset(&found, 0, sizeof(found));
    zmm_get(&found);
    tiles_get(&found, tiles_of(want));
    return memcmp(&found, want, sizeof(found)) == 0;
}

/* XINUSE of everything above SSE, and the registers themselves. */
static bool wide_init(void)
{
    static struct wide_regs init;
    const u8 *bytes = (const u8 *)&found;

    memset(&found, 0, sizeof(found));
    zmm_get(&found);
    tiles_get(&found, 0);
    for (u32 i = 0; i < sizeof(found); i++) {
        if (bytes[i])
            return false;
    }
    (void)init;
    return !cpu_has.xgetbv1 || !(xgetbv(1) & XCR0_AMX);
}

/* What #NM would be for, and what the hypervisor makes of it. */
static enum fp_trap_result tile_fault(struct vcpu *v)
{
    if (!(user_xfd & XCR0_TILEDATA))
        return FP_TRAP_RETRY;
    if (!v->arch.open_exceptions)
        user_fail("XFD is armed and #NM does not exit");
    user_xfd_err = XCR0_TILEDATA;
    enum fp_trap_result result = fp_xfd_fault(v);
    if (user_xfd_err)
        user_fail("the real XFD_ERR is left set");
    return result;
}

#endif
