/*
 * What this CPU's VMX can do, against what Fermata needs (SDM 3, appendix A). Every control is
 * looked up in its capability MSR before it is set; one that is missing is named. A control that a
 * CPU insists on and that is not known here would exit for something nobody handles: refused too.
 */
#include "vmx.h"
#include "hv/console.h"

#define MSR_FEATURE_CONTROL 0x03a
#define FEATURE_LOCKED      BIT(0)
#define FEATURE_VMX         BIT(2)
#define MSR_VMX_BASIC       0x480
#define MSR_VMX_MISC        0x485
#define MSR_VMX_CR0_FIXED0  0x486
#define MSR_VMX_CR4_FIXED0  0x488
#define MSR_VMX_CR4_FIXED1  0x489
#define MSR_VMX_EPT_VPID    0x48c
#define BASIC_TRUE_CONTROLS BIT(55)
#define MAY(bit)            BIT(32 + (bit)) /* in a capability MSR: the control may be 1 */

struct vmx_controls vmx_controls;

struct control {
    u8 group, bit;
    const char *name;
    const char *without; /* optional: what is done instead; NULL: nothing can replace it */
};

static const struct control wanted[] = {
    {VMX_PIN, 0, "external-interrupt exiting", NULL},
    {VMX_PIN, 3, "NMI exiting", NULL},
    {VMX_PRIMARY, 3, "use TSC offsetting", NULL},
    {VMX_PRIMARY, 7, "HLT exiting", NULL},
    {VMX_PRIMARY, 10, "MWAIT exiting", NULL},
    {VMX_PRIMARY, 11, "RDPMC exiting", NULL},
    {VMX_PRIMARY, 19, "CR8-load exiting", NULL},
    {VMX_PRIMARY, 20, "CR8-store exiting", NULL},
    {VMX_PRIMARY, 23, "MOV-DR exiting", NULL},
    {VMX_PRIMARY, 24, "unconditional I/O exiting", NULL},
    {VMX_PRIMARY, 28, "use MSR bitmaps", NULL},
    {VMX_PRIMARY, 29, "MONITOR exiting", NULL},
    {VMX_PRIMARY, 31, "activate secondary controls", NULL},
    {VMX_SECONDARY, 1, "enable EPT", NULL},
    {VMX_SECONDARY, 5, "enable VPID", "the CPU flushes its TLB at every entry and exit"},
    {VMX_SECONDARY, 6, "WBINVD exiting", "a guest's WBINVD writes back everyone's caches"},
    {VMX_SECONDARY, 7, "unrestricted guest", NULL},
    {VMX_SECONDARY, 12, "enable INVPCID", "INVPCID is hidden"},
    {VMX_SECONDARY, 20, "enable XSAVES/XRSTORS", "XSAVES is hidden"},
    {VMX_EXIT, 2, "save debug controls", NULL},
    {VMX_EXIT, 9, "host address-space size", NULL},
    {VMX_EXIT, 18, "save IA32_PAT", NULL},
    {VMX_EXIT, 19, "load IA32_PAT", NULL},
    {VMX_EXIT, 20, "save IA32_EFER", NULL},
    {VMX_EXIT, 21, "load IA32_EFER", NULL},
    {VMX_ENTRY, 2, "load debug controls", NULL},
    {VMX_ENTRY, 14, "load IA32_PAT", NULL},
    {VMX_ENTRY, 15, "load IA32_EFER", NULL},
};

/*
 * "default1": reserved bits that must be 1 and mean nothing (SDM 3, A.2 to A.5). The primary bits
 * 15 and 16, CR3 exiting, belong to that class on the first VMX CPUs and do mean something.
 */
static const u32 default1[VMX_GROUPS] = {0x00000016, 0x04006172, 0, 0x00036dfb, 0x000011fb};

static const char *const group_names[VMX_GROUPS] = {
    "pin-based", "primary processor-based", "secondary processor-based", "VM-exit", "VM-entry"};

