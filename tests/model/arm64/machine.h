/*
 * Read before every file of a model of arm64: puts the model (cpu.h) behind the hypervisor's
 * accessors (arch/arm64/sysreg.h). A register that is not listed here does not compile.
 */
#ifndef MODEL_ARM64_MACHINE_H
#define MODEL_ARM64_MACHINE_H

#include "hv/base.h"
#include "tests/model/arm64/cpu.h"

#define FERMATA_MODEL 1

/* At EL2 of the CPU that asks (machine.c). */
u64 model_mrs(u32 reg);
void model_msr(u32 reg, u64 value);
void model_isb(void);

#define MODEL_REG_(reg)          MODEL_##reg
#define MODEL_REG(reg)           MODEL_REG_(reg)
#define sysreg_read(reg)         model_mrs(MODEL_REG(reg))
#define sysreg_write(reg, value) model_msr(MODEL_REG(reg), value)
#define isb()                    model_isb()
#define isb_registers()          model_isb()
#define dsb(which)               ((void)0)

/* By the names and encodings that the sources use. */
enum model_reg {
    MODEL_cptr_el2 = SYSREG(4, 1, 1, 2),
    MODEL_cpacr_el1 = SYSREG(0, 1, 0, 2),
    MODEL_hcr_el2 = SYSREG(4, 1, 1, 0),
    MODEL_cntpct_el0 = SYSREG(3, 14, 0, 1),
    MODEL_cnthp_cval_el2 = SYSREG(4, 14, 2, 2),
    MODEL_cnthp_ctl_el2 = SYSREG(4, 14, 2, 1),
    MODEL_vttbr_el2 = SYSREG(4, 2, 1, 0),
    MODEL_vmpidr_el2 = SYSREG(4, 0, 0, 5),
    MODEL_vpidr_el2 = SYSREG(4, 0, 0, 0),
    MODEL_vtcr_el2 = SYSREG(4, 2, 1, 2),
    MODEL_mdcr_el2 = SYSREG(4, 1, 1, 1),
    MODEL_hstr_el2 = SYSREG(4, 1, 1, 3),
    MODEL_midr_el1 = SYSREG(0, 0, 0, 0),
    MODEL_aidr_el1 = SYSREG(1, 0, 0, 7),
    MODEL_revidr_el1 = SYSREG(0, 0, 0, 6),
    MODEL_sctlr_el1 = SYSREG(0, 1, 0, 0),
    MODEL_vbar_el1 = SYSREG(0, 12, 0, 0),
    MODEL_esr_el1 = SYSREG(0, 5, 2, 0),
    MODEL_elr_el1 = SYSREG(0, 4, 0, 1),
    MODEL_spsr_el1 = SYSREG(0, 4, 0, 0),
    MODEL_id_aa64pfr0_el1 = SYSREG(0, 0, 4, 0),
    MODEL_id_aa64pfr1_el1 = SYSREG(0, 0, 4, 1),
    MODEL_id_aa64dfr0_el1 = SYSREG(0, 0, 5, 0),
    MODEL_id_aa64isar0_el1 = SYSREG(0, 0, 6, 0),
    MODEL_id_aa64isar1_el1 = SYSREG(0, 0, 6, 1),
    MODEL_id_aa64mmfr0_el1 = SYSREG(0, 0, 7, 0),
    MODEL_id_aa64mmfr1_el1 = SYSREG(0, 0, 7, 1),
    MODEL_S3_0_C0_C4_2 = SYSREG(0, 0, 4, 2),
    MODEL_S3_0_C0_C4_4 = SYSREG(0, 0, 4, 4),
    MODEL_S3_0_C0_C4_5 = SYSREG(0, 0, 4, 5),
    MODEL_S3_0_C0_C4_7 = SYSREG(0, 0, 4, 7),
    MODEL_S3_0_C0_C6_2 = SYSREG(0, 0, 6, 2),
    MODEL_S3_0_C0_C6_3 = SYSREG(0, 0, 6, 3),
    MODEL_S3_0_C0_C7_2 = SYSREG(0, 0, 7, 2),
    MODEL_S3_0_C0_C7_4 = SYSREG(0, 0, 7, 4),
    MODEL_S3_0_C1_C2_0 = SYSREG(0, 1, 2, 0),
    MODEL_S3_0_C1_C2_4 = SYSREG(0, 1, 2, 4),
    MODEL_S3_0_C1_C2_6 = SYSREG(0, 1, 2, 6),
    MODEL_S3_1_C0_C0_6 = SYSREG(1, 0, 0, 6),
    MODEL_S3_3_C4_C2_2 = SYSREG(3, 4, 2, 2),
    MODEL_S3_3_C4_C4_2 = SYSREG(3, 4, 4, 2),
    MODEL_S3_3_C13_C0_5 = SYSREG(3, 13, 0, 5),
    MODEL_S3_4_C1_C1_4 = SYSREG(4, 1, 1, 4),
    MODEL_S3_4_C1_C1_5 = SYSREG(4, 1, 1, 5),
    MODEL_S3_4_C1_C1_6 = SYSREG(4, 1, 1, 6),
    MODEL_S3_4_C1_C2_0 = SYSREG(4, 1, 2, 0),
    MODEL_S3_4_C1_C2_2 = SYSREG(4, 1, 2, 2),
    MODEL_S3_4_C1_C2_5 = SYSREG(4, 1, 2, 5),
    MODEL_S3_4_C1_C2_6 = SYSREG(4, 1, 2, 6),
    MODEL_S3_4_C3_C1_0 = SYSREG(4, 3, 1, 0),
    MODEL_S3_4_C3_C1_1 = SYSREG(4, 3, 1, 1),
    MODEL_S3_4_C3_C1_2 = SYSREG(4, 3, 1, 2),
    MODEL_S3_4_C3_C1_3 = SYSREG(4, 3, 1, 3),
    MODEL_S3_4_C3_C1_4 = SYSREG(4, 3, 1, 4),
    MODEL_S3_4_C3_C1_5 = SYSREG(4, 3, 1, 5),
    MODEL_S3_4_C3_C1_6 = SYSREG(4, 3, 1, 6),
    MODEL_S3_4_C3_C1_7 = SYSREG(4, 3, 1, 7),
    MODEL_S3_4_C10_C5_0 = SYSREG(4, 10, 5, 0),
    MODEL_S3_4_C12_C1_1 = SYSREG(4, 12, 1, 1),
    MODEL_S3_5_C1_C0_0 = SYSREG(5, 1, 0, 0),
    MODEL_S3_5_C1_C0_2 = SYSREG(5, 1, 0, 2),
    MODEL_S3_5_C1_C2_0 = SYSREG(5, 1, 2, 0),
    MODEL_S3_5_C1_C2_6 = SYSREG(5, 1, 2, 6),
    MODEL_S3_5_C4_C0_0 = SYSREG(5, 4, 0, 0),
    MODEL_S3_5_C4_C0_1 = SYSREG(5, 4, 0, 1),
    MODEL_S3_5_C5_C2_0 = SYSREG(5, 5, 2, 0),
    MODEL_S3_5_C12_C0_0 = SYSREG(5, 12, 0, 0),
};

#endif
