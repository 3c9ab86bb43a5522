/* AMX: SDM 2, the instructions; SDM 1, 18.3. Palette 1 is all there is: 8 tiles of 16 rows of 64
 * bytes. */
#include "tests/model/x86_64/cpu.h"

#include <string.h>

#define ROWS  16u
#define COLSB 64u

/* LDTILECFG's #GP conditions. */
bool x86_tilecfg_valid(const struct x86_tilecfg *c)
{
    if (c->palette > 1)
        return false;
    if (!c->palette)
        return true;
    for (u32 i = 0; i < sizeof(c->reserved); i++) {
        if (c->reserved[i])
            return false;
    }
    for (u32 i = 0; i < 16; i++) {
        if (i >= X86_TILES && (c->rows[i] || c->colsb[i]))
            return false;
        if (c->rows[i] > ROWS || c->colsb[i] > COLSB || !c->rows[i] != !c->colsb[i])
            return false;
    }
    return true;
}

/* All tiles are zeroed, and so in their initial configuration, whatever XFD is. */
int x86_ldtilecfg(struct x86_cpu *cpu, const struct x86_tilecfg *c)
{
    int vector = x86_check_amx(cpu, false);

    if (vector)
        return vector;
    if (!x86_tilecfg_valid(c))
        return X86_GP;
    x86_init_component(cpu, 17);
    x86_init_component(cpu, 18);
    if (c->palette)
        cpu->s.tilecfg = *c;
    return X86_NONE;
}

int x86_sttilecfg(struct x86_cpu *cpu, struct x86_tilecfg *c)
{
    int vector = x86_check_amx(cpu, false);

    if (!vector && (cpu->config->errata & ERRATUM_STTILECFG_UD))
        vector = X86_UD;
    if (!vector)
        *c = cpu->s.tilecfg; /* zeros if nothing is configured */
    return vector;
}

int x86_tilerelease(struct x86_cpu *cpu)
{
    int vector = x86_check_amx(cpu, false);

    if (vector)
        return vector;
    x86_init_component(cpu, 17);
    x86_init_component(cpu, 18);
    return X86_NONE;
}

static bool usable(const struct x86_cpu *cpu, unsigned t)
{
    return cpu->s.tilecfg.palette && t < X86_TILES && cpu->s.tilecfg.rows[t];
}

/* Rows that end within an element can be configured, but what moves elements refuses them. */
static bool has_elements(const struct x86_cpu *cpu, unsigned t)
{
    return usable(cpu, t) && cpu->s.tilecfg.colsb[t] % 4 == 0;
}

int x86_tilezero(struct x86_cpu *cpu, unsigned t)
{
    int vector = x86_check_amx(cpu, true);

    if (vector)
        return vector;
    if (!usable(cpu, t))
        return X86_UD;
    memset(cpu->s.tile[t], 0, X86_TILE_BYTES);
    cpu->s.tiles_used = true;
    if (cpu->config->errata &
        ERRATUM_TILEZERO_UNUSED) { /* as if each that holds something were counted */
        cpu->s.tiles_used = false;
        const u8 *bytes = (const u8 *)cpu->s.tile;
        for (u32 i = 0; i < sizeof(cpu->s.tile); i++)
            cpu->s.tiles_used |= bytes[i] != 0;
    }
    cpu->s.tilecfg.start_row = 0;
    return X86_NONE;
}

/* start_row is where an interrupted one goes on; here none is interrupted, but LDTILECFG may have
 * set it. */
int x86_tileloadd(struct x86_cpu *cpu, unsigned t, const u8 *from, u64 stride)
{
    struct x86_tilecfg *c = &cpu->s.tilecfg;
    int vector = x86_check_amx(cpu, true);

    if (vector)
        return vector;
    if (!has_elements(cpu, t) || c->start_row >= c->rows[t])
        return X86_UD;
    for (u32 row = 0; row < ROWS; row++) {
        u8 *to = cpu->s.tile[t] + COLSB * row;
        if (row >= c->start_row)
            memset(to, 0, COLSB);
        if (row >= c->start_row && row < c->rows[t])
            memcpy(to, from + stride * row, c->colsb[t]);
        memset(to + c->colsb[t], 0, COLSB - c->colsb[t]);
    }
    cpu->s.tiles_used = true;
    c->start_row = 0;
    return X86_NONE;
}

int x86_tilestored(struct x86_cpu *cpu, unsigned t, u8 *to, u64 stride)
{
    struct x86_tilecfg *c = &cpu->s.tilecfg;
    int vector = x86_check_amx(cpu, true);

    if (vector)
        return vector;
    if (!has_elements(cpu, t) || c->start_row >= c->rows[t])
        return X86_UD;
    for (u32 row = c->start_row; row < c->rows[t]; row++)
        memcpy(to + stride * row, cpu->s.tile[t] + COLSB * row, c->colsb[t]);
    c->start_row = 0;
    return X86_NONE;
}

/* What a tile holds beyond its configured rows and columns is zero once it has been written. */
static void zero_beyond(struct x86_cpu *cpu, unsigned t)
{
    const struct x86_tilecfg *c = &cpu->s.tilecfg;

    for (u32 row = 0; row < ROWS; row++) {
        u32 from = row < c->rows[t] ? c->colsb[t] : 0;
        memset(cpu->s.tile[t] + COLSB * row + from, 0, COLSB - from);
    }
}

static bool shapes_fit(const struct x86_tilecfg *c, unsigned to, unsigned left, unsigned right)
{
    if (to == left || to == right || left == right)
        return false;
    return c->colsb[to] == c->colsb[right] && c->rows[to] == c->rows[left] &&
           c->colsb[left] / 4 == c->rows[right];
}

int x86_tdp(struct x86_cpu *cpu, enum x86_dot kind, unsigned to, unsigned left, unsigned right)
{
    struct x86_tilecfg *c = &cpu->s.tilecfg;
    bool left_signed = kind == X86_TDPBSSD || kind == X86_TDPBSUD;
    bool right_signed = kind == X86_TDPBSSD || kind == X86_TDPBUSD;
    int vector = x86_check_amx(cpu, true);

    if (vector)
        return vector;
    if (!has_elements(cpu, to) || !has_elements(cpu, left) || !has_elements(cpu, right) ||
        !shapes_fit(c, to, left, right))
        return X86_UD;
    for (u32 m = 0; m < c->rows[to]; m++) {
        for (u32 n = 0; n < c->colsb[to] / 4u; n++) {
            u8 *place = cpu->s.tile[to] + COLSB * m + 4 * n;
            u32 sum;
            memcpy(&sum, place, 4);
            for (u32 k = 0; k < c->colsb[left]; k++) {
                u8 x = cpu->s.tile[left][COLSB * m + k],
                   y = cpu->s.tile[right][COLSB * (k / 4) + 4 * n + k % 4];
                sum += (u32)((left_signed ? (signed char)x : (int)x) *
                             (right_signed ? (signed char)y : (int)y));
            }
            memcpy(place, &sum, 4);
        }
    }
    zero_beyond(cpu, to);
    cpu->s.tiles_used = true;
    c->start_row = 0;
    return X86_NONE;
}
