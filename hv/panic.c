/*
 * The end of the hypervisor itself. Whatever broke may break the reporting too, so each step is
 * tried once: a panic inside a panic says its own message and ends, a third one just stops.
 */
#include "hv/panic.h"
#include "hv/console.h"
#include "hv/core.h"
#include "hv/report.h"
#include "hv/symbols.h"
#include "hv/vm.h"
#include "arch/arch.h"

#define FRAMES 32

static u64 image_base;
static u64 image_bytes;
static u32 depth;

void panic_image(u64 base, u64 bytes)
{
    image_base = base;
    image_bytes = bytes;
}

/* "#3 0x... function+0x12 (0x1234)": the last is the address in fermata.elf, for addr2line. */
static void print_frame(size_t number, u64 address, bool is_return)
{
    u64 into = 0;
    const u64 offset = address - image_base;

    if (image_bytes == 0 || offset >= image_bytes) {
        console_printf("fermata: #%zu 0x%lx (outside the image)\n", number, address);
        return;
    }
    /* A return address may be the first of the next function, after a call that never returns. */
    const char *name = symbol_find(is_return && offset != 0 ? offset - 1 : offset, &into);
    if (name == NULL)
        console_printf("fermata: #%zu 0x%lx (0x%lx)\n", number, address, offset);
    else
        console_printf("fermata: #%zu 0x%lx %s+0x%lx (0x%lx)\n", number, address, name,
                       is_return && offset != 0 ? into + 1 : into, offset);
}

static void print_backtrace(u64 pc, u64 frame_pointer)
{
    u64 frames[FRAMES];
    size_t number = 0;

    if (pc != 0)
        print_frame(number++, pc, false);
    const size_t n = frame_pointer == 0 ? 0 : arch_backtrace(frame_pointer, frames, FRAMES);
    for (size_t i = 0; i < n; i++)
        print_frame(number++, frames[i], true);
    console_printf("fermata: addresses in brackets are those of fermata.elf (addr2line -fie "
                   "fermata.elf 0x...); loaded at 0x%lx\n",
                   image_base);
}

static void print_where(void)
{
    const struct pcpu *cpu = &pcpus[0];
    const struct vcpu *v = cpu->current;

    if (v == NULL)
        console_printf("fermata: on CPU %u, no vCPU installed\n", cpu->id);
    else
        console_printf("fermata: on CPU %u, vCPU %s.%u installed, guest at 0x%lx\n", cpu->id,
                       vm_name(v->vm), v->id, arch_vcpu_pc(v));
}

static NORETURN void panic_v(u64 pc, u64 frame_pointer, const char *registers, const char *fmt,
                             va_list args)
{
    char text[256];

    depth++;
    if (depth > 2)
        arch_stop();
    format_text_v(text, sizeof(text), fmt, args);
    if (depth == 2) {
        console_printf("fermata: panic while panicking: %s\n", text);
        report_verdict(false, "panic");
    }
    console_printf("fermata: panic: %s\n", text);
    if (registers != NULL)
        console_write(registers, strlen(registers));
    print_backtrace(pc, frame_pointer);
    print_where();
    if (core_on)
        core_hypervisor(image_base, image_bytes);
    report_verdict(false, "panic");
}

void panic(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    panic_v(0, arch_frame_pointer(), NULL, fmt, args);
}

void panic_exception(u64 pc, u64 frame_pointer, const char *registers, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    panic_v(pc, frame_pointer, registers, fmt, args);
}
