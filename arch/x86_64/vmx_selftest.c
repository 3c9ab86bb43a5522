/*
 * VMX's half of selftest_gate.c: a guest for one instruction, and every exit that is relied on. The
 * guest is a vCPU like any other (its controls, its gate, its shadows are made by vmx.c), but for
 * EPT: its memory is the hypervisor's own address space. Every exception exits, so whatever happens
 * comes back as an exit reason. VMMCALL ends each class, and is #UD on a CPU with VMX.
 */
#include "selftest.h"
#include "fp_hw.h"
#include "virt.h"
#include "vmx.h"
#include "arch/arch.h"
#include "hv/console.h"
#include "hv/pages.h"

#define NM          PROBE_EXCEPTION(VECTOR_NM)
#define UD          PROBE_EXCEPTION(VECTOR_UD)
#define GP          PROBE_EXCEPTION(VECTOR_GP)
#define DONE        PROBE_DONE
#define TIMER_US    20u
#define UNKNOWN_MSR 0x4b564dffu /* in no vendor's range, and in no MSR bitmap's */
#define ERROR_CODE  0x1230u

#define RIGHTS_CODE64   0xa09bu
#define RIGHTS_DATA     0xc093u
#define RIGHTS_TSS      0x008bu
#define RIGHTS_UNUSABLE 0x10000u

SELFTEST_CODE(xsave);
SELFTEST_CODE(xsetbv);
SELFTEST_CODE(read_cr0);
SELFTEST_CODE(smsw);
SELFTEST_CODE(read_cr4);
SELFTEST_CODE(write_cr0);
SELFTEST_CODE(clts);
SELFTEST_CODE(lmsw);
SELFTEST_CODE(write_cr4);
SELFTEST_CODE(cr8);
SELFTEST_CODE(dr);
SELFTEST_CODE(cpuid);
SELFTEST_CODE(rdmsr);
SELFTEST_CODE(wrmsr);
SELFTEST_CODE(hlt);
SELFTEST_CODE(vmcall);
SELFTEST_CODE(vmxoff);
SELFTEST_CODE(rdpmc);
SELFTEST_CODE(rdtscp);
SELFTEST_CODE(monitor);
SELFTEST_CODE(mwait);
SELFTEST_CODE(io);
SELFTEST_CODE(spin);

