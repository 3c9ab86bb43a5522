/* Pages for tests that look at areas and not at pages: each stands alone under ASan. */
#include "fake.h"
#include "hv/pages.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sanitizer/asan_interface.h>
#include <cmocka.h>

u64 fake_pages_held;
u64 fake_pages_limit = ~0ull;
bool fake_pages_freed_zero;

void fake_pages_reset(void)
{
    assert_int_equal(fake_pages_held, 0);
    fake_pages_limit = ~0ull;
}

/* What is given out. Of a block the tail may come back alone: ASan then sees whoever touches it. */
static struct block {
    struct block *next;
    u8 *base;
    size_t whole, left;
} * blocks;

u64 fake_pages_promised;

bool pages_spare(u64 bytes)
{
    u64 n = bytes / PAGE_SIZE + fake_pages_promised;

    return n <= fake_pages_limit && fake_pages_held <= fake_pages_limit - n;
}

void *pages_alloc(size_t n, u64 align, enum page_use use)
{
    (void)use;
    if (n > fake_pages_limit || fake_pages_held > fake_pages_limit - n)
        return NULL;

    struct block *block = malloc(sizeof(*block));
    assert_non_null(block);
    *block = (struct block){
        blocks, aligned_alloc(align > PAGE_SIZE ? align : PAGE_SIZE, n * PAGE_SIZE), n, n};
    assert_non_null(block->base);
    blocks = block;
    memset(block->base, 0, n * PAGE_SIZE);
    fake_pages_held += n;
    return block->base;
}

void pages_free(void *pages, size_t n, enum page_use use)
{
    struct block **at = &blocks;

    (void)use;
    while (*at &&
           ((u8 *)pages < (*at)->base || (u8 *)pages >= (*at)->base + (*at)->whole * PAGE_SIZE))
        at = &(*at)->next;
    struct block *block = *at;
    assert_non_null(block);
    size_t first = (size_t)((u8 *)pages - block->base) / PAGE_SIZE;
    assert_int_equal(first + n, block->left); /* all of it, or its end */
    assert_true(fake_pages_held >= n);
    fake_pages_held -= n;
    fake_pages_freed_zero = fake_zero(pages, n * PAGE_SIZE);
    block->left = first;
    if (first) {
        ASAN_POISON_MEMORY_REGION(pages, n * PAGE_SIZE);
        return;
    }
    ASAN_UNPOISON_MEMORY_REGION(block->base, block->whole * PAGE_SIZE);
    *at = block->next;
    free(block->base);
    free(block);
}
