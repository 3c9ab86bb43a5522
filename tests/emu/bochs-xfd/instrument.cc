/*
 * XFD for Bochs 3.0, which has AMX and no XFD (extended feature disable; SDM 1, 13.14), and a mend
 * of what it does wrong with AMX state. An instrumentation module: Bochs itself is built as it
 * comes.
 *
 * It puts handlers of its own into two tables of Bochs: what executes an opcode (BxOpcodesTable)
 * and what XSAVE* and XRSTOR* do with a state component (xsave_restore). A handler looks at XFD and
 * goes on to Bochs's own.
 *
 * FERMATA_BOCHS_AMX=as-is in the environment leaves the errata as the packaged Bochs has them; the
 * default mends them (tests/emu/ERRATA.md has them all, with what the manual says).
 */
#define NEED_CPU_REG_SHORTCUTS 1
#include "bochs.h"
#include "cpu.h"
#include "avx/amx.h"
#include "decoder/fetchdecode.h"
#include "decoder/ia_opcodes.h"
#define LOG_THIS BX_CPU_THIS_PTR

extern bxIAOpcodeTable BxOpcodesTable[];
extern XSaveRestoreStateHelper xsave_restore[];

namespace
{

const unsigned IA32_XFD = 0x1c4, IA32_XFD_ERR = 0x1c5;
const unsigned TILECFG = 17, TILEDATA = 18; /* state components */
const Bit32u TILES = 1u << TILEDATA;
const Bit64u COMPACTED = BX_CONST64(1) << 63; /* XCOMP_BV[63] */
const unsigned BV = 512, XCOMP = 520, RESERVED = 528, HEADER_END = 576;

bool mended;
/* Does the XSAVE* now executing store tile data as INIT? */
bool stored_as_init;
BxExecutePtr_tR original[BX_IA_LAST];
XSaveRestoreStateHelper component[xcr0_t::BX_XCR0_LAST]; /* as Bochs has them */

/* In the compacted format, on the CPU that has it: CPUID 0xD.n ECX[1]. */
bool aligned(unsigned n)
{
    return n == TILECFG || n == TILEDATA;
}

/* Where component n begins in the compacted format; behind the last one it is the size. */
unsigned packed(Bit64u components, unsigned n)
{
    unsigned at = HEADER_END;
    for (unsigned before = 2; before < n; before++)
        if (components >> before & 1)
            at = (aligned(before) ? (at + 63) & ~63u : at) + component[before].len;
    return aligned(n) ? (at + 63) & ~63u : at;
}

/* Never made: its functions run on Bochs's own CPU, as if they were that class's. */
class Cpu : public BX_CPU_C
{
  public:
    void tile(bxInstruction_c *i);
    void dot_product(bxInstruction_c *i);
    void sttilecfg(bxInstruction_c *i);
    void xsave(bxInstruction_c *i);
    void xgetbv(bxInstruction_c *i);
    void xrstor(bxInstruction_c *i);
    void tilezero(bxInstruction_c *i);
    void cpuid_leaf(bxInstruction_c *i);
    void cpuid_amx(Bit32u leaf, Bit32u sub);

    void tilecfg_save(bxInstruction_c *i, bx_address at);
    void tilecfg_restore(bxInstruction_c *i, bx_address at);
    void tilecfg_init(void);
    bool tiledata_in_use(void);
    void tiledata_save(bxInstruction_c *i, bx_address at);
    void tiledata_restore(bxInstruction_c *i, bx_address at);
    template <unsigned N> void restore(bxInstruction_c *i, bx_address at);
    void avx_init(void);