/* Writes of a control register are of a value that changes a bit the guest does not own. */
static const struct gate_class intercepts[] = {
    {"write-cr0", selftest_write_cr0, REASON_CR, 0, DONE, 0, NEED_NOTHING, ESCAPE_STOP},
    {"clts", selftest_clts, REASON_CR, 0, DONE, 0, NEED_NOTHING, ESCAPE_STOP},
    {"lmsw", selftest_lmsw, REASON_CR, 0, DONE, 0, NEED_NOTHING, ESCAPE_STOP},
    {"write-cr4", selftest_write_cr4, REASON_CR, 0, DONE, CR4_OSXSAVE, NEED_XSAVE, ESCAPE_STOP},
    {"write-cr4-hidden", selftest_write_cr4, REASON_CR, 0, REASON_CR, CR4_VMXE, NEED_NOTHING,
     ESCAPE_STOP},
    {"cr8", selftest_cr8, REASON_CR, 0, REASON_CR, 0, NEED_NOTHING, ESCAPE_STOP},
    {"debug-register", selftest_dr, REASON_DR, 0, REASON_DR, 0, NEED_NOTHING, ESCAPE_STOP},
    {"cpuid", selftest_cpuid, REASON_CPUID, 0, REASON_CPUID, 0, NEED_NOTHING, ESCAPE_STOP},
    {"xsetbv", selftest_xsetbv, UD, REASON_XSETBV, REASON_XSETBV, 0, NEED_XSAVE, ESCAPE_STOP},
    {"rdmsr", selftest_rdmsr, REASON_RDMSR, 0, REASON_RDMSR, UNKNOWN_MSR, NEED_NOTHING,
     ESCAPE_STOP},
    {"rdmsr-bitmap", selftest_rdmsr, REASON_RDMSR, 0, REASON_RDMSR, MSR_EFER, NEED_NOTHING,
     ESCAPE_STOP},
    {"rdmsr-own", selftest_rdmsr, DONE, 0, DONE, MSR_GS_BASE, NEED_NOTHING, ESCAPE_STOP},
    {"wrmsr", selftest_wrmsr, REASON_WRMSR, 0, REASON_WRMSR, UNKNOWN_MSR, NEED_NOTHING,
     ESCAPE_STOP},
    {"wrmsr-bitmap", selftest_wrmsr, REASON_WRMSR, 0, REASON_WRMSR, MSR_STAR, NEED_NOTHING,
     ESCAPE_STOP},
    {"hlt", selftest_hlt, REASON_HLT, 0, REASON_HLT, 0, NEED_NOTHING, ESCAPE_STOP},
    {"io", selftest_io, REASON_IO, 0, REASON_IO, 0, NEED_NOTHING, ESCAPE_STOP},
    {"vmcall", selftest_vmcall, REASON_VMCALL, 0, REASON_VMCALL, 0, NEED_NOTHING, ESCAPE_STOP},
    {"vmxoff", selftest_vmxoff, REASON_VMXOFF, 0, REASON_VMXOFF, 0, NEED_NOTHING, ESCAPE_STOP},
    {"rdpmc", selftest_rdpmc, REASON_RDPMC, 0, REASON_RDPMC, 0, NEED_NOTHING, ESCAPE_STOP},
    {"rdtscp", selftest_rdtscp, UD, 0, UD, 0, NEED_NOTHING, ESCAPE_STOP},
    {"monitor", selftest_monitor, REASON_MONITOR, UD, REASON_MONITOR, 0, NEED_MWAIT, ESCAPE_STOP},
    {"mwait", selftest_mwait, REASON_MWAIT, UD, REASON_MWAIT, 0, NEED_MWAIT, ESCAPE_STOP},
};

/* Exits after which the hypervisor goes on behind the instruction, whose length VMX has to tell. */
#define TELLS_LENGTH                                                                               \
    (BIT(REASON_CPUID) | BIT(REASON_HLT) | BIT(REASON_VMCALL) | BIT(REASON_CR) | BIT(REASON_IO) |  \
     BIT(REASON_RDMSR) | BIT(REASON_WRMSR) | BIT(REASON_XSETBV))

static struct vm vm;
static struct vcpu guest;
static const char *length_wrong; /* the class whose length was not as its bytes are */
static u64 probe_rflags = RFLAGS_FIXED;

static void segment(unsigned n, u16 selector, u32 rights, u32 limit, u64 base)
{
    vmwrite((enum vmcs_field)(GUEST_ES + 2 * n), selector);
    vmwrite((enum vmcs_field)(GUEST_ES_RIGHTS + 2 * n), rights);
    vmwrite((enum vmcs_field)(GUEST_ES_LIMIT + 2 * n), limit);
    vmwrite((enum vmcs_field)(GUEST_ES_BASE + 2 * n), base);
}

/* False: no memory. */
static bool guest_make(struct pcpu *cpu)
{
    vm.arch.npt = pages_alloc(1, PAGE_SIZE, PAGES_HYPERVISOR); /* EPT that maps nothing */
    vm.arch.cr4_offered = read_cr4() & ~(u64)(CR4_VMXE | CR4_MCE);
    guest.vm = &vm;
    guest.pcpu = cpu;
    if (!vm.arch.npt || !virt->vcpu_init(&guest))
        return false;
    virt->vcpu_reset(&guest, ENTRY_PVH, 0);
    for (unsigned i = SEG_ES; i <= SEG_DS; i++)
        segment(i, SELECTOR_DATA, RIGHTS_DATA, 0xffffffff, 0);
    segment(SEG_CS, SELECTOR_CODE, RIGHTS_CODE64, 0xffffffff, 0);
    segment(SEG_FS, 0, RIGHTS_UNUSABLE, 0, 0);
    segment(SEG_GS, 0, RIGHTS_UNUSABLE, 0, 0);
    segment(SEG_LDTR, 0, RIGHTS_UNUSABLE, 0, 0);
    segment(SEG_TR, SELECTOR_TSS, RIGHTS_TSS, 0x67, vmread(HOST_TR_BASE));
    vmwrite(GUEST_IDTR_LIMIT, 0); /* what is delivered and not intercepted does not get far */
    vmwrite(SECONDARY_CONTROLS, vmx_controls.secondary & ~(u32)SECONDARY_EPT_UNRESTRICTED);
    virt->set(&guest, GUEST_CR3, read_cr3());
    virt->set(&guest, GUEST_EFER, rdmsr(MSR_EFER));
    virt->set(&guest, GUEST_PAT, rdmsr(MSR_PAT));
    return true;
}

