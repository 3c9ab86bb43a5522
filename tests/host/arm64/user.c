/* See user.h. */
#include "user.h"
#include "hv/console.h"

#define SYS_WRITE     64
#define SYS_EXIT      93
#define SYS_PRCTL     167
#define PR_SVE_SET_VL 50
#define PR_SME_SET_VL 63
#define PR_SVE_VL_LEN 0xffff

#define FPSR_BITS 0x0800009f /* QC, the cumulative exceptions */
#define FPCR_BITS 0x07c00000 /* AHP, DN, FZ, RMode */

u32 user_vl;
static u64 seed = 20260729;

u64 user_random(void)
{
    u64 z = seed += 0x9e3779b97f4a7c15ull;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

void user_print(const char *fmt, ...)
{
    char text[200];
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
    va_list args;
    char text[200];

    va_start(args, fmt);
    format_text_v(text, sizeof(text), fmt, args);
    user_fail(text);
}

bool user_set_vl(u32 bytes)
{
    long set = user_call(SYS_PRCTL, PR_SVE_SET_VL, bytes, 0, 0);

    user_vl = (u32)(set & PR_SVE_VL_LEN);
    return set >= 0 && user_vl == bytes;
}

bool user_set_svl(u32 bytes)
{
    long set = user_call(SYS_PRCTL, PR_SME_SET_VL, bytes, 0, 0);

    return set >= 0 && ((u32)set & PR_SVE_VL_LEN) == bytes;
}

size_t regs_bytes(void)
{
    return 16 + 32 * user_vl + 17 * (user_vl / 8);
}

u8 *z_of(struct regs *r, u32 n)
{
    return r->bytes + n * user_vl;
}

u8 *p_of(struct regs *r, u32 n)
{
    return r->bytes + 32 * user_vl + n * (user_vl / 8);
}

/* FFR must be what a first-fault load leaves: ones up to some element, then zeros. */
static void random_ffr(struct regs *r)
{
    u32 ones = (u32)(user_random() % (user_vl + 1));

    memset(p_of(r, 16), 0, user_vl / 8);
    for (u32 i = 0; i < ones; i++)
        p_of(r, 16)[i / 8] |= (u8)(1u << (i % 8));
}

void randomise(struct regs *r)
{
    for (size_t i = 0; i < sizeof(r->bytes); i++)
        r->bytes[i] = (u8)user_random();
    random_ffr(r);
    r->fpsr = user_random() & FPSR_BITS;
    r->fpcr = user_random() & FPCR_BITS;
}

void clear_uppers(struct regs *r)
{
    for (u32 n = 0; n < 32; n++)
        memset(z_of(r, n) + 16, 0, user_vl - 16);
    memset(p_of(r, 0), 0, 17 * (user_vl / 8));
}
