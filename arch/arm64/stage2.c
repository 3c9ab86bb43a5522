/*
 * Stage 2 (DDI 0487 D8): a VM's RAM, in 2 MiB blocks, and nothing else. Everything that is not RAM
 * faults, and the fault is either its PL011 or the end of the VM.
 */
#include "arch/arch.h"
#include "guest.h"
#include "hv/pages.h"
#include "hv/pl011.h"
#include "sysreg.h"

#define ENTRIES     512u
#define BLOCK_BYTES MiB(2)
#define TABLE_SPAN  GiB(1) /* what one table of level 2 maps */
#define ROOT_PAGES  2u

#define DESC_VALID   BIT(0)
#define DESC_TABLE   BIT(1)
#define DESC_ADDRESS BITS(47, 12)
#define S2_NORMAL    (0xfull << 2) /* write-back, if stage 1 says so too */
#define S2_FORCED    (6ull << 2)   /* FEAT_S2FWB: write-back whatever stage 1 says */
#define S2_RW        (3ull << 6)
#define S2_INNER     (3ull << 8)
#define S2_AF        BIT(10)

/* Guest-physical bits: a size that PARange can tell the guest, and two root tables can hold. */
static u32 ipa_bits(void)
{
    return features.pa_bits < 40 ? features.pa_bits : 40;
}

/* The PARange encoding of a size. */
static u64 parange(u32 bits)
{
    switch (bits) {
    case 32:
        return 0;
    case 36:
        return 1;
    case 40:
        return 2;
    case 42:
        return 3;
    case 44:
        return 4;
    default:
        return 5;
    }
}

u64 stage2_parange(void)
{
    return parange(ipa_bits());
}

/* VTCR_EL2 (D19.2): walks start at level 1, cacheable and inner shareable, 4 KiB granule. */
u64 stage2_vtcr(void)
{
    return (64 - ipa_bits()) | (1ull << 6) | (1ull << 8) | (1ull << 10) | (3ull << 12) |
           (parange(features.pa_bits) << 16) | (features.vmid16 ? BIT(19) : 0) | BIT(31);
}

static bool map_ram(struct vm *vm)
{
    u64 attributes = S2_RW | S2_INNER | S2_AF | (features.fwb ? S2_FORCED : S2_NORMAL);

    for (u64 at = 0; at < vm->ram_bytes; at += BLOCK_BYTES) {
        u64 gpa = vm->ram_gpa + at;
        u64 *entry = &vm->arch.stage2[gpa / TABLE_SPAN];
        if (!*entry) {
            u64 *table = pages_alloc(1, PAGE_SIZE, PAGES_HYPERVISOR);
            if (!table)
                return false;
            *entry = (u64)table | DESC_TABLE | DESC_VALID;
        }
        u64 *table = (u64 *)(*entry & DESC_ADDRESS);
        table[gpa / BLOCK_BYTES % ENTRIES] = ((u64)vm->ram + at) | attributes | DESC_VALID;
    }
    return true;
}

/* Where VTTBR_EL2 points while no VM is installed: a walk, even a speculative one, finds nothing.
 */
static u64 nothing[ROOT_PAGES * ENTRIES] ALIGNED(ROOT_PAGES *PAGE_SIZE);

void stage2_none(void)
{
    sysreg_write(vttbr_el2, (u64)nothing); /* VMID 0 */
    isb();
}

bool stage2_init(struct vm *vm)
{
    u64 end = vm->ram_gpa + vm->ram_bytes;

    CHECK((u64)vm->ram % BLOCK_BYTES == 0 && vm->ram_bytes % BLOCK_BYTES == 0);
    if (end < vm->ram_gpa || end > BIT(ipa_bits()))
        return false;
    vm->arch.stage2 = pages_alloc(ROOT_PAGES, ROOT_PAGES * PAGE_SIZE, PAGES_HYPERVISOR);
    if (!vm->arch.stage2 || !map_ram(vm))
        return false;
    vm->arch.vttbr = (u64)vm->arch.stage2 | (u64)(vm->id + 1) << 48; /* VMID 0 is the self-test's */
    dsb(ish);
    return true;
}

void stage2_free(struct vm *vm)
{
    u64 *root = vm->arch.stage2;

    if (!root)
        return;
    /* The VMID's translations go before the memory they lead to is given away. */
    sysreg_write(vttbr_el2, vm->arch.vttbr);
    isb();
    __asm__ volatile("tlbi vmalls12e1" : : : "memory");
    dsb(nsh);
    stage2_none();
    for (u32 n = 0; n < ROOT_PAGES * ENTRIES; n++) {
        if (root[n])
            pages_free((void *)(root[n] & DESC_ADDRESS), 1, PAGES_HYPERVISOR);
    }
    pages_free(root, ROOT_PAGES, PAGES_HYPERVISOR);
    vm->arch.stage2 = NULL;
}