static void guest_free(void)
{
    virt->vcpu_free(&guest);
    if (vm.arch.npt)
        pages_free(vm.arch.npt, 1, PAGES_HYPERVISOR);
    vm.arch.npt = NULL;
}

/* The guest's own CR0 and CR4: what it reads whatever the gate does. */
static u64 own_cr0(const struct gate_class *class)
{
    return (HOST_CR0 & ~(u64)CR0_TS) | (class->code == selftest_clts ? CR0_TS : 0);
}

static u64 own_cr4(void)
{
    return read_cr4() & vm.arch.cr4_offered;
}

static u64 rax_for(struct pcpu *cpu, const struct gate_class *class)
{
    if (class->code == selftest_write_cr0 || class->code == selftest_lmsw)
        return own_cr0(class) | CR0_TS;
    if (class->code == selftest_write_cr4)
        return own_cr4() ^ class->rcx;
    return class->code == selftest_xsetbv ? cpu->arch.xcr0 : 0;
}

static u32 outcome(u64 reason, const struct gate_class *class, u64 rip)
{
    static const u8 vmmcall[] = {0x0f, 0x01, 0xd9};
    const u8 *at = (const u8 *)(uintptr_t)rip;

    if (reason & REASON_ENTRY_FAILED)
        return PROBE_REFUSED;
    if (reason != REASON_EXCEPTION) {
        if (reason < 64 && (TELLS_LENGTH >> reason & 1) &&
            memcmp(at + vmread(EXIT_INSTRUCTION_LENGTH), vmmcall, sizeof(vmmcall)) != 0)
            length_wrong = class->name;
        return (u32)reason;
    }
    u32 vector = (u32)vmread(EXIT_EVENT) & VMX_EVENT_VECTOR;
    if (vector == VECTOR_UD && at != class->code && memcmp(at, vmmcall, sizeof(vmmcall)) == 0)
        return PROBE_DONE;
    return PROBE_EXCEPTION(vector);
}

u32 vmx_probe(struct pcpu *cpu, const struct gate_class *class, enum probe_gate gate,
              bool *at_itself)
{
    u64 code = (u64)(uintptr_t) class->code;

    vmx_select(&guest);
    selftest_fresh_buffer();
    memset(guest.arch.regs, 0, sizeof(guest.arch.regs));
    guest.arch.regs[RDI] = (u64)(uintptr_t)selftest_buffer;
    guest.arch.regs[RCX] = class->rcx;
    guest.arch.regs[RAX] = rax_for(cpu, class);
    guest.arch.gate_open = gate == GATE_OPEN;
    virt->set(&guest, GUEST_CR0, own_cr0(class));
    virt->set(&guest, GUEST_CR4, own_cr4());
    if (gate == GATE_TS_ONLY)
        vmwrite(VMCS_GUEST_CR4, vmread(VMCS_GUEST_CR4) | CR4_OSXSAVE);
    vmwrite(VMCS_GUEST_RSP, (u64)(uintptr_t)(selftest_buffer + SELFTEST_BUFFER));
    vmwrite(VMCS_GUEST_RIP, code);
    vmwrite(VMCS_GUEST_RFLAGS, probe_rflags);
    vmwrite(GUEST_INTERRUPTIBILITY, 0);
    vmwrite(PENDING_DEBUG, 0);
    if (!vmx_enter(&guest.arch))
        return PROBE_REFUSED;
    u64 rip = vmread(VMCS_GUEST_RIP);
    *at_itself = rip == code;
    return outcome(vmread(EXIT_REASON), class, rip);
}

