/*
 * Reads a VM's `fp =` list: "fpsimd", "fpsimd,sve:256,sme:512,fpmr"; empty is all there is. "sme1"
 * is SME without ZT0.
 */
#include "arch/arch.h"
#include "features.h"
#include "hv/console.h"
#include "vec_layout.h"

#define REMEDY                                                                                     \
    "write fpsimd, and after it any of sve, sme (or sme1) and fpmr, as in fpsimd,sve:256,sme:512"

/* One item of a list: [at, at + n). */
struct item {
    const char *at;
    size_t n;
};

static bool item_is(struct item item, const char *word)
{
    return item.n == strlen(word) && memcmp(item.at, word, item.n) == 0;
}

/* The next item, without spaces around it; moves *list behind its comma, or to NULL at the end. */
static struct item next_item(const char **list)
{
    const char *at = *list;
    size_t n = 0;

    while (at[n] && at[n] != ',')
        n++;
    *list = at[n] ? at + n + 1 : NULL;
    while (n && at[0] == ' ')
        at++, n--;
    while (n && at[n - 1] == ' ')
        n--;
    return (struct item){at, n};
}

/* A vector length in bits to one in bytes; 0 if it is none the architecture knows. */
static u32 parse_bits(const char *digits, size_t n)
{
    u32 bits = 0;

    if (n == 0 || n > 4)
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return 0;
        bits = bits * 10 + (u32)(digits[i] - '0');
    }
    if (bits < VEC_VL_MIN * 8 || bits > VEC_VL_MAX * 8 || bits % 128)
        return 0;
    return bits / 8;
}

/* A kind of vectors: its name in the list, and what the machine has of it. */
struct kind {
    const char *name;
    const char *word;
    u32 unit, lengths;
    bool here;
};

/*
 * "WORD" or "WORD:BITS" to a length in bytes. The hardware's next shorter length is taken, as for
 * ZCR_EL2.LEN and SMCR_EL2.LEN themselves; where there is none, hardware would give a longer one,
 * which is not what was asked for. In the firmware, before the lengths are known, that waits.
 */
static bool parse_length(struct item item, const struct kind *kind, u32 *length, char *why,
                         size_t n)
{
    size_t word = strlen(kind->word);
    u32 wanted = VEC_VL_MAX;

    if (item.n > word)
        wanted = parse_bits(item.at + word + 1, item.n - word - 1);
    if (!wanted) {
        format_text(why, n,
                    "fp = \"%.*s\": not an %s vector length: give bits, a multiple of 128 from "
                    "128 to 2048, as in %s:256",
                    (int)item.n, item.at, kind->name, kind->word);
        return false;
    }
    if (!kind->here) {
        format_text(why, n, "fp = \"%.*s\": this CPU has no %s: leave %s out", (int)item.n, item.at,
                    kind->name, kind->word);
        return false;
    }
    *length = vec_round_down(kind->lengths, wanted);
    if (!*length && kind->lengths) {
        u32 shortest = VEC_VL_MIN;
        while (!vec_round_down(kind->lengths, shortest))
            shortest += VEC_VL_MIN;
        format_text(why, n,
                    "fp = \"%.*s\": this CPU's shortest %s vectors are of %u bits: give at least "
                    "%s:%u",
                    (int)item.n, item.at, kind->name, shortest * 8, kind->word, shortest * 8);
        return false;
    }
    return true;
}

/* Is it `word`, or `word` and a colon? */
static bool item_of(struct item item, const char *word)
{
    size_t n = strlen(word);

    return item.n >= n && memcmp(item.at, word, n) == 0 && (item.n == n || item.at[n] == ':');
}

static bool parse_sme(struct item item, struct arch_fp_config *config, const char *word, char *why,
                      size_t n)
{
    const struct kind sme = {"SME", word, FP_UNIT_SME, features.sme_vls, features.sme};

    config->units |= FP_UNIT_SME;
    config->zt0 = features.sme2 && strcmp(word, "sme1") != 0;
    return parse_length(item, &sme, &config->sme_vl, why, n);
}

static bool parse_item(struct item item, struct arch_fp_config *config, char *why, size_t n)
{
    const struct kind sve = {"SVE", "sve", FP_UNIT_SVE, features.sve_vls, features.sve};
    u32 before = config->units;

    if (item_is(item, "fpsimd")) {
        config->units |= FP_UNIT_FPSIMD;
    } else if (item_of(item, "sve")) {
        config->units |= FP_UNIT_SVE;
        if (!parse_length(item, &sve, &config->sve_vl, why, n))
            return false;
    } else if (item_of(item, "sme") || item_of(item, "sme1")) {
        if (!parse_sme(item, config, item_of(item, "sme") ? "sme" : "sme1", why, n))
            return false;
    } else if (item_is(item, "fpmr")) {
        before = config->fpmr ? config->units : ~0u;
        config->fpmr = true;
        if (!features.fpmr) {
            format_text(why, n, "fp = \"fpmr\": this CPU has no FPMR: leave fpmr out");
            return false;
        }
    } else {
        format_text(why, n, "fp = \"%.*s\": no FP component of arm64: " REMEDY, (int)item.n,
                    item.at);
        return false;
    }
    if (config->units == before) {
        format_text(why, n, "fp names \"%.*s\" twice: name it once", (int)item.n, item.at);
        return false;
    }
    return true;
}

/* All there is. */
static struct arch_fp_config everything(void)
{
    return (struct arch_fp_config){
        .units =
            FP_UNIT_FPSIMD | (features.sve ? FP_UNIT_SVE : 0u) | (features.sme ? FP_UNIT_SME : 0u),
        .sve_vl = features.sve ? features.sve_vl : 0,
        .sme_vl = features.sme ? features.sme_vl : 0,
        .zt0 = features.sme2,
        .fpmr = features.fpmr,
    };
}

bool arch_fp_config_parse(const char *list, struct arch_fp_config *config, char *why, size_t n)
{
    const char *rest = list;

    while (*rest == ' ')
        rest++;
    if (!*rest) {
        *config = everything();
        return true;
    }
    *config = (struct arch_fp_config){0};
    while (rest) {
        if (!parse_item(next_item(&rest), config, why, n))
            return false;
    }
    if (!(config->units & FP_UNIT_FPSIMD)) {
        format_text(why, n, "fp = \"%s\": the others contain FPSIMD: write fpsimd,%s", list, list);
        return false;
    }
    return true;
}
