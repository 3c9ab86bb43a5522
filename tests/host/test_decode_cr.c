/*
 * The decoder of MOV CRn, r and MOV r, CRn: every prefix, every ModRM, every truncation, against a
 * reference written the other way round (it builds instructions and knows what they mean).
 *
 * links: arch/x86_64/decode_cr.c tests/host/fake/support.c
 * machine: x86_64
 */
#include "fake/support.h"
#include "decode_cr.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const u8 prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};

/* Decodes a copy of exactly n bytes. */
static bool decode(const u8 *bytes, size_t n, bool long_mode, struct cr_access *out)
{
    u8 *copy = malloc(n ? n : 1);

    memcpy(copy, bytes, n);
    memset(out, 0xee, sizeof(*out));
    bool good = decode_cr_access(copy, n, long_mode, out);
    free(copy);
    return good;
}

/* Every ModRM, with and without every REX, in both modes. */
static void every_modrm(void **state)
{
    struct cr_access out;

    (void)state;
    for (u32 i = 0; i < 512; i++) {
        u32 modrm = i & 255;
        const u8 plain[] = {0x0f, i & 256 ? 0x22 : 0x20, (u8)modrm};
        for (u32 mode = 0; mode < 2; mode++) {
            assert_true(decode(plain, 3, mode, &out));
            assert_int_equal(out.cr, modrm >> 3 & 7);
            assert_int_equal(out.gpr, modrm & 7);
            assert_int_equal(out.length, 3);
            assert_int_equal(out.write, i >= 256);
        }
        for (u32 rex = 0x40; rex <= 0x4f; rex++) {
            const u8 with_rex[] = {(u8)rex, 0x0f, plain[1], (u8)modrm};
            assert_false(decode(with_rex, 4, false, &out)); /* INC or DEC there */
            assert_true(decode(with_rex, 4, true, &out));
            assert_int_equal(out.cr, (modrm >> 3 & 7) + (rex & 4 ? 8 : 0));
            assert_int_equal(out.gpr, (modrm & 7) + (rex & 1 ? 8 : 0));
            assert_int_equal(out.length, 4);
            assert_int_equal(out.write, i >= 256);
        }
    }
}

/* One and two prefixes of every kind before, and every byte there is in their place. */
static void every_prefix(void **state)
{
    struct cr_access out;

    (void)state;
    for (u32 first = 0; first < 256; first++) {
        bool known = false;
        for (u32 i = 0; i < ARRAY_SIZE(prefixes); i++)
            known |= first == prefixes[i];
        for (u32 mode = 0; mode < 2; mode++) {
            const u8 code[] = {(u8)first, 0x0f, 0x22, 0xe3}; /* MOV CR4, RBX */
            bool rex = mode && first >= 0x40 && first < 0x50;
            assert_int_equal(decode(code, 4, mode, &out), known || rex);
            for (u32 i = 0; known && i < ARRAY_SIZE(prefixes); i++) {
                const u8 two[] = {prefixes[i], (u8)first, 0x0f, 0x22, 0xe3};
                assert_true(decode(two, 5, mode, &out));
                assert_int_equal(out.cr, 4);
                assert_int_equal(out.gpr, 3);
                assert_int_equal(out.length, 5);
            }
        }
    }
}

/* A REX counts only right before the opcode (SDM 2, 2.2.1). */
static void rex_before_a_prefix(void **state)
{
    static const u8 lost[] = {0x45, 0x66, 0x0f, 0x22, 0xc1},
                    kept[] = {0x66, 0x45, 0x0f, 0x22, 0xc1},
                    last[] = {0x45, 0x41, 0x0f, 0x22, 0xc1};
    struct cr_access out;

    (void)state;
    assert_true(decode(lost, 5, true, &out));
    assert_int_equal(out.cr, 0);
    assert_int_equal(out.gpr, 1);
    assert_true(decode(kept, 5, true, &out));
    assert_int_equal(out.cr, 8);
    assert_int_equal(out.gpr, 9);
    assert_true(decode(last, 5, true, &out)); /* the last of several REX */
    assert_int_equal(out.cr, 0);
    assert_int_equal(out.gpr, 9);
}

/* Cut anywhere, an instruction is not an instruction. */
static void truncated(void **state)
{
    static const u8 code[] = {0x66, 0x2e, 0x44, 0x0f, 0x22, 0xc0};
    struct cr_access out;

    (void)state;
    for (size_t n = 0; n < sizeof(code); n++)
        assert_false(decode(code, n, true, &out));
    assert_true(decode(code, sizeof(code), true, &out));
}

/* 15 bytes are an instruction, 16 are none. */
static void longest(void **state)
{
    u8 code[32];
    struct cr_access out;

    (void)state;
    for (size_t prefix = 0; prefix < 20; prefix++) {
        memset(code, 0x66, sizeof(code));
        code[prefix] = 0x0f;
        code[prefix + 1] = 0x22;
        code[prefix + 2] = 0xe0;
        assert_int_equal(decode(code, sizeof(code), false, &out), prefix <= 12);
        if (prefix <= 12)
            assert_int_equal(out.length, prefix + 3);
    }
    memset(code, 0x66, sizeof(code));
    assert_false(decode(code, 15, true, &out));
}

/* Neighbours in the opcode map are not it: MOV DR, anything. */
static void other_opcodes(void **state)
{
    struct cr_access out;

    (void)state;
    for (u32 a = 0; a < 256; a++) {
        for (u32 b = 0; b < 256; b++) {
            const u8 code[] = {(u8)a, (u8)b, 0xe0, 0xe0};
            bool is = a == 0x0f && (b == 0x22 || b == 0x20);
            for (u32 mode = 0; mode < 2; mode++)
                assert_int_equal(decode(code, 4, mode, &out), is);
        }
    }
}

/* Any bytes: bounded, and what is accepted makes sense. */
static void fuzz(void **state)
{
    struct cr_access out;
    u32 accepted = 0;

    (void)state;
    fake_srand(fake_seed());
    print_message("# SEED=%llu\n", (unsigned long long)fake_seed());
    for (u32 round = 0; round < 300000; round++) {
        u8 code[15];
        size_t n = fake_below(16);
        for (size_t i = 0; i < n; i++) {
            u32 kind = fake_below(4);
            code[i] = (u8)(kind == 0   ? prefixes[fake_below(ARRAY_SIZE(prefixes))]
                           : kind == 1 ? 0x40 + fake_below(16)
                           : kind == 2 ? (fake_below(2) ? 0x0f : 0x20 + 2 * fake_below(2))
                                       : fake_below(256));
        }
        if (!decode(code, n, fake_below(2), &out))
            continue;
        accepted++;
        assert_true(out.cr < 16 && out.gpr < 16 && out.length >= 3 && out.length <= n);
        assert_int_equal(code[out.length - 3], 0x0f);
        assert_int_equal(code[out.length - 2], out.write ? 0x22 : 0x20);
    }
    assert_true(accepted > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_modrm),
        cmocka_unit_test(every_prefix),
        cmocka_unit_test(rex_before_a_prefix),
        cmocka_unit_test(truncated),
        cmocka_unit_test(longest),
        cmocka_unit_test(other_opcodes),
        cmocka_unit_test(fuzz),
    };

    return cmocka_run_group_tests_name("decode_cr", tests, NULL, NULL);
}
