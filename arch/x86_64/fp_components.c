/* The table of state components, and the rules that follow from it. Pure. */
#include "fp_components.h"

#define MPX (BIT(3) | BIT(4))

const struct fp_component fp_components[FP_COMPONENTS] = {
    {"x87", "x87", XCR0_X87, 0, 160, COMPONENT_GATED, false},
    {"SSE", "sse", XCR0_SSE, 0, 256, COMPONENT_GATED, false},
    {"AVX", "avx", XCR0_AVX, XCR0_SSE, 256, COMPONENT_GATED, false},
    {"BNDREGS", "mpx", MPX, 0, 64, COMPONENT_HIDDEN, false},
    {"BNDCSR", "mpx", MPX, 0, 64, COMPONENT_HIDDEN, false},
    {"opmask", "avx512", XCR0_AVX512, XCR0_AVX, 64, COMPONENT_GATED, false},
    {"ZMM_Hi256", "avx512", XCR0_AVX512, XCR0_AVX, 512, COMPONENT_GATED, false},
    {"Hi16_ZMM", "avx512", XCR0_AVX512, XCR0_AVX, 1024, COMPONENT_GATED, false},
    {"PT", NULL, BIT(8), 0, 128, COMPONENT_HIDDEN, true},
    {"PKRU", "pkru", XCR0_PKRU, 0, 4, COMPONENT_EAGER, false},
    {"PASID", NULL, BIT(10), 0, 8, COMPONENT_HIDDEN, true},
    {"CET_U", "cet", BIT(11), 0, 16, COMPONENT_HIDDEN, true},
    {"CET_S", "cet", BIT(12), 0, 24, COMPONENT_HIDDEN, true},
    {"HDC", NULL, BIT(13), 0, 8, COMPONENT_HIDDEN, true},
    {"UINTR", NULL, BIT(14), 0, 48, COMPONENT_HIDDEN, true},
    {"LBR", NULL, BIT(15), 0, 0, COMPONENT_HIDDEN, true},
    {"HWP", NULL, BIT(16), 0, 8, COMPONENT_HIDDEN, true},
    {"TILECFG", "amx", XCR0_AMX, 0, 64, COMPONENT_GATED, false},
    {"TILEDATA", "amx", XCR0_AMX, 0, 8192, COMPONENT_GATED, false},
    {"APX", "apx", BIT(19), 0, 128, COMPONENT_HIDDEN, false},
};

/* True if hardware lets this bit be set in a value that is otherwise `set`. */
static bool allowed(u64 set, u64 n)
{
    const struct fp_component *c = &fp_components[n];

    return (set & c->group) == c->group && (set & c->needs) == c->needs;
}

u64 fp_components_closed(u64 set)
{
    u64 before;

    set &= BITS(FP_COMPONENTS - 1, 0);
    do {
        before = set;
        for (unsigned n = 0; n < FP_COMPONENTS; n++) {
            if ((set & BIT(n)) && !allowed(set, n))
                set &= ~BIT(n);
        }
    } while (set != before);
    return set;
}

bool xcr0_valid(u64 value, u64 permitted)
{
    /* What no row speaks of, no rule is known for. */
    if ((value & ~permitted) || !(value & XCR0_X87) || value >> FP_COMPONENTS)
        return false;
    FOR_EACH_COMPONENT(n, value)
    {
        if (!allowed(value, n))
            return false;
    }
    return true;
}
