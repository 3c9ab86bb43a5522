/*
 * arch/arm64/fp_moves.S, instruction for instruction, on the model at EL2: fp_moves.h says what
 * each does. What the assembly may do in another order is done in its order here, because the model
 * knows which instructions are legal in which mode, and that FFR goes through a predicate.
 */
#include "fp_moves.h"
#include "vec_layout.h"
#include "world.h"

static u64 step(enum cpu_op op, u32 n)
{
    struct insn insn = {.op = op, .n = n};

    model_el2(&insn);
    return insn.value;
}

static void to_memory(enum cpu_op op, u32 n, void *memory, u32 bytes)
{
    struct insn insn;

    insn.op = op;
    insn.n = n;
    model_el2(&insn);
    memcpy(memory, insn.data, bytes);
}

static void from_memory(enum cpu_op op, u32 n, const void *memory, u32 bytes)
{
    struct insn insn;

    insn.op = op;
    insn.n = n;
    memcpy(insn.data, memory, bytes);
    model_el2(&insn);
}

static u32 length(void)
{
    return (u32)step(OP_RDVL, 0);
}

static struct vec_header *header_of(void *image)
{
    return image;
}

/* ---- FPSR, FPCR ---- */

static void save_status(void *image)
{
    header_of(image)->fpsr = (u32)model_mrs(R_FPSR);
    header_of(image)->fpcr = (u32)model_mrs(R_FPCR);
    model_moved += VEC_STATUS_BYTES;
}

/* FPCR is written only if it is not 0: it is 0 in the register. */
static void load_status(const void *image)
{
    const struct vec_header *header = image;

    model_msr(R_FPSR, header->fpsr);
    if (header->fpcr)
        model_msr(R_FPCR, header->fpcr);
    model_moved += VEC_STATUS_BYTES;
}

/* ---- FPSIMD ---- */

void fp_move_save_v(void *image)
{
    for (u32 n = 0; n < 32; n++)
        to_memory(OP_ST1, n, (u8 *)image + VEC_V_OFFSET + 16 * n, 16);
    save_status(image);
    header_of(image)->form = VEC_FPSIMD;
    header_of(image)->vl = 0;
}

void fp_move_load_v(const void *image)
{
    for (u32 n = 0; n < 32; n++)
        from_memory(OP_LD1, n, (const u8 *)image + VEC_V_OFFSET + 16 * n, 16);
    load_status(image);
}

/* ---- Z, P, FFR ---- */

static void save_zp(u8 *image, u64 form_vl, bool ffr)
{
    u32 vl = length();
    u8 *p = image + VEC_P_OFFSET;

    save_status(image);
    memcpy(image, &form_vl, sizeof(form_vl));
    for (u32 n = 0; n < 16; n++)
        to_memory(OP_STR_P, n, p + n * (vl / 8), vl / 8);
    if (ffr) {
        step(OP_RDFFR, 0);
        to_memory(OP_STR_P, 0, p + 16 * (vl / 8), vl / 8);
        from_memory(OP_LDR_P, 0, p, vl / 8);
        model_moved -= vl / 8; /* back again */
    }
    for (u32 n = 0; n < 32; n++)
        to_memory(OP_STR_Z, n, image + vec_z_offset(vl) + n * vl, vl);
}

static void load_zp(const u8 *image, bool ffr)
{
    u32 vl = length();
    const u8 *p = image + VEC_P_OFFSET;

    if (ffr) {
        from_memory(OP_LDR_P, 0, p + 16 * (vl / 8), vl / 8);
        step(OP_WRFFR, 0);
    }
    for (u32 n = 0; n < 16; n++)
        from_memory(OP_LDR_P, n, p + n * (vl / 8), vl / 8);
    for (u32 n = 0; n < 32; n++)
        from_memory(OP_LDR_Z, n, image + vec_z_offset(vl) + n * vl, vl);
    load_status(image);
}

void fp_move_save_z(void *image, u64 form_vl)
{
    save_zp(image, form_vl, true);
}

void fp_move_load_z(const void *image)
{
    load_zp(image, true);
}

u32 fp_move_save_sve(void *image, u64 form_vl)
{
    static u8 scratch[2 * CPU_VL_MAX];

    if (fp_move_uppers(scratch)) {
        fp_move_save_z(image, form_vl);
        return 3;
    }
    fp_move_save_v(image);
    return 1;
}

