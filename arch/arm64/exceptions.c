/* An exception at EL2 is a defect of Fermata (or of the machine): say everything, and stop. */
#include "arch/arch.h"
#include "exceptions.h"
#include "hv/console.h"
#include "hv/panic.h"
#include "sysreg.h"

static const char *const ec_text[64] = {
    [EC_UNKNOWN] = "undefined instruction",
    [EC_WFX] = "WFI or WFE",
    [EC_FP] = "FP or SIMD access behind a closed CPTR_EL2 gate",
    [EC_PAUTH] = "pointer authentication",
    [EC_BTI] = "branch target",
    [EC_ILLEGAL] = "illegal execution state",
    [EC_SVC] = "SVC",
    [EC_HVC] = "HVC",
    [EC_SMC] = "SMC",
    [EC_SYSREG] = "system register access",
    [EC_SVE] = "SVE or ZCR access behind a closed CPTR_EL2 gate",
    [EC_SME] = "SME access behind a closed CPTR_EL2 gate",
    [EC_IABT_LOWER] = "instruction abort of a guest",
    [EC_IABT] = "instruction abort",
    [EC_PC_ALIGN] = "misaligned PC",
    [EC_DABT_LOWER] = "data abort of a guest",
    [EC_DABT] = "data abort",
    [EC_SP_ALIGN] = "misaligned SP",
    [EC_SERROR] = "SError",
    [EC_BRK] = "BRK",
};

const char *esr_text(u64 esr)
{
    const char *text = ec_text[ESR_EC(esr)];

    return text ? text : "exception of a class Fermata does not know";
}

static bool in_guard(u64 address)
{
    u64 guard;

    for (u32 n = 0; (guard = stack_guard(n)) != 0; n++) {
        if (address - guard < PAGE_SIZE)
            return true;
    }
    return false;
}

/* The fault status of an abort (ISS.DFSC), in words: DDI 0487 D19.2.37. */
static const char *fault_text(u64 esr, u64 far)
{
    if (in_guard(far))
        return ", the stack has overflowed";
    switch (ESR_ISS(esr) & 0x3c) {
    case 0x00:
        return ", address size fault";
    case 0x04:
        return ", nothing is mapped there";
    case 0x08:
        return ", access flag fault";
    case 0x0c:
        return ", not permitted there";
    case 0x10:
        return ", external abort";
    case 0x20:
        return ", alignment fault";
    default:
        return "";
    }
}

static bool is_abort(u64 esr)
{
    u32 ec = ESR_EC(esr);

    return ec == EC_DABT || ec == EC_IABT;
}

NORETURN void exception_fatal(const struct crash_frame *f, u64 slot)
{
    static const char *const kinds[] = {"", "IRQ: ", "FIQ: ", "SError: "};
    static char text[2048];
    size_t at = 0;

    for (u32 n = 0; n < 31; n++)
        at += (size_t)format_text(text + at, sizeof(text) - at, "x%-2u %016lx%s", n, f->x[n],
                                  n % 4 == 3 ? "\n" : "  ");
    format_text(text + at, sizeof(text) - at,
                "sp  %016lx\npc  %016lx  pstate %08lx  esr %08lx  far %016lx\n"
                "hcr %016lx  cptr %08lx  sctlr %08lx\n",
                f->sp, f->pc, f->pstate, f->esr, f->far, sysreg_read(hcr_el2),
                sysreg_read(cptr_el2), sysreg_read(sctlr_el2));
    panic_exception(f->pc, f->x[29], text, "%s%s at EL2%s (FAR 0x%lx)%s", kinds[slot & 3],
                    esr_text(f->esr), is_abort(f->esr) ? fault_text(f->esr, f->far) : "", f->far,
                    slot < 4 || slot > 7 ? ", by a vector that cannot be taken" : "");
}

/*
 * AAPCS64 frame records: [x29] is the caller's frame pointer, [x29 + 8] its return address. The
 * chain must lie within mapped stacks and rise, or it ends.
 */
size_t arch_backtrace(u64 frame_pointer, u64 *addresses, size_t n)
{
    size_t found = 0;

    while (found < n && frame_pointer && frame_pointer % 8 == 0) {
        u64 low, high;
        if (!stack_bounds(frame_pointer, &low, &high) || high - frame_pointer < 16)
            break;
        const u64 *record = (const u64 *)frame_pointer;
        if (!record[1])
            break;
        addresses[found++] = record[1];
        if (record[0] <= frame_pointer)
            break;
        frame_pointer = record[0];
    }
    return found;
}

u64 arch_frame_pointer(void)
{
    return (u64)__builtin_frame_address(0);
}
