/*
 * Single-step and breakpoints. An instruction that a hypervisor does on the guest's behalf has to
 * raise the same #DB as one the CPU does, and DR0 to DR3 are switched like everything else.
 */
#include "guest/x86_64/scenarios.h"
#include "guest/x86_64/stubs.h"
#include "hv/abi.h"

#define VECTOR_DB 1
#define DR6_B0    BIT(0)
#define DR6_BS    BIT(14)
#define DR7_L0    BIT(0)
#define YIELDS    40
#define LOOKS     300

#define STEP(name)                                                                                 \
    void step_##name(void *arg);                                                                   \
    extern const u8 step_##name##_next[]
STEP(nop);
STEP(cpuid);
STEP(rdmsr);
STEP(in);
STEP(out);
STEP(read_cr0);
STEP(read_cr4);
STEP(write_cr0);
STEP(write_cr4);
STEP(wbinvd);
STEP(vmmcall);
STEP(fld1);
STEP(sti);
void debug_break(void *arg);
extern const u8 debug_here[];

static u64 dr6_take(void)
{
    u64 value;

    __asm__ volatile("mov %%dr6, %0" : "=r"(value));
    __asm__ volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ull));
    return value;
}

static u64 read_cr(bool four)
{
    u64 value;

    if (four)
        __asm__ volatile("mov %%cr4, %0" : "=r"(value));
    else
        __asm__ volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}

static void steps(void)
{
    const u64 cr0 = read_cr(false), cr4 = read_cr(true);
    const struct {
        const char *name;
        stub_fn stub;
        const u8 *next;
        u64 value;
        u32 index;
    } cases[] = {
        {"NOP", step_nop, step_nop_next, 0, 0},
        {"CPUID", step_cpuid, step_cpuid_next, 0, 0},
        {"RDMSR", step_rdmsr, step_rdmsr_next, 0, 0x1b},
        {"IN", step_in, step_in_next, 0, 0x3fd},
        {"OUT", step_out, step_out_next, 0, 0x80},
        {"MOV from CR0", step_read_cr0, step_read_cr0_next, 0, 0},
        {"MOV from CR4", step_read_cr4, step_read_cr4_next, 0, 0},
        {"MOV to CR0", step_write_cr0, step_write_cr0_next, cr0, 0},
        {"MOV to CR4", step_write_cr4, step_write_cr4_next, cr4, 0},
        {"WBINVD", step_wbinvd, step_wbinvd_next, 0, 0},
        {"FLD1", step_fld1, step_fld1_next, 0, 0},
        /* Not on a bare machine, where there is no hypervisor, but are interrupts. */
        {"STI", step_sti, step_sti_next, 0, 0},
        {"a hypercall", step_vmmcall, step_vmmcall_next, FERMATA_HC_VERSION, 0},
    };

    for (u32 i = 0; i < ARRAY_SIZE(cases) - (on_fermata ? 0 : 2); i++) {
        scratch.value = cases[i].value;
        scratch.index = cases[i].index;
        dr6_take();
        try_stub(cases[i].stub, &scratch);
        __asm__ volatile("cli");
        const bool there = fault_is(VECTOR_DB, cases[i].next);
        ok(there && (dr6_take() & DR6_BS), "#DB right behind %s when single-stepped",
           cases[i].name);
    }
}

static void breakpoint(void)
{
    __asm__ volatile("mov %0, %%dr0" : : "r"(debug_here));
    __asm__ volatile("mov %0, %%dr7" : : "r"(0x400 | DR7_L0));
    dr6_take();
    for (u32 i = 0; i < YIELDS; i++)
        yield();
    try_stub(debug_break, &scratch);
    const bool there = fault_is(VECTOR_DB, debug_here);
    __asm__ volatile("mov %0, %%dr7" : : "r"(0x400ull));
    ok(there && (dr6_take() & DR6_B0), "a breakpoint in DR0 still works after others have run");
    try_stub(debug_break, &scratch);
    ok(fault_is(NO_FAULT, NULL), "and is gone with DR7.L0");
}

/*
 * Beside a VM that runs the scenario above: DR7 is ours and enabled, DR0 was never written and so
 * is 0. Should the neighbour's DR0 be in the CPU still, its address (the same program's) stops us.
 */
void scenario_debug_neighbour(void)
{
    u32 hits = 0;

    __asm__ volatile("mov %0, %%dr7" : : "r"(0x400 | DR7_L0));
    for (u32 i = 0; i < LOOKS; i++) {
        yield();
        try_stub(debug_break, &scratch);
        hits += !fault_is(NO_FAULT, NULL);
    }
    __asm__ volatile("mov %0, %%dr7" : : "r"(0x400ull));
    ok(hits == 0, "no breakpoint of another VM stops this one (%u of %u)", hits, LOOKS);
}

void scenario_debug(void)
{
    steps();
    breakpoint();
}
