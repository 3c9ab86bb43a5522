/* See transfer.h. */
#include "guest/transfer.h"

#define ROOM (128u * 1024)
#define FUZZ 500u

/*
 * Which of the records' bytes are spoiled: the control record and the next one's headers, or as far
 * as an XSAVE header reaches.
 */
#define HEADERS 80u
#define FUZZED  656u

static u8 records[ROOM] ALIGNED(16), spoiled[ROOM] ALIGNED(16), again[ROOM] ALIGNED(16);
static u32 used;

static struct hc_result transfer(u64 function, u32 vcpu, void *at, u64 bytes)
{
    static struct fermata_fp_transfer t ALIGNED(16);

    t = (struct fermata_fp_transfer){.vcpu = vcpu, .records = (u64)at, .bytes = bytes};
    return hypercall(function, (u64)&t);
}

/* Into `at`; how many bytes there are, 0 if it was refused. */
static u32 export_to(void *at)
{
    struct hc_result result = transfer(FERMATA_HC_FP_EXPORT, 0, at, ROOM);

    return result.status == FERMATA_OK && result.value <= ROOM ? (u32)result.value : 0;
}

static s64 import_from(void *at, u64 bytes)
{
    return transfer(FERMATA_HC_FP_IMPORT, 0, at, bytes).status;
}

const u64 *transfer_of(u32 vcpu, u64 *bytes)
{
    struct hc_result result = transfer(FERMATA_HC_FP_EXPORT, vcpu, again, ROOM);

    *bytes = result.status == FERMATA_OK ? result.value : 0;
    return (const u64 *)(const void *)again;
}

s64 transfer_give(u32 vcpu)
{
    u32 bytes = export_to(again);

    return transfer(FERMATA_HC_FP_IMPORT, vcpu, again, bytes).status;
}

/* Offset of the record's header in the good records, or ROOM. */
static u32 find(u32 type)
{
    u32 at = 0, header[2];

    while (at + 8 <= used) {
        memcpy(header, records + at, 8);
        if (header[0] == type)
            return at;
        at += 8 + ((header[1] + 7) & ~7u);
    }
    return ROOM;
}

static bool answers(s64 status, s64 want)
{
    return status == want ||
           (want == TRANSFER_REFUSED && (status == FERMATA_INVALID || status == FERMATA_DENIED));
}

static void there_and_back(const struct transfer_ops *ops)
{
    ops->load(true);
    used = export_to(records);
    ok(used && used % 8 == 0, "export: %u bytes of records", used);
    ok(ops->holds(), "export changes nothing");
    ok_eq((u64)transfer(FERMATA_HC_FP_EXPORT, 0, NULL, 0).status, FERMATA_OK,
          "export: asked how many");
    ops->load(false);
    ok_eq((u64)import_from(records, used), FERMATA_OK, "import of what was exported");
    ok(ops->holds(), "import brings every register back");
    for (u32 i = 0; i < 20; i++)
        yield();
    ok(ops->holds(), "imported state is held when others run");
    ok(export_to(again) == used && pattern_differs(records, again, used) == used,
       "the same state exports the same bytes");
}

static void bad_arguments(const struct transfer_ops *ops)
{
    u32 bad = 0;

    for (u32 import = 0; import < 2; import++) {
        u64 function = import ? FERMATA_HC_FP_IMPORT : FERMATA_HC_FP_EXPORT;
        bad += transfer(function, 0, (void *)~7ull, used).status != FERMATA_INVALID;
        bad += transfer(function, 0, (void *)(1ull << 62), used).status != FERMATA_INVALID;
        bad += transfer(function, 0, spoiled + 1, used).status != FERMATA_INVALID;
        bad += transfer(function, 0, spoiled, used - 8).status != FERMATA_INVALID;
        bad += transfer(function, 0, spoiled, ~0ull).status != FERMATA_INVALID;
        bad += transfer(function, 0, spoiled, 1ull << 63).status != FERMATA_INVALID;
        bad += transfer(function, 77, spoiled, used).status != FERMATA_INVALID;
        bad += transfer(function, ~0u, spoiled, used).status != FERMATA_INVALID;
        bad += hypercall(function, ~7ull).status != FERMATA_INVALID;
        bad += hypercall(function, (u64)spoiled + 4).status != FERMATA_INVALID;
    }
    ok(!bad, "addresses and sizes that are none: refused");
    ok(ops->holds(), "and nothing has changed");
}

static void spoil_one(const struct transfer_ops *ops, const struct transfer_spoil *spoil)
{
    u32 at = find(spoil->type);

    if (at == ROOM) {
        skip("this state has no such record", "import refused: %s", spoil->what);
        return;
    }
    memcpy(spoiled, records, used);
    memcpy(spoiled + at + 8 + spoil->offset, &spoil->value, spoil->bytes);
    s64 status = import_from(spoiled, used);
    if (!ok(answers(status, spoil->status) && ops->holds(), "import refused, nothing changed: %s",
            spoil->what))
        diag("status %ld, want %ld", (long)status, (long)spoil->status);
}

/* BUGS 16: cut anywhere. What is accepted all the same is a state of its own. */
static void cut(const struct transfer_ops *ops)
{
    u32 bad = 0, accepted = 0;

    for (u32 n = 0; n < used; n += n < 512 ? 1 : 509) {
        memcpy(spoiled, records, n);
        memset(spoiled + n, 0xa5, 64); /* what lies behind is not looked at */
        s64 status = import_from(spoiled, n);
        accepted += status == FERMATA_OK;
        if (status == FERMATA_OK)
            bad += import_from(records, used) != FERMATA_OK;
        else if (n % 16 == 0)
            bad += !ops->holds();
    }
    ok(!bad && accepted <= 8, "records cut at any length are refused, but for whole ones");
}

/* BUGS 15: anything else. Refused and nothing changed, or taken for a state that exports again. */
static void fuzz(const struct transfer_ops *ops)
{
    u64 random = pattern_seed(0, 77);
    u32 bad = 0, accepted = 0;

    for (u32 i = 0; i < FUZZ; i++) {
        memcpy(spoiled, records, used);
        u32 below = i & 1 && used > FUZZED ? FUZZED : HEADERS;
        for (u32 k = 0; k <= (random & 3); k++) {
            u64 r = pattern_next(&random);
            spoiled[(u32)r % below] ^= (u8)(r >> 32 & 7 ? 1u << (r >> 40 & 7) : r >> 48);
        }
        s64 status = import_from(spoiled, used);
        bad += status != FERMATA_OK && status != FERMATA_INVALID && status != FERMATA_DENIED;
        if (status != FERMATA_OK) {
            bad += i % 16 == 0 && !ops->holds();
            continue;
        }
        accepted++;
        u32 n = export_to(again);
        bad += !n || import_from(again, n) != FERMATA_OK || export_to(spoiled) != n ||
               pattern_differs(spoiled, again, n) != n;
        bad += import_from(records, used) != FERMATA_OK;
    }
    ok(!bad, "%u records with flipped bits: refused, or a state like any other", FUZZ);
    diag("%u of them accepted", accepted);
    ok(ops->holds(), "and the state is what it was");
}

void transfer_test(const struct transfer_ops *ops, const struct transfer_spoil *spoils, u32 n)
{
    if (!on_fermata) {
        skip("no hypercalls on the bare machine", "export and import of FP state");
        return;
    }
    there_and_back(ops);
    if (!used)
        return;
    bad_arguments(ops);
    for (u32 i = 0; i < n; i++)
        spoil_one(ops, &spoils[i]);
    cut(ops);
    fuzz(ops);
}
