/*
 * Where a guest stops for the debugger on x86-64: INT3 in its code, the debug registers, RFLAGS.TF;
 * and what the debugger sees of memory and of the hypervisor.
 *
 * The debug registers are the debugger's while it has points in a VM, and only if no vCPU of the VM
 * uses them itself; a guest that begins to takes them away from it. Limits of TF: a guest that
 * pushes its flags while it is stepped sees the bit.
 */
#include "cpu.h"
#include "guest_walk.h"
#include "paging.h"
#include "vcpu.h"
#include "virt.h"
#include "arch/arch.h"
#include "arch_gdb.h"
#include "gdb_x86.h"
#include "hv/console.h"
#include "hv/gdb_session.h"

const u8 arch_gdb_break[] = {0xcc};

#define DR7_ENABLE 0xffu
#define DR6_POINTS 0xfu

bool arch_gdb_translate(struct vcpu *v, u64 address, u64 *gpa)
{
    const struct guest_memory m = {v->vm->ram,
                                   v->vm->ram_gpa,
                                   v->vm->ram_bytes,
                                   virt->get(v, GUEST_CR0),
                                   virt->get(v, GUEST_CR3),
                                   virt->get(v, GUEST_CR4),
                                   virt->get(v, GUEST_EFER)};

    return guest_translate(&m, address, gpa);
}

/* Instruction fetches are coherent with stores here. */
void arch_gdb_code_changed(void *at, size_t bytes)
{
    (void)at;
    (void)bytes;
}

bool arch_gdb_own_memory(u64 address, u64 bytes)
{
    for (u64 at = address; bytes && at - address < bytes; at = (at | (PAGE_SIZE - 1)) + 1) {
        if (!paging_is_memory(at))
            return false;
    }
    return address + bytes >= address;
}

/* The hypervisor stands in the stub itself: RIP, RSP and RBP say where, for a backtrace. */
bool gdb_own_register(u32 n, void *to)
{
    u64 frame = (u64)(uintptr_t)__builtin_frame_address(0), value;

    if (n == 16) /* RIP */
        value = (u64)(uintptr_t)__builtin_return_address(0);
    else if (n == 6) /* RBP */
        value = *(const u64 *)frame;
    else if (n == 7) /* RSP */
        value = frame + 16;
    else
        return false;
    memcpy(to, &value, sizeof(value));
    return true;
}

/* ---- Debug registers ---- */

static bool guest_uses_them(const struct vm *vm)
{
    for (u32 i = 0; i < vm->nvcpus; i++) {
        const struct vcpu *v = vm->vcpus[i];
        if (v->arch.dr_used || (virt->get(v, GUEST_DR7) & DR7_ENABLE))
            return true;
    }
    return false;
}

/* Installs what vm->arch.points says in every vCPU of it. */
static void install(struct vm *vm)
{
    const struct gdb_points *p = &vm->arch.points;

    for (u32 i = 0; i < vm->nvcpus; i++) {
        struct vcpu *v = vm->vcpus[i];
        virt->set(v, GUEST_DR7, DR7_RESET | p->dr7);
        vcpu_debug_regs_borrow(v, p->dr, p->dr7 != 0);
    }
}

/* R/Wn and LENn (SDM 3, 18.2.4): reads alone cannot be watched, so they are refused. */
static bool encode(enum gdb_point kind, u64 address, u64 bytes, u64 *bits)
{
    static const u8 lengths[9] = {[1] = 0, [2] = 1, [4] = 3, [8] = 2};

    if (kind == GDB_POINT_HARDWARE) {
        *bits = 0;
        return true;
    }
    if (kind == GDB_POINT_READ || (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8) ||
        address % bytes)
        return false;
    *bits = (u64)(kind == GDB_POINT_WRITE ? 1 : 3) | (u64)lengths[bytes] << 2;
    return true;
}

bool arch_gdb_point(struct vm *vm, enum gdb_point kind, u64 address, u64 bytes, bool insert)
{
    struct gdb_points *p = &vm->arch.points;
    u64 bits;

    if (!encode(kind, address, bytes, &bits) || (!p->dr7 && guest_uses_them(vm)))
        return false;
    for (u32 i = 0; i < 4; i++) {
        u64 enabled = p->dr7 >> 2 * i & 1, has = p->dr7 >> (16 + 4 * i) & 15;
        if (insert ? enabled : !enabled || p->dr[i] != address || has != bits)
            continue;
        p->dr7 &= ~(3ull << 2 * i | 15ull << (16 + 4 * i));
        if (insert)
            p->dr7 |= 1ull << 2 * i | bits << (16 + 4 * i);
        p->dr[i] = insert ? address : 0;
        install(vm);
        return true;
    }
    return false;
}

void gdb_points_yield(struct vcpu *v)
{
    if (likely(!v->vm->arch.points.dr7))
        return;
    v->vm->arch.points = (struct gdb_points){{0}, 0};
    install(v->vm);
    say_info("gdb: vm %s uses its debug registers itself: hardware points in it are gone",
             vm_name(v->vm));
}

/* #BP comes to us from the first software breakpoint on; #DB always does. */
void arch_gdb_intercept(struct vm *vm)
{
    for (u32 i = 0; i < vm->nvcpus; i++)
        virt->trap_bp(vm->vcpus[i]);
}

void arch_gdb_step(struct vcpu *v, bool on)
{
    u64 flags = virt->get(v, GUEST_RFLAGS);

    if (on == v->arch.stepped)
        return;
    if (on)
        v->arch.own_tf = flags & RFLAGS_TF;
    v->arch.stepped = on;
    virt->set(v, GUEST_RFLAGS, on || v->arch.own_tf ? flags | RFLAGS_TF : flags & ~(u64)RFLAGS_TF);
}

/* ---- Events ---- */

bool gdb_breakpoint_exit(struct vcpu *v)
{
    u64 rip = virt->get(v, GUEST_RIP);

    return gdb_has_point(v, GDB_POINT_SOFTWARE, rip) && gdb_event(v, GDB_STOP_BREAK, 0);
}

bool gdb_debug_exit(struct vcpu *v, u64 dr6)
{
    const struct gdb_points *p = &v->vm->arch.points;

    if (unlikely(p->dr7)) {
        for (u32 i = 0; i < 4; i++) {
            if (!(dr6 >> i & 1) || !(p->dr7 >> 2 * i & 1))
                continue;
            bool data = p->dr7 >> (16 + 4 * i) & 3;
            return gdb_event(v, data ? GDB_STOP_WATCH : GDB_STOP_BREAK, p->dr[i]);
        }
    }
    if (v->arch.stepped && (dr6 & DR6_BS) && !v->arch.own_tf)
        return gdb_event(v, GDB_STOP_BREAK, 0);
    return false;
}

bool gdb_step_done(struct vcpu *v)
{
    if (likely(!v->arch.step_done))
        return false;
    v->arch.step_done = false;
    return v->arch.stepped && gdb_event(v, GDB_STOP_BREAK, 0);
}

/* ---- monitor ---- */

void arch_gdb_fp(const struct vcpu *v)
{
    const struct arch_fp *fp = &v->fp.arch;

    gdb_say("    XCR0 0x%lx, ever enabled 0x%lx, permitted 0x%lx, allocated 0x%x, gate %s\n",
            fp->xcr0, fp->enabled, fp->perm, fp->allocated, v->arch.gate_open ? "open" : "closed");
}
