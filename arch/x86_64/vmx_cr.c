/*
 * Control register exits of VMX, read from the exit qualification (SDM 3, table 28-3). A write
 * comes here only if it would change a bit the guest does not own at the moment (vmx.c:
 * install_cr); what then becomes of it is decided on the guest's own values and leaves the gate as
 * it is: a vCPU that sets up paging, or runs its own lazy FP, has not used the FP for that.
 */
#include "vmx.h"
#include "cr.h"
#include "virt.h"
#include "arch/arch.h"

enum { ACCESS_MOV_TO, ACCESS_MOV_FROM, ACCESS_CLTS, ACCESS_LMSW };

#define LMSW_CLEARS (CR0_MP | CR0_EM | CR0_TS)
#define LMSW_SETS   (LMSW_CLEARS | CR0_PE)
#define PDPTES      4u
#define PDPTE_P     1u

/* Changes of these reload the PDPTEs while PAE paging is on or comes on (SDM 3, 4.4.1). */
#define CR0_PDPTES (CR0_PG | CR0_CD | CR0_NW)
#define CR4_PDPTES (CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP)

static u64 gpr_get(const struct vcpu *v, unsigned n)
{
    return n == RSP ? vmread(VMCS_GUEST_RSP) : v->arch.regs[n];
}

static void gpr_set(struct vcpu *v, unsigned n, u64 value)
{
    if (n == RSP)
        vmwrite(VMCS_GUEST_RSP, value);
    else
        v->arch.regs[n] = value;
}

/* The four PDPTEs CR3 points to. False: one has a reserved bit, or they are outside its RAM. */
static bool read_pdptes(struct vcpu *v, u64 *pdptes)
{
    u64 reserved = BITS(2, 1) | BITS(8, 5) | ~BITS(cpu_has.physical_bits - 1, 0);
    const u64 *table =
        vm_ram(v->vm, virt->get(v, GUEST_CR3) & 0xffffffe0, PDPTES * sizeof(*pdptes));

    if (!table)
        return false;
    for (unsigned i = 0; i < PDPTES; i++) {
        pdptes[i] = table[i];
        if ((pdptes[i] & PDPTE_P) && (pdptes[i] & reserved))
            return false;
    }
    return true;
}

/*
 * Paging that makes long mode active is #GP under a CS with L or a 16-bit TSS (SDM 2, MOV to CR0),
 * and an entry would be refused. Outside long mode a guest may have such a CS: L means nothing
 * there.
 */
static bool activates_wrongly(const struct vcpu *v, u64 old, u64 value)
{
    return (value & ~old & CR0_PG) && (virt->get(v, GUEST_EFER) & EFER_LME) &&
           ((vmread(GUEST_CS_RIGHTS) & RIGHTS_L) ||
            (vmread(GUEST_TR_RIGHTS) & RIGHTS_TYPE) == TYPE_TSS16_BUSY);
}

/* The new CR0 and CR4 together; false: #GP, and nothing has changed. */
static bool write_cr(struct vcpu *v, unsigned cr, u64 value)
{
    u64 cr0 = virt->get(v, GUEST_CR0), cr4 = virt->get(v, GUEST_CR4);
    u64 new0 = cr == 0 ? value : cr0, new4 = cr == 4 ? value : cr4;
    bool pae = (new0 & CR0_PG) && (new4 & CR4_PAE) && !(virt->get(v, GUEST_EFER) & EFER_LME);
    bool reload = pae && (((cr0 ^ new0) & CR0_PDPTES) || ((cr4 ^ new4) & CR4_PDPTES));
    u64 pdptes[PDPTES];

    if (activates_wrongly(v, cr0, new0) || (reload && !read_pdptes(v, pdptes)))
        return false;
    if (!(cr == 0 ? cr0_write(v, value) : cr4_write(v, value)))
        return false;
    for (unsigned i = 0; reload && i < PDPTES; i++)
        vmwrite((enum vmcs_field)(GUEST_PDPTE0 + 2 * i), pdptes[i]);
    return true;
}

/* CR8 is the x2APIC's TPR, bits 7 to 4 (SDM 3, 11.8.6.1). */
static bool write_cr8(struct vcpu *v, u64 value)
{
    if (value & ~15ull)
        return false;
    v->arch.apic_tpr = (u32)value << 4;
    return true;
}

static bool mov_to(struct vcpu *v, unsigned cr, u64 value)
{
    if (!virt->code64(v))
        value = (u32)value;
    return cr == 8 ? write_cr8(v, value) : write_cr(v, cr, value);
}

enum vcpu_event vmx_exit_cr(struct vcpu *v)
{
    u64 what = vmread(EXIT_QUALIFICATION);
    unsigned cr = what & 15, gpr = what >> 8 & 15;
    u64 cr0 = virt->get(v, GUEST_CR0);
    bool done = true;

    switch (what >> 4 & 3) {
    case ACCESS_MOV_TO:
        done = mov_to(v, cr, gpr_get(v, gpr));
        break;
    case ACCESS_MOV_FROM: /* CR8 only: reads of CR0 and CR4 come from the shadows */
        gpr_set(v, gpr, v->arch.apic_tpr >> 4);
        break;
    case ACCESS_CLTS:
        done = write_cr(v, 0, cr0 & ~(u64)CR0_TS);
        break;
    default:
        done = write_cr(v, 0, (cr0 & ~(u64)LMSW_CLEARS) | (what >> 16 & LMSW_SETS));
        break;
    }
    if (done)
        vmx_skip(v);
    else
        inject_gp(v);
    return VCPU_RESUME;
}
