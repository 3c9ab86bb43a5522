/*
 * Where a guest stops for the debugger on arm64: BRK in its code, breakpoint and watchpoint
 * registers, MDSCR_EL1.SS; and what the debugger sees of memory and of the hypervisor.
 *
 * Guests have no debug registers of their own here (they read as zero, writes are ignored), so all
 * of them are the debugger's. MDCR_EL2.TDE routes debug exceptions of the VM to EL2 while it has
 * any point or steps.
 */
#include "arch_gdb.h"
#include "gdb_arm64.h"
#include "guest.h"
#include "sysreg.h"
#include "arch/arch.h"
#include "hv/gdb_session.h"

const u8 arch_gdb_break[] = {0x00, 0x00, 0x20, 0xd4}; /* BRK #0 */

#define MDCR_TDE  BIT(8)
#define MDSCR_SS  BIT(0)
#define MDSCR_KDE BIT(13)
#define MDSCR_MDE BIT(15)
#define PSTATE_SS BIT(21)
#define PSTATE_D  BIT(9)
#define BCR_EXECUTE                                                                                \
    0x1e5u             /* all of EL1 and EL0 (PMC 0b11, BAS 0b1111, E) of any security state       \
                        */
#define WCR_BASE  0x7u /* PAC 0b11, E */
#define WCR_LOAD  BIT(3)
#define WCR_STORE BIT(4)

void gdb_el1_take(struct vcpu *v)
{
    if (v->pcpu->current == v)
        features.e2h ? el1_save_vhe(v) : el1_save(v);
}

void gdb_el1_put(struct vcpu *v)
{
    if (v->pcpu->current == v)
        features.e2h ? el1_load_vhe(v) : el1_load(v);
}

bool arch_gdb_translate(struct vcpu *v, u64 address, u64 *gpa)
{
    gdb_el1_take(v);
    const struct walk w = {
        v->vm->ram,
        v->vm->ram_gpa,
        v->vm->ram_bytes,
        v->arch.el1[EL1_SCTLR],
        v->arch.el1[EL1_TCR],
        v->arch.el1[EL1_TTBR0],
        v->arch.el1[EL1_TTBR1],
    };

    return walk_stage1(&w, address, gpa);
}

/* Written through our mapping: clean to where instruction fetches of any mapping look. */
void arch_gdb_code_changed(void *at, size_t bytes)
{
    u64 line = 4ull << (sysreg_read(ctr_el0) >> 16 & 15);

    for (u64 p = (u64)at & ~(line - 1); p < (u64)at + bytes; p += line)
        __asm__ volatile("dc cvau, %0" ::"r"(p) : "memory");
    dsb(ish);
    __asm__ volatile("ic ialluis" ::: "memory");
    dsb(ish);
    isb();
}

/* By the hardware's own walk; device memory is no memory to look at. */
bool arch_gdb_own_memory(u64 address, u64 bytes)
{
    for (u64 at = address; bytes && at - address < bytes; at = (at | (PAGE_SIZE - 1)) + 1) {
        __asm__ volatile("at s1e2r, %0\n\tisb" ::"r"(at) : "memory");
        u64 par = sysreg_read(par_el1);
        if ((par & 1) || (par >> 56 & 0xf0) == 0)
            return false;
    }
    return address + bytes >= address;
}

bool gdb_own_register(u32 n, void *to)
{
    u64 frame = (u64)(uintptr_t)__builtin_frame_address(0), value;

    if (n == 32) /* PC */
        value = (u64)(uintptr_t)__builtin_return_address(0);
    else if (n == 29 || n == 30) /* FP and LR of the caller */
        value = ((const u64 *)frame)[n - 29];
    else if (n == 31) /* SP */
        value = frame + 16;
    else
        return false;
    memcpy(to, &value, sizeof(value));
    return true;
}

/* ---- The registers ---- */

#define POINTS ARM64_GDB_POINTS

