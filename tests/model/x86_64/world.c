/* See world.h: machines, VMs, switches, and what is compared. */
#include "tests/model/x86_64/world.h"
#include "fp_components.h"
#include "fp_hw.h"
#include "tests/model/x86_64/random.h"
#include "virt.h"
#include "xstate_layout.h"
#include "arch/arch.h"
#include "boot/boot_info.h"

#include <stdlib.h>

struct world world;
static struct boot_vm configs[2] = {{.policy = BOOT_POLICY_LAZY}, {.policy = BOOT_POLICY_EAGER}};

/* ---- Machines ---- */

static void machine_features(struct x86_config *m, u64 errata)
{
    bool amx = m->xcr0 & X86_AMX;

    m->errata = errata;
    m->mxcsr_mask = 0xffff;
    m->pku = m->xcr0 & X86_PKRU;
    m->xsaveopt = m->xcr0 && (amx || (errata & ERRATUM_XINUSE_ALL) || !one_in(4));
    m->xsavec = amx || (m->xsaveopt && !(errata & ERRATUM_XINUSE_ALL) && one_in(2));
    m->xsaves = m->xsavec && one_in(2);
    m->xgetbv1 = m->xsavec || (m->xsaveopt && one_in(2));
    m->xfd = amx && !one_in(4) ? X86_TILEDATA : 0;
    m->no_fcs_fds = one_in(2);
    m->pointers_with_es = one_in(4);
}

static void random_machine(struct x86_config *m, u64 errata)
{
    static const u64 sets[] = {0,
                               3,
                               7,
                               7 | X86_AVX512,
                               7 | X86_PKRU,
                               7 | X86_AVX512 | X86_AMX,
                               7 | X86_AVX512 | X86_AMX,
                               7 | X86_AVX512 | X86_AMX | X86_PKRU};
    u64 xcr0 = sets[random_below(ARRAY_SIZE(sets))];

    if (errata & ERRATA_BOCHS)
        xcr0 = 7 | X86_AVX512 | X86_AMX;
    if (errata & ERRATUM_XINUSE_ALL)
        xcr0 = one_in(2) ? 7 : 7 | X86_PKRU;
    *m = (struct x86_config){0};
    x86_layout(m, xcr0);
    machine_features(m, errata);
}

static void tell_hypervisor(const struct x86_config *m)
{
    struct xstate_cpuid told = {.xcr0 = m->xcr0, .all_bytes = x86_bytes(m, m->xcr0, false)};

    cpu_has = (struct cpu_features){
        .vendor = "Model", .max_leaf = 0xd, .svm = true, .npt = true, .nrip = true};
    cpu_has.decode_assists = cpu_has.flush_by_asid = true;
    cpu_has.asids = 64;
    cpu_has.xsave = m->xcr0 != 0;
    cpu_has.xsaveopt = m->xsaveopt, cpu_has.xsavec = m->xsavec, cpu_has.xsaves = m->xsaves;
    cpu_has.xgetbv1 = m->xgetbv1, cpu_has.xfd = m->xfd, cpu_has.pku = m->pku;
    cpu_has.no_fcs_fds = m->no_fcs_fds;
    cpu_has.fpu_pointers_always = !m->pointers_with_es;
    cpu_has.xcr0 = m->xcr0;
    for (u32 n = 2; n < FP_COMPONENTS && n < X86_COMPONENTS; n++) {
        struct cpuid_regs r = cpuid(0xd, n);
        told.leaf[n].bytes = r.eax;
        told.leaf[n].offset = r.ebx;
        told.leaf[n].flags = r.ecx;
    }
    if (!m->xcr0)
        told = (struct xstate_cpuid){0};
    xstate_learn(&xstate_layout, &told);
}

/* The firmware's leavings in every register; then what the self-test finds on such a machine. */
static void start_cpu(u32 n)
{
    struct x86_cpu *cpu = &model_cpus[n];

    x86_reset(cpu, &world.machine);
    for (u32 i = 0; i < X86_COMPONENTS; i++) {
        if ((world.machine.xcr0 | 3) >> i & 1)
            random_component(cpu, i);
    }
    cpu->cr0 = HOST_CR0;
    cpu->cr4 |= (world.machine.xcr0 ? CR4_OSXSAVE : 0) | (world.machine.pku ? CR4_PKE : 0);
    model_at = n;
    pcpus[n] = (struct pcpu){.id = n};
    pcpus[n].arch.asid_next = 1;
    pcpus[n].arch.asid_max = 63;
    fp_hw_init(&pcpus[n]);
    fp_hw.tiles_by_hand = fp_hw.tilecfg_swapped = world.machine.errata & ERRATUM_TILECFG_SWAPPED;
    fp_hw.emms_escapes = world.machine.errata & ERRATUM_EMMS_IGNORES_TS;
}

