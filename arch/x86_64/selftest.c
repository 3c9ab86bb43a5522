/*
 * Boot proves the machine before trusting it: the movers in selftest_fp.c and selftest_amx.c, the
 * gate and the intercepts in svm_selftest.c. What a CPU or an emulator does wrong is said in one
 * line with what becomes of it; what cannot be lived with stops the boot.
 */
#include "selftest.h"
#include "cpu.h"
#include "exceptions.h"
#include "fp_hw.h"
#include "paging.h"
#include "virt.h"
#include "xstate_layout.h"
#include "arch/arch.h"
#include "hv/console.h"
#include "hv/pages.h"

static u32 errata;

void selftest_erratum(const char *id, const char *fmt, ...)
{
    char text[200];
    va_list args;

    va_start(args, fmt);
    format_text_v(text, sizeof(text), fmt, args);
    va_end(args);
    say_info("erratum: %s: %s", id, text);
    errata++;
}

/*
 * PKRU applies to user pages only, so a guest's, which is live here until the next switch, cannot
 * reach us, who have none (BUGS 13). Tried on a page of key 1: where it does reach, the stack must
 * still work.
 */
static void pkru_reach(void)
{
    void *page = cpu_has.pku ? pages_alloc(1, PAGE_SIZE, PAGES_HYPERVISOR) : NULL;

    if (!page)
        return;
    paging_set_key(page, 1);
    wrpkru(0xc); /* key 1: no access, no write */
    bool faults = exceptions_probe_store(page);
    wrpkru(0);
    paging_set_key(page, 0);
    pages_free(page, 1, PAGES_HYPERVISOR);
    if (!faults)
        return;
    cpu_has.pku = false;
    selftest_erratum("pkru-supervisor", "expected supervisor pages to be out of PKRU's reach, got "
                                        "#PF; PKU is hidden from guests");
}

bool arch_selftest(struct pcpu *cpu, char *why, size_t n)
{
    bool good = selftest_fp(cpu, why, n);

    if (good) {
        selftest_amx(cpu);
        pkru_reach();
        good = !virt->selftest || virt->selftest(cpu, why, n);
    }
    /* Whatever was tried, the first guest finds INIT (I4). */
    fp_hw_scrub((u32)(cpu->arch.xcr0 & XSTATE_GATED));
    if (!good)
        return false;
    say_info("selftest: passed, %u erratum lines%s", errata,
             fp_hw.gate_incomplete ? "; the gate is incomplete: every vCPU is switched eagerly"
                                   : "");
    return true;
}