static u32 capability_msr(enum vmx_group group, u64 basic)
{
    static const u16 plain[VMX_GROUPS] = {0x481, 0x482, 0x48b, 0x483, 0x484};
    static const u16 exact[VMX_GROUPS] = {0x48d, 0x48e, 0x48b, 0x48f, 0x490};

    return basic & BASIC_TRUE_CONTROLS ? exact[group] : plain[group];
}

static bool decide_group(const struct vmx_msrs *m, enum vmx_group group, u32 *value, char *why,
                         size_t n)
{
    u64 capability = m->controls[group];
    u32 must = (u32)capability, may = (u32)(capability >> 32);
    u32 want = 0;

    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        const struct control *c = &wanted[i];
        if (c->group != (u8)group)
            continue;
        if (may >> c->bit & 1)
            want |= 1u << c->bit;
        else if (!c->without) {
            format_text(why, n,
                        "this CPU's VMX lacks the %s control \"%s\" (MSR 0x%x is 0x%lx); it takes "
                        "an Intel CPU of 2010 (Westmere) or later, and in a VM one with all of "
                        "nested VMX",
                        group_names[group], c->name, capability_msr(group, m->basic), capability);
            return false;
        }
    }
    if (must & ~want & ~default1[group]) {
        format_text(why, n,
                    "this CPU's VMX insists on %s controls 0x%x (MSR 0x%x is 0x%lx), which this "
                    "release does not handle",
                    group_names[group], must & ~want & ~default1[group],
                    capability_msr(group, m->basic), capability);
        return false;
    }
    *value = want | must;
    return true;
}

static bool decide_stage2(const struct vmx_msrs *m, struct vmx_controls *c, char *why, size_t n)
{
    static const struct {
        u64 bit;
        const char *name;
    } needs[] = {
        {EPT_CAP_4_LEVELS, "a page walk of 4 levels"},
        {EPT_CAP_WB, "write-back tables"},
        {EPT_CAP_2M, "2 MiB pages"},
        {EPT_CAP_INVEPT, "INVEPT"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
        if (m->ept_vpid & needs[i].bit)
            continue;
        format_text(why, n, "this CPU's EPT lacks %s (MSR 0x48c is 0x%lx); use a later CPU",
                    needs[i].name, m->ept_vpid);
        return false;
    }
    /* Of one context, or of all: more than is needed, and always right. */
    c->invept = m->ept_vpid & EPT_CAP_INVEPT_ONE ? 1 : m->ept_vpid & EPT_CAP_INVEPT_ALL ? 2 : 0;
    c->invvpid = m->ept_vpid & EPT_CAP_INVVPID_ONE ? 1 : m->ept_vpid & EPT_CAP_INVVPID_ALL ? 2 : 0;
    if (!c->invept) {
        format_text(why, n,
                    "this CPU's EPT lacks INVEPT of one context and of all (MSR 0x48c is "
                    "0x%lx); use a later CPU",
                    m->ept_vpid);
        return false;
    }
    /* A VPID that cannot be flushed is worse than none. */
    if (!(m->ept_vpid & EPT_CAP_INVVPID) || !c->invvpid)
        c->secondary &= ~(u32)SECONDARY_VPID;
    if (!(c->secondary & SECONDARY_VPID))
        c->invvpid = 0;
    return true;
}

/* What VMX itself demands of memory and control registers (SDM 3, A.1, A.7 and A.8). */
static bool decide_operation(const struct vmx_msrs *m, struct vmx_controls *c, char *why, size_t n)
{
    u64 cr0 = m->cr0_fixed0 & ~(u64)(CR0_PE | CR0_NE | CR0_PG),
        cr4 = m->cr4_fixed0 & ~(u64)CR4_VMXE;

    c->revision = (u32)m->basic & 0x7fffffff;
    if ((m->basic >> 32 & 0x1fff) > PAGE_SIZE || (m->basic >> 50 & 15) != 6) {
        format_text(
            why, n,
            "this CPU's VMX wants its VMCS in more than a page, or not in write-back memory "
            "(MSR 0x480 is 0x%lx), which this release does not do",
            m->basic);
        return false;
    }
    if (cr0 || cr4) {
        format_text(why, n,
                    "this CPU's VMX insists on CR0 bits 0x%lx and CR4 bits 0x%lx of guests (MSRs "
                    "0x486 and 0x488), which this release does not handle",
                    cr0, cr4);
        return false;
    }
    return true;
}

bool vmx_decide(const struct vmx_msrs *m, struct vmx_controls *c, char *why, size_t n)
{
    *c = (struct vmx_controls){0};
    if (!(m->feature_control & FEATURE_VMX)) {
        format_text(why, n,
                    "VMX is disabled by the firmware (MSR IA32_FEATURE_CONTROL is locked without "
                    "bit 2); enable VMX (\"Intel Virtualization Technology\") in its setup");
        return false;
    }
    if (!decide_operation(m, c, why, n) || !decide_group(m, VMX_PIN, &c->pin, why, n) ||
        !decide_group(m, VMX_PRIMARY, &c->primary, why, n) ||
        !decide_group(m, VMX_SECONDARY, &c->secondary, why, n) ||
        !decide_group(m, VMX_EXIT, &c->exit, why, n) ||
        !decide_group(m, VMX_ENTRY, &c->entry, why, n) || !decide_stage2(m, c, why, n))
        return false;
    c->timer = (m->controls[VMX_PIN] & MAY(PIN_TIMER_BIT)) &&
               (m->controls[VMX_EXIT] & MAY(EXIT_SAVE_TIMER_BIT));
    c->timer_shift = m->misc & 31;
    return true;
}

void vmx_report_missing(void)
{
    const u32 values[VMX_GROUPS] = {vmx_controls.pin, vmx_controls.primary, vmx_controls.secondary,
                                    vmx_controls.exit, vmx_controls.entry};

    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        const struct control *c = &wanted[i];
        if (!(values[c->group] >> c->bit & 1))
            say_info("cpu: VMX without the %s control \"%s\": %s", group_names[c->group], c->name,
                     c->without);
    }
}