/* A set that fermata.conf could name. */
static u64 random_perm(u64 offered)
{
    static const u64 sets[] = {3, 7, 7 | X86_AVX512, 7 | X86_AVX512 | X86_AMX};
    u64 set =
        one_in(2) ? offered : sets[random_below(ARRAY_SIZE(sets))] | (one_in(2) ? X86_PKRU : 0);

    return (set & offered) | 3;
}

void world_start(u64 seed, u64 errata)
{
    random_start(seed);
    world.seed = seed;
    random_machine(&world.machine, errata);
    world.cpus = 1 + random_below(MAX_CPUS);
    tell_hypervisor(&world.machine);
    fp_hw = (struct fp_hw){0};
    for (u32 n = 0; n < world.cpus; n++)
        start_cpu(n);
    for (u32 i = 0; i < WORLD_VMS; i++) {
        struct vm *vm = &world.vms[i];
        *vm =
            (struct vm){.id = i, .nvcpus = 2, .config = &configs[0], .fp_quota = {.limit = MiB(1)}};
        vm->arch.fp.xcr0 = random_perm(fp_hw_offered());
        vm->arch.cr4_offered = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT |
                               (world.machine.xcr0 ? CR4_OSXSAVE : 0) |
                               (vm->arch.fp.xcr0 & X86_PKRU ? CR4_PKE : 0);
    }
    for (u32 i = 0; i < WORLD_GUESTS; i++)
        world_create(i, one_in(4) ? FP_EAGER : FP_LAZY);
}

void world_end(void)
{
    for (u32 n = 0; n < world.cpus; n++)
        world_leave(n);
    for (u32 i = 0; i < WORLD_GUESTS; i++) {
        struct guest *g = &world.guests[i];
        fp_release(&g->v);
        virt->vcpu_free(&g->v);
        free(g->memory);
        free(g->ref_memory);
        *g = (struct guest){0};
    }
    for (u32 i = 0; i < WORLD_VMS; i++)
        REQUIRE(world.vms[i].fp_quota.used == 0, "VM %u holds %lu bytes of areas", i,
                world.vms[i].fp_quota.used);
}

/* ---- vCPUs ---- */

static void reference(struct guest *g)
{
    u64 perm = g->v.vm->arch.fp.xcr0;

    g->config = world.machine;
    g->config.xcr0 = world.machine.xcr0 ? perm : 0;
    g->config.xfd = world.machine.xfd & perm;
    g->config.xsaves = fp_xsaves_offered();
    g->config.pku = (perm & X86_PKRU) != 0;
    x86_reset(&g->ref, &g->config);
    g->ref.long64 = !one_in(4);
}

void world_create(u32 guest, u32 policy)
{
    struct guest *g = &world.guests[guest];

    if (g->v.arch.vmcb)
        virt->vcpu_free(&g->v);
    g->v = (struct vcpu){.vm = &world.vms[guest % WORLD_VMS],
                         .pcpu = &pcpus[random_below(world.cpus)],
                         .id = guest / 3};
    g->v.vm->config = &configs[policy == FP_EAGER];
    arch_vcpu_init(&g->v);
    model_scarce = false; /* of areas there may be too few, not of VMCBs */
    REQUIRE(virt->vcpu_init(&g->v), "no VMCB");
    virt->vcpu_reset(&g->v, ENTRY_PVH, 0x100000);
    reference(g);
    virt->set(&g->v, GUEST_EFER, EFER_LME | EFER_LMA);
    g->v.arch.vmcb->cs.attributes |= (u16)(g->ref.long64 ? BIT(9) : 0);
    virt->set(&g->v, GUEST_CR0, g->ref.cr0);
    virt->set(&g->v, GUEST_CR4, g->ref.cr4);
    if (!g->memory) {
        g->memory = aligned_alloc(64, X86_AREA_BYTES);
        g->ref_memory = aligned_alloc(64, X86_AREA_BYTES);
    }
    random_bytes(g->memory, X86_AREA_BYTES);
    memcpy(g->ref_memory, g->memory, X86_AREA_BYTES);
}

/* ---- Switches, as hv/sched.c does them ---- */

static bool is_init(const struct x86_cpu *cpu)
{
    static struct x86_cpu fresh;

    x86_reset(&fresh, cpu->config);
    fresh.s.pkru = cpu->s.pkru; /* eager */
    return memcmp(&cpu->s, &fresh.s, sizeof(fresh.s)) == 0;
}

