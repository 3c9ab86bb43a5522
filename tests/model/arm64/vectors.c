/* vectors.S on the model: a guest's exit, and the EL1 registers that a switch moves. */
#include "world.h"
#include "arch/arch.h"
#include "guest.h"
#include "guest_el1.h"

#define GUEST_PC   0x40001000ull
#define GUEST_VBAR 0x40008000ull

/* Of the EL1 registers, those that the model knows. With E2H=1 by their *_EL12 names. */
#define EL12(reg) ((reg) | 5u << 11)

static const struct {
    enum el1_register slot;
    u32 reg;
} el1_registers[] = {
    {EL1_SCTLR, MODEL_sctlr_el1}, {EL1_VBAR, MODEL_vbar_el1}, {EL1_ESR, MODEL_esr_el1},
    {EL1_ELR, MODEL_elr_el1},     {EL1_SPSR, MODEL_spsr_el1}, {EL1_CPACR, MODEL_cpacr_el1},
};

void el1_save(struct vcpu *v)
{
    for (u32 i = 0; i < ARRAY_SIZE(el1_registers); i++)
        v->arch.el1[el1_registers[i].slot] = model_mrs(el1_registers[i].reg);
}

void el1_load(const struct vcpu *v)
{
    for (u32 i = 0; i < ARRAY_SIZE(el1_registers); i++)
        model_msr(el1_registers[i].reg, v->arch.el1[el1_registers[i].slot]);
}

void el1_save_vhe(struct vcpu *v)
{
    for (u32 i = 0; i < ARRAY_SIZE(el1_registers); i++)
        v->arch.el1[el1_registers[i].slot] = model_mrs(EL12(el1_registers[i].reg));
}

void el1_load_vhe(const struct vcpu *v)
{
    for (u32 i = 0; i < ARRAY_SIZE(el1_registers); i++)
        model_msr(EL12(el1_registers[i].reg), v->arch.el1[el1_registers[i].slot]);
}

/* guest_fp: which units an exception class asks for, by its arithmetic; 0: another class. */
static fp_units guest_fp_units(u8 ec)
{
    return ec == X_FP || ec == X_SVE || ec == X_SME ? (ec + 3u) >> 3 : 0;
}

/* The way back after an FP trap: fp_enter(), or what guest_fp_failed() says. */
static u64 guest_fp(struct vcpu *v, fp_units units)
{
    enum fp_trap_result result = fp_trap(v, units);

    v->stats.exits++;
    if (result != FP_TRAP_RETRY)
        return guest_fp_failed(v, result);
    fp_enter(v, &v->fp);
    return VCPU_RESUME;
}

enum exit_result model_exit(struct vcpu *v, struct exc e, u64 x1)
{
    fp_units units = guest_fp_units(e.ec);

    v->arch.esr = (u64)e.ec << 26 | ESR_IL | e.iss;
    v->arch.pc = GUEST_PC;
    v->arch.x[1] = x1;
    model_crashed = false;

    u64 event = units ? guest_fp(v, units) : guest_sync_exit(v);
    if (event != VCPU_RESUME) {
        REQUIRE(model_crashed, "event %llu after EC 0x%x", (unsigned long long)event, e.ec);
        return EXIT_STOPPED;
    }
    if (v->arch.pc == GUEST_PC)
        return EXIT_RETRY;
    if (v->arch.pc == GUEST_PC + 4)
        return EXIT_EMULATED;
    REQUIRE(ESR_EC(guest_esr()) == EC_UNKNOWN && guest_elr() == GUEST_PC,
            "another exception than Undefined was injected");
    return EXIT_UNDEFINED;
}
