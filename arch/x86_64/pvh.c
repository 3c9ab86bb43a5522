/*
 * PVH: reads ELF32 and ELF64 headers byte by byte, for a file is not aligned and not to be trusted.
 * Every offset is compared by subtraction, so that no sum can wrap.
 */
#include "pvh.h"
#include "hv/console.h"

#define PT_LOAD   1u
#define PT_NOTE   4u
#define EM_386    3u
#define EM_X86_64 62u

#define NOTE_PHYS32_ENTRY 18u /* XEN_ELFNOTE_PHYS32_ENTRY, name "Xen" */

#define MAX_PHDRS 64u /* Linux has 5 */

#define HOLE_START 0xa0000u
#define HOLE_END   0x100000u

#define START_INFO_MAGIC 0x336ec578u
#define MEMMAP_RAM       1u
#define MEMMAP_RESERVED  2u

struct start_info {
    u32 magic, version, flags, modules;
    u64 modlist, cmdline, rsdp, memmap;
    u32 memmap_entries, reserved;
};
_Static_assert(sizeof(struct start_info) == 56, "hvm_start_info, version 1");

struct memmap_entry {
    u64 base, bytes;
    u32 type, reserved;
};
_Static_assert(sizeof(struct memmap_entry) == 24, "hvm_memmap_table_entry");

/* One page holds all the kernel is told. */
struct start_page {
    struct start_info info;
    struct memmap_entry memmap[3];
    char cmdline[2048];
};
_Static_assert(sizeof(struct start_page) <= PAGE_SIZE, "one page");

struct file {
    const u8 *bytes;
    u64 n;
    bool elf64;
};

struct segment {
    u32 type;
    u64 offset, paddr, filesz, memsz;
};

static bool within(u64 offset, u64 bytes, u64 limit)
{
    return offset <= limit && bytes <= limit - offset;
}

/* Little-endian number of 2, 4 or 8 bytes; the caller has checked the range. */
static u64 number(const struct file *f, u64 offset, unsigned bytes)
{
    u64 value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (u64)f->bytes[offset + i] << 8 * i;
    return value;
}

static u64 header_bytes(const struct file *f)
{
    return f->elf64 ? 64 : 52;
}

static u64 phdr_bytes(const struct file *f)
{
    return f->elf64 ? 56 : 32;
}

static u64 phoff(const struct file *f)
{
    return f->elf64 ? number(f, 32, 8) : number(f, 28, 4);
}

static unsigned phnum(const struct file *f)
{
    return (unsigned)number(f, f->elf64 ? 56 : 44, 2);
}

static struct segment segment_at(const struct file *f, unsigned i)
{
    u64 at = phoff(f) + i * phdr_bytes(f);

    if (f->elf64)
        return (struct segment){(u32)number(f, at, 4), number(f, at + 8, 8), number(f, at + 24, 8),
                                number(f, at + 32, 8), number(f, at + 40, 8)};
    return (struct segment){(u32)number(f, at, 4), number(f, at + 4, 4), number(f, at + 12, 4),
                            number(f, at + 16, 4), number(f, at + 20, 4)};
}

static bool check_header(struct file *f, char *why, size_t n)
{
    if (f->n < 4 || f->bytes[0] != 0x7f || f->bytes[1] != 'E' || f->bytes[2] != 'L' ||
        f->bytes[3] != 'F') {
        format_text(why, n, "the kernel is not an ELF file; give an uncompressed kernel (vmlinux)");
        return false;
    }
    f->elf64 = f->n > 4 && f->bytes[4] == 2;
    if (f->n < header_bytes(f)) {
        format_text(why, n, "the kernel is truncated: %lu bytes, its ELF header alone has %lu",
                    f->n, header_bytes(f));
        return false;
    }
    u64 machine = number(f, 18, 2);
    if (f->bytes[5] != 1 || (machine != EM_386 && machine != EM_X86_64)) {
        format_text(why, n,
                    "the kernel is for another machine (ELF machine %lu); build it for x86-64",
                    machine);
        return false;
    }
    u64 entry_bytes = number(f, f->elf64 ? 54 : 42, 2);
    if (phnum(f) == 0 || entry_bytes != phdr_bytes(f)) {
        format_text(why, n, "the kernel has no program headers; link it as an executable");
        return false;
    }
    /* Each may be a note of the whole file: without a limit, looking for ours could take hours. */
    if (phnum(f) > MAX_PHDRS) {
        format_text(why, n, "the kernel has %u program headers, more than %u: the file is damaged",
                    phnum(f), MAX_PHDRS);
        return false;
    }
    if (!within(phoff(f), phnum(f) * phdr_bytes(f), f->n)) {
        format_text(why, n, "the kernel is truncated: its program headers end beyond its %lu bytes",
                    f->n);
        return false;
    }
    return true;
}