static u32 probe(struct pcpu *cpu, const struct gate_class *class)
{
    bool at_itself;

    return vmx_probe(cpu, class, GATE_OPEN, &at_itself);
}

/* Behind the closed gate the guest reads its own CR0 and CR4, without an exit. */
static bool check_shadows(struct pcpu *cpu, char *why, size_t n)
{
    static const struct gate_class reads[] = {
        {"read-cr0", selftest_read_cr0, DONE, 0, DONE, 0, NEED_NOTHING, ESCAPE_STOP},
        {"smsw", selftest_smsw, DONE, 0, DONE, 0, NEED_NOTHING, ESCAPE_STOP},
        {"read-cr4", selftest_read_cr4, DONE, 0, DONE, 0, NEED_NOTHING, ESCAPE_STOP},
    };
    const u64 masks[] = {~0ull, 0xffff, ~0ull};
    const u64 values[] = {own_cr0(&reads[0]), own_cr0(&reads[1]), own_cr4()};
    bool at_itself;

    for (size_t i = 0; i < ARRAY_SIZE(reads); i++) {
        u32 got = vmx_probe(cpu, &reads[i], GATE_CLOSED, &at_itself);
        u64 value = guest.arch.regs[RAX] & masks[i], want = values[i] & masks[i];
        if (got == DONE && value == want)
            continue;
        format_text(why, n,
                    "%s shows a guest what the gate put there (expected 0x%lx, got 0x%lx); it "
                    "cannot be hidden on this CPU",
                    reads[i].name, want, value);
        return false;
    }
    return true;
}

/* The timers are set to TIMER_US; a guest that nothing ends spins for some times as long. */
static u64 timer_ticks(void)
{
    return tsc_hz * TIMER_US / 1000000;
}

static u32 spin(struct pcpu *cpu)
{
    const struct gate_class class = {
        .name = "spin", .code = selftest_spin, .rcx = (u32)(5 * timer_ticks())};

    return probe(cpu, &class);
}

/* Runs a guest that spins with this RFLAGS, with the APIC's timer set: did that end it? */
static u32 spin_until_interrupt(struct pcpu *cpu, u64 rflags)
{
    probe_rflags = rflags;
    arch_timer_set(cpu, timer_ticks());
    u32 got = spin(cpu);
    probe_rflags = RFLAGS_FIXED;
    __asm__ volatile("sti; nop; cli" ::: "memory");
    return got;
}

/* The same with the VMX-preemption timer alone. */
static u32 spin_until_timer(struct pcpu *cpu)
{
    if (!vmx_controls.timer)
        return DONE;
    vmwrite(PIN_CONTROLS, vmx_controls.pin | BIT(PIN_TIMER_BIT));
    vmwrite(PREEMPTION_TIMER, timer_ticks() >> vmx_controls.timer_shift);
    u32 got = spin(cpu);
    vmwrite(PIN_CONTROLS, vmx_controls.pin);
    return got;
}

/*
 * An interrupt ends the run of a guest, whose own IF has no say in it (SDM 3, 26.2): without that
 * the first endless loop of a guest would be the last thing this machine does.
 */
