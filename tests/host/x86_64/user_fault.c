/* Does in user mode what CLTS, MOV CR0 and XSETBV do: each faults, and is done by hand. */
#include "user.h"
#include "hv/console.h"

#define SYS_WRITE     1
#define SYS_SIGACTION 13
#define SYS_EXIT      60
#define SIGTRAP       5
#define SIGSEGV       11
#define SA_FLAGS      0x04000004 /* SA_SIGINFO, SA_RESTORER */

/* Linux, arch/x86/include/uapi/asm/{ucontext,sigcontext}.h: where the registers are, in words. */
#define UC_RSI 14
#define UC_RDX 17
#define UC_RAX 18
#define UC_RCX 19
#define UC_RIP 21

/* Pages of the movers may be written: their privileged instructions become no operation. */
#define SYS_MPROTECT 10
#define PROT_ALL     7

bool user_masks_checked;

u64 user_cr0 = 8;
u64 user_xcr0 = 1;
u64 user_xfd, user_xfd_err;
u32 user_xsetbvs;

/* The two MSRs the FP code knows here. */
static u64 *msr(u64 number)
{
    if (number != 0x1c4 && number != 0x1c5)
        user_fail("an MSR that is none of ours");
    return number == 0x1c4 ? &user_xfd : &user_xfd_err;
}

void user_print(const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    int n = format_text_v(text, sizeof(text), fmt, args);
    va_end(args);
    user_call(SYS_WRITE, 1, (long)text, n, 0);
}

void user_fail(const char *what)
{
    user_print("Bail out! %s\n", what);
    user_call(SYS_EXIT, 2, 0, 0, 0);
    for (;;)
        ;
}

void panic(const char *fmt, ...)
{
    user_fail(fmt);
}

void user_patch(void *first, size_t n)
{
    u8 *code = first;
    u64 page = (u64)(uintptr_t)code & PAGE_MASK;

    if (user_call(SYS_MPROTECT, (long)page, (long)((u64)(uintptr_t)code + n - page), PROT_ALL, 0))
        user_fail("the movers cannot be patched");
    for (size_t i = 0; i + 2 < n; i++) {
        if (code[i] == 0x0f && code[i + 1] == 0x06)
            memcpy(code + i, "\x66\x90", 2);
        else if (code[i] == 0x0f && (code[i + 1] == 0x20 || code[i + 1] == 0x22) &&
                 code[i + 2] == 0xc0)
            memcpy(code + i, "\x0f\x1f\x00", 3);
    }
}

static void handler(int signal, void *info, u64 *uc)
{
    const u8 *at = (const u8 *)(uintptr_t)uc[UC_RIP];

    (void)signal;
    (void)info;
    if (at[0] == 0x0f && at[1] == 0x06) { /* CLTS */
        /* Every mover begins so, with the mask in ESI: XCR0 must have all of it. */
        if (user_masks_checked && ((u32)uc[UC_RSI] & ~user_xcr0))
            user_fail("a mover is asked for what XCR0 does not enable");
        user_cr0 &= ~8ull;
        uc[UC_RIP] += 2;
    } else if (at[0] == 0x0f && at[1] == 0x20 && at[2] == 0xc0) { /* MOV CR0, RAX */
        uc[UC_RAX] = user_cr0;
        uc[UC_RIP] += 3;
    } else if (at[0] == 0x0f && at[1] == 0x22 && at[2] == 0xc0) {
        user_cr0 = uc[UC_RAX];
        uc[UC_RIP] += 3;
    } else if (at[0] == 0x0f && at[1] == 0x01 && at[2] == 0xd1) { /* XSETBV */
        user_xcr0 = uc[UC_RDX] << 32 | (u32)uc[UC_RAX];
        user_xsetbvs++;
        uc[UC_RIP] += 3;
    } else if (at[0] == 0x0f && at[1] == 0x30) { /* WRMSR */
        *msr((u32)uc[UC_RCX]) = uc[UC_RDX] << 32 | (u32)uc[UC_RAX];
        uc[UC_RIP] += 2;
    } else if (at[0] == 0x0f && at[1] == 0x32) { /* RDMSR */
        u64 value = *msr((u32)uc[UC_RCX]);
        uc[UC_RAX] = (u32)value;
        uc[UC_RDX] = value >> 32;
        uc[UC_RIP] += 2;
    } else {
        user_fail("a fault that is none of ours");
    }
}

/* What copies and clears bytes is counted apart; they lie together (hv/string.c). */
u32 user_steps, user_copy_steps;

static bool copies(u64 rip)
{
    static const void *const functions[] = {(void *)memcpy, (void *)memmove, (void *)memset};

    for (u32 i = 0; i < ARRAY_SIZE(functions); i++) {
        if (rip - (u64)(uintptr_t)functions[i] < 0xb0)
            return true;
    }
    return false;
}

static void step(int signal, void *info, const u64 *uc)
{
    (void)signal;
    (void)info;
    if (copies(uc[UC_RIP]))
        user_copy_steps++;
    else
        user_steps++;
}

void user_step(bool on)
{
    static const struct {
        void (*handler)(int signal, void *info, const u64 *uc);
        u64 flags;
        void (*restorer)(void);
        u64 mask;
    } action = {step, SA_FLAGS, user_restorer, 0};

    if (user_call(SYS_SIGACTION, SIGTRAP, (long)&action, 0, 8))
        user_fail("no signal handler");
    if (on)
        __asm__ volatile("pushf; orl $0x100, (%%rsp); popf" ::: "memory", "cc");
    else
        __asm__ volatile("pushf; andl $~0x100, (%%rsp); popf" ::: "memory", "cc");
}

void user_catch_faults(void)
{
    static const struct {
        void (*handler)(int signal, void *info, u64 *uc);
        u64 flags;
        void (*restorer)(void);
        u64 mask;
    } action = {handler, SA_FLAGS, user_restorer, 0};

    if (user_call(SYS_SIGACTION, SIGSEGV, (long)&action, 0, 8))
        user_fail("no signal handler");
}
