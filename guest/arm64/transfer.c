/*
 * transfer: FP state exported and imported by hypercall, with and without streaming mode and ZA;
 * hostile records are refused and change nothing. Rows of BUGS.md: 14, 15, 16, 22, 23.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/sme.h"
#include "guest/transfer.h"

static u32 mode; /* SVCR of the pictures, where there is SME */
static struct fp_image want, got;

static void load(bool first)
{
    u64 seed = pattern_seed(0, first ? 901 : 902);

    if (has_sme()) {
        sme_enter(first ? sme_want() : sme_got(), mode, SVE_MAX_VL, SVE_MAX_VL, seed);
        return;
    }
    struct fp_image *image = first ? &want : &got;
    fp_image_fill(image, has_sve() ? sve_set_vl(SVE_MAX_VL) : 0, seed);
    fp_image_load(image);
}

static bool holds(void)
{
    struct fp_difference why;

    if (!has_sme())
        fp_image_store(&got, want.vl);
    if (has_sme() ? sme_held(&why) : fp_image_equal(&got, &want, &why))
        return true;
    fp_difference_diag(&why);
    return false;
}

#define CONTROL      FERMATA_FP_ARM_CONTROL
#define AT_SVCR      16 /* struct fermata_fp_arm_control's svcr; the name is a register's here */
#define HEADER_TYPE  (-8)
#define HEADER_BYTES (-4)

/* struct user_sve_header and user_za_header: size, max_size, vl, max_vl, flags, reserved. */
#define SVE_SIZE     0
#define SVE_VL       8
#define SVE_RESERVED 14

#define SPOILED_VECTORS(type, name)                                                                \
    {name ": size larger than the record", type, SVE_SIZE, 4, 0x7ffffff0, TRANSFER_REFUSED},       \
        {name ": size of 8", type, SVE_SIZE, 4, 8, TRANSFER_REFUSED},                              \
        {name ": length 0", type, SVE_VL, 2, 0, TRANSFER_REFUSED},                                 \
        {name ": length 17", type, SVE_VL, 2, 17, TRANSFER_REFUSED},                               \
        {name ": length 4096", type, SVE_VL, 2, 4096, TRANSFER_REFUSED},                           \
        {name ": reserved field", type, SVE_RESERVED, 2, 1, TRANSFER_REFUSED},                     \
        {name ": record too short", type, HEADER_BYTES, 4, 8, TRANSFER_REFUSED},                   \
        {name ": record longer than all there is",                                                 \
         type,                                                                                     \
         HEADER_BYTES,                                                                             \
         4,                                                                                        \
         0x7fffffff,                                                                               \
         TRANSFER_REFUSED},                                                                        \
    {                                                                                              \
        name ": of another type", type, HEADER_TYPE, 4, FERMATA_FP_X86_XSTATE, TRANSFER_REFUSED    \
    }

static const struct transfer_spoil spoils[] = {
    {"no control record", CONTROL, HEADER_TYPE, 4, 0x46000009, FERMATA_INVALID},
    {"control record too short", CONTROL, HEADER_BYTES, 4, 8, FERMATA_INVALID},
    {"control record longer than all there is", CONTROL, HEADER_BYTES, 4, 0xfffffff8,
     FERMATA_INVALID},
    {"SVCR bit 2", CONTROL, AT_SVCR, 8, 4, TRANSFER_REFUSED},
    {"SVCR bit 32, with SM and ZA below", CONTROL, AT_SVCR, 8, BIT(32) | 3, TRANSFER_REFUSED},
    SPOILED_VECTORS(FERMATA_FP_ARM_SVE, "SVE"),
    SPOILED_VECTORS(FERMATA_FP_ARM_SSVE, "streaming SVE"),
    SPOILED_VECTORS(FERMATA_FP_ARM_ZA, "ZA"),
    {"ZT0 too short", FERMATA_FP_ARM_ZT, HEADER_BYTES, 4, 56, TRANSFER_REFUSED},
    {"FPMR too short", FERMATA_FP_ARM_FPMR, HEADER_BYTES, 4, 4, TRANSFER_REFUSED},
};

#define CONTROL_WORDS (1 + sizeof(struct fermata_fp_arm_control) / 8)

/*
 * Is it a state that nothing was written to? The control record, FPMR, and the vectors of an eager
 * vCPU, which has them in memory from the start: all zero, but for the records' headers.
 */
static bool is_reset(u32 vcpu, bool eager)
{
    u64 bytes, bits = 0;
    const u64 *at = transfer_of(vcpu, &bytes), *end = at + bytes / 8;

    if (!eager && bytes != 8 * (CONTROL_WORDS + (has_fpmr() ? 2 : 0)))
        return false;
    while (at < end) {
        u32 type = (u32)*at, words = ((u32)(*at >> 32) + 7) / 8;
        for (u32 i = type == FERMATA_FP_ARM_SVE ? 2 : 0; i < words; i++)
            bits |= at[1 + i];
        at += 1 + words;
    }
    return bits == 0 && at == end;
}

/* Everything live and saved at least once, ZA too where there is one; and off. */
static void soil_and_go_off(void *unused)
{
    (void)unused;
    fp_open();
    if (has_sme())
        sme_open();
    load(true);
    for (u32 i = 0; i < 4; i++)
        yield();
    psci(PSCI_CPU_OFF, 0, 0, 0);
    panic("CPU_OFF does not return");
}

static bool fresh;

static void look(void *unused)
{
    (void)unused;
    fresh = is_reset((u32)this_cpu()->index, cmdline_has("eager"));
}

/* A vCPU that is off has no state: there is none to export, and what it is given is not there when
 * it comes on. Often enough that an area lost each time would be missed. */
static void off_and_on(void)
{
    u32 last = cpus_online() - 1, off = 0, given = 0, on = 0;

    if (!on_fermata || !last) {
        skip("one vCPU, or no hypercalls", "transfer: of a vCPU that is off");
        return;
    }
    mode = has_sme() ? SVCR_SM | SVCR_ZA : 0;
    for (u32 i = 0; i < 6; i++) {
        cpu_job(last, soil_and_go_off, NULL);
        while (psci(PSCI_AFFINITY_INFO, machine.mpidr[last], 0, 0) != 1)
            yield();
        off += is_reset(last, false);
        load(true);
        given += transfer_give(last) == FERMATA_OK && !is_reset(last, true);
        if (!cpu_start(last))
            break;
        cpu_job(last, look, NULL);
        cpu_wait(last);
        on += fresh;
    }
    ok_eq(off, 6, "transfer: a vCPU that went off with everything live exports as reset");
    ok_eq(given, 6, "transfer: it takes a state all the same");
    ok_eq(on, 6, "transfer: and is reset when it comes on");
}

void scenario_transfer(void)
{
    fp_open();
    if (has_sme())
        sme_open();
    for (mode = 0; mode <= (has_sme() ? SVCR_SM | SVCR_ZA : 0); mode++) {
        diag("SVCR = %u", mode);
        transfer_test(&(struct transfer_ops){load, holds}, spoils, ARRAY_SIZE(spoils));
    }
    off_and_on();
    if (has_sme())
        sysreg_write(svcr, 0);
}
