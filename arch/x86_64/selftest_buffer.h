/* What RDI of a probed instruction points to (selftest_gate.c): for C and assembly. */
#ifndef FERMATA_X86_SELFTEST_BUFFER_H
#define FERMATA_X86_SELFTEST_BUFFER_H

#define SELFTEST_BUFFER 1024 /* bytes: a valid XSAVE image of nothing, a stack behind it */
#define TILECFG         640  /* offset of a TILECFG: three tiles of one row of 4 bytes */

#endif
