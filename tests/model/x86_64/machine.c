/*
 * The hypervisor's accessors and movers on the model's CPUs. fp_moves.S opens CR0.TS around each
 * move: so does this. A fault here is one of the hypervisor's own, and the end.
 */
#include "tests/model/x86_64/world.h"
#include "fp_hw.h"

struct x86_cpu model_cpus[MAX_CPUS];
u32 model_at;
u64 model_tile_bytes, model_xcr0_writes;

struct x86_cpu *model_this(void)
{
    return &model_cpus[model_at];
}

struct pcpu *arch_this_cpu(void)
{
    return &pcpus[model_at];
}

/* ---- Registers ---- */

/* Leaves 1 and 0xD are what guests ask for here; the policy filters what this says. */
struct cpuid_regs cpuid(u32 leaf, u32 subleaf)
{
    const struct x86_config *config = &world.machine;
    struct cpuid_regs r = {0};

    if (leaf == 1)
        r.ecx = BIT(26) | (config->xcr0 & X86_AVX ? BIT(28) : 0);
    if (leaf == 7 && subleaf == 0) {
        r.ebx = config->xcr0 & X86_AVX512 ? BIT(16) : 0;
        r.ecx = config->pku ? BIT(3) : 0;
        r.edx = config->xcr0 & X86_AMX ? BIT(24) | BIT(25) : 0;
    }
    if (leaf != 0xd)
        return r;
    if (subleaf == 0) {
        r = (struct cpuid_regs){(u32)config->xcr0, x86_bytes(config, model_this()->xcr0, false),
                                x86_bytes(config, config->xcr0, false), 0};
    } else if (subleaf == 1) {
        r.eax = (u32)config->xsaveopt | (u32)config->xsavec << 1 | (u32)config->xgetbv1 << 2 |
                (u32)config->xsaves << 3 | (config->xfd ? 16u : 0);
        r.ebx = x86_bytes(config, model_this()->xcr0, true);
    } else if (subleaf < X86_COMPONENTS && (config->xcr0 >> subleaf & 1)) {
        r = (struct cpuid_regs){
            config->bytes[subleaf], config->offset[subleaf],
            (u32)(config->aligned >> subleaf & 1) << 1 | (u32)(config->xfd >> subleaf & 1) << 2, 0};
    }
    return r;
}

u64 rdmsr(u32 msr)
{
    u64 value = 0;

    REQUIRE(x86_rdmsr(model_this(), msr, &value), "the hypervisor's RDMSR 0x%x is #GP", msr);
    return value;
}

void wrmsr(u32 msr, u64 value)
{
    REQUIRE(x86_wrmsr(model_this(), msr, value), "the hypervisor's WRMSR 0x%x of 0x%lx is #GP", msr,
            value);
}

u64 xgetbv(u32 index)
{
    u64 value = 0;

    REQUIRE(!x86_xgetbv(model_this(), index, &value), "the hypervisor's XGETBV(%u) faults", index);
    return value;
}

void xsetbv(u32 index, u64 value)
{
    model_xcr0_writes++;
    REQUIRE(!x86_xsetbv(model_this(), index, value), "the hypervisor's XSETBV of 0x%lx faults",
            value);
}

u32 rdpkru(void)
{
    REQUIRE(!x86_check_pkru(model_this()), "the hypervisor's RDPKRU is #UD");
    return model_this()->s.pkru;
}

void wrpkru(u32 value)
{
    REQUIRE(!x86_check_pkru(model_this()), "the hypervisor's WRPKRU is #UD");
    model_this()->s.pkru = value;
}

u64 rdtsc(void)
{
    static u64 now;

    return now++;
}

/* ---- Movers: fp_moves.S ---- */

static void moved_tiles(const void *area, u64 mask)
{
    u64 bv;

    memcpy(&bv, (const u8 *)area + 512, 8);
    if (bv & mask & X86_TILEDATA)
        model_tile_bytes += X86_TILES * X86_TILE_BYTES;
}