/* ---- Streaming mode, ZA, ZT0 ---- */

void fp_move_save_streaming(void *image, u64 form_vl, bool ffr)
{
    save_zp(image, form_vl, ffr);
}

void fp_move_load_streaming(const void *image, bool ffr)
{
    load_zp(image, ffr);
}

void fp_move_save_za(void *za, u64 svl)
{
    for (u32 n = 0; n < svl; n++)
        to_memory(OP_STR_ZA, n, (u8 *)za + n * svl, (u32)svl);
}

void fp_move_load_za(const void *za, u64 svl)
{
    for (u32 n = 0; n < svl; n++)
        from_memory(OP_LDR_ZA, n, (const u8 *)za + n * svl, (u32)svl);
}

void fp_move_save_zt0(void *zt0)
{
    to_memory(OP_STR_ZT0, 0, zt0, 64);
}

void fp_move_load_zt0(const void *zt0)
{
    from_memory(OP_LDR_ZT0, 0, zt0, 64);
}

u64 fp_move_svcr(void)
{
    return model_mrs(R_SVCR);
}

void fp_move_svcr_set(u64 svcr)
{
    model_msr(R_SVCR, svcr);
}

u64 fp_move_fpmr(void)
{
    return model_mrs(R_FPMR);
}

void fp_move_fpmr_set(u64 fpmr)
{
    model_msr(R_FPMR, fpmr);
}

/* ---- To zero ---- */

void fp_move_scrub_v(void)
{
    static const u8 zeroes[16];
    u64 moved = model_moved; /* of no one's state */

    for (u32 n = 0; n < 32; n++)
        from_memory(OP_LD1, n, zeroes, sizeof(zeroes));
    model_msr(R_FPCR, 0);
    model_msr(R_FPSR, 0);
    model_moved = moved;
}

void fp_move_scrub_z(void)
{
    static const u8 zeroes[CPU_PL_MAX];
    u64 moved = model_moved;

    fp_move_scrub_v();
    for (u32 n = 0; n < 16; n++)
        from_memory(OP_LDR_P, n, zeroes, sizeof(zeroes)); /* PFALSE */
    step(OP_WRFFR, 0);
    model_moved = moved;
}

/* ---- Questions ---- */

static u64 any(const u8 *at, size_t n)
{
    u64 bits = 0, word;

    for (; n >= 8; at += 8, n -= 8) {
        memcpy(&word, at, 8);
        bits |= word;
    }
    while (n--)
        bits |= *at++;
    return bits;
}

u64 fp_move_uppers(void *scratch)
{
    const struct cpu *cpu = model_this();
    u32 vl = length();
    u64 bits = 0;
    u8 p0[CPU_PL_MAX];

    (void)scratch;
    to_memory(OP_STR_P, 0, p0, vl / 8);
    step(OP_RDFFR, 0);
    bits |= any(cpu->p[0], vl / 8);
    from_memory(OP_LDR_P, 0, p0, vl / 8);
    for (u32 n = 0; n < 16; n++)
        bits |= any(cpu->p[n], vl / 8);
    for (u32 n = 0; n < 32; n++)
        bits |= any(cpu->z[n] + 16, vl - 16);
    model_moved -= 2 * (vl / 8);
    return bits != 0;
}

u64 fp_move_any_v(void *scratch)
{
    const struct cpu *cpu = model_this();
    struct insn look = {.op = OP_ST1};
    u64 bits = 0;

    (void)scratch;
    model_el2(&look); /* may it look? */
    model_moved -= 16;
    for (u32 n = 0; n < 32; n++)
        bits |= any(cpu->z[n], 16);
    return bits;
}

u64 fp_move_status(void)
{
    return model_mrs(R_FPSR) | model_mrs(R_FPCR) << 32;
}

void fp_move_status_set(u64 fpsr_fpcr)
{
    model_msr(R_FPSR, (u32)fpsr_fpcr);
    model_msr(R_FPCR, fpsr_fpcr >> 32);
}

u64 fp_move_rdvl(void)
{
    return step(OP_RDVL, 0);
}

u64 fp_move_rdsvl(void)
{
    return step(OP_RDSVL, 0);
}