/* ---- Aborts ---- */

/* ISS of a data abort (D19.2.37). */
#define ISS_ISV   BIT(24)
#define ISS_SAS   22
#define ISS_SSE   BIT(21)
#define ISS_SRT   16
#define ISS_SF    BIT(15)
#define ISS_FNV   BIT(10)
#define ISS_CM    BIT(8)
#define ISS_S1PTW BIT(7)
#define ISS_WNR   BIT(6)
#define ISS_FSC   0x3full /* fault status: address size, then translation, four levels each */
#define FSC_LAST  0x07ull

/*
 * Is it a fault of our stage 2? Its tables cause no other kind, and HPFAR_EL2 is valid for no
 * other. What else comes here is the machine's own answer (HCR_EL2.TEA): an external abort, an ECC
 * error; HPFAR_EL2 then still holds an older fault, perhaps the PL011's.
 */
static bool is_ours(u64 esr)
{
    return (esr & ISS_FSC) <= FSC_LAST;
}

static enum vcpu_event machine_fault(struct vcpu *v, u64 esr)
{
    vcpu_crash(v,
               "the machine reports an error of memory or bus (ESR_EL2 0x%lx, virtual address "
               "0x%lx%s): look at its hardware",
               esr, sysreg_read(far_el2), esr & ISS_FNV ? ", not valid" : "");
    return VCPU_VM_ENDED;
}

/* The guest-physical address of the abort: the page by HPFAR_EL2, the rest by FAR_EL2. */
static u64 abort_gpa(u64 esr)
{
    u64 page = (sysreg_read(hpfar_el2) & BITS(43, 4)) << 8;

    return page | (esr & ISS_FNV ? 0 : sysreg_read(far_el2) & (PAGE_SIZE - 1));
}

static enum vcpu_event crash(struct vcpu *v, const char *did, u64 gpa, const char *remedy)
{
    vcpu_crash(v,
               "%s guest-physical address 0x%lx: %s (it has RAM at 0x%lx to 0x%lx and a PL011 at "
               "0x%lx)",
               did, gpa, remedy, v->vm->ram_gpa, v->vm->ram_gpa + v->vm->ram_bytes - 1,
               (u64)GUEST_PL011_BASE);
    return VCPU_VM_ENDED;
}

static u64 sign_extend(u64 value, u32 bytes)
{
    u32 shift = 64 - 8 * bytes;

    return (u64)((s64)(value << shift) >> shift);
}

static void pl011_access(struct vcpu *v, u64 esr, u32 offset)
{
    u32 bytes = 1u << (esr >> ISS_SAS & 3);
    u32 rt = (u32)(esr >> ISS_SRT) & 31;

    if (esr & ISS_WNR) {
        pl011_write(&v->vm->arch.uart, v, offset, bytes, guest_x(v, rt));
        return;
    }
    u64 value = pl011_read(&v->vm->arch.uart, offset, bytes);
    if (esr & ISS_SSE)
        value = sign_extend(value, bytes);
    guest_x_set(v, rt, esr & ISS_SF ? value : (u32)value);
}

enum vcpu_event data_abort(struct vcpu *v, u64 esr)
{
    if (!is_ours(esr))
        return machine_fault(v, esr);

    u64 gpa = abort_gpa(esr);
    const char *did = esr & ISS_S1PTW ? "its page table walk used"
                      : esr & ISS_WNR ? "it wrote"
                                      : "it read";

    /* Maintenance of what no cache holds does nothing, on hardware too; A64 alone has it at EL0. */
    if ((esr & (ISS_CM | ISS_S1PTW)) == ISS_CM) {
        skip_instruction(v);
        return VCPU_RESUME;
    }
    if (gpa - GUEST_PL011_BASE >= PL011_BYTES || (esr & ISS_S1PTW))
        return crash(v, did, gpa, "nothing is there; keep to the device tree");
    if (v->arch.pstate & PSTATE_AARCH32)
        return crash(v, did, gpa, "by AArch32 code, which Fermata does not offer: use AArch64");
    if (!(esr & ISS_ISV))
        return crash(v, did, gpa,
                     "the instruction gives no syndrome (ESR_EL2.ISV=0); use plain loads and "
                     "stores of one register for devices");
    pl011_access(v, esr, (u32)(gpa - GUEST_PL011_BASE));
    skip_instruction(v);
    return VCPU_RESUME;
}

enum vcpu_event instruction_abort(struct vcpu *v, u64 esr)
{
    if (!is_ours(esr))
        return machine_fault(v, esr);
    return crash(v, esr & ISS_S1PTW ? "its page table walk used" : "it jumped to", abort_gpa(esr),
                 "no RAM is there; keep to the device tree");
}