static void save(enum x86_save kind, void *area, u32 mask, bool rexw)
{
    struct x86_cpu *cpu = model_this();

    cpu->cr0 &= ~(u64)CR0_TS;
    int vector = x86_save(cpu, kind, area, mask, rexw);
    cpu->cr0 |= CR0_TS;
    REQUIRE(!vector, "the hypervisor's save %d of 0x%x raises %d", (int)kind, mask, vector);
    if (kind == X86_XSAVE) /* writes INIT out */
        model_tile_bytes += mask & cpu->xcr0 & X86_TILEDATA ? X86_TILES * X86_TILE_BYTES : 0;
    else
        moved_tiles(area, mask);
}

static void restore(bool supervisor, const void *area, u32 mask, bool rexw)
{
    struct x86_cpu *cpu = model_this();

    cpu->cr0 &= ~(u64)CR0_TS;
    int vector = x86_restore(cpu, supervisor, area, mask, rexw);
    cpu->cr0 |= CR0_TS;
    REQUIRE(!vector, "the hypervisor's restore of 0x%x raises %d", mask, vector);
    moved_tiles(area, mask);
}

#define SAVE(name, kind, rexw)                                                                     \
    void fp_move_##name(void *area, u32 mask)                                                      \
    {                                                                                              \
        save(kind, area, mask, rexw);                                                              \
    }
SAVE(xsave64, X86_XSAVE, true)
SAVE(xsave32, X86_XSAVE, false)
SAVE(xsaveopt64, X86_XSAVEOPT, true)
SAVE(xsaveopt32, X86_XSAVEOPT, false)
SAVE(xsavec64, X86_XSAVEC, true)
SAVE(xsavec32, X86_XSAVEC, false)
SAVE(xsaves64, X86_XSAVES, true)
SAVE(xsaves32, X86_XSAVES, false)

#define RESTORE(name, supervisor, rexw)                                                            \
    void fp_move_##name(const void *area, u32 mask)                                                \
    {                                                                                              \
        restore(supervisor, area, mask, rexw);                                                     \
    }
RESTORE(xrstor64, false, true)
RESTORE(xrstor32, false, false)
RESTORE(xrstors64, true, true)
RESTORE(xrstors32, true, false)

static void legacy(void *area, bool saves, bool rexw)
{
    struct x86_cpu *cpu = model_this();

    cpu->cr0 &= ~(u64)CR0_TS;
    int vector = saves ? x86_fxsave(cpu, area, rexw) : x86_fxrstor(cpu, area, rexw);
    cpu->cr0 |= CR0_TS;
    REQUIRE(!vector, "the hypervisor's FXSAVE or FXRSTOR raises %d", vector);
}

void fp_move_fxsave64(void *area)
{
    legacy(area, true, true);
}

void fp_move_fxsave32(void *area)
{
    legacy(area, true, false);
}

void fp_move_fxrstor64(const void *area)
{
    legacy((void *)(uintptr_t)area, false, true);
}

void fp_move_fxrstor32(const void *area)
{
    legacy((void *)(uintptr_t)area, false, false);
}

void fp_move_tiles_store(void *data, u32 tiles)
{
    for (u32 t = 0; t < X86_TILES; t++) {
        if (!(tiles >> t & 1))
            continue;
        int vector = x86_tilestored(model_this(), t, (u8 *)data + X86_TILE_BYTES * t, 64);
        REQUIRE(!vector, "the hypervisor's TILESTORED raises %d", vector);
        model_tile_bytes += X86_TILE_BYTES;
    }
}

void fp_move_tiles_load(const void *data, u32 tiles)
{
    for (u32 t = 0; t < X86_TILES; t++) {
        if (!(tiles >> t & 1))
            continue;
        int vector = x86_tileloadd(model_this(), t, (const u8 *)data + X86_TILE_BYTES * t, 64);
        REQUIRE(!vector, "the hypervisor's TILELOADD raises %d", vector);
        model_tile_bytes += X86_TILE_BYTES;
    }
}

void fp_move_ldtilecfg(const void *tilecfg)
{
    int vector = x86_ldtilecfg(model_this(), tilecfg);

    REQUIRE(!vector, "the hypervisor's LDTILECFG raises %d", vector);
}

void fp_move_tilerelease(void)
{
    int vector = x86_tilerelease(model_this());

    REQUIRE(!vector, "the hypervisor's TILERELEASE raises %d", vector);
}
