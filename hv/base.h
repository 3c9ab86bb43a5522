/*
 * The words every file of Fermata speaks: fixed-width types, sizes, and the few macros worth
 * having. Freestanding C11; no architecture here.
 */
#ifndef FERMATA_BASE_H
#define FERMATA_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define KiB(n) ((u64)(n) << 10)
#define MiB(n) ((u64)(n) << 20)
#define GiB(n) ((u64)(n) << 30)

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096u
#define PAGE_MASK  (~(u64)(PAGE_SIZE - 1))

#define BIT(n)                        (1ull << (n))
#define BITS(hi, lo)                  (((~0ull) >> (63 - (hi))) & ~(BIT(lo) - 1))
#define ARRAY_SIZE(a)                 (sizeof(a) / sizeof((a)[0]))
#define ALIGN_UP(x, a)                (((x) + ((a)-1)) & ~((__typeof__(x))(a)-1))
#define ALIGN_DOWN(x, a)              ((x) & ~((__typeof__(x))(a)-1))
#define container_of(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

#define NORETURN               _Noreturn
#define PACKED                 __attribute__((packed))
#define ALIGNED(n)             __attribute__((aligned(n)))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define likely(x)              __builtin_expect(!!(x), 1)
#define unlikely(x)            __builtin_expect(!!(x), 0)

/* memcpy and friends: the compiler emits calls to them even when freestanding (hv/string.c). */
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

/*
 * CHECK is for what cannot happen, never for input: it panics with file and line in every build.
 * DEBUG_CHECK costs nothing in a release build; the invariants of fp.h are checked with it.
 */
NORETURN void panic(const char *fmt, ...) PRINTF_LIKE(1, 2);
#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (unlikely(!(cond)))                                                                     \
            panic("%s:%d: check failed: %s", __FILE__, __LINE__, #cond);                           \
    } while (0)
#ifdef FERMATA_DEBUG
#define DEBUG_CHECK(cond) CHECK(cond)
#else
#define DEBUG_CHECK(cond) ((void)(0 && (cond))) /* names are used, nothing is done */
#endif

#endif
