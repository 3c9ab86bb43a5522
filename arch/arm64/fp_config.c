/* Reads a VM's `fp =` list: "fpsimd", "fpsimd,sve", "fpsimd,sve:256"; empty is all there is. */
#include "arch/arch.h"
#include "features.h"
#include "hv/console.h"
#include "vec_layout.h"

#define REMEDY "write fpsimd, or fpsimd,sve, or fpsimd,sve:BITS with BITS from 128 to 2048"

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

/* "sve" or "sve:BITS". The hardware's next shorter length is taken, as for ZCR_EL2.LEN itself. */
static bool parse_sve(struct item item, struct arch_fp_config *config, char *why, size_t n)
{
    u32 wanted = VEC_VL_MAX;

    if (item.n > 4)
        wanted = parse_bits(item.at + 4, item.n - 4);
    if (!wanted || item.n == 4) {
        format_text(why, n,
                    "fp = \"%.*s\": not an SVE vector length: give bits, a multiple of 128 from "
                    "128 to 2048, as in sve:256",
                    (int)item.n, item.at);
        return false;
    }
    if (!features.sve) {
        format_text(why, n, "fp = \"%.*s\": this CPU has no SVE: leave sve out", (int)item.n,
                    item.at);
        return false;
    }
    config->units |= FP_UNIT_SVE;
    config->sve_vl = vec_round_down(features.sve_vls, wanted);
    return true;
}

static bool parse_item(struct item item, struct arch_fp_config *config, char *why, size_t n)
{
    u32 before = config->units;

    if (item_is(item, "fpsimd")) {
        config->units |= FP_UNIT_FPSIMD;
    } else if (item_is(item, "sve") || (item.n > 3 && memcmp(item.at, "sve:", 4) == 0)) {
        if (!parse_sve(item, config, why, n))
            return false;
    } else if (item.n >= 3 && memcmp(item.at, "sme", 3) == 0) {
        format_text(why, n, "fp = \"%.*s\": SME is not given to guests by this release: " REMEDY,
                    (int)item.n, item.at);
        return false;
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

bool arch_fp_config_parse(const char *list, struct arch_fp_config *config, char *why, size_t n)
{
    const char *rest = list;

    while (*rest == ' ')
        rest++;
    if (!*rest) {
        *config = (struct arch_fp_config){
            .units = FP_UNIT_FPSIMD | (features.sve ? FP_UNIT_SVE : 0u),
            .sve_vl = features.sve ? features.sve_vl : 0,
        };
        return true;
    }
    *config = (struct arch_fp_config){0, 0};
    while (rest) {
        if (!parse_item(next_item(&rest), config, why, n))
            return false;
    }
    if (!(config->units & FP_UNIT_FPSIMD)) {
        format_text(why, n, "fp = \"%s\": SVE contains FPSIMD: write fpsimd,%s", list, list);
        return false;
    }
    return true;
}
