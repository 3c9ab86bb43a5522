/* The `fp` list of a VM: "x87,sse,avx,avx512,pkru,amx". Pure. */
#ifndef FERMATA_X86_FP_CONFIG_H
#define FERMATA_X86_FP_CONFIG_H

#include "hv/base.h"
#include "arch_fp.h"

/*
 * Parses `list` against the XCR0 bits this machine offers. Empty: everything offered. True, or one
 * sentence in `why`: an unknown name, one not managed yet, one the CPU lacks, or a set that no
 * hardware has (sse missing, avx without sse).
 */
bool fp_config_parse(const char *list, u64 offered, struct arch_fp_config *config, char *why,
                     size_t n);

#endif