  private:
    bool disabled(void);
    void not_available(void);
    void go_on(bxInstruction_c *i);
    bool resets_mxcsr(bxInstruction_c *i, bx_address area, Bit64u enabled);
    bool header_is_good(bxInstruction_c *i, bx_address area, Bit64u xcr0);
    bx_address place(bxInstruction_c *i, unsigned n, bx_address at);
    bx_address align(bxInstruction_c *i, bx_address at);
};

#define EXECUTES(name) static_cast<BxExecutePtr_tR>(&Cpu::name)

bool Cpu::disabled(void)
{
    return (msrs[IA32_XFD]->get64() & TILES) != 0;
}

/*
 * SDM 1, 13.14: XFD_ERR becomes XFD AND what the instruction needs, before anything else happens:
 * an intercepted #NM exits with it set.
 */
void Cpu::not_available(void)
{
    msrs[IA32_XFD_ERR]->val64 = msrs[IA32_XFD]->get64() & TILES;
    exception(BX_NM_EXCEPTION, 0);
}

void Cpu::go_on(bxInstruction_c *i)
{
    (this->*original[i->getIaOpcode()])(i);
}

/*
 * TILELOADD*, TILESTORED, TILEZERO, TDP*. Bochs comes here only in 64-bit mode with CR4.OSXSAVE and
 * XCR0[18:17] = 11b; else it has raised #UD.
 */
void Cpu::tile(bxInstruction_c *i)
{
    if (disabled())
        not_available();
    go_on(i);
}

/* On a real CPU tiles are in use once they were written, whatever was written. */
void Cpu::tilezero(bxInstruction_c *i)
{
    if (disabled())
        not_available();
    const unsigned tile = i->dst();
    if (tile >= BX_TILE_REGISTERS || !amx->tile_valid(tile))
        exception(BX_UD_EXCEPTION, 0);
    amx->tile[tile].clear();
    amx->set_tile_used(tile);
    amx->restart();
    BX_NEXT_INSTR(i);
}

/* TDPBSSD, TDPBSUD, TDPBUSD: Bochs takes their signed bytes for unsigned ones. */
void Cpu::dot_product(bxInstruction_c *i)
{
    if (disabled())
        not_available();
    const unsigned op = i->getIaOpcode(), to = i->dst(), left = i->src1(), right = i->src2();
    const bool left_signed = op != BX_IA_TDPBUSD_TnnnTrmTreg,
               right_signed = op != BX_IA_TDPBSUD_TnnnTrmTreg;
    check_tiles(i, to, left, right);
    const unsigned rows = amx->tile_num_rows(to), columns = amx->tile_dword_elements_per_row(to);
    for (unsigned m = 0; m < rows; m++) {
        for (unsigned n = 0; n < columns; n++) {
            Bit32u sum = amx->tile[to].row[m].vmm32u(n);
            for (unsigned k = 0; k < 4 * amx->tile_num_rows(right); k++) {
                const Bit8u x = amx->tile[left].row[m].vmmubyte(k);
                const Bit8u y = amx->tile[right].row[k / 4].vmmubyte(4 * n + k % 4);
                sum += Bit32u((left_signed ? Bit32s(Bit8s(x)) : Bit32s(x)) *
                              (right_signed ? Bit32s(Bit8s(y)) : Bit32s(y)));
            }
            amx->tile[to].row[m].vmm32u(n) = sum;
        }
        amx->tile[to].zero_upper_row_data32(m, columns);
    }
    amx->set_tile_used(to);
    amx->tile[to].clear_upper_rows(rows);
    amx->restart();
    BX_NEXT_INSTR(i);
}

/* Bochs knows it as VEX.W1; the manual and every assembler say W0. */
void Cpu::sttilecfg(bxInstruction_c *i)
{
    const Bit32u both = 1u << TILECFG | TILES;
    if (!long64_mode() || !cr4.get_OSXSAVE() || (xcr0.get32() & both) != both)
        exception(BX_UD_EXCEPTION, 0);
    tilecfg_save(i, BX_CPU_RESOLVE_ADDR_64(i));
    BX_NEXT_INSTR(i);
}

/* XSAVE, XSAVEOPT, XSAVEC, XSAVES: no #NM, but the component is stored as if it were in INIT. */
void Cpu::xsave(bxInstruction_c *i)
{
    stored_as_init = disabled();
    go_on(i);
}

/* XGETBV(1) shows XINUSE whatever XFD is. */
void Cpu::xgetbv(bxInstruction_c *i)
{
    stored_as_init = false;
    go_on(i);
}

/* Would this XRSTOR or XRSTORS be #GP for what its header holds? SDM 1, 13.8.1 and 13.12. */
bool Cpu::header_is_good(bxInstruction_c *i, bx_address area, Bit64u enabled)
{
    const bx_address mask = i->asize_mask();
    const Bit64u bv = read_virtual_qword(i->seg(), (area + BV) & mask);
    const Bit64u xcomp = read_virtual_qword(i->seg(), (area + XCOMP) & mask);
    const bool compacted = (xcomp & COMPACTED) != 0;
    const unsigned end = compacted ? HEADER_END : RESERVED + 8;
    for (unsigned at = RESERVED; at < end; at += 8)
        if (read_virtual_qword(i->seg(), (area + at) & mask))
            return false;
    if (compacted)
        return !(xcomp & ~COMPACTED & ~enabled) && !(bv & ~(xcomp & ~COMPACTED));
    return xcomp == 0 && i->getIaOpcode() != BX_IA_XRSTORS && !(bv & ~enabled);
}

/* Compacted, SSE asked for and in INIT: MXCSR becomes 1F80H (SDM 1, 13.8.2), which Bochs forgets.
 */
bool Cpu::resets_mxcsr(bxInstruction_c *i, bx_address area, Bit64u enabled)
{
    const bx_address mask = i->asize_mask();
    return (EAX & enabled & 2) &&
           (read_virtual_qword(i->seg(), (area + XCOMP) & mask) & COMPACTED) &&
           !(read_virtual_qword(i->seg(), (area + BV) & mask) & 2);
}

/*
 * #NM if it would load tile data. Nothing has been loaded by then: the checks come before Bochs's
 * own code, and in its order; what it would refuse goes to it.
 */
void Cpu::xrstor(bxInstruction_c *i)
{
    prepareXSAVE(); /* #UD, and #NM of CR0.TS, come first */
    const bx_address area = BX_CPU_RESOLVE_ADDR(i);
    const bool supervisor = i->getIaOpcode() == BX_IA_XRSTORS;
    const Bit64u enabled = xcr0.get32() | (supervisor ? msr.ia32_xss : 0);
    const bool no_such = supervisor && in_vmx_guest && !vmcs.vmexec_ctrls2.XSAVES_XRSTORS();
    if ((get_laddr(i->seg(), area) & 63) || (supervisor && CPL != 0) || no_such) {
        go_on(i);
        return;
    }
    if (!header_is_good(i, area, enabled)) {
        if (mended) /* Bochs lets XSTATE_BV[63] pass */
            exception(BX_GP_EXCEPTION, 0);
        go_on(i);
        return;
    }
    if (disabled() &&
        (read_virtual_qword(i->seg(), (area + BV) & i->asize_mask()) & EAX & enabled & TILES))
        not_available();
    const bool resets = mended && resets_mxcsr(i, area, enabled);
    if (resets)
        async_event |= BX_ASYNC_EVENT_STOP_TRACE; /* come back here, not to the next instruction */
    go_on(i);
    if (resets)
        mxcsr.mxcsr = MXCSR_RESET;
}

/* A model that AMX was added to (ryzen) has it in leaf 0xD alone: the feature bits, the palette and
 * TMUL's sizes. */
void Cpu::cpuid_amx(Bit32u leaf, Bit32u sub)
{
    static const Bit32u last = 0x1e, tile = 1 << 24, int8 = 1 << 25, bf16 = 1 << 22;

    if (leaf == 0 && EAX < last)
        RAX = last;
    if (leaf == 7 && sub == 0 && !(EDX & tile)) {
        RDX |= tile;
        RDX |= BX_CPUID_SUPPORT_ISA_EXTENSION(BX_ISA_AMX_INT8) ? int8 : 0;
        RDX |= BX_CPUID_SUPPORT_ISA_EXTENSION(BX_ISA_AMX_BF16) ? bf16 : 0;
    }
    if (leaf == 0x1d && sub == 0)
        RAX = 1; /* the highest palette */
    if (leaf == 0x1d && sub == 1) {
        RAX = 1024 << 16 | 8192; /* bytes of a tile, of all */
        RBX = 8 << 16 | 64;      /* tiles, bytes of a row */
        RCX = 16;                /* rows */
    }
    if (leaf == 0x1e && sub == 0)
        RBX = 64 << 8 | 16; /* TMUL: columns' bytes, rows */
}

void Cpu::cpuid_leaf(bxInstruction_c *i)
{
    const Bit32u leaf = EAX, sub = ECX;
    async_event |= BX_ASYNC_EVENT_STOP_TRACE; /* come back here, not to the next instruction */
    go_on(i);
    if (mended)
        cpuid_amx(leaf, sub);
    if (leaf != 0xd)
        return;
    if (sub == 1) {
        RAX |= 1 << 4;
        if (mended)
            RBX = packed(xcr0.get32() | msr.ia32_xss, xcr0_t::BX_XCR0_LAST);
    }
    if (aligned(sub) && mended)
        RCX |= 1 << 1;
    if (sub == TILEDATA)
        RCX |= 1 << 2;
}

void Cpu::tilecfg_save(bxInstruction_c *i, bx_address at)
{
    BxPackedAvxRegister image;
    image.clear();
    if (amx->tiles_configured()) {
        image.vmmubyte(0) = Bit8u(amx->palette_id);
        image.vmmubyte(1) = Bit8u(amx->start_row);
        for (unsigned n = 0; n < BX_TILE_REGISTERS; n++) {
            image.vmm16u(8 + n) = Bit16u(amx->tilecfg[n].bytes_per_row);
            image.vmmubyte(48 + n) = Bit8u(amx->tilecfg[n].rows);
        }
    }
    write_virtual_zmmword(i->seg(), align(i, at), &image);
}

/* Tile data is another component: it stays. An image that LDTILECFG would refuse becomes INIT. */
void Cpu::tilecfg_restore(bxInstruction_c *i, bx_address at)
{
    BxPackedAvxRegister image;
    read_virtual_zmmword(i->seg(), place(i, TILECFG, at), &image);
    static AMX before;
    before = *amx;
    if (!configure_tiles(i, image))
        amx->clear();
    memcpy(amx->tile, before.tile, sizeof before.tile);
    amx->tile_use_tracker = before.tile_use_tracker;
}

void Cpu::tilecfg_init(void)
{
    amx->palette_id = amx->start_row = 0;
    amx->clear_tilecfg();
}

bool Cpu::tiledata_in_use(void)
{
    if (stored_as_init)
        return false;
    return mended ? amx->tile_use_tracker != 0
                  : (this->*component[TILEDATA].xstate_in_use_method)();
}

void Cpu::tiledata_save(bxInstruction_c *i, bx_address at)
{
    if (!mended && !stored_as_init) {
        (this->*component[TILEDATA].xsave_method)(i, at);
        return;
    }
    BxPackedAvxRegister zero;
    zero.clear();
    at = align(i, at);
    for (unsigned n = 0; n < BX_TILE_REGISTERS * BX_TILE_MAX_ROWS; n++)
        write_virtual_zmmword(
            i->seg(), (at + n * 64) & i->asize_mask(),
            stored_as_init ? &zero : &amx->tile[n / BX_TILE_MAX_ROWS].row[n % BX_TILE_MAX_ROWS]);
}

void Cpu::tiledata_restore(bxInstruction_c *i, bx_address at)
{
    at = place(i, TILEDATA, at);
    for (unsigned n = 0; n < BX_TILE_REGISTERS * BX_TILE_MAX_ROWS; n++)
        read_virtual_zmmword(i->seg(), (at + n * 64) & i->asize_mask(),
                             &amx->tile[n / BX_TILE_MAX_ROWS].row[n % BX_TILE_MAX_ROWS]);
    for (unsigned tile = 0; tile < BX_TILE_REGISTERS; tile++)
        amx->set_tile_used(tile);
}

/*
 * Saving: Bochs adds lengths up without alignment, and 17 and 18 are its last components: rounding
 * up what it has come to gives the right place. An area begins at a multiple of 64 of the linear
 * address.
 */
bx_address Cpu::align(bxInstruction_c *i, bx_address at)
{
    return mended ? (at + (-get_laddr(i->seg(), at) & 63)) & i->asize_mask() : at;
}

/*
 * Restoring: in the compacted format Bochs forgets the components that the image has and the mask
 * leaves out. So the place is worked out here from XCOMP_BV (SDM 1, 13.4.3).
 */
bx_address Cpu::place(bxInstruction_c *i, unsigned n, bx_address at)
{
    const bx_address area = BX_CPU_RESOLVE_ADDR(i);
    const Bit64u xcomp = read_virtual_qword(i->seg(), (area + XCOMP) & i->asize_mask());
    return xcomp & COMPACTED ? (area + packed(xcomp, n)) & i->asize_mask() : at;
}

template <unsigned N> void Cpu::restore(bxInstruction_c *i, bx_address at)
{
    (this->*component[N].xrstor_method)(i, place(i, N, at));
}

/* ZMM_Hi256 is another component: INIT of AVX leaves it, where Bochs zeroes it. */
void Cpu::avx_init(void)
{
    for (unsigned n = 0; n < (long64_mode() ? 16 : 8); n++)
        vmm[n].vmm128(1).clear();
}

void replace(unsigned op, BxExecutePtr_tR handler)
{
    bxIAOpcodeTable *entry = &BxOpcodesTable[op];
    original[op] = entry->execute1 && entry->execute1 != &BX_CPU_C::BxError ? entry->execute1
                                                                            : entry->execute2;
    if (entry->execute1 == original[op])
        entry->execute1 = handler;
    if (entry->execute2 == original[op])
        entry->execute2 = handler;
}

void replace_handlers()
{
    static const unsigned tile_ops[] = {
        BX_IA_TILELOADD_TnnnMdq,   BX_IA_TILELOADDT1_TnnnMdq, BX_IA_TILESTORED_MdqTnnn,
        BX_IA_TILEZERO_Tnnn,       BX_IA_TDPBSSD_TnnnTrmTreg, BX_IA_TDPBSUD_TnnnTrmTreg,
        BX_IA_TDPBUSD_TnnnTrmTreg, BX_IA_TDPBUUD_TnnnTrmTreg, BX_IA_TDPBF16PS_TnnnTrmTreg};
    static const unsigned signed_ops[] = {BX_IA_TDPBSSD_TnnnTrmTreg, BX_IA_TDPBSUD_TnnnTrmTreg,
                                          BX_IA_TDPBUSD_TnnnTrmTreg};
    static const unsigned saves[] = {BX_IA_XSAVE, BX_IA_XSAVEOPT, BX_IA_XSAVEC, BX_IA_XSAVES};
    for (unsigned op : tile_ops)
        replace(op, EXECUTES(tile));
    for (unsigned op : signed_ops)
        if (mended)
            BxOpcodesTable[op].execute2 = EXECUTES(dot_product);
    if (mended)
        BxOpcodesTable[BX_IA_TILEZERO_Tnnn].execute2 = EXECUTES(tilezero);
    for (unsigned op : saves)
        replace(op, EXECUTES(xsave));
    replace(BX_IA_XRSTOR, EXECUTES(xrstor));
    replace(BX_IA_XRSTORS, EXECUTES(xrstor));
    replace(BX_IA_XGETBV, EXECUTES(xgetbv));
    replace(BX_IA_CPUID, EXECUTES(cpuid_leaf));
}

template <unsigned N> void replace_restore()
{
    if (component[N].xrstor_method)
        xsave_restore[N].xrstor_method = static_cast<XRestorPtr_tR>(&Cpu::restore<N>);
}

void replace_components()
{
    memcpy(component, xsave_restore, sizeof component);
    XSaveRestoreStateHelper *cfg = &xsave_restore[TILECFG], *data = &xsave_restore[TILEDATA];
    data->xstate_in_use_method = static_cast<XSaveStateInUsePtr_tR>(&Cpu::tiledata_in_use);
    data->xsave_method = static_cast<XSavePtr_tR>(&Cpu::tiledata_save);
    if (!mended)
        return;
    replace_restore<2>();
    xsave_restore[2].xrstor_init_method = static_cast<XRestorInitPtr_tR>(&Cpu::avx_init);
    replace_restore<5>();
    replace_restore<6>();
    replace_restore<7>();
    replace_restore<9>();
    replace_restore<11>();
    replace_restore<12>();
    replace_restore<14>();
    data->xrstor_method = static_cast<XRestorPtr_tR>(&Cpu::tiledata_restore);
    cfg->xsave_method = static_cast<XSavePtr_tR>(&Cpu::tilecfg_save);
    cfg->xrstor_method = static_cast<XRestorPtr_tR>(&Cpu::tilecfg_restore);
    cfg->xrstor_init_method = static_cast<XRestorInitPtr_tR>(&Cpu::tilecfg_init);
}

} // namespace

