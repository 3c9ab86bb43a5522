/* Memory as the debugger's threads see it, and the break- and watchpoints in it. */
#include "hv/gdb_session.h"
#include "arch/arch.h"
#include "arch_gdb.h"

/* Host pointer to what v calls `address`, and in *n how much of it lies in a row, at most *n. */
static u8 *guest_at(struct vcpu *v, u64 address, size_t *n)
{
    size_t in_page = PAGE_SIZE - address % PAGE_SIZE;
    u64 gpa = address;

    if (*n > in_page)
        *n = in_page;
    if (!gdb.physical && !arch_gdb_translate(v, address, &gpa))
        return NULL;
    return vm_ram(v->vm, gpa, *n);
}

/* One piece after the other, to or from the guest; first without touching, so that it is all or
 * nothing. */
static bool guest_copy(struct vcpu *v, u64 address, void *to, const void *from, size_t n)
{
    for (size_t done = 0; done < n;) {
        size_t piece = n - done;
        u8 *at = guest_at(v, address + done, &piece);
        if (!at)
            return false;
        if (to)
            memcpy((u8 *)to + done, at, piece);
        else if (from) {
            memcpy(at, (const u8 *)from + done, piece);
            arch_gdb_code_changed(at, piece);
        }
        done += piece;
    }
    return true;
}

/* What the stub put into code is not what the guest has there. */
static void show_kept(const struct vcpu *v, u64 address, u8 *to, size_t n)
{
    for (u32 i = 0; i < GDB_POINTS; i++) {
        const struct gdb_inserted *p = &gdb.points[i];
        if (p->vm != v->vm || p->kind != GDB_POINT_SOFTWARE)
            continue;
        u64 base = gdb.physical ? p->gpa : p->address;
        for (u32 k = 0; k < p->bytes; k++) {
            if (base + k - address < n)
                to[base + k - address] = p->kept[k];
        }
    }
}

bool gdb_read(u32 thread, u64 address, void *to, size_t n)
{
    struct vcpu *v = gdb_vcpu(thread);

    if (!v)
        return gdb_is_cpu(thread) && arch_gdb_own_memory(address, n) &&
               memcpy(to, (const void *)address, n);
    if (!guest_copy(v, address, to, NULL, n))
        return false;
    show_kept(v, address, to, n);
    return true;
}

bool gdb_write(u32 thread, u64 address, const void *from, size_t n)
{
    struct vcpu *v = gdb_vcpu(thread);

    /* The hypervisor is looked at and not changed: its text is read-only, and its invariants its
     * own. */
    return v && guest_copy(v, address, NULL, NULL, n) && guest_copy(v, address, NULL, from, n);
}

/* ---- Points ---- */

static struct gdb_inserted *find(const struct vm *vm, enum gdb_point kind, u64 address, u64 bytes)
{
    for (u32 i = 0; i < GDB_POINTS; i++) {
        struct gdb_inserted *p = &gdb.points[i];
        if (p->vm == vm && p->kind == kind && p->address == address && p->bytes == bytes)
            return p;
    }
    return NULL;
}

static struct gdb_inserted *unused(void)
{
    for (u32 i = 0; i < GDB_POINTS; i++) {
        if (!gdb.points[i].vm)
            return &gdb.points[i];
    }
    return NULL;
}

static bool insert_software(struct vcpu *v, struct gdb_inserted *p)
{
    size_t n = ARCH_GDB_BREAK_BYTES;
    u8 *at = guest_at(v, p->address, &n);

    if (!at || n < ARCH_GDB_BREAK_BYTES || p->address % ARCH_GDB_BREAK_ALIGN)
        return false;
    p->bytes = n;
    p->gpa = v->vm->ram_gpa + (u64)(at - v->vm->ram);
    memcpy(p->kept, at, n);
    memcpy(at, arch_gdb_break, n);
    arch_gdb_code_changed(at, n);
    return true;
}

bool gdb_insert(u32 thread, enum gdb_point kind, u64 address, u64 bytes)
{
    struct vcpu *v = gdb_vcpu(thread);
    struct gdb_inserted *p = unused();
    struct gdb_inserted wanted = {.kind = kind, .address = address, .bytes = bytes};

    if (!v || !p)
        return false;
    if (kind == GDB_POINT_SOFTWARE)
        wanted.bytes = ARCH_GDB_BREAK_BYTES;
    if (find(v->vm, kind, address, wanted.bytes))
        return true; /* gdb may repeat itself */
    if (kind == GDB_POINT_SOFTWARE ? !insert_software(v, &wanted)
                                   : !arch_gdb_point(v->vm, kind, address, bytes, true))
        return false;
    *p = wanted;
    p->vm = v->vm;
    arch_gdb_intercept(v->vm);
    return true;
}

static void remove_one(struct gdb_inserted *p)
{
    struct vm *vm = vms[p->vm->id];

    if (p->kind == GDB_POINT_SOFTWARE) {
        u8 *at = vm_ram(vm, p->gpa, p->bytes);
        /* The guest may have written over it: then what it wrote stays. */
        if (at && !memcmp(at, arch_gdb_break, p->bytes)) {
            memcpy(at, p->kept, p->bytes);
            arch_gdb_code_changed(at, p->bytes);
        }
    } else {
        arch_gdb_point(vm, p->kind, p->address, p->bytes, false);
    }
    p->vm = NULL;
}

bool gdb_remove(u32 thread, enum gdb_point kind, u64 address, u64 bytes)
{
    struct vcpu *v = gdb_vcpu(thread);
    struct gdb_inserted *p;

    if (kind == GDB_POINT_SOFTWARE)
        bytes = ARCH_GDB_BREAK_BYTES;
    p = v ? find(v->vm, kind, address, bytes) : NULL;
    if (p)
        remove_one(p);
    return v != NULL; /* what is not there is removed */
}

void gdb_remove_all(const struct vm *vm)
{
    for (u32 i = 0; i < GDB_POINTS; i++) {
        struct gdb_inserted *p = &gdb.points[i];
        if (p->vm && (!vm || p->vm == vm))
            remove_one(p);
    }
}

bool gdb_has_point(const struct vcpu *v, enum gdb_point kind, u64 address)
{
    for (u32 i = 0; i < GDB_POINTS; i++) {
        const struct gdb_inserted *p = &gdb.points[i];
        if (p->vm == v->vm && p->kind == kind && p->address == address)
            return true;
    }
    return false;
}
