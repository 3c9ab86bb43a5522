/* What the console shows at the end: numbers, results, the verdict. */
#ifndef FERMATA_REPORT_H
#define FERMATA_REPORT_H

#include "hv/base.h"

struct boot_info;

/* One line: what the hypervisor and the guests take, and what is left. */
void report_memory(const struct boot_info *info);

/* The closing table, the VMs' results, and the verdict on them: report_verdict(). */
NORETURN void report_end(const struct boot_info *info);

/* Says "PASS" or "FAIL: why" at whatever level, as the last line there is, and ends the machine. */
NORETURN void report_verdict(bool pass, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