void xfd_initialize(unsigned cpu)
{
    BX_CPU_C *c = BX_CPU(cpu);
    if (!c->amx)
        return; /* a CPU without AMX has nothing XFD could disable */
    c->msrs[IA32_XFD] = new MSR(IA32_XFD, 0u, 0, ~Bit64u(TILES), 0);
    c->msrs[IA32_XFD_ERR] = new MSR(IA32_XFD_ERR, 0u, 0, ~Bit64u(TILES), 0);
    static bool done;
    if (!done) {
        const char *choice = getenv("FERMATA_BOCHS_AMX");
        mended = !choice || strcmp(choice, "as-is") != 0;
        replace_handlers();
        done = true;
    }
    /* Each CPU's initialize(), which comes before this, fills the one table of components anew. */
    replace_components();
}

void xfd_reset(unsigned cpu, unsigned type)
{
    BX_CPU_C *c = BX_CPU(cpu);
    if (mended && c->amx && type == BX_RESET_HARDWARE)
        c->amx->clear(); /* Bochs leaves which tiles are in use to chance */
}

/* STTILECFG is C4, map 2, W0 vvvv=1111 L0 pp=01 (79), 49 /0 of memory, perhaps after prefixes. */
void xfd_decoded(unsigned cpu, bxInstruction_c *i, const Bit8u *code, unsigned length, bool is64)
{
    if (!mended || !is64)
        return;
    if (i->getIaOpcode() == BX_IA_STTILECFG)
        i->execute1 = &BX_CPU_C::BxError;
    if (i->getIaOpcode() != BX_IA_ERROR)
        return;
    while (length > 5 && *code && strchr("\x26\x2e\x36\x3e\x64\x65\x67", *code))
        code++, length--;
    if (length < 5 || code[0] != 0xc4 || (code[1] & 0x1f) != 2 || code[2] != 0x79 ||
        code[3] != 0x49 || (code[4] & 0x38) != 0 || !(code[1] & 0x80) || i->modC0() ||
        !BX_CPU(cpu)->amx)
        return;
    i->setIaOpcode(BX_IA_STTILECFG);
    i->execute1 = EXECUTES(sttilecfg);
}
