/* Random guests: mostly those that have what they need enabled, so that they get far. */
#include "tests/model/x86_64/random.h"
#include "tests/model/x86_64/world.h"
#include "arch/x86_64/x86.h"

static bool bochs(void)
{
    return world.machine.errata & ERRATUM_TILECFG_SWAPPED;
}

static void fill_both(struct guest *g, const void *from, size_t n)
{
    memcpy(g->memory, from, n);
    memcpy(g->ref_memory, from, n);
}

/* An image that the guest might have saved, now and then damaged. */
static void make_image(struct guest *g)
{
    static struct x86_config plain;
    static struct x86_cpu other;
    static u8 image[X86_AREA_BYTES] ALIGNED(64);

    plain = g->config;
    plain.errata = 0;
    x86_reset(&other, &plain);
    other.cr4 |= CR4_OSXSAVE;
    other.xcr0 = plain.xcr0 ? plain.xcr0 : 3;
    for (u32 n = 0; n < X86_COMPONENTS; n++) {
        if (n != 9 && (other.xcr0 >> n & 1))
            random_component(&other, n);
    }
    memset(image, 0, sizeof(image));
    u64 mask = one_in(2) ? ~0ull : random64();
    if (!plain.xcr0)
        x86_fxsave(&other, image, one_in(2));
    else
        x86_save(&other, plain.xsavec && one_in(2) ? X86_XSAVEC : X86_XSAVE, image, mask,
                 one_in(2));
    if (one_in(16)) {
        u64 *header = (u64 *)(void *)(image + 512);
        header[random_below(8)] ^= BIT(random_below(64));
    }
    fill_both(g, image, sizeof(image));
}

static u64 move_mask(void)
{
    u64 mask = one_in(2) ? ~0ull : random64();

    return bochs() ? mask & ~X86_AMX : mask;
}

static u64 random_cr0(const struct guest *g)
{
    u64 value = g->ref.cr0;

    value ^= one_in(3) ? CR0_TS : 0;
    value ^= one_in(6) ? CR0_MP : 0;
    return one_in(12) ? value ^ CR0_EM : value & ~(u64)CR0_EM;
}

static u64 random_cr4(const struct guest *g)
{
    u64 value = g->ref.cr4;

    value ^= one_in(3) ? CR4_OSXSAVE : 0;
    value ^= one_in(4) ? CR4_PKE : 0;
    value ^= one_in(8) ? CR4_PGE : 0;
    value = one_in(8) ? value & ~(u64)CR4_OSFXSR : value | CR4_OSFXSR;
    return one_in(16) ? value | BIT(random_below(32)) : value; /* what is not offered: BUGS 38 */
}

static u64 random_xcr0(const struct guest *g)
{
    static const u64 values[] = {1, 3, 7, 0xe7, 0x600e7, 0x600e3, 5, 0, 0x20007, 0x27};

    return one_in(2) ? g->config.xcr0
                     : (values[random_below(ARRAY_SIZE(values))] | (one_in(3) ? X86_PKRU : 0));
}

static void system_insn(struct guest *g, struct insn *i)
{
    static const u32 msrs[] = {X86_MSR_XFD, X86_MSR_XFD_ERR, X86_MSR_XSS};

    switch (random_below(10)) {
    case 0:
        *i = (struct insn){.op = OP_WRITE_CR0, .mask = random_cr0(g)};
        break;
    case 1:
        *i = (struct insn){.op = OP_WRITE_CR4, .mask = random_cr4(g)};
        break;
    case 2:
        *i = (struct insn){.op = OP_XSETBV, .which = one_in(16), .mask = random_xcr0(g)};
        break;
    case 3:
        *i = (struct insn){.op = OP_WRMSR, .which = msrs[random_below(3)]};
        i->mask = one_in(2) ? X86_TILEDATA : one_in(8) ? random64() : 0;
        break;
    case 4:
        *i = (struct insn){.op = OP_RDMSR, .which = msrs[random_below(3)]};
        break;
    case 5:
        *i = (struct insn){.op = OP_CPUID, .which = one_in(2) ? 1 : 0xd, .mask = random_below(2)};
        break;
    case 6:
        *i = (struct insn){.op = one_in(2) ? OP_READ_CR0 : OP_READ_CR4};
        break;
    case 7: /* what keeps FCS and FDS loses them in 64-bit mode: documented, so no change of mode
               there */
        *i = (struct insn){.op = world.machine.no_fcs_fds ? OP_MODE : OP_CLTS, .which = !one_in(4)};
        break;
    default:
        *i = (struct insn){.op = OP_CLTS};
    }
}

static void plain_insn(struct guest *g, struct insn *i)
{
    *i = (struct insn){
        .op = (enum op)random_below(OP_LAST_PLAIN + 1), .seed = random64(), .rexw = one_in(2)};
    /* 64-bit code that loads FCS and FDS by the 32-bit form loses them: documented. */
    if ((i->op == OP_RESTORE || i->op == OP_FXRSTOR) && !world.machine.no_fcs_fds)
        i->rexw = true;
    switch (i->op) {
    case OP_SAVE:
        i->which = random_below(4);
        i->mask = move_mask();
        break;
    case OP_RESTORE:
        i->which = one_in(3);
        i->mask = move_mask() & (one_in(4) ? ~0ull : ~X86_PKRU);
        make_image(g);
        break;
    case OP_FXRSTOR:
        make_image(g);
        break;
    case OP_XGETBV:
        i->which = bochs() ? 0 : random_below(3);
        break;
    case OP_LDTILECFG: {
        struct x86_tilecfg c;
        random_tilecfg(&c);
        c.start_row = 0;
        fill_both(g, &c, sizeof(c));
        break;
    }
    case OP_TILELOADD:
    case OP_TILESTORED:
    case OP_TILEZERO:
        i->which = random_below(9);
        break;
    case OP_TDP:
        i->which = random_below(4);
        break;
    case OP_EVEX_LOAD:
        i->which = one_in(2) ? 16 : 0;
        break;
    default:
        break;
    }
}

/* One step towards everything enabled. */
static bool enable(struct guest *g, struct insn *i)
{
    if (g->ref.cr0 & (CR0_TS | CR0_EM))
        *i = (struct insn){.op = OP_WRITE_CR0,
                           .mask = (g->ref.cr0 | CR0_MP) & ~(u64)(CR0_TS | CR0_EM)};
    else if (g->config.xcr0 && !(g->ref.cr4 & CR4_OSXSAVE))
        *i = (struct insn){.op = OP_WRITE_CR4, .mask = g->ref.cr4 | CR4_OSXSAVE | CR4_OSFXSR};
    else if (g->config.xcr0 && g->ref.xcr0 != g->config.xcr0)
        *i = (struct insn){.op = OP_XSETBV, .mask = g->config.xcr0};
    else if (g->config.xfd && g->ref.xfd && one_in(2))
        *i = (struct insn){.op = OP_WRMSR, .which = X86_MSR_XFD};
    else
        return false;
    return true;
}

void program_next(struct guest *g, struct insn *insn)
{
    if (one_in(3) && enable(g, insn))
        return;
    if (one_in(6))
        system_insn(g, insn);
    else
        plain_insn(g, insn);
}
