/*
 * The model against the bare machine this ROM runs on: what user mode cannot reach. Random states
 * under random CR0, CR4, XCR0 and IA32_XFD; one instruction on both; then the exception,
 * IA32_XFD_ERR, memory and every register must be the same. Where the machine has Bochs's errata
 * the model is told so, and must err in the same way.
 */
#include "tests/model/x86_64/bare.h"
#include "arch/x86_64/x86.h"
#include "tests/emu/bochs-xfd/check/check.h"
#include "tests/model/x86_64/random.h"

#define STEPS 6000u

char *getenv(const char *name);
unsigned long long strtoull(const char *text, char **end, int base);
NORETURN void panic(const char *fmt, ...);

static struct x86_config config;
static struct x86_cpu cpu;
static u8 image[X86_AREA_BYTES] ALIGNED(64), got[X86_AREA_BYTES] ALIGNED(64),
    want[X86_AREA_BYTES] ALIGNED(64);
static u64 in_use;
static u32 failures;

/* ---- For random.c and string.c ---- */

char *getenv(const char *name)
{
    (void)name;
    return NULL;
}

unsigned long long strtoull(const char *text, char **end, int base)
{
    (void)text, (void)end, (void)base;
    return 0;
}

void panic(const char *fmt, ...)
{
    put("not ok panic: ");
    put(fmt);
    for (;;)
        __asm__ volatile("hlt");
}

/* ---- The machine ---- */

static void set_cr0(u64 value)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}

