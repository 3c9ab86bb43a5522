/*
 * FP save areas: size classes cut from pages, because an area is 512 bytes here and 12 KiB there
 * and there may be a thousand of them.
 *
 * Four classes per doubling (512, 640, 768, 896, 1024, ...) waste at most a fifth. Areas up to half
 * a page come from slabs: one page, a header, and as many objects as fit; a slab with no object
 * left goes back to the pages. Larger areas are pages of their own. Contents are zeroed when freed,
 * so nothing of a vCPU outlives it, and a free object is all zero except for its link, which debug
 * builds verify: a write after free panics with its address.
 */
#include "hv/fp_area.h"
#include "hv/pages.h"

#define SMALLEST    256u
#define CLASSES     12u   /* 256, 320, 384, 448, 512, 640, ... 1792 */
#define LARGEST     1792u /* two of these and their guards fill a page */
#define SLAB_HEADER FP_AREA_ALIGN

/* Debug builds keep a strip of this after every slab object's usable bytes, checked when it is
 * freed. */
#ifdef FERMATA_DEBUG
#define GUARD_BYTES FP_AREA_ALIGN
#else
#define GUARD_BYTES 0u
#endif
#define GUARD_VALUE 0xf5

struct free_object {
    struct free_object *next;
};

struct slab {
    struct slab *next;
    struct slab *prev;
    struct free_object *free;
    u32 used; /* objects handed out */
    u32 object_bytes;
};
_Static_assert(sizeof(struct slab) <= SLAB_HEADER,
               "the slab header takes the first line of its page");

/* Slabs with at least one free object, by class. Full slabs are on no list. */
static struct slab *partial[CLASSES];

/* Size of the n-th class: four steps in each doubling from SMALLEST. */
static u32 class_bytes(u32 n)
{
    return (SMALLEST + (SMALLEST / 4) * (n % 4)) << (n / 4);
}

static u32 class_of(size_t bytes)
{
    u32 n = 0;

    while (class_bytes(n) < bytes)
        n++;
    return n;
}

static size_t pages_for(size_t bytes)
{
    return (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
}

static bool is_small(size_t bytes)
{
    return bytes <= LARGEST;
}

/* What an area for `bytes` really offers. */
static size_t usable(size_t bytes)
{
    return is_small(bytes) ? class_bytes(class_of(bytes)) : pages_for(bytes) * PAGE_SIZE;
}

size_t fp_area_cost(size_t bytes)
{
    return usable(bytes);
}

static void slab_link(struct slab *slab, u32 class)
{
    slab->prev = NULL;
    slab->next = partial[class];
    if (slab->next)
        slab->next->prev = slab;
    partial[class] = slab;
}

static void slab_unlink(struct slab *slab, u32 class)
{
    if (slab->prev)
        slab->prev->next = slab->next;
    else
        partial[class] = slab->next;
    if (slab->next)
        slab->next->prev = slab->prev;
}

static struct slab *slab_make(u32 class)
{
    u8 *page = pages_alloc(1, PAGE_SIZE, PAGES_HYPERVISOR);
    struct slab *slab = (struct slab *)(void *)page;
    u32 bytes = class_bytes(class) + GUARD_BYTES;

    if (!page)
        return NULL;
    slab->object_bytes = bytes;
    for (u32 at = SLAB_HEADER; at + bytes <= PAGE_SIZE; at += bytes) {
        struct free_object *object = (struct free_object *)(void *)(page + at);
        object->next = slab->free;
        slab->free = object;
        memset(page + at + class_bytes(class), GUARD_VALUE, GUARD_BYTES);
    }
    slab_link(slab, class);
    return slab;
}

static bool all_bytes_are(const u8 *bytes, size_t n, u8 value)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != value)
            return false;
    }
    return true;
}

static void *small_alloc(u32 class)
{
    struct slab *slab = partial[class];

    if (!slab)
        slab = slab_make(class);
    if (!slab)
        return NULL;

    struct free_object *object = slab->free;
    slab->free = object->next;
    slab->used++;
    if (!slab->free)
        slab_unlink(slab, class);
    object->next = NULL;
    DEBUG_CHECK(
        all_bytes_are((const u8 *)object, class_bytes(class), 0)); /* nobody wrote after free */
    return object;
}

static void small_free(void *base, u32 class)
{
    struct slab *slab = (struct slab *)(void *)((u64)(uintptr_t)base & PAGE_MASK);
    struct free_object *object = base;

    CHECK(slab->used > 0 && slab->object_bytes == class_bytes(class) + GUARD_BYTES);
    DEBUG_CHECK(all_bytes_are((const u8 *)base + class_bytes(class), GUARD_BYTES, GUARD_VALUE));

    memset(base, 0, class_bytes(class));
    if (!slab->free)
        slab_link(slab, class);
    object->next = slab->free;
    slab->free = object;
    if (--slab->used == 0) {
        slab_unlink(slab, class);
        pages_free(slab, 1, PAGES_HYPERVISOR);
    }
}

/* May this quota have the pages that an area of `bytes` takes? */
static bool pages_allowed(const struct fp_quota *quota, size_t bytes)
{
    if (!quota->overcommit || (is_small(bytes) && partial[class_of(bytes)]))
        return true;
    return pages_spare(pages_for(bytes) * PAGE_SIZE);
}

bool fp_area_alloc(struct fp_quota *quota, size_t bytes, struct fp_area *area)
{
    CHECK(bytes > 0 && bytes <= FP_AREA_MAX);

    size_t size = usable(bytes);
    if (size > quota->limit || quota->used > quota->limit - size)
        return false;
    if (!pages_allowed(quota, bytes))
        return false;

    void *base = is_small(bytes) ? small_alloc(class_of(bytes))
                                 : pages_alloc(pages_for(bytes), PAGE_SIZE, PAGES_HYPERVISOR);
    if (!base)
        return false;
    quota->used += size;
    *area = (struct fp_area){base, (u32)size};
    return true;
}

void fp_area_trim(struct fp_quota *quota, struct fp_area *area, size_t bytes)
{
    size_t keep = pages_for(bytes) * PAGE_SIZE;

    if (!area->base || is_small(area->bytes) || keep == 0 || keep >= area->bytes)
        return;
    u8 *tail = (u8 *)area->base + keep;
    size_t n = area->bytes - keep;
    memset(tail, 0, n);
    pages_free(tail, n / PAGE_SIZE, PAGES_HYPERVISOR);
    quota->used -= n;
    area->bytes = (u32)keep;
}

void fp_area_free(struct fp_quota *quota, struct fp_area *area)
{
    if (!area->base)
        return;
    CHECK(quota->used >= area->bytes);
    quota->used -= area->bytes;
    if (is_small(area->bytes)) {
        small_free(area->base, class_of(area->bytes));
    } else {
        memset(area->base, 0, area->bytes);
        pages_free(area->base, area->bytes / PAGE_SIZE, PAGES_HYPERVISOR);
    }
    *area = (struct fp_area){NULL, 0};
}