#define DBG_WRITE(n, kind)                                                                         \
    case n:                                                                                        \
        sysreg_write(dbg##kind##vr##n##_el1, value);                                               \
        sysreg_write(dbg##kind##cr##n##_el1, control);                                             \
        break

static void write_break(u32 n, u64 value, u64 control)
{
    switch (n) {
        DBG_WRITE(0, b);
        DBG_WRITE(1, b);
        DBG_WRITE(2, b);
        DBG_WRITE(3, b);
    default:
        break;
    }
}

static void write_watch(u32 n, u64 value, u64 control)
{
    switch (n) {
        DBG_WRITE(0, w);
        DBG_WRITE(1, w);
        DBG_WRITE(2, w);
        DBG_WRITE(3, w);
    default:
        break;
    }
}

/* How many there are (ID_AA64DFR0_EL1.BRPs, WRPs), at most POINTS of each. */
static u32 available(bool watch)
{
    u32 n = (u32)(sysreg_read(id_aa64dfr0_el1) >> (watch ? 20 : 12) & 15) + 1;

    return n < POINTS ? n : POINTS;
}

static bool any(const struct gdb_points *p)
{
    bool found = p->breaks;

    for (u32 i = 0; i < POINTS; i++)
        found |= p->execute[i].control || p->data[i].control;
    return found;
}

/* What v's VM and v itself ask for, into the CPU. */
void gdb_points_install(const struct vcpu *v)
{
    const struct gdb_points *p = &v->vm->arch.points;
    bool on = any(p) || v->arch.stepped;

    for (u32 i = 0; i < available(false); i++)
        write_break(i, p->execute[i].address, p->execute[i].control);
    for (u32 i = 0; i < available(true); i++)
        write_watch(i, p->data[i].address, p->data[i].control);
    u64 mdscr = on ? MDSCR_MDE | MDSCR_KDE : 0;
    if (v->arch.stepped)
        mdscr |= MDSCR_SS;
    sysreg_write(mdscr_el1, mdscr);
    u64 mdcr = sysreg_read(mdcr_el2);
    sysreg_write(mdcr_el2, on ? mdcr | MDCR_TDE : mdcr & ~MDCR_TDE);
    isb();
}

static void install_all(struct vm *vm)
{
    for (u32 i = 0; i < vm->nvcpus; i++) {
        struct vcpu *v = vm->vcpus[i];
        if (v->pcpu->current == v)
            gdb_points_install(v);
    }
}

/* The byte address select of WCR: within one doubleword. */
static bool watch_control(enum gdb_point kind, u64 address, u64 bytes, u64 *control)
{
    if (bytes == 0 || bytes > 8 || address % 8 + bytes > 8)
        return false;
    *control = WCR_BASE | (kind != GDB_POINT_WRITE ? WCR_LOAD : 0) |
               (kind != GDB_POINT_READ ? WCR_STORE : 0) |
               (((1ull << bytes) - 1) << address % 8) << 5;
    return true;
}

bool arch_gdb_point(struct vm *vm, enum gdb_point kind, u64 address, u64 bytes, bool insert)
{
    bool watch = kind != GDB_POINT_HARDWARE;
    struct gdb_hardware_point *points = watch ? vm->arch.points.data : vm->arch.points.execute;
    struct gdb_hardware_point wanted = {address & (watch ? ~7ull : ~3ull), BCR_EXECUTE};

    if (watch && !watch_control(kind, address, bytes, &wanted.control))
        return false;
    for (u32 i = 0; i < available(watch); i++) {
        bool same = points[i].address == wanted.address && points[i].control == wanted.control;
        if (insert ? points[i].control != 0 : !same)
            continue;
        points[i] = insert ? wanted : (struct gdb_hardware_point){0, 0};
        install_all(vm);
        return true;
    }
    return false;
}

/* BRK comes here from the first software breakpoint on. */
void arch_gdb_intercept(struct vm *vm)
{
    vm->arch.points.breaks = true;
    install_all(vm);
}

void arch_gdb_step(struct vcpu *v, bool on)
{
    if (on) /* the step is due again at each resumption (DDI 0487, D2.12) */
        v->arch.pstate = (v->arch.pstate | PSTATE_SS) & ~PSTATE_D;
    else if (v->arch.stepped)
        v->arch.pstate &= ~PSTATE_SS;
    v->arch.stepped = on;
    if (v->pcpu->current == v)
        gdb_points_install(v);
}

/* ---- Events ---- */

bool gdb_debug_exit(struct vcpu *v, u64 esr)
{
    switch (ESR_EC(esr)) {
    case EC_STEP:
    case EC_BREAKPOINT:
        return gdb_event(v, GDB_STOP_BREAK, 0);
    case EC_WATCHPOINT:
        return gdb_event(v, GDB_STOP_WATCH, sysreg_read(far_el2));
    case EC_BRK:
        return gdb_has_point(v, GDB_POINT_SOFTWARE, v->arch.pc) && gdb_event(v, GDB_STOP_BREAK, 0);
    default:
        return false;
    }
}

/* ---- monitor ---- */

void arch_gdb_fp(const struct vcpu *v)
{
    const struct arch_fp *fp = &v->fp.arch;

    gdb_say("    ZCR_EL1 0x%lx, SMCR_EL1 0x%lx, SVCR 0x%lx, TPIDR2_EL0 0x%lx; at most %u bytes of "
            "VL, %u of SVL\n",
            fp->zcr_el1, fp->smcr_el1, fp->svcr, fp->tpidr2_el0, fp->sve_vl, fp->sme_vl);
}

void arch_gdb_registers(struct vcpu *v)
{
    (void)v;
    gdb_say("gdb has names for all of them: info registers all\n");
}