static void set_cr4(u64 value)
{
    __asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

static u64 get_cr0(void)
{
    u64 value;
    __asm__ volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}

static u64 get_cr4(void)
{
    u64 value;
    __asm__ volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}

static void learn(void)
{
    u32 r[4];

    x86_layout(&config, ALL);
    cpuid(7, 0, r);
    config.no_fcs_fds = r[1] >> 13 & 1;
    cpuid(0xd, 1, r);
    config.xsaveopt = r[0] & 1, config.xsavec = r[0] & 2, config.xgetbv1 = r[0] & 4,
    config.xsaves = r[0] & 8;
    config.xfd = r[0] & 16 ? TILEDATA : 0;
    config.aligned = 0;
    for (u32 n = 2; n < X86_COMPONENTS; n++) {
        if (!(ALL >> n & 1))
            continue;
        cpuid(0xd, n, r);
        config.bytes[n] = r[0], config.offset[n] = r[1];
        config.aligned |= r[2] & 2 ? BIT(n) : 0;
    }
    struct bare_op o = {got, 0, 0};
    attempt(bare_function(&(struct insn){.op = OP_FXSAVE, .rexw = true}), &o);
    memcpy(&config.mxcsr_mask, got + 28, 4);
    attempt(i_tilerelease, 0);
    config.errata = xgetbv(1) & TILEDATA ? ERRATA_BOCHS : ERRATUM_XSAVEC_MXCSR;
}

/* ---- States: the same in the registers and in the model ---- */

/* Tiles go by tile instructions, which are right everywhere. */
static void load_tiles(void)
{
    struct bare_op o = {.memory = (u8 *)&full};

    random_tilecfg((struct x86_tilecfg *)&full);
    ((struct x86_tilecfg *)&full)->start_row = 0;
    attempt(i_tilerelease, 0);
    x86_tilerelease(&cpu);
    if (x86_ldtilecfg(&cpu, (struct x86_tilecfg *)&full))
        return;
    attempt(bare_function(&(struct insn){.op = OP_LDTILECFG}), &o);
    o.memory = tile_in[0];
    for (u32 n = random_below(4); n; n--) {
        random_bytes(tile_in[0], X86_TILE_BYTES);
        attempt(bare_function(&(struct insn){.op = OP_TILELOADD}), &o);
        x86_tileloadd(&cpu, 1, tile_in[0], 64);
    }
}

static void new_state(void)
{
    struct bare_op o = {image, ALL & ~TILES, 0};

    x86_reset(&cpu, &config);
    cpu.cr0 = get_cr0();
    cpu.cr4 = get_cr4();
    cpu.xcr0 = ALL;
    for (u32 n = 0; n < 8; n++)
        if (ALL >> n & 1)
            random_component(&cpu, n);
    memset(image, 0, sizeof(image));
    x86_save(&cpu, X86_XSAVE, image, ALL & ~TILES, true);
    attempt(bare_function(&(struct insn){.op = OP_RESTORE, .rexw = true}), &o);
    load_tiles();
}

static void random_controls(const struct insn *i)
{
    static const u64 xcr0s[] = {ALL, ALL, 1, 3, 7, 0xe7};

    cpu.xcr0 = xcr0s[random_below(ARRAY_SIZE(xcr0s))];
    xsetbv(cpu.xcr0);
    cpu.xfd = one_in(3) ? config.xfd : 0;
    if (config.xfd) {
        wrmsr(IA32_XFD, cpu.xfd);
        wrmsr(IA32_XFD_ERR, 0);
    }
    cpu.cr0 ^= one_in(4) ? CR0_TS : 0;
    cpu.cr0 ^= one_in(4) ? CR0_MP : 0;
    cpu.cr0 ^= one_in(8) ? CR0_EM : 0;
    cpu.cr4 &= ~(one_in(6) ? (u64)CR4_OSXSAVE : 0);
    /* Without OSFXSR, FXSAVE and FXRSTOR move XMM registers or not, as the CPU likes (SDM 2). */
    if (i->op != OP_FXSAVE && i->op != OP_FXRSTOR)
        cpu.cr4 &= ~(one_in(8) ? (u64)CR4_OSFXSR : 0);
    set_cr4(cpu.cr4);
    set_cr0(cpu.cr0);
}

static void usual_controls(u64 cr0, u64 cr4)
{
    set_cr0(cr0);
    set_cr4(cr4);
    xsetbv(ALL);
    if (config.xfd) {
        wrmsr(IA32_XFD, 0);
        wrmsr(IA32_XFD_ERR, 0);
    }
}

/* ---- Comparing ---- */

static void complain(const struct insn *i, const char *what, u64 machine, u64 model)
{
    if (failures++ > 40)
        return;
    put("# op ");
    put_number(i->op);
    put(" which ");
    put_number(i->which);
    put(" mask ");
    put_hex(i->mask);
    put(": ");
    put(what);
    put(": machine ");
    put_hex(machine);
    put(", model ");
    put_hex(model);
    put("\n");
}

static void same_bytes(const struct insn *i, const char *what)
{
    for (u32 n = 0; n < X86_AREA_BYTES; n++) {
        if (got[n] != want[n]) {
            complain(i, what, (u64)n << 32 | got[n], (u64)n << 32 | want[n]);
            return;
        }
    }
}

/* XINUSE may say more than the values do, never less; the inverted bit the other way round. */
static void believe(const struct insn *i, u64 hardware)
{
    cpu.in_use = NULL;
    u64 must = x86_xinuse(&cpu) & ALL,
        inverted = config.errata & ERRATUM_XINUSE18_INVERTED ? TILEDATA : 0;

    if ((must ^ inverted) & ~(hardware ^ inverted))
        complain(i, "XINUSE", hardware, must);
    in_use = hardware;
    cpu.in_use = &in_use;
}

static void compare_registers(const struct insn *i)
{
    struct bare_op o = {got, ALL, 0};

    believe(i, xgetbv(1));
    memset(got, 0, sizeof(got));
    memset(want, 0, sizeof(want));
    attempt(bare_function(&(struct insn){.op = OP_SAVE, .rexw = true}), &o);
    cpu.xcr0 = ALL;
    cpu.xfd = 0;
    x86_save(&cpu, X86_XSAVE, want, ALL, true);
    same_bytes(i, "registers");
}

/* ---- Instructions ---- */

static void random_insn(struct insn *i)
{
    static const u8 ops[] = {OP_SAVE,       OP_SAVE,      OP_SAVE,        OP_RESTORE,  OP_RESTORE,
                             OP_RESTORE,    OP_FXSAVE,    OP_FXRSTOR,     OP_XGETBV,   OP_XSETBV,
                             OP_LDTILECFG,  OP_STTILECFG, OP_TILERELEASE, OP_TILEZERO, OP_TILELOADD,
                             OP_TILESTORED, OP_TDP,       OP_X87_READ,    OP_FLD1,     OP_FWAIT,
                             OP_SSE_READ,   OP_AVX_READ,  OP_EVEX_READ,   OP_KMOV_READ};
    static const u32 sets[] = {ALL, 1, 3, 7, 5, 0xe7, 0x27, 0x20003, 0x40003, 0};

    *i = (struct insn){.op = (enum op)ops[random_below(sizeof(ops))], .rexw = one_in(2)};
    i->mask = one_in(2) ? ~0ull : random64();
    if (i->op == OP_SAVE)
        i->which = random_below(4);
    if (i->op == OP_RESTORE)
        i->which = one_in(3);
    if (i->op == OP_TDP)
        i->which = random_below(4);
    if (i->op == OP_TILEZERO || i->op == OP_TILELOADD || i->op == OP_TILESTORED)
        i->which = 1;
    if (i->op == OP_XGETBV)
        i->which = random_below(3);
    if (i->op == OP_XSETBV) {
        i->mask = one_in(8) ? random64() : sets[random_below(ARRAY_SIZE(sets))];
        i->which = one_in(8);
    }
}

/* What it works on: an image to restore, a configuration, or anything. */
static void random_memory(const struct insn *i)
{
    static struct x86_cpu other;
    static struct x86_config plain;

    random_bytes(got, 1024);
    if (i->op == OP_LDTILECFG)
        random_tilecfg((struct x86_tilecfg *)(void *)got);
    if (i->op == OP_RESTORE || i->op == OP_FXRSTOR) {
        plain = config;
        x86_reset(&other, &plain);
        other.cr4 |= CR4_OSXSAVE;
        other.xcr0 = ALL;
        for (u32 n = 0; n < X86_COMPONENTS; n++)
            if (ALL >> n & 1 && n != 9)
                random_component(&other, n);
        memset(got, 0, sizeof(got));
        x86_save(&other, one_in(2) ? X86_XSAVEC : X86_XSAVE, got, one_in(2) ? ~0ull : random64(),
                 one_in(2));
        if (one_in(8))
            ((u64 *)(void *)(got + 512))[random_below(8)] ^= BIT(random_below(64));
    }
    memcpy(want, got, sizeof(want));
}

/* Of the classes that only CR0, CR4 and XCR0 gate, only the exception is compared. */
static int on_model(const struct insn *i, u64 *result)
{
    *result = 0;
    switch (i->op) {
    case OP_XSETBV:
        return x86_xsetbv(&cpu, i->which, i->mask);
    case OP_X87_READ:
        return x86_check_x87(&cpu, false);
    case OP_FLD1:
        return x86_check_x87(&cpu, true);
    default:
        return insn_execute(&cpu, i, want, result);
    }
}

static void step(u64 cr0, u64 cr4)
{
    struct insn i;
    u64 result, error = 0;

    new_state();
    random_insn(&i);
    random_memory(&i);
    believe(&i, xgetbv(1));
    random_controls(&i);
    struct bare_op o = {got, i.mask, i.which};
    int vector = attempt(bare_function(&i), &o);
    error = config.xfd ? rdmsr(IA32_XFD_ERR) : 0;
    usual_controls(cr0, cr4);
    int expected = on_model(&i, &result);
    if ((vector < 0 ? 0 : vector) != expected)
        complain(&i, "exception", (u64)vector, (u64)expected);
    if (error != cpu.xfd_err)
        complain(&i, "XFD_ERR", error, cpu.xfd_err);
    if (!expected && i.op == OP_XGETBV && o.mask != result)
        complain(&i, "XGETBV", o.mask, result);
    if (i.op != OP_X87_READ && i.op != OP_FLD1)
        same_bytes(&i, "memory");
    cpu.cr0 = cr0, cpu.cr4 = cr4;
    if (i.op != OP_FLD1) /* it was FNOP, which leaves its address in FIP */
        compare_registers(&i);
}

void main(void)
{
    u64 cr0 = get_cr0(), cr4 = get_cr4();
    u32 r[4];

    out8(0x3fb, 3); /* COM1: 8 data bits */
    cpuid(0xd, 0, r);
    if ((r[0] & ALL) != ALL) {
        check(0, "the CPU has AVX-512 and AMX");
    } else {
        xsetbv(ALL);
        learn();
        random_start(1);
        for (u32 n = 0; n < STEPS; n++)
            step(cr0, cr4);
        check(failures == 0, config.errata & ERRATUM_HALF_TILES
                                 ? "the model errs as this machine does"
                                 : "the model does what this machine does");
    }
    plan();
    flush();
}
