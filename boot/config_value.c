/* The values of \fermata.conf: numbers, sizes, times, CPU lists. No input overflows anything. */
#include "boot/config.h"

/* Reads decimal digits at *s and moves past them. False: none, or more than a u64 holds. */
static bool digits(const char **s, u64 *number)
{
    const char *at = *s;
    u64 n = 0;

    for (; *at >= '0' && *at <= '9'; at++) {
        u64 digit = (u64)(*at - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    if (at == *s)
        return false;
    *s = at;
    *number = n;
    return true;
}

bool config_number(const char *value, u64 min, u64 max, u64 *number)
{
    return digits(&value, number) && !*value && *number >= min && *number <= max;
}

bool config_memory(const char *value, u64 *bytes, const char **problem)
{
    u64 n;
    u32 shift = 0;

    *problem = "is not a size; write it like 16M or 1G";
    if (!digits(&value, &n))
        return false;
    if (*value == 'K' || *value == 'M' || *value == 'G')
        shift = *value == 'K' ? 10 : *value == 'M' ? 20 : 30;
    if (shift)
        value++;
    if (*value)
        return false;
    *problem = "is no memory at all; a VM needs at least 2M";
    if (!n)
        return false;
    *problem = "is more than 1024G; write a size that this machine has";
    if (n > CONFIG_MEMORY_MAX >> shift)
        return false;
    *bytes = n << shift;
    *problem = "is not a multiple of 2M, the page size of a VM's memory; round it up";
    return !(*bytes % CONFIG_MEMORY_STEP);
}

bool config_time_us(const char *value, u64 *us, const char **problem)
{
    u64 scale = 1;

    *problem = "is not a time; write it like 200us, 5ms or 10s";
    if (!digits(&value, us))
        return false;
    if (!strcmp(value, "ms"))
        scale = 1000;
    else if (!strcmp(value, "s"))
        scale = 1000000;
    else if (strcmp(value, "us"))
        return false;
    *problem = "is too long; the longest time is a day";
    if (*us > (u64)CONFIG_LIMIT_MAX * 1000 / scale)
        return false;
    *us *= scale;
    return true;
}

bool config_cpus(const char *value, u64 *mask, const char **problem)
{
    *problem = "is not a list of CPUs; write it like 0 or 0-1 or 0,2-3, with numbers below 64";
    *mask = 0;
    for (;;) {
        u64 first, last;
        if (!digits(&value, &first) || first > 63)
            return false;
        last = first;
        if (*value == '-') {
            value++;
            if (!digits(&value, &last) || last > 63 || last < first)
                return false;
        }
        *mask |= BITS(last, first);
        if (!*value)
            return true;
        if (*value++ != ',')
            return false;
    }
}
