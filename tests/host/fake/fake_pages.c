/* Pages for tests that look at areas and not at pages: each stands alone under ASan. */
#include "fake.h"
#include "hv/pages.h"

#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

u64 fake_pages_held;
u64 fake_pages_limit = ~0ull;
bool fake_pages_freed_zero;

void fake_pages_reset(void)
{
    assert_int_equal(fake_pages_held, 0);
    fake_pages_limit = ~0ull;
}

void *pages_alloc(size_t n, u64 align, enum page_use use)
{
    (void)use;
    if (n > fake_pages_limit || fake_pages_held > fake_pages_limit - n)
        return NULL;

    void *pages = aligned_alloc(align > PAGE_SIZE ? align : PAGE_SIZE, n * PAGE_SIZE);
    assert_non_null(pages);
    memset(pages, 0, n * PAGE_SIZE);
    fake_pages_held += n;
    return pages;
}

void pages_free(void *pages, size_t n, enum page_use use)
{
    (void)use;
    assert_true(fake_pages_held >= n);
    fake_pages_held -= n;
    fake_pages_freed_zero = fake_zero(pages, n * PAGE_SIZE);
    free(pages);
}
