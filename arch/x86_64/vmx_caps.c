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
#define MSR_VMX_EPT_VPID    0x48c
#define BASIC_TRUE_CONTROLS BIT(55)

struct vmx_controls vmx_controls;

enum group { PIN, PRIMARY, SECONDARY, EXIT, ENTRY, GROUPS };

struct control {
    u8 group, bit;
    bool optional;
    const char *name;
};

static const struct control wanted[] = {
    {PIN, 0, false, "external-interrupt exiting"},
    {PIN, 3, false, "NMI exiting"},
    {PRIMARY, 3, false, "use TSC offsetting"},
    {PRIMARY, 7, false, "HLT exiting"},
    {PRIMARY, 10, false, "MWAIT exiting"},
    {PRIMARY, 11, false, "RDPMC exiting"},
    {PRIMARY, 19, false, "CR8-load exiting"},
    {PRIMARY, 20, false, "CR8-store exiting"},
    {PRIMARY, 23, false, "MOV-DR exiting"},
    {PRIMARY, 24, false, "unconditional I/O exiting"},
    {PRIMARY, 28, false, "use MSR bitmaps"},
    {PRIMARY, 29, false, "MONITOR exiting"},
    {PRIMARY, 31, false, "activate secondary controls"},
    {SECONDARY, 1, false, "enable EPT"},
    {SECONDARY, 5, false, "enable VPID"},
    {SECONDARY, 6, true, "WBINVD exiting"},
    {SECONDARY, 7, false, "unrestricted guest"},
    {SECONDARY, 12, true, "enable INVPCID"},
    {EXIT, 2, false, "save debug controls"},
    {EXIT, 9, false, "host address-space size"},
    {EXIT, 18, false, "save IA32_PAT"},
    {EXIT, 19, false, "load IA32_PAT"},
    {EXIT, 20, false, "save IA32_EFER"},
    {EXIT, 21, false, "load IA32_EFER"},
    {ENTRY, 2, false, "load debug controls"},
    {ENTRY, 14, false, "load IA32_PAT"},
    {ENTRY, 15, false, "load IA32_EFER"},
};

/*
 * "default1": reserved bits that must be 1 and mean nothing (SDM 3, A.2 to A.5). The primary bits
 * 15 and 16, CR3 exiting, belong to that class on the first VMX CPUs and do mean something.
 */
static const u32 default1[GROUPS] = {0x00000016, 0x04006172, 0, 0x00036dfb, 0x000011fb};

static const char *const group_names[GROUPS] = {"pin-based", "primary processor-based",
                                                "secondary processor-based", "VM-exit", "VM-entry"};

static u32 capability_msr(enum group group, bool true_controls)
{
    static const u16 plain[GROUPS] = {0x481, 0x482, 0x48b, 0x483, 0x484};
    static const u16 exact[GROUPS] = {0x48d, 0x48e, 0x48b, 0x48f, 0x490};

    return true_controls ? exact[group] : plain[group];
}

static bool decide(enum group group, u32 *value, char *why, size_t n)
{
    u32 msr = capability_msr(group, vmx_controls.basic & BASIC_TRUE_CONTROLS);
    u64 capability = rdmsr(msr);
    u32 must = (u32)capability, may = (u32)(capability >> 32);
    u32 want = 0;

    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        const struct control *c = &wanted[i];
        if (c->group != (u8)group)
            continue;
        if (may >> c->bit & 1)
            want |= 1u << c->bit;
        else if (!c->optional) {
            format_text(why, n,
                        "this CPU's VMX lacks the %s control \"%s\" (MSR 0x%x is 0x%lx); it takes "
                        "an Intel CPU of 2010 (Westmere) or later, and in a VM one with all of "
                        "nested VMX",
                        group_names[group], c->name, msr, capability);
            return false;
        }
    }
    if (must & ~want & ~default1[group]) {
        format_text(why, n,
                    "this CPU's VMX insists on %s controls 0x%x (MSR 0x%x is 0x%lx), which this "
                    "release does not handle",
                    group_names[group], must & ~want & ~default1[group], msr, capability);
        return false;
    }
    *value = want | must;
    return true;
}

static bool stage2_usable(char *why, size_t n)
{
    static const struct {
        u64 bit;
        const char *name;
    } needs[] = {
        {EPT_CAP_4_LEVELS, "a page walk of 4 levels"},
        {EPT_CAP_WB, "write-back tables"},
        {EPT_CAP_2M, "2 MiB pages"},
        {EPT_CAP_INVEPT | EPT_CAP_INVEPT_ONE, "INVEPT of one context"},
        {EPT_CAP_INVVPID | EPT_CAP_INVVPID_ONE, "INVVPID of one context"},
    };

    vmx_controls.ept_vpid = rdmsr(MSR_VMX_EPT_VPID);
    for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
        if ((vmx_controls.ept_vpid & needs[i].bit) == needs[i].bit)
            continue;
        format_text(why, n, "this CPU's EPT lacks %s (MSR 0x48c is 0x%lx); use a later CPU",
                    needs[i].name, vmx_controls.ept_vpid);
        return false;
    }
    return true;
}

/* VMXON is the firmware's to allow, once and for all: the MSR is locked until the next reset. */
static bool allowed_by_firmware(void)
{
    u64 feature = rdmsr(MSR_FEATURE_CONTROL);

    if (!(feature & FEATURE_LOCKED)) {
        feature |= FEATURE_LOCKED | FEATURE_VMX;
        wrmsr(MSR_FEATURE_CONTROL, feature);
    }
    return feature & FEATURE_VMX;
}

bool vmx_usable(char *why, size_t n)
{
    if (!allowed_by_firmware()) {
        format_text(why, n,
                    "VMX is disabled by the firmware (MSR IA32_FEATURE_CONTROL is locked without "
                    "bit 2); enable VMX (\"Intel Virtualization Technology\") in its setup");
        return false;
    }
    vmx_controls.basic = rdmsr(MSR_VMX_BASIC);
    vmx_controls.revision = (u32)vmx_controls.basic & 0x7fffffff;
    return decide(PIN, &vmx_controls.pin, why, n) &&
           decide(PRIMARY, &vmx_controls.primary, why, n) &&
           decide(SECONDARY, &vmx_controls.secondary, why, n) &&
           decide(EXIT, &vmx_controls.exit, why, n) && decide(ENTRY, &vmx_controls.entry, why, n) &&
           stage2_usable(why, n);
}
