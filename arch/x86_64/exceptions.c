/*
 * The hypervisor's own exceptions. All but two are the end: registers, backtrace, stop.
 *
 * #DB can only be a guest's single-step trap that the CPU let through the exit (Bochs 3.0 does):
 * the hypervisor sets no breakpoint, so it returns.
 *
 * NMI is counted and returns. It can strike anywhere but between CLGI and STGI: there the guest's
 * FS, GS, TR and syscall MSRs are still in the CPU, and an IST stack taken from a guest's TSS would
 * be the guest's to choose. Everywhere else, a guest's XCR0 or PKRU may be live (BUGS 12, 13):
 * handlers are compiled without vector registers and touch no user page, so neither can reach them.
 */
#include "exceptions.h"
#include "cpu.h"
#include "stacks.h"
#include "arch/arch.h"
#include "hv/console.h"
#include "hv/panic.h"

struct exception_frame {
    u64 rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
    u64 vector, error;
    u64 rip, cs, rflags, rsp, ss;
};

struct gate {
    u16 offset_low, selector;
    u8 ist, type;
    u16 offset_mid;
    u32 offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "IDT gate in long mode, APM 2, 4.8.4");

struct PACKED tss {
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3, io_map;
};
_Static_assert(sizeof(struct tss) == 104, "64-bit TSS, APM 2, 12.2.5");

struct PACKED table_register {
    u16 limit;
    u64 base;
};

extern const u8 exceptions_probe_faulted[];
extern const u8 exception_stubs[], timer_entry[], stray_entry[], spurious_entry[];
void gdt_activate(const struct table_register *gdtr, const struct table_register *idtr);
NORETURN void stack_switch(struct pcpu *cpu, u64 top);
struct exception_frame *exception_handle(struct exception_frame *frame); /* called by vectors.S */

struct stack stacks[STACKS];
volatile u32 nmi_count;

static const void *expected;
static struct gate idt[256];
static struct tss tss;
static u64 gdt[5];

static const char *const names[32] = {
    "#DE", "#DB", "NMI", "#BP", "#OF",        "#BR",        "#UD",       "#NM", "#DF",
    "9",   "#TS", "#NP", "#SS", "#GP",        "#PF",        "15",        "#MF", "#AC",
    "#MC", "#XF", "20",  "#CP", [28] = "#HV", [29] = "#VC", [30] = "#SX"};

static void set_gate(unsigned vector, const u8 *handler, u8 ist)
{
    u64 offset = (u64)(uintptr_t)handler;

    idt[vector] = (struct gate){
        .offset_low = (u16)offset,
        .selector = SELECTOR_CODE,
        .ist = ist,
        .type = 0x8e, /* present, interrupt gate: IF stays off */
        .offset_mid = (u16)(offset >> 16),
        .offset_high = (u32)(offset >> 32),
    };
}

static void set_tss_descriptor(void)
{
    u64 base = (u64)(uintptr_t)&tss;
    u64 limit = sizeof(tss) - 1;

    gdt[3] = limit | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    gdt[4] = base >> 32;
}

void exceptions_init(void)
{
    gdt[1] = 0x00af9b000000ffff; /* code, 64 bit */
    gdt[2] = 0x00cf93000000ffff; /* data */
    set_tss_descriptor();
    tss.ist[0] = stack_top(STACK_DF);
    tss.ist[1] = stack_top(STACK_NMI);
    tss.ist[2] = stack_top(STACK_MC);
    tss.io_map = sizeof(tss);

    for (unsigned i = 0; i < 32; i++)
        set_gate(i, exception_stubs + 16 * i, 0);
    idt[VECTOR_DF].ist = 1;
    idt[VECTOR_NMI].ist = 2;
    idt[VECTOR_MC].ist = 3;
    for (unsigned i = 32; i < 256; i++)
        set_gate(i, stray_entry, 0);
    set_gate(VECTOR_TIMER, timer_entry, 0);
    set_gate(VECTOR_SPURIOUS, spurious_entry, 0);

    const struct table_register gdtr = {sizeof(gdt) - 1, (u64)(uintptr_t)gdt};
    const struct table_register idtr = {sizeof(idt) - 1, (u64)(uintptr_t)idt};
    gdt_activate(&gdtr, &idtr);
}

/* Says which stack ran over if the fault is in a guard page, else what CR2 says. */
static void describe_fault(u64 address, char *to, size_t n)
{
    for (unsigned i = 0; i < STACKS; i++) {
        u64 guard = (u64)(uintptr_t)stacks[i].guard;
        if (address >= guard && address < guard + PAGE_SIZE) {
            format_text(to, n, " (stack %u ran over)", i);
            return;
        }
    }
    format_text(to, n, address < PAGE_SIZE ? " (null pointer)" : "");
}

void exceptions_expect(const void *at)
{
    expected = at;
}

struct exception_frame *exception_handle(struct exception_frame *f)
{
    /* static: the stack may be what broke, and a second exception ends in panic's own guard */
    static char text[1024];
    char where[40] = "";
    const char *name = f->vector < 32 && names[f->vector] ? names[f->vector] : "exception";
    u64 cr2 = read_cr2();

    if (f->vector == VECTOR_NMI) {
        nmi_count++;
        return f;
    }
    if (f->vector == VECTOR_DB)
        return f;
    if ((f->vector == VECTOR_PF && f->rip == (u64)(uintptr_t)exceptions_probe_store) ||
        (expected && f->rip == (u64)(uintptr_t)expected)) {
        f->rip = (u64)(uintptr_t)exceptions_probe_faulted;
        return f;
    }
    if (f->vector == VECTOR_PF || f->vector == VECTOR_DF)
        describe_fault(cr2, where, sizeof(where));
    format_text(text, sizeof(text),
                "fermata: RIP %016lx CS %04lx RFLAGS %08lx RSP %016lx SS %04lx\n"
                "fermata: RAX %016lx RCX %016lx RDX %016lx RBX %016lx\n"
                "fermata: RBP %016lx RSI %016lx RDI %016lx R8  %016lx\n"
                "fermata: R9  %016lx R10 %016lx R11 %016lx R12 %016lx\n"
                "fermata: R13 %016lx R14 %016lx R15 %016lx\n"
                "fermata: CR0 %08lx CR2 %016lx CR3 %016lx CR4 %08lx\n",
                f->rip, f->cs, f->rflags, f->rsp, f->ss, f->rax, f->rcx, f->rdx, f->rbx, f->rbp,
                f->rsi, f->rdi, f->r8, f->r9, f->r10, f->r11, f->r12, f->r13, f->r14, f->r15,
                read_cr0(), cr2, read_cr3(), read_cr4());
    panic_exception(f->rip, f->rbp, text, "%s (vector %lu, error %lx, CR2 %lx%s) in the hypervisor",
                    name, f->vector, f->error, cr2, where);
}

NORETURN void arch_stack_switch(struct pcpu *cpu)
{
    stack_switch(cpu, stack_top(STACK_MAIN));
}
