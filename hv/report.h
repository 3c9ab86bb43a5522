/* What the console shows at the end: numbers, results, the verdict. */
#ifndef FERMATA_REPORT_H
#define FERMATA_REPORT_H

#include "hv/base.h"

struct boot_info;

/* One line: what the hypervisor and the guests take, and what is left. */
void report_memory(const struct boot_info *info);

/* The closing table, the VMs' results and the verdict, the last line. True if every VM passed. */
bool report_end(const struct boot_info *info);

#endif