static bool check_timer(struct pcpu *cpu, char *why, size_t n)
{
    u32 got = spin_until_interrupt(cpu, RFLAGS_FIXED);

    if (got != REASON_INTERRUPT) {
        bool timer = spin_until_timer(cpu) == REASON_PREEMPTION_TIMER;
        selftest_erratum("intr-if",
                         "expected exit 0x1 from a guest with RFLAGS.IF = 0 when the timer fires, "
                         "got none; %s",
                         timer ? "the VMX-preemption timer ends its quantum"
                               : "it is preempted only when it exits for something else");
        vmx_preemption = timer ? VMX_BY_TIMER : VMX_BY_EXITS;
        got = spin_until_interrupt(cpu, RFLAGS_FIXED | RFLAGS_IF);
    }
    if (got != REASON_INTERRUPT || !cpu->arch.timer_fired) {
        format_text(why, n,
                    "the timer does not end the run of a guest (expected exit 0x1, got 0x%x); "
                    "without preemption guests cannot share this CPU",
                    got);
        return false;
    }
    cpu->arch.timer_fired = false;
    return true;
}

/* A guest that leaves its memory, one whose exceptions go nowhere, and an event cut short. */
static bool check_events(struct pcpu *cpu, char *why, size_t n)
{
    static const struct gate_class ud = {"rdtscp", selftest_rdtscp, UD,         0, UD,
                                         0,        NEED_NOTHING,    ESCAPE_STOP};

    virt->inject(&guest, VECTOR_GP, true, ERROR_CODE);
    u32 event = probe(cpu, &ud);
    u64 vectoring = vmread(IDT_VECTORING), error = vmread(IDT_VECTORING_ERROR);
    vmwrite(EXCEPTION_BITMAP, 0);
    u32 triple = probe(cpu, &ud);
    vmwrite(EXCEPTION_BITMAP, ~0u);
    vmwrite(SECONDARY_CONTROLS, vmx_controls.secondary);
    u32 ept = probe(cpu, &ud);

    if (event == GP && (vectoring & ~(u64)VMX_EVENT_RESERVED) == 0x80000b0d &&
        error == ERROR_CODE && triple == REASON_TRIPLE_FAULT && ept == REASON_EPT_VIOLATION)
        return true;
    format_text(
        why, n,
        "exits for events are not what they should be (injected #GP: 0x%x, vectoring 0x%lx, "
        "error 0x%lx; triple fault: 0x%x; EPT violation: 0x%x); guests cannot be held on "
        "this CPU",
        event, vectoring, error, triple, ept);
    return false;
}

/* The gate does not lean on it: said, so that nobody leans on it later. */
static void note_errata(struct pcpu *cpu)
{
    static const struct gate_class xsave = {"xsave-ts", selftest_xsave, NM,         0, DONE,
                                            0,          NEED_XSAVE,     ESCAPE_NOTE};
    bool at_itself;
    char had[24];

    if (!cpu_has.xsave)
        return;
    u32 got = vmx_probe(cpu, &xsave, GATE_TS_ONLY, &at_itself);
    if (got != NM)
        selftest_erratum(xsave.name,
                         "expected #NM for XSAVE with CR0.TS = 1, got %s; CR4.OSXSAVE closes it",
                         selftest_outcome(got, had, sizeof(had)));
}

static bool check_all(struct pcpu *cpu, u32 *ran, char *why, size_t n)
{
    vmwrite(EXCEPTION_BITMAP, ~0u);
    if (!selftest_gate(cpu, ran, why, n) ||
        !selftest_classes(cpu, intercepts, ARRAY_SIZE(intercepts), ran, why, n) ||
        !check_shadows(cpu, why, n) || !check_timer(cpu, why, n))
        return false;
    if (length_wrong) {
        format_text(why, n,
                    "the exit of %s tells a wrong instruction length; guests cannot be resumed on "
                    "this CPU",
                    length_wrong);
        return false;
    }
    note_errata(cpu);
    return check_events(cpu, why, n);
}

bool vmx_selftest(struct pcpu *cpu, char *why, size_t n)
{
    u32 ran = 6; /* shadows, events */
    bool good = guest_make(cpu);

    vmx_report_missing();
    if (!good)
        format_text(why, n, "no memory for the self-test; give the machine more");
    else if ((good = check_all(cpu, &ran, why, n)))
        say_info("selftest: %u instruction classes against the closed and the open gate", ran);
    guest_free();
    return good;
}
