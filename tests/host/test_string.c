/*
 * hv/string.c against the C library's: the very file, its functions renamed.
 *
 * links: tests/host/fake/support.c
 */
#include "fake/support.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define memcpy  hv_memcpy
#define memmove hv_memmove
#define memset  hv_memset
#define memcmp  hv_memcmp
#define strlen  hv_strlen
#define strcmp  hv_strcmp
#define strncmp hv_strncmp
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
#include "hv/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strcmp
#undef strncmp

#define N 160

static void fill(u8 *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        b[i] = (u8)fake_rand();
}

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

/* Every offset and length: the copy, and nothing beside it. */
static void copies_and_sets(void **state)
{
    u8 from[N], got[N], want[N];

    (void)state;
    fill(from, N);
    for (size_t to = 0; to < 9; to++) {
        for (size_t at = 0; at < 9; at++) {
            for (size_t n = 0; n + 16 < N; n++) {
                fill(want, N);
                memcpy(got, want, N);
                memcpy(want + to, from + at, n);
                assert_ptr_equal(hv_memcpy(got + to, from + at, n), got + to);
                assert_memory_equal(got, want, N);
                memset(want + to, (int)n - 80, n);
                assert_ptr_equal(hv_memset(got + to, (int)n - 80, n), got + to);
                assert_memory_equal(got, want, N);
            }
        }
    }
}

static void overlapping_moves(void **state)
{
    u8 got[N], want[N];

    (void)state;
    for (size_t to = 0; to < 40; to++) {
        for (size_t at = 0; at < 40; at++) {
            for (size_t n = 0; n + 40 < N; n += 7) {
                fill(want, N);
                memcpy(got, want, N);
                memmove(want + to, want + at, n);
                assert_ptr_equal(hv_memmove(got + to, got + at, n), got + to);
                assert_memory_equal(got, want, N);
            }
        }
    }
}

static void comparisons(void **state)
{
    (void)state;
    fake_srand(fake_seed());
    for (u32 round = 0; round < 50000; round++) {
        char a[24], b[24];
        for (u32 i = 0; i < 24; i++) {
            a[i] = (char)fake_rand();
            b[i] = fake_below(30) ? a[i] : (char)fake_rand();
        }
        size_t n = fake_below(25);
        assert_int_equal(sign(hv_memcmp(a, b, n)), sign(memcmp(a, b, n)));
        assert_int_equal(sign(hv_strncmp(a, b, n)), sign(strncmp(a, b, n)));
        a[fake_below(24)] = 0;
        a[23] = b[23] = 0;
        assert_int_equal(hv_strlen(a), strlen(a));
        assert_int_equal(sign(hv_strcmp(a, b)), sign(strcmp(a, b)));
        assert_int_equal(sign(hv_strncmp(a, b, 24)), sign(strncmp(a, b, 24)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_and_sets),
        cmocka_unit_test(overlapping_moves),
        cmocka_unit_test(comparisons),
    };

    return cmocka_run_group_tests_name("string", tests, NULL, NULL);
}