static bool overlaps(u64 a, u64 a_bytes, u64 b, u64 b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

static bool check_segment(const struct file *f, unsigned i, u64 memory, char *why, size_t n)
{
    struct segment s = segment_at(f, i);

    if (s.type != PT_LOAD && s.type != PT_NOTE)
        return true;
    if (!within(s.offset, s.filesz, f->n)) {
        format_text(why, n,
                    "the kernel is truncated: segment %u ends beyond its %lu bytes; copy it again",
                    i, f->n);
        return false;
    }
    if (s.type == PT_NOTE || s.memsz == 0)
        return true;
    if (s.filesz > s.memsz) {
        format_text(why, n, "the kernel's segment %u is larger in the file than in memory", i);
        return false;
    }
    /*
     * The hole below 1 MiB is RAM here, only not offered by the memory map: a kernel linked at 1
     * MiB whose first segment begins with the ELF headers, a page lower, is as the linker makes it.
     */
    if (!within(s.paddr, s.memsz, memory)) {
        format_text(why, n,
                    "the kernel's segment %u (0x%lx, %lu bytes) is outside the VM's memory (%lu "
                    "MiB from 0); give it more, or link it elsewhere",
                    i, s.paddr, s.memsz, memory >> 20);
        return false;
    }
    return true;
}

/* Looks through one PT_NOTE segment for Xen's entry note. */
static bool find_note(const struct file *f, const struct segment *s, u64 *entry)
{
    u64 at = 0;

    while (within(at, 12, s->filesz)) {
        u64 name_bytes = number(f, s->offset + at, 4);
        u64 desc_bytes = number(f, s->offset + at + 4, 4);
        u64 type = number(f, s->offset + at + 8, 4);
        u64 name = at + 12;
        u64 desc = name + ALIGN_UP(name_bytes, (u64)4);
        if (!within(desc, desc_bytes, s->filesz))
            return false;
        if (type == NOTE_PHYS32_ENTRY && name_bytes == 4 &&
            memcmp(f->bytes + s->offset + name, "Xen", 4) == 0 &&
            (desc_bytes == 4 || desc_bytes == 8)) {
            *entry = number(f, s->offset + desc, (unsigned)desc_bytes);
            return true;
        }
        at = desc + ALIGN_UP(desc_bytes, (u64)4);
    }
    return false;
}

static bool find_entry(const struct file *f, u32 *entry, char *why, size_t n)
{
    u64 found = 0;
    bool noted = false;

    for (unsigned i = 0; i < phnum(f) && !noted; i++) {
        struct segment s = segment_at(f, i);
        noted = s.type == PT_NOTE && find_note(f, &s, &found);
    }
    if (!noted) {
        format_text(why, n,
                    "the kernel has no PVH entry note (XEN_ELFNOTE_PHYS32_ENTRY); for Linux set "
                    "CONFIG_PVH");
        return false;
    }
    for (unsigned i = 0; i < phnum(f); i++) {
        struct segment s = segment_at(f, i);
        if (s.type == PT_LOAD && found >= s.paddr && found - s.paddr < s.memsz &&
            found >> 32 == 0) {
            *entry = (u32)found;
            return true;
        }
    }
    format_text(why, n, "the kernel's PVH entry 0x%lx is in none of its segments", found);
    return false;
}

/* The lowest page, but 0, that no segment wants. */
static bool find_start_page(const struct file *f, u32 *where)
{
    for (u32 page = PAGE_SIZE; page < HOLE_START; page += PAGE_SIZE) {
        bool taken = false;
        for (unsigned i = 0; i < phnum(f) && !taken; i++) {
            struct segment s = segment_at(f, i);
            taken = s.type == PT_LOAD && overlaps(s.paddr, s.memsz, page, PAGE_SIZE);
        }
        if (!taken) {
            *where = page;
            return true;
        }
    }
    return false;
}

bool pvh_check(const void *file, size_t bytes, u64 memory, struct pvh_image *out, char *why,
               size_t n)
{
    struct file f = {file, bytes, false};

    if (!check_header(&f, why, n))
        return false;
    for (unsigned i = 0; i < phnum(&f); i++) {
        if (!check_segment(&f, i, memory, why, n))
            return false;
    }
    if (!find_entry(&f, &out->entry, why, n))
        return false;
    if (!find_start_page(&f, &out->start_info)) {
        format_text(why, n, "the kernel leaves no page below 640 KiB free for the PVH start info");
        return false;
    }
    return true;
}

u64 pvh_load(const struct pvh_image *image, const void *file, u8 *ram, u64 memory,
             const char *cmdline)
{
    struct file f = {file, ~0ull, ((const u8 *)file)[4] == 2};

    for (unsigned i = 0; i < phnum(&f); i++) {
        struct segment s = segment_at(&f, i);
        if (s.type == PT_LOAD && s.memsz != 0)
            memcpy(ram + s.paddr, f.bytes + s.offset, s.filesz);
    }

    struct start_page *page = (struct start_page *)(void *)(ram + image->start_info);
    size_t length = strlen(cmdline);
    if (length >= sizeof(page->cmdline))
        length = sizeof(page->cmdline) - 1;
    memcpy(page->cmdline, cmdline, length);
    page->memmap[0] = (struct memmap_entry){0, HOLE_START, MEMMAP_RAM, 0};
    page->memmap[1] = (struct memmap_entry){HOLE_START, HOLE_END - HOLE_START, MEMMAP_RESERVED, 0};
    page->memmap[2] = (struct memmap_entry){HOLE_END, memory - HOLE_END, MEMMAP_RAM, 0};
    page->info = (struct start_info){
        .magic = START_INFO_MAGIC,
        .version = 1,
        .cmdline = image->start_info + offsetof(struct start_page, cmdline),
        .memmap = image->start_info + offsetof(struct start_page, memmap),
        .memmap_entries = ARRAY_SIZE(page->memmap),
    };
    return image->start_info;
}
