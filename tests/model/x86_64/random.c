/* See random.h. */
#include "tests/model/x86_64/random.h"

#include <stdlib.h>
#include <string.h>

static u64 state; /* in a ROM nothing can begin as anything else */

static u64 from_environment(const char *name, u64 otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

u64 random_seed(void)
{
    return from_environment("SEED", 1);
}

u64 random_steps(u64 otherwise)
{
    return from_environment("STEPS", otherwise);
}

void random_start(u64 seed)
{
    state = seed * 0x9e3779b97f4a7c15ull + 0x1234567;
    if (!state)
        state = 1;
}

u64 random64(void) /* xorshift64* */
{
    state += !state;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dull;
}

u32 random_below(u32 n)
{
    return (u32)(random64() >> 33) % n;
}

bool one_in(u32 n)
{
    return random_below(n) == 0;
}

void random_bytes(void *to, size_t n)
{
    u8 *bytes = to;

    for (; n >= 8; n -= 8, bytes += 8) {
        u64 value = random64();
        memcpy(bytes, &value, 8);
    }
    for (; n; n--)
        *bytes++ = (u8)random64();
}

static void random_x87(struct x86_cpu *cpu)
{
    struct x86_x87 *x = &cpu->s.x87;

    random_bytes(x->st, sizeof(x->st));
    x->fcw = x86_fcw((u16)random64());
    x->fsw = x86_fsw((u16)random64(), x->fcw);
    x->ftw = (u8)random64();
    if (one_in(2)) { /* no exception pending */
        x->fcw |= 0x3f;
        x->fsw = x86_fsw(x->fsw, x->fcw);
    }
    x->fop = (u16)(random64() & 0x7ff);
    x->fip = random64() >> 17; /* canonical */
    x->fdp = random64() >> 17;
    x->fcs = x->fds = 0;
    if (!cpu->config->no_fcs_fds && !cpu->long64) {
        x->fip &= 0xffffffff, x->fdp &= 0xffffffff;
        x->fcs = (u16)random64(), x->fds = (u16)random64();
    }
}

void random_tilecfg(struct x86_tilecfg *c)
{
    memset(c, 0, sizeof(*c));
    if (one_in(16))
        return;
    c->palette = 1;
    for (u32 i = 0; i < X86_TILES; i++) {
        if (one_in(6))
            continue;
        bool whole = one_in(3);
        c->rows[i] = (u8)(whole ? 16 : 1 + random_below(16));
        c->colsb[i] = (u16)(whole ? 64 : 4 + 4 * random_below(16));
    }
    if (one_in(4)) { /* shapes that multiply: tiles 0 to 2 */
        c->rows[0] = c->rows[1] = (u8)(1 + random_below(16));
        c->colsb[0] = c->colsb[2] = (u16)(4 + 4 * random_below(16));
        c->rows[2] = (u8)(1 + random_below(16));
        c->colsb[1] = (u16)(4 * c->rows[2]);
    }
    if (one_in(12)) { /* and what is refused */
        u8 *bytes = (u8 *)c;
        bytes[random_below(64)] ^= (u8)(1u << random_below(8));
    }
}

void random_component(struct x86_cpu *cpu, unsigned n)
{
    struct x86_state *s = &cpu->s;

    x86_init_component(cpu, n);
    if (n == 1)
        s->mxcsr = one_in(3) ? 0x1f80 : (u32)random64() & cpu->config->mxcsr_mask & 0xffff;
    if (one_in(5))
        return;
    switch (n) {
    case 0:
        random_x87(cpu);
        break;
    case 1:
    case 2:
    case 6:
        for (u32 i = 0; i < 16; i++)
            random_bytes(s->zmm[i] + (n == 6 ? 32 : n == 2 ? 16 : 0), n == 6 ? 32 : 16);
        break;
    case 5:
        random_bytes(s->k, sizeof(s->k));
        break;
    case 7:
        random_bytes(s->zmm[16], sizeof(s->zmm) / 2);
        break;
    case 9:
        s->pkru = (u32)random64();
        break;
    case 17:
        do
            random_tilecfg(&s->tilecfg);
        while (!x86_tilecfg_valid(&s->tilecfg) || !s->tilecfg.palette);
        break;
    case 18:
        random_bytes(s->tile, sizeof(s->tile));
        s->tiles_used = true;
        break;
    default:
        break;
    }
}