/* VMXON is the firmware's to allow, once and for all: the MSR is locked until the next reset. */
static u64 feature_control(void)
{
    u64 feature = rdmsr(MSR_FEATURE_CONTROL);

    if (!(feature & FEATURE_LOCKED)) {
        feature |= FEATURE_LOCKED | FEATURE_VMX;
        wrmsr(MSR_FEATURE_CONTROL, feature);
    }
    return feature;
}

/* Not every one exists on every CPU, and a read of one that does not would be #GP in the firmware.
 */
bool vmx_usable(char *why, size_t n)
{
    struct vmx_msrs m = {.feature_control = feature_control(), .basic = rdmsr(MSR_VMX_BASIC)};

    m.misc = rdmsr(MSR_VMX_MISC);
    m.cr0_fixed0 = rdmsr(MSR_VMX_CR0_FIXED0);
    m.cr4_fixed0 = rdmsr(MSR_VMX_CR4_FIXED0);
    m.cr4_fixed1 = rdmsr(MSR_VMX_CR4_FIXED1);
    for (enum vmx_group g = VMX_PIN; g < VMX_GROUPS; g++) {
        if (g != VMX_SECONDARY || (m.controls[VMX_PRIMARY] & MAY(31)))
            m.controls[g] = rdmsr(capability_msr(g, m.basic));
    }
    if (m.controls[VMX_SECONDARY] & (MAY(1) | MAY(5)))
        m.ept_vpid = rdmsr(MSR_VMX_EPT_VPID);
    if (!vmx_decide(&m, &vmx_controls, why, n))
        return false;
    cpu_has.invpcid_hidden = !(vmx_controls.secondary & SECONDARY_INVPCID);
    cpu_has.cr4_refused = ~m.cr4_fixed1;
    return true;
}