void world_leave(u32 cpu)
{
    struct vcpu *v = pcpus[cpu].current;
    u64 before = model_tile_bytes, writes = model_xcr0_writes;

    if (!v)
        return;
    model_at = cpu;
    bool used = ((struct guest *)(void *)v)->ref.s.tiles_used;
    bool covers = !(v->fp.arch.enabled & XSTATE_GATED & ~v->fp.arch.xcr0);
    fp_switch_out(v);
    arch_vcpu_switch_out(v);
    pcpus[cpu].current = NULL;
    world.switches++;
    REQUIRE(is_init(&model_cpus[cpu]), "I4: the registers that no one owns are not in INIT");
    REQUIRE(used || fp_hw.tiles_by_hand || model_tile_bytes == before,
            "tile bytes moved though the tiles are in INIT");
    REQUIRE(!covers || model_xcr0_writes == writes,
            "XCR0 is written though it covers all that was ever enabled");
    REQUIRE(model_cpus[cpu].xfd == 0, "XFD 0x%lx though no one owns the registers",
            model_cpus[cpu].xfd);
}

void world_run(struct guest *g, u32 cpu)
{
    struct vcpu *v = &g->v;

    if (v->pcpu->current == v && v->pcpu->id == cpu) {
        model_at = cpu;
        return;
    }
    if (v->pcpu->current == v)
        world_leave(v->pcpu->id);
    world_leave(cpu);
    model_at = cpu;
    v->pcpu = &pcpus[cpu];
    v->pcpu->current = v;
    arch_vcpu_switch_in(v);
    REQUIRE(fp_switch_in(v), "no memory at switch-in");
}

/* ---- What a vCPU holds, wherever it is ---- */

static const struct x86_state *held(struct guest *g)
{
    static struct x86_config plain;
    static struct x86_cpu cpu;
    const struct fp_ctx *fp = &g->v.fp;

    if (fp->live)
        return &model_cpus[g->v.pcpu->id].s;
    plain = world.machine;
    plain.errata = 0;
    x86_reset(&cpu, &plain);
    cpu.cr4 |= CR4_OSXSAVE;
    cpu.xcr0 = plain.xcr0;
    if (!fp->area.base)
        return &cpu.s;
    int vector = plain.xcr0 ? x86_restore(&cpu, fp_hw.form == FP_XSAVES, fp->area.base,
                                          fp->arch.allocated, !fp->arch.code32)
                            : x86_fxrstor(&cpu, fp->area.base, !fp->arch.code32);
    REQUIRE(!vector, "the image of vCPU %u is refused: %d", g->v.id, vector);
    return &cpu.s;
}

static void check_x87(const struct x86_x87 *a, struct x86_x87 b)
{
    struct x86_x87 seen = *a;

    if (world.machine.pointers_with_es && !(b.fsw & 0x80)) {
        seen.fip = seen.fdp = b.fip = b.fdp = 0;
        seen.fop = seen.fcs = seen.fds = b.fop = b.fcs = b.fds = 0;
    }
    REQUIRE(!memcmp(&seen, &b, sizeof(b)),
            "x87: FCW %x FSW %x FTW %x FIP %lx FOP %x FCS %x, not %x %x %x %lx %x %x", seen.fcw,
            seen.fsw, seen.ftw, seen.fip, seen.fop, seen.fcs, b.fcw, b.fsw, b.ftw, b.fip, b.fop,
            b.fcs);
}

static void check_guest(struct guest *g)
{
    const struct x86_state *s = held(g), *ref = &g->ref.s;
    u32 pkru = g->v.pcpu->current == &g->v ? model_cpus[g->v.pcpu->id].s.pkru : g->v.fp.arch.pkru;

    check_x87(&s->x87, ref->x87);
    REQUIRE(s->mxcsr == ref->mxcsr, "MXCSR %x, not %x", s->mxcsr, ref->mxcsr);
    for (u32 i = 0; i < 32; i++)
        REQUIRE(!memcmp(s->zmm[i], ref->zmm[i], 64), "ZMM%u", i);
    REQUIRE(!memcmp(s->k, ref->k, sizeof(s->k)), "opmasks");
    REQUIRE(!memcmp(&s->tilecfg, &ref->tilecfg, 64), "TILECFG");
    REQUIRE(!memcmp(s->tile, ref->tile, sizeof(s->tile)), "tiles");
    REQUIRE(fp_hw.tiles_by_hand || s->tiles_used == ref->tiles_used, "XINUSE[18]");
    REQUIRE(pkru == ref->pkru, "PKRU %x, not %x", pkru, ref->pkru);
}

void world_check(void)
{
    for (u32 n = 0; n < world.cpus; n++) {
        if (!pcpus[n].fp_owner)
            REQUIRE(is_init(&model_cpus[n]), "I4: CPU %u's registers are not in INIT", n);
    }
    for (u32 i = 0; i < WORLD_GUESTS; i++)
        check_guest(&world.guests[i]);
}
