/* See core.h. */
#include "hv/core.h"
#include "arch/arch.h"
#include "arch_gdb.h"
#include "hv/console.h"
#include "hv/fp_transfer.h"
#include "hv/pages.h"

#define PIECE 192u /* bytes of payload in a line */
#define LINE  (2 * PIECE + 80)

bool core_on;

static u32 lines;

/* "fermata: core WHAT HEX SUM" */
static void line(const char *what, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char text[LINE];
    const u8 *b = bytes;
    u16 sum = 0;

    size_t at = (size_t)format_text(text, sizeof(text), "fermata: core %s ", what);
    for (size_t i = 0; i < n; i++) {
        text[at++] = digits[b[i] >> 4];
        text[at++] = digits[b[i] & 15];
        sum = (u16)(sum + b[i]);
    }
    at += (size_t)format_text(text + at, sizeof(text) - at, " %04x\n", sum);
    console_write(text, at);
    lines++;
}

static bool zero(const u8 *bytes, size_t n)
{
    while (n && !bytes[n - 1])
        n--;
    return n == 0;
}

static void memory(u64 address, const u8 *bytes, u64 n)
{
    char what[40];

    for (u64 done = 0; done < n; done += PIECE) {
        size_t piece = n - done < PIECE ? (size_t)(n - done) : PIECE;
        if (zero(bytes + done, piece))
            continue;
        format_text(what, sizeof(what), "mem %lx", address + done);
        line(what, bytes + done, piece);
    }
}

static void begin(const char *name)
{
    lines = 0;
    console_printf("fermata: core begin %s %s\n", name, FERMATA_ARCH);
}

static void end(void)
{
    console_printf("fermata: core end %u\n", lines);
}

static void registers(struct vcpu *v)
{
    u8 values[ARCH_GDB_CORE * ARCH_GDB_CORE_MAX];
    char what[24];
    size_t at = 0, piece = 0;

    for (u32 n = 0; n < ARCH_GDB_CORE; n++) {
        bool available;
        at += arch_gdb_get(v, n, values + at, sizeof(values) - at, &available);
    }
    for (size_t from = 0; from < at; from += piece) {
        piece = at - from < PIECE ? at - from : PIECE;
        format_text(what, sizeof(what), "regs %u %zx", v->id, from);
        line(what, values + from, piece);
    }
}

static void fp_records(struct vcpu *v, u8 *records)
{
    char what[32];
    size_t n;

    if (fp_export(v, records, FP_RECORDS_MAX, &n) != FP_TRANSFER_OK)
        return;
    for (size_t at = 0; at < n; at += PIECE) {
        format_text(what, sizeof(what), "fp %u %zx", v->id, at);
        line(what, records + at, n - at < PIECE ? n - at : PIECE);
    }
}

void core_vm(struct vm *vm)
{
    u8 *records = pages_alloc(FP_RECORDS_MAX / PAGE_SIZE, PAGE_SIZE, PAGES_HYPERVISOR);

    begin(vm_name(vm));
    if (!records)
        say_error("core: no memory for FP registers: it is without them");
    for (u32 i = 0; i < vm->nvcpus; i++) {
        if (vm->vcpus[i]->state == VCPU_OFF)
            continue;
        registers(vm->vcpus[i]);
        if (records)
            fp_records(vm->vcpus[i], records);
    }
    memory(vm->ram_gpa, vm->ram, vm->ram_bytes);
    end();
    if (records) {
        memset(records, 0, FP_RECORDS_MAX);
        pages_free(records, FP_RECORDS_MAX / PAGE_SIZE, PAGES_HYPERVISOR);
    }
}

/* Memory of the hypervisor's own, a page at a time: guard pages are in the image and not mapped. */
static void own(u64 address, u64 bytes)
{
    u64 piece;

    for (u64 done = 0; done < bytes; done += piece) {
        const u64 at = address + done;

        piece = PAGE_SIZE - at % PAGE_SIZE;
        if (piece > bytes - done)
            piece = bytes - done;
        if (arch_gdb_own_memory(at, piece))
            memory(at, (const u8 *)(uintptr_t)at, piece);
    }
}

void core_hypervisor(u64 image_base, u64 image_bytes)
{
    begin("-");
    own(image_base, image_bytes);
    for (u32 i = 0; i < nvms; i++) {
        const struct vm *vm = vms[i];
        own((u64)(uintptr_t)vm, sizeof(*vm));
        for (u32 k = 0; k < vm->nvcpus; k++) {
            const struct vcpu *v = vm->vcpus[k];
            if (!v)
                continue;
            own((u64)(uintptr_t)v, sizeof(*v));
            if (v->fp.area.base)
                own((u64)(uintptr_t)v->fp.area.base, v->fp.area.bytes);
        }
    }
    end();
}
