/* See user_fault.h. */
#include "user.h"
#include "user_fault.h"
#include "hv/pcpu.h"

#define SYS_SIGACTION 134
#define SIGILL        4
#define SA_SIGINFO    4

/* Linux, arch/arm64/include/uapi/asm/{ucontext,sigcontext}.h: where the registers are, in words. */
#define UC_X0 23
#define UC_PC 55

#define MRS       0xd5300000u
#define MSR       0xd5100000u
#define MASK      0xfff00000u
#define NAME      0x000fffe0u
#define TPIDR_EL2 (4u << 16 | 13u << 12 | 0u << 8 | 2u << 5 | 1u << 19)

static struct {
    u32 name;
    u64 value;
} table[16];

static u64 *word(u32 name)
{
    for (u32 i = 0; i < ARRAY_SIZE(table); i++) {
        if (table[i].name == name || !table[i].name) {
            table[i].name = name;
            return &table[i].value;
        }
    }
    user_fail("more system registers than the table holds");
}

static void handler(int signal, void *info, u64 *uc)
{
    u32 code = *(const u32 *)(uintptr_t)uc[UC_PC];
    u32 rt = code & 31;

    (void)signal;
    (void)info;
    if ((code & MASK) == MRS) {
        if (rt != 31)
            uc[UC_X0 + rt] = *word(code & NAME);
    } else if ((code & MASK) == MSR) {
        *word(code & NAME) = rt == 31 ? 0 : uc[UC_X0 + rt];
    } else {
        user_fail("a fault that is none of ours");
    }
    uc[UC_PC] += 4;
}

void user_catch_faults(void)
{
    static const struct {
        void (*handler)(int signal, void *info, u64 *uc);
        u64 flags;
        void (*restorer)(void);
        u64 mask;
    } action = {handler, SA_SIGINFO, NULL, 0};

    *word(TPIDR_EL2 & NAME) = (u64)(uintptr_t)&pcpus[0];
    if (user_call(SYS_SIGACTION, SIGILL, (long)&action, 0, 8))
        user_fail("no signal handler");
}
