/* Instruction stubs of stubs.S: each takes a struct scratch and may fault at insn_NAME (or
 * insn_NAME_at). */
#ifndef GUEST_X86_STUBS_H
#define GUEST_X86_STUBS_H

#include "guest/x86_64/fp.h"

/* Memory of the stubs; the offsets are written into stubs.S. */
struct scratch {
    u8 area[3072]; /* an FXSAVE or XSAVE image */
    u8 out[16];    /* small stores */
    u64 value;     /* EDX:EAX or RAX */
    u32 index;     /* ECX */
    u32 reserved[9];
    u8 tilecfg[64]; /* what LDTILECFG loads */
    u8 stored[64];  /* what STTILECFG stores */
    u32 reserved2[208];
} ALIGNED(4096);
_Static_assert(offsetof(struct scratch, value) == 3088, "stubs.S");
_Static_assert(offsetof(struct scratch, index) == 3096, "stubs.S");
_Static_assert(offsetof(struct scratch, tilecfg) == 3136, "stubs.S");
_Static_assert(offsetof(struct scratch, stored) == 3200, "stubs.S");
_Static_assert(sizeof(struct scratch) == 4096, "one page, so that CPL 3 gets nothing else");

extern struct scratch scratch;      /* CPL 0 only: PKRU does not govern it */
extern struct scratch user_scratch; /* reachable at CPL 3 too */

#define STUB(name) void insn_##name(void *scratch)
#define STUB_AT(name)                                                                              \
    void insn_##name(void *scratch);                                                               \
    extern const u8 insn_##name##_at[]

STUB(fnop);
STUB(fninit);
STUB(fnstcw);
STUB(fldcw);
STUB(fwait);
STUB(fldz);
STUB(mmx);
STUB(emms);
STUB(x87_pending);
STUB(fldl);
STUB(divps_setup);
STUB(divps);
STUB(movups_load);
STUB(movups_store);
STUB(addps);
STUB(paddd);
STUB(pxor_xmm3);
STUB(ldmxcsr);
STUB(stmxcsr);
STUB(fxsave);
STUB(fxrstor);
STUB(movnti);
STUB(sfence);
STUB(popcnt);
STUB(vmovups_load);
STUB(vmovups_store);
STUB(vaddps);
STUB(vpxor_xmm5);
STUB(vzeroupper);
STUB(vldmxcsr);
STUB(vpxord_zmm20);
STUB(kxnorw_k3);
STUB(kmovw);
STUB(vmovups_zmm_load);
STUB(vmovups_zmm_store);
STUB(vaddps_zmm);
STUB(ldtilecfg);
STUB(sttilecfg);
STUB(tilerelease);
STUB(tilezero);
STUB_AT(tileloadd);
STUB_AT(tilestored);
STUB(tdpbssd);
STUB(tdpbf16ps);
STUB(tdp_a_is_b);
STUB(tdp_a_is_c);
STUB(tdp_b_is_c);
STUB(tileload_tmm5);
STUB(andn);
STUB_AT(xsave);
STUB_AT(xsaveopt);
STUB_AT(xsavec);
STUB_AT(xsaves);
STUB_AT(xrstor);
STUB_AT(xrstors);
STUB_AT(xrstor_tiles);
STUB_AT(xgetbv);
STUB_AT(xgetbv1);
STUB_AT(xgetbv2);
STUB_AT(xsetbv);
STUB_AT(xsetbv_zero);
STUB_AT(rdpkru);
STUB_AT(wrpkru);
STUB_AT(rdmsr);
STUB_AT(wrmsr);
STUB_AT(hypercall);
STUB_AT(vmrun);
STUB_AT(vmload);
STUB_AT(vmsave);
STUB_AT(invlpga);
STUB_AT(cr0_write);
STUB_AT(cr4_write);
STUB(stgi);
STUB(clgi);
STUB(skinit);
STUB(vmcall);
STUB(vmmcall);
STUB(vmxoff);
STUB(hlt);
STUB(clts);
STUB(cr0_read);
STUB(out);
u64 insn_smsw(void *unused);
void insn_lmsw(u64 value);
u64 insn_hypercall_preserves(u64 function);
STUB(ud2);
STUB(nop);

#endif
